"""Removal of collections, of which only name and version are remembered (XEP-0136, sections 7.3 and 8)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, delete, func, select, update

from stanzavault.archive.model import Collection, Remove
from stanzavault.archive.store.header import Record, open_record, seal
from stanzavault.archive.store.shelf import ROW_COST, Row, Shelf
from stanzavault.archive.store.tables import LIVE, collection, collection_form, collection_key, message
from stanzavault.storage.usage import Store, charge

_MOST_COLLECTIONS = 100
_MOST_ITEMS = 10_000


async def remove_some(shelf: Shelf, asked: Remove, now: datetime) -> tuple[int, bool]:
    """Remove what is asked, as much of it as one transaction should do.

    A collection whose record does not open goes without a memory, for its name is not known.

    Returns:
        How many collections were removed, and whether there may be more of them.
    """
    meant = shelf.matching(asked.filter) if asked.name is None else and_(shelf.named(asked.name), LIVE)
    ordered = select(collection).where(meant).order_by(collection.c.start, collection.c.id)
    rows = await shelf.rows(ordered.limit(_MOST_COLLECTIONS))
    records, damaged, more = _batch(shelf, rows)
    if not records and not damaged:
        return 0, False
    freed = sum(record.content_size for record in records)
    items = sum(record.collection.items for record in records)
    if damaged:
        size, count = await _measured(shelf, damaged)
        freed, items = freed + size, items + count
    removed = [*(record.id for record in records), *damaged]
    _, changed = await shelf.advance(now, numbers=0, changes=len(removed), collections=-len(removed))
    for table in (message, collection_key, collection_form):
        await shelf.connection.execute(
            delete(table).where(table.c.owner_id == shelf.owner.id, table.c.collection_id.in_(removed))
        )
    if records:
        freed += await _remember(shelf, records, changed)
    if damaged:
        await shelf.connection.execute(
            delete(collection).where(collection.c.owner_id == shelf.owner.id, collection.c.id.in_(damaged))
        )
    await charge(shelf.connection, shelf.owner, Store.ARCHIVE, size=-freed, records=-items)
    return len(removed), more


def _batch(shelf: Shelf, rows: Sequence[Row]) -> tuple[list[Record], list[int], bool]:
    """The first of some collections, those whose records do not open apart, and whether there may be more."""
    records: list[Record] = []
    damaged: list[int] = []
    items = 0
    for row in rows:
        record = open_record(shelf, row)
        if record is None:
            damaged.append(row["id"])
            continue
        items += record.collection.items
        if records and items > _MOST_ITEMS:
            return records, damaged, True
        records.append(record)
    return records, damaged, len(rows) == _MOST_COLLECTIONS


async def _remember(shelf: Shelf, records: Sequence[Record], changed: int) -> int:
    """Leave the memory of collections in their places: the bytes by which their headers shrink."""
    tombs: list[dict[str, Any]] = []
    for number, record in enumerate(reversed(records)):
        kept = record.collection
        tomb = Collection(kept.name, kept.version + 1, kept.name.start, removed=True)
        tombs.append(seal(shelf, record.id, tomb, changed=changed - number, content_size=0, form_size=0))
    there = (collection.c.owner_id == shelf.owner.id, collection.c.id == bindparam("there"))
    edited = ("changed", "removed", "key_id", "codec", "sealed")
    values: dict[str, Any] = {name: bindparam(name) for name in edited}
    await shelf.connection.execute(
        update(collection).where(*there).values(values),
        [{name: tomb[name] for name in edited} | {"there": tomb["id"]} for tomb in tombs],
    )
    return sum(record.header_size for record in records) - sum(len(tomb["sealed"]) for tomb in tombs)


async def _measured(shelf: Shelf, ids: Sequence[int]) -> tuple[int, int]:
    """Bytes charged for collections whose headers do not tell, and how many items they have."""
    size = items = 0
    for table in (message, collection_key, collection_form, collection):
        of = table.c.id if table is collection else table.c.collection_id
        counted = select(
            func.count().label("rows"), func.coalesce(func.sum(func.length(table.c.sealed)), 0).label("size")
        )
        found = (
            await shelf.connection.execute(counted.where(table.c.owner_id == shelf.owner.id, of.in_(ids)))
        ).one()
        size += int(found.size) + ROW_COST * found.rows
        items += found.rows if table is message else 0
    return size, items
