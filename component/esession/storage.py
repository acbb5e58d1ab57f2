"""What a client remembers between sessions, as this library asks for it.

Reading goes through these protocols, which must answer at once and from memory or a local store; writing
goes out as effects (esession.events), which the caller makes durable before it carries out the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from esession.keys import RSAPublicKey
from esession.secret import Secret


@dataclass(frozen=True, slots=True)
class RetainedSecret:
    """A secret kept from a session for the next one with the same client (XEP-0116 section 4.6.3).

    Attributes:
        peer: The peer's bare JID.
        value: The secret.
        made: When the session was established.
        verified: Whether the user has ever confirmed a short authentication string in the whole chain of
            sessions that led to it (XEP-0116 section 7.3).
    """

    peer: str
    value: Secret
    made: datetime
    verified: bool


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A public key that an address has presented (XEP-0116 section 7.4).

    Attributes:
        address: The bare JID that presented it.
        key: The key.
        verified: Whether the user has confirmed that it is that person's key.
        petname: The user's own name for the key's owner.
    """

    address: str
    key: RSAPublicKey
    verified: bool = False
    petname: str | None = None


class RetainedSecrets(Protocol):
    """The retained secrets of this client."""

    def of(self, peer: str) -> Sequence[RetainedSecret]:
        """The secrets kept from sessions with this bare JID."""

    def others(self, peer: str) -> Iterable[RetainedSecret]:
        """The secrets kept from sessions with all other bare JIDs."""


class KnownKeys(Protocol):
    """The public keys that this client has seen."""

    def of(self, address: str) -> Sequence[KnownKey]:
        """The keys that this bare JID has presented."""

    def all(self) -> Iterable[KnownKey]:
        """Every key seen, whoever presented it."""


class Nothing:
    """A memory that is empty: for clients that retain no secrets, and know no keys."""

    def of(self, _peer: str) -> tuple[()]:
        """Nothing."""
        return ()

    def others(self, _peer: str) -> tuple[()]:
        """Nothing."""
        return ()

    def all(self) -> tuple[()]:
        """Nothing."""
        return ()
