"""The sealed header of a collection: everything about it that the database can't read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stanzavault.archive.model import Collection, CollectionName, Holds
from stanzavault.archive.store.shelf import Shelf
from stanzavault.archive.store.tables import collection
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import from_micros, to_micros
from stanzavault.storage.sealed import seal_row

_PLAIN_FIELDS = (
    "version", "subject", "thread", "items", "keys", "form", "largest_item", "largest_ring",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Record:
    """A collection as it lies in the database.

    Attributes:
        id: its number.
        collection: what its header tells.
        header_size: bytes of its sealed header.
        content_size: bytes that its items, keys and form are charged.
        form_size: bytes that its form is charged, 0 without one.
    """

    id: int
    collection: Collection
    header_size: int
    content_size: int
    form_size: int


def seal(
    shelf: Shelf, id_: int, kept: Collection, *, changed: int, content_size: int, form_size: int
) -> dict[str, Any]:
    """The row of a collection."""
    header = {field: getattr(kept, field) for field in _PLAIN_FIELDS} | {
        "name": _name(kept.name),
        "last": to_micros(kept.last),
        "links": {link: _name(name) for link, name in kept.links.items()},
        "holds": kept.holds,
        "form_key_names": list(kept.form_key_names),
        "content_size": content_size,
        "form_size": form_size,
    }
    told = {key: value for key, value in header.items() if value not in (None, 0, {}, [])}
    content = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
    cleartext = {
        "id": id_,
        **shelf.peers(kept.name.with_),
        "start": to_micros(kept.name.start),
        "changed": changed,
        "removed": int(kept.removed),
    }
    return seal_row(shelf.owner, collection, cleartext, content)


def open_record(shelf: Shelf, row: Mapping[str, Any]) -> Record | None:
    """A collection from its row, None where that does not open."""
    content = shelf.open(collection, row)
    if content is None:
        return None
    header = json.loads(content)
    kept = Collection(
        _parse_name(header["name"]),
        header.get("version", 0),
        from_micros(header.get("last", 0)),
        removed=bool(row["removed"]),
        subject=header.get("subject"),
        thread=header.get("thread"),
        links={link: _parse_name(name) for link, name in header.get("links", {}).items()},
        holds=Holds(header.get("holds", 0)),
        items=header.get("items", 0),
        keys=header.get("keys", 0),
        form=header.get("form", 0),
        form_key_names=tuple(header.get("form_key_names", ())),
        largest_item=header.get("largest_item", 0),
        largest_ring=header.get("largest_ring", 0),
    )
    return Record(
        row["id"], kept, len(row["sealed"]), header.get("content_size", 0), header.get("form_size", 0)
    )


def _name(name: CollectionName) -> list[str | int]:
    return [str(name.with_), to_micros(name.start), name.digits]


def _parse_name(parts: list[Any]) -> CollectionName:
    with_, start, digits = parts
    return CollectionName(Address.parse(with_), from_micros(start), digits)
