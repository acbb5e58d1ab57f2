"""Encrypted keys of all collections, by the public key that encrypts them (XEP-0241, section 6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, select

from stanzavault.archive.cursors import Cursors
from stanzavault.archive.model import CollectionName, Delete, EncryptedKey, Keys, KeySet
from stanzavault.archive.store.collections import find_live
from stanzavault.archive.store.header import Record, open_record
from stanzavault.archive.store.paging import Listing, finish, scan
from stanzavault.archive.store.saving import rewrite
from stanzavault.archive.store.shelf import ROW_COST, Row, Shelf
from stanzavault.archive.store.tables import collection, collection_key
from stanzavault.kernel.paging import Page
from stanzavault.storage.usage import Store, charge


async def list_keys(
    shelf: Shelf,
    asked: Keys,
    read: Callable[[bytes], EncryptedKey],
    cost: Callable[[CollectionName], int],
    budget: int,
) -> Page[KeySet]:
    """A page of the keys under one public key, together by collection, the oldest collection first.

    Args:
        shelf: the owner's.
        asked: which public key, and which page; its entries are collections.
        read: reads a key as it was kept.
        cost: the bytes that a collection takes in the answer beside its keys.
        budget: the bytes that all entries may have.

    Raises:
        ItemNotFound: the page begins at a place that this list never had.
        FeatureNotImplemented: the page begins at an index beyond those that are counted.
    """
    under = [
        collection_key.c.owner_id == shelf.owner.id,
        collection_key.c.public_name == shelf.name("public", asked.public_name),
    ]
    listing = Listing(
        select(collection_key.c.collection_id).where(*under).distinct(),
        ("collection_id",),
        Cursors(shelf.owner.index, "keys", 1),
    )

    def entry(row: Row) -> int:
        collection_id: int = row["collection_id"]
        return collection_id

    page = await scan(shelf, listing, asked.page, entry, budget)
    sizes = await _sizes(shelf, under, [id_ for _, id_ in page.found])
    page.fit([sizes[id_] for _, id_ in page.found], budget)
    records = await _records(shelf, [id_ for _, id_ in page.found])
    costs = [
        sizes[id_] + (cost(records[id_].collection.name) if id_ in records else 0) for _, id_ in page.found
    ]
    page.fit(costs, budget)
    finished = await finish(shelf, listing, page)
    keys = await _keys(shelf, under, finished.entries, read)
    sets = [
        KeySet(records[id_].collection.name, records[id_].collection.version, keys[id_])
        for id_ in finished.entries
        if id_ in records
    ]
    return _with(finished, sets)


async def delete_keys(shelf: Shelf, asked: Delete, now: datetime) -> None:
    """Delete the keys of a collection that are encrypted with any of some public keys.

    Where it has none of these, nothing changes: what was asked holds already.

    Raises:
        ItemNotFound: the collection is not there.
        InternalServerError: the record of the collection does not open.
    """
    record = await find_live(shelf, asked.name)
    names = [shelf.name("public", name) for name in asked.public_names]
    obsolete = [
        collection_key.c.owner_id == shelf.owner.id,
        collection_key.c.collection_id == record.id,
        collection_key.c.public_name.in_(names),
    ]
    sizes = select(func.count().label("keys"), func.sum(func.length(collection_key.c.sealed)).label("size"))
    found = (await shelf.connection.execute(sizes.where(*obsolete))).one()
    if not found.keys:
        return
    await shelf.connection.execute(delete(collection_key).where(*obsolete))
    freed = int(found.size) + ROW_COST * found.keys
    kept = record.collection
    after = replace(
        record,
        collection=replace(kept, keys=kept.keys - found.keys, version=kept.version + 1),
        content_size=record.content_size - freed,
    )
    grown = await rewrite(shelf, after, now)
    await charge(shelf.connection, shelf.owner, Store.ARCHIVE, size=grown - freed, records=0)


async def _sizes(shelf: Shelf, under: Sequence[ColumnElement[bool]], ids: Sequence[int]) -> dict[int, int]:
    sizes = (
        select(collection_key.c.collection_id, func.sum(collection_key.c.size).label("size"))
        .where(*under, collection_key.c.collection_id.in_(ids))
        .group_by(collection_key.c.collection_id)
    )
    return {row.collection_id: int(row.size) for row in await shelf.connection.execute(sizes)}


async def _records(shelf: Shelf, ids: Sequence[int]) -> dict[int, Record]:
    rows = select(collection).where(collection.c.owner_id == shelf.owner.id, collection.c.id.in_(ids))
    opened = [open_record(shelf, row) for row in await shelf.rows(rows)]
    return {record.id: record for record in opened if record is not None}


async def _keys(
    shelf: Shelf,
    under: Sequence[ColumnElement[bool]],
    ids: Sequence[int],
    read: Callable[[bytes], EncryptedKey],
) -> dict[int, list[EncryptedKey]]:
    rows = (
        select(collection_key)
        .where(*under, collection_key.c.collection_id.in_(ids))
        .order_by(collection_key.c.collection_id, collection_key.c.id)
    )
    keys: dict[int, list[EncryptedKey]] = defaultdict(list)
    for row in await shelf.rows(rows):
        content = shelf.open(collection_key, row)
        if content is not None:
            keys[row["collection_id"]].append(read(content))
    return keys


def _with(page: Page[int], sets: list[KeySet]) -> Page[KeySet]:
    """The same page with the key sets in the place of their collections."""
    return Page(sets, page.first, page.last, page.index, page.count, page.complete)
