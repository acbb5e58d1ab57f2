"""What an archive is made of (XEP-0136, section 4), and what its owner may ask of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import Literal

from stanzavault.kernel.address import Address
from stanzavault.kernel.paging import Page, PageRequest


@dataclass(frozen=True, slots=True)
class CollectionName:
    """What tells a collection from every other one of its owner.

    Attributes:
        with_: the address with which the messages were exchanged.
        start: when the conversation started, to the microsecond.
        digits: digits of the second that the start was written with; only its looks, not part of the name.
    """

    with_: Address
    start: datetime
    digits: int = field(default=0, compare=False)


class ItemKind(Enum):
    """What stands in a collection, by the name of its element."""

    FROM = "from"
    TO = "to"
    NOTE = "note"
    ENCRYPTED = "EncryptedData"


@dataclass(frozen=True, slots=True)
class Item:
    """A message, a note or an encrypted sequence of these.

    Attributes:
        kind: which of them.
        content: the whole element as XML, the archive's own names in no namespace.
        size: bytes that it takes in an answer, at most.
        secs: seconds since the message before, or since the start of the collection.
        utc: the absolute time, which goes before `secs`.
        key_name: the name of the key that an encrypted sequence is encrypted with.
    """

    kind: ItemKind
    content: bytes = field(repr=False)
    size: int
    secs: int | None = None
    utc: datetime | None = None
    key_name: str | None = None


@dataclass(frozen=True, slots=True)
class EncryptedKey:
    """A data key of a collection, encrypted with one public key of the owner (XEP-0241, section 2).

    Attributes:
        carried_name: the name of the data key.
        public_name: the name of the public key.
        content: the whole element as XML.
        size: bytes that it takes in an answer, at most.
    """

    carried_name: str
    public_name: str
    content: bytes = field(repr=False)
    size: int


@dataclass(frozen=True, slots=True)
class Form:
    """The attributes of a collection (XEP-0136, section 5.7).

    Attributes:
        content: the whole form as XML; empty where it asks to remove the form.
        size: bytes that it takes in an answer, at most.
        key_names: the names of the keys that its `EncryptedData` is encrypted with.
    """

    content: bytes = field(repr=False)
    size: int
    key_names: tuple[str, ...] = ()


LinkName = Literal["previous", "next"]
LINK_NAMES: tuple[LinkName, ...] = ("previous", "next")


@dataclass(frozen=True, slots=True)
class Save:
    """An upload to a collection (XEP-0136, section 5).

    Attributes:
        name: the collection, created where it does not exist.
        subject: its new subject, None to keep what it has.
        thread: its new thread, None to keep what it has.
        links: links to set, and to remove where the value is None.
        form: the new form, None to keep what it has.
        items: what is appended, in order.
        keys: encrypted keys that are added.
    """

    name: CollectionName
    subject: str | None = field(default=None, repr=False)
    thread: str | None = field(default=None, repr=False)
    links: Mapping[LinkName, CollectionName | None] = field(default_factory=dict)
    form: Form | None = None
    items: Sequence[Item] = ()
    keys: Sequence[EncryptedKey] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """Which collections are meant (XEP-0136, sections 7.1 and 10.1).

    Attributes:
        with_: the address, or the addresses that it stands for; None for any.
        exact: whether it stands for itself alone.
        start: the earliest start, inclusive; None for any.
        end: the latest start, exclusive; None for any.
    """

    with_: Address | None = None
    exact: bool = False
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class List:
    """Asks for collections in chronological order (XEP-0136, section 7.1)."""

    filter: Filter
    page: PageRequest


@dataclass(frozen=True, slots=True)
class Retrieve:
    """Asks for the content of a collection (XEP-0136, section 7.2).

    Attributes:
        public_names: the public keys whose `EncryptedKey` elements are wanted; all where it is empty.
    """

    name: CollectionName
    page: PageRequest
    public_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Remove:
    """Asks to remove one collection, or those of a filter (XEP-0136, section 7.3).

    Attributes:
        name: the one collection.
        filter: the collections, where no name is given.
        open: whether only those are meant that are being recorded automatically.
    """

    name: CollectionName | None = None
    filter: Filter = Filter()
    open: bool = False


@dataclass(frozen=True, slots=True)
class Modified:
    """Asks for collections changed or removed after an instant (XEP-0136, section 8)."""

    since: datetime
    page: PageRequest


@dataclass(frozen=True, slots=True)
class Keys:
    """Asks for every key that is encrypted with one public key (XEP-0241, section 6)."""

    public_name: str
    page: PageRequest


@dataclass(frozen=True, slots=True)
class Delete:
    """Asks to delete keys of a collection by the public keys that encrypt them (XEP-0241, section 6)."""

    name: CollectionName
    public_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """A collection as a list tells it.

    Attributes:
        encrypted: whether it holds encrypted data or keys.
    """

    name: CollectionName
    version: int
    subject: str | None = field(default=None, repr=False)
    thread: str | None = field(default=None, repr=False)
    encrypted: bool = False


@dataclass(frozen=True, slots=True)
class Content:
    """A page of a collection, with the keys that it needs."""

    summary: Summary
    page: Page[Item]
    links: Mapping[LinkName, CollectionName] = field(default_factory=dict)
    form: Form | None = None
    keys: Sequence[EncryptedKey] = ()


@dataclass(frozen=True, slots=True)
class Change:
    """That a collection was created, changed or removed."""

    name: CollectionName
    version: int
    removed: bool


@dataclass(frozen=True, slots=True)
class KeySet:
    """Keys of one collection that are encrypted with the public key that was asked for."""

    name: CollectionName
    version: int
    keys: Sequence[EncryptedKey]


class Holds(IntEnum):
    """What may stand in a collection, by what stands in it."""

    NOTHING = 0
    PLAIN = 1
    ENCRYPTED = 2


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection as it is kept, without its items, keys and form.

    Attributes:
        name: its name.
        version: 0 when created, one more with each change.
        removed: whether only the memory of it is left.
        subject: a friendly name.
        thread: the thread of its messages.
        links: the collections before and after it.
        holds: whether its items are plain or encrypted.
        last: when its latest message was exchanged, to which the next one's `secs` refer.
        items: how many items it has.
        keys: how many encrypted keys it has.
        form: bytes that its form takes in an answer, 0 without one.
        form_key_names: the names of the keys that the `EncryptedData` in its form is encrypted with.
        largest_item: bytes that the largest item takes in an answer.
        largest_ring: bytes that keys take in an answer where they stand together, at most: those of one data
            key (`retrieve`) or under one public key (`keys`).
    """

    name: CollectionName
    version: int
    last: datetime
    removed: bool = False
    subject: str | None = field(default=None, repr=False)
    thread: str | None = field(default=None, repr=False)
    links: Mapping[LinkName, CollectionName] = field(default_factory=dict)
    holds: Holds = Holds.NOTHING
    items: int = 0
    keys: int = 0
    form: int = 0
    form_key_names: tuple[str, ...] = ()
    largest_item: int = 0
    largest_ring: int = 0

    @property
    def encrypted(self) -> bool:
        """Whether it holds encrypted data or keys: then nothing plain may be added (XEP-0241, section 2)."""
        return self.holds is Holds.ENCRYPTED or self.keys > 0 or bool(self.form_key_names)

    @property
    def summary(self) -> Summary:
        """What a list tells of it."""
        return Summary(self.name, self.version, self.subject, self.thread, self.encrypted)
