"""Nodes and what they hold (XEP-0060), whatever the items are about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address

HISTORY: Final = "#history"
"""A node's name with this behind it names its history: every item that it ever held, read-only."""

CURRENT: Final = "current"
"""The id of the item of an account that has one key (XEP-0189, section 5)."""


class AccessModel(Enum):
    """Who may read a node and subscribe to it, besides its owner (section 4.5)."""

    OPEN = "open"
    PRESENCE = "presence"
    WHITELIST = "whitelist"


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its owner configured it.

    Attributes:
        id: its record, 16 bytes; b"" before it is stored.
        name: its name on the wire.
        access: who may read it.
        members: bare addresses on its whitelist.
    """

    id: bytes
    name: str
    access: AccessModel
    members: frozenset[Address] = frozenset()


class State(IntEnum):
    """What became of an item."""

    CURRENT = 0
    REPLACED = 1
    RETRACTED = 2


@dataclass(frozen=True, slots=True)
class About:
    """What an item says about a public key, so that it can be found again without being opened.

    Attributes:
        key: Base64 of the SubjectPublicKeyInfo, "" where it is about none.
        fingerprint: hexadecimal digits of the fingerprint, where the item publishes a key.
        end: when that key ceases to be valid: from then on only the history shows it.
    """

    key: str = ""
    fingerprint: str = ""
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """An item of a node, with its times.

    Attributes:
        id: 16 bytes.
        item_id: the item's id on the wire.
        payload: what was published.
        state: what became of it.
        published_at: when it was published.
        ended_at: when it was replaced or retracted, None while it is current.
        revoked_at: when the key that it publishes was revoked, None while it is not.
    """

    id: bytes
    item_id: str
    payload: Element = field(repr=False)
    state: State
    published_at: datetime
    ended_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """Something that subscribers of a node, and its owner's other resources, learn.

    Attributes:
        account: whose node it is.
        node: the node as it is from now on.
        event: the child of `<event/>`.
        subscribers: who is told besides the owner's resources.
    """

    account: Address
    node: Node
    event: Element = field(repr=False)
    subscribers: Sequence[Address] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """What a deployment lets an account publish.

    Attributes:
        least_bits: of an RSA modulus.
        access: of a node until its owner says otherwise.
        item_bytes: of one item.
        most_bytes: of all items of an account, past ones included.
        most_items: their number.
        whitelist_length: of all addresses of one whitelist together, in characters.
        most_subscribers: of one node.
        most_of_account: subscriptions to one node of one bare address and its resources.
    """

    least_bits: int = 2048
    access: AccessModel = AccessModel.OPEN
    item_bytes: int = 32 * 1024
    most_bytes: int = 4 * 1024 * 1024
    most_items: int = 1000
    whitelist_length: int = 20_000
    most_subscribers: int = 500
    most_of_account: int = 10
