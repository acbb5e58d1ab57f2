"""Keys of an account as this client sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from esession.keys import RSAPublicKey
from stanzavault.kernel.address import Address
from stanzavault.keys.model.public_key import PublicKey


class Trust(Enum):
    """How sure this client is that a key is its account's. Publishing it proves nothing: servers may lie."""

    OWN = "this client holds the private key"
    CONFIRMED = "its user compared the fingerprint"
    VOUCHED = "a key that is held or confirmed vouches for it"
    NONE = "nobody but the server says so"


@dataclass(frozen=True, slots=True)
class SeenKey:
    """A key that an account publishes, with what this client found out about it.

    Attributes:
        account: who publishes it.
        public: what it publishes, with dates and fingerprint.
        trust: why it is taken to be that account's.
        problems: why it is not to be used, as half sentences; empty where nothing is wrong.
        revoked_at: when it was revoked, None where it is not.
        vouchers: who vouches for it by a key that this client knows and whose signature verifies.
    """

    account: Address
    public: PublicKey
    trust: Trust
    problems: tuple[str, ...] = ()
    revoked_at: datetime | None = None
    vouchers: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Base64 of the fingerprint."""
        return self.public.fingerprint.text

    @property
    def key(self) -> RSAPublicKey:
        """The key itself.

        Raises:
            MalformedError: its numbers are no RSA key; then it has problems, too.
        """
        return RSAPublicKey(self.public.key.modulus, self.public.key.exponent)

    @property
    def is_usable(self) -> bool:
        """Whether it may be used now: sound, within its dates, not revoked, and known to be the account's."""
        return not self.problems and self.trust is not Trust.NONE


@dataclass(frozen=True, slots=True)
class KeysChanged:
    """The event `keys_changed`: a node of an account that is subscribed to, or one's own, has changed.

    Attributes:
        account: whose node.
        node: `urn:xmpp:pubkey:2`, `urn:xmpp:revoke:2` or `urn:xmpp:attest:2`.
        item_ids: what was published or retracted; empty where the whole node changed.
    """

    account: Address
    node: str
    item_ids: tuple[str, ...] = ()
