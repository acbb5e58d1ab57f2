"""What a client developer has to handle.

ClientError
 ├── NoVault             discovery found none, or several
 ├── AnswerMalformed     the vault answered something else than its protocol says
 ├── NotTrusted          a key that is not what it has to be, with the reasons
 ├── NoRecipient         none of the account's keys may be sealed to
 ├── SaveInterrupted     a part of an upload is saved, and the rest is not
 ├── LoginFailed         the server could not be reached, or did not let the account in
 ├── StoreInUse          another program has the store open
 ├── StoreUnreadable     the store is damaged, or no store
 ├── WrongPassphrase     the store does not open with this passphrase
 └── WrongCode           nothing opens with this recovery code

What the vault or a server refuses is slixmpp's IqError, and what is never answered its IqTimeout. No text
here ever holds a key, a passphrase or a message.
"""

from __future__ import annotations

from collections.abc import Sequence


class ClientError(Exception):
    """Any error of this package; its text is fit for a user's eyes."""


class NoVault(ClientError):
    """Service discovery found no vault, or several of which none was chosen."""


class AnswerMalformed(ClientError):
    """The vault answered something else than its protocol says."""


class NotTrusted(ClientError):
    """A key, revocation or attestation is not what it has to be.

    Attributes:
        reasons: each of them, as half a sentence.
    """

    def __init__(self, what: str, reasons: Sequence[str]) -> None:
        super().__init__(f"{what}: {'; '.join(reasons)}.")
        self.reasons = tuple(reasons)


class NoRecipient(ClientError):
    """None of the account's keys is published, valid, and known to be its user's: nothing can be sealed."""


class SaveInterrupted(ClientError):
    """A part of an upload is saved, and the rest is not.

    Attributes:
        saved: how many entries of the upload, from its beginning, are in the archive.
    """

    def __init__(self, saved: int, reason: str) -> None:
        super().__init__(f"{saved} entries were saved, then: {reason}")
        self.saved = saved


class LoginFailed(ClientError):
    """The server could not be reached, or did not let the account in."""


class StoreInUse(ClientError):
    """Another program has the store open."""


class StoreUnreadable(ClientError):
    """The file is damaged, or no store of this program."""


class WrongPassphrase(ClientError):
    """The store does not open with this passphrase."""


class WrongCode(ClientError):
    """The recovery code was mistyped, or is not the one under which the key was sealed."""
