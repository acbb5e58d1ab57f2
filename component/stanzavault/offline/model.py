"""Messages that wait for an account, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from stanzavault.kernel.address import Address


class Kind(IntEnum):
    """The message types that are kept (XEP-0160, section 3)."""

    NORMAL = 0
    CHAT = 1


class State(IntEnum):
    """What has become of a message: its column is there from the start, as rows are sealed to it."""

    WAITING = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """What one account may have waiting.

    Attributes:
        bytes: of all its messages together.
        messages: their number.
    """

    bytes: int
    messages: int


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that somebody leaves for an account.

    Attributes:
        account: the bare address of the account that it is for.
        sender: the address that the server vouches for, with its resource where it has one.
        type: the stanza's type attribute, "" where it has none.
        only_chat_states: whether nothing but chat states is in it (XEP-0085).
        hints: names of the processing hints in it (XEP-0334).
        stanza: the message as it will be kept: UTF-8, of the namespace `jabber:client`, without addresses.
        written_size: bytes that it takes when it goes out, at most.
    """

    account: Address
    sender: Address
    type: str
    only_chat_states: bool
    hints: frozenset[str]
    stanza: bytes
    written_size: int


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a waiting message stands.

    Attributes:
        position: its place in the owner's order, from 1; given once, never again.
        id: 16 random bytes; the one id of the message wherever it shows.
    """

    position: int
    id: bytes


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits.

    Attributes:
        place: where it stands.
        received: when the vault received it.
        sender: who left it.
        stanza: as in `Letter`.
    """

    place: Place
    received: datetime
    sender: Address
    stanza: bytes


@dataclass(frozen=True, slots=True)
class Window:
    """How much is read and sent before it is waited for an answer. It holds one message at least.

    Attributes:
        messages: their number, at most.
        bytes: their content together, at most.
    """

    messages: int = 50
    bytes: int = 512 * 1024
