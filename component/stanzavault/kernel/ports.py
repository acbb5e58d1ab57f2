"""What a slice needs of the world and does not know the making of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Protocol
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address


class Sealer(Protocol):
    """Seals and opens the records of one owner (AES-256-GCM under the owner's data keys)."""

    @property
    def key_id(self) -> int:
        """Number of the data key that seals now."""
        ...

    @property
    def budget(self) -> int:
        """How many more records the key may seal before more of its bound is reserved (`grant`)."""
        ...

    def grant(self, seals: int) -> None:
        """Allow that many seals more, which the database has on record as reserved."""
        ...

    def seal(self, associated: bytes, content: bytes) -> bytes:
        """Seal `content`, bound to `associated`."""
        ...

    def open(self, key_id: int, associated: bytes, sealed: bytes) -> bytes:
        """Open what `seal` made under data key `key_id`.

        Raises:
            NotOpened: it was changed, moved, or sealed under another key.
        """
        ...


class Index(Protocol):
    """Blind indexes of one owner: equal values are found without being readable."""

    def of(self, purpose: str, value: str) -> bytes:
        """16 bytes that stand for `value` where `purpose` (such as "peer" or "thread") is asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Owner:
    """An account that has records, with what seals and finds them."""

    id: int
    address: Address
    sealer: Sealer = field(repr=False)
    index: Index = field(repr=False)


class Post(Protocol):
    """Sends stanzas of the vault's own."""

    async def send(self, stanza: Element) -> None:
        """Send a stanza of namespace `jabber:component:accept`; it has its `to`, its `from` and its id."""
        ...

    async def request(self, iq: Element, within: float, /) -> Element:
        """Send an IQ and wait for its answer, of either type "result" or "error".

        Raises:
            TimeoutError: no answer came within that many seconds.
            ConnectionError: there is no stream, or it broke before the answer came.
        """
        ...


class Roster(Protocol):
    """Reads rosters of local accounts through the server's privilege (XEP-0356)."""

    async def is_subscribed(self, account: Address, contact: Address) -> bool:
        """Whether `contact` (bare) may see the presence of `account`.

        Raises:
            Forbidden: the server grants the vault no roster access; the text says so.
            ResourceConstraint: the server did not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """An RSA key that an account publishes (XEP-0189): valid now, and not revoked.

    Attributes:
        modulus: of the key.
        exponent: of the key.
        fingerprint: Base64 of SHA-256, as XEP-0189 defines it: the key's name in what is sealed to it.
        begin: from when on it is valid.
        end: until when.
        attested: whether somebody vouches for it with a signature that the vault verified.
    """

    modulus: int
    exponent: int
    fingerprint: str
    begin: datetime
    end: datetime
    attested: bool


class PublicKeys(Protocol):
    """Knows which keys accounts publish."""

    async def valid_keys(self, account: Address) -> Sequence[PublishedKey]:
        """Keys of an account that are valid now and not revoked, the last published first."""
        ...


@dataclass(frozen=True, slots=True)
class WrappedKey:
    """A key of an owner as the database holds it.

    Attributes:
        purpose: what the key is for, one of `KeyPurpose`.
        version: counts the keys of one purpose, from 1.
        master: fingerprint of the master key that wraps it, 8 bytes.
        wrapped: the key, sealed under that master key and bound to owner, purpose and version.
    """

    purpose: int
    version: int
    master: bytes
    wrapped: bytes = field(repr=False)


class KeyPurpose(IntEnum):
    """What a key of an owner is for."""

    SEALING = 1
    INDEX = 2


class Keyring(Protocol):
    """Holds the master key: finds owners, and makes, opens and rewraps their keys."""

    def lookup(self, address: Address) -> bytes:
        """16 bytes under which the owner with this bare address is found (deployment-wide blind index)."""
        ...

    def follow(self, master: bytes) -> None:
        """Wrap under the master key with this fingerprint from now on: it was rotated.

        Raises:
            NotOpened: that master key is not at hand.
        """
        ...

    def new_key(self, lookup: bytes, purpose: KeyPurpose, version: int) -> WrappedKey:
        """A fresh random key for the owner found under `lookup`."""
        ...

    def rewrap(self, lookup: bytes, key: WrappedKey) -> WrappedKey:
        """The same key under the present master key."""
        ...

    def open_owner(self, owner_id: int, address: Address, lookup: bytes, keys: Sequence[WrappedKey]) -> Owner:
        """An owner with its keys opened.

        Raises:
            NotOpened: a key does not open: it was changed or moved, or its master key is not at hand.
        """
        ...
