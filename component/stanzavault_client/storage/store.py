"""The interface of what a user keeps.

Reading answers at once, from memory. Writing is durable when it returns, which takes milliseconds. A store is
used from one thread, and by one program at a time. `known_keys.for_sessions` and `retained_secrets` are what
`esession.storage` asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from esession.storage import KnownKeys, RetainedSecret
from stanzavault_client.storage.model import OwnKey, RememberedKey


class OwnKeys(Protocol):
    """The user's own keys."""

    def of(self, account: str) -> Sequence[OwnKey]:
        """The keys of a bare address, the oldest first; past ones too, for they open what was sealed."""
        ...

    def put(self, key: OwnKey) -> None:
        """Keep a key, in the place of one with the same fingerprint."""
        ...


class KeyMemory(Protocol):
    """Public keys that were seen, whoever presented them."""

    def of(self, account: str) -> Sequence[RememberedKey]:
        """The keys that this bare address was seen to have, the first seen first."""
        ...

    def put(self, key: RememberedKey) -> None:
        """Remember a key, in the place of the same key of the same account."""
        ...

    @property
    def for_sessions(self) -> KnownKeys:
        """The same keys as encrypted sessions ask for them, without revoked ones."""
        ...


class SecretMemory(Protocol):
    """Secrets retained from encrypted sessions (XEP-0116, section 4.6.3)."""

    def of(self, peer: str) -> Sequence[RetainedSecret]:
        """The secrets kept from sessions with this bare address."""
        ...

    def others(self, peer: str) -> Sequence[RetainedSecret]:
        """The secrets kept from sessions with all other addresses."""
        ...

    def put(self, secret: RetainedSecret) -> None:
        """Keep a secret."""
        ...

    def destroy(self, secret: RetainedSecret) -> None:
        """Forget a secret, in the file as well."""
        ...


class OfflineMemory(Protocol):
    """The private values of published options, as a session library wrapped them (XEP-0187, section 3.1)."""

    @property
    def key(self) -> bytes:
        """The key under which they are wrapped."""
        ...

    def all(self) -> Mapping[str, bytes]:
        """All of them, by the name of their record."""
        ...

    def put(self, record: str, wrapped: bytes) -> None:
        """Keep values, in the place of those of the same name."""
        ...

    def destroy(self, record: str) -> None:
        """Forget them, in the file as well."""
        ...


class Store(Protocol):
    """All that a user keeps."""

    @property
    def own_keys(self) -> OwnKeys:
        """The user's own keys."""
        ...

    @property
    def known_keys(self) -> KeyMemory:
        """Keys of others, and of the user's other devices."""
        ...

    @property
    def retained_secrets(self) -> SecretMemory:
        """Secrets from encrypted sessions."""
        ...

    @property
    def offline_values(self) -> OfflineMemory:
        """What opens encrypted sessions that were started while the user was away."""
        ...
