"""Own keys and keys of others, as a user keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from esession.crypto import SigningKey
from esession.keys import RSAPublicKey
from stanzavault.keys.model.public_key import PublicKey


@dataclass(frozen=True, slots=True)
class OwnKey:
    """A key pair of the user.

    Attributes:
        private: signs, and opens what was sealed to the public half.
        public: the public half as it is published: with its dates, its account and its fingerprint.
        item_id: the item under which it is published, "" where it is not.
        revoked_at: when its user revoked it, None while it is not.
    """

    private: SigningKey = field(repr=False, compare=False)
    public: PublicKey
    item_id: str = ""
    revoked_at: datetime | None = None

    @property
    def fingerprint(self) -> str:
        """Base64 of the fingerprint (XEP-0189, section 2): the name of the key in what is sealed to it."""
        return self.public.fingerprint.text

    def is_valid_at(self, instant: datetime) -> bool:
        """Whether its dates and its user let it be used for something new."""
        return self.revoked_at is None and self.public.is_valid_at(instant)


@dataclass(frozen=True, slots=True)
class RememberedKey:
    """A public key that an account was seen to have.

    Attributes:
        account: its bare address.
        key: the key.
        first_seen: when it was first seen.
        confirmed: whether the user made sure that it is that account's.
        revoked_at: when its revocation was first seen, None while none was. What was seen stays, even if the
            vault stopped to show it.
        petname: the user's own name for the key's owner.
    """

    account: str
    key: RSAPublicKey
    first_seen: datetime
    confirmed: bool = False
    revoked_at: datetime | None = None
    petname: str | None = None
