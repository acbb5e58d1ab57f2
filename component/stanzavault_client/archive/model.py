"""What a collection of the archive holds, as its owner reads and writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from xml.etree.ElementTree import Element

from stanzavault.archive.model import CollectionName


@dataclass(frozen=True, slots=True)
class ArchivedMessage:
    """A message of a conversation.

    Attributes:
        body: its text, "" where it has none.
        at: when it was exchanged; aware.
        incoming: whether it came from the other side.
        extras: other elements of the message that are archived with it, in their own namespaces.
        name: the sender's nickname, in a room (XEP-0136, section 5.5).
        sender: the sender's address, in a room.
    """

    body: str = field(repr=False)
    at: datetime
    incoming: bool
    extras: tuple[Element, ...] = field(default=(), repr=False)
    name: str = ""
    sender: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """The user's own note in a conversation (XEP-0136, section 5.8)."""

    text: str = field(repr=False)
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Unopened:
    """A sealed piece that this client can't open.

    Attributes:
        recipients: fingerprints of the keys that open it, as far as the vault tells.
        reason: why it stays shut.
    """

    recipients: tuple[str, ...]
    reason: str


Entry = ArchivedMessage | Note | Unopened


@dataclass(frozen=True, slots=True)
class Saved:
    """A collection after an upload.

    Attributes:
        name: the collection.
        version: counts its changes.
        recipients: fingerprints of the keys that open what was sealed; empty where it is plain.
        left_out: fingerprints of published keys that were not sealed to, since nobody
            but the server says that they are the user's: `keys.verify` them, or have them vouched for.
    """

    name: CollectionName
    version: int
    recipients: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
