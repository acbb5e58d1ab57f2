"""What a slice needs of the world and does not know the making of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address


class Sealer(Protocol):
    """Seals and opens the records of one owner (AES-256-GCM under the owner's data keys)."""

    @property
    def key_id(self) -> int:
        """Number of the data key that seals now."""
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

    async def request(self, iq: Element, within: float) -> Element:
        """Send an IQ and wait for its answer, of either type "result" or "error".

        Raises:
            TimeoutError: no answer came within that many seconds, or the stream broke.
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
