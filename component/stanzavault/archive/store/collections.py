"""Lists of collections: those that are there, and those that changed (XEP-0136, sections 7.1 and 8)."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from stanzavault.archive.cursors import Cursors
from stanzavault.archive.model import Change, CollectionName, Filter, List, Modified, Summary
from stanzavault.archive.store.header import Record, open_record
from stanzavault.archive.store.paging import Listing, finish, scan
from stanzavault.archive.store.shelf import Row, Shelf
from stanzavault.archive.store.tables import archive, collection
from stanzavault.kernel.clock import to_micros
from stanzavault.kernel.errors import InternalServerError, ItemNotFound
from stanzavault.kernel.paging import Page


async def find(shelf: Shelf, name: CollectionName) -> Record | None:
    """The collection of that name, or what is remembered of it.

    Raises:
        InternalServerError: its record does not open, so that nothing may be done to it but remove it.
    """
    rows = await shelf.rows(select(collection).where(shelf.named(name)))
    if not rows:
        return None
    record = open_record(shelf, rows[0])
    if record is None:
        raise InternalServerError("The record of this collection is damaged; it can only be removed.")
    return record


async def find_live(shelf: Shelf, name: CollectionName) -> Record:
    """The collection of that name.

    Raises:
        ItemNotFound: it is not there.
        InternalServerError: its record does not open.
    """
    record = await find(shelf, name)
    if record is None or record.collection.removed:
        raise ItemNotFound("There is no collection of that name.")
    return record


async def list_collections(
    shelf: Shelf, asked: List, cost: Callable[[Summary], int], budget: int
) -> Page[Summary]:
    """A page of collections in chronological order.

    Args:
        shelf: the owner's.
        asked: which collections, and which page of them.
        cost: the bytes of an entry in the answer.
        budget: the bytes that all entries may have.

    Raises:
        ItemNotFound: the page begins at a place that this list never had.
        FeatureNotImplemented: the page begins at an index beyond those that are counted.
    """
    listing = Listing(
        select(collection).where(shelf.matching(asked.filter)),
        ("start", "id"),
        Cursors(shelf.owner.index, "collections", 2),
        await _kept(shelf) if asked.filter == Filter() else None,
    )

    def entry(row: Row) -> Summary | None:
        record = open_record(shelf, row)
        return record.collection.summary if record else None

    page = await scan(shelf, listing, asked.page, entry, budget)
    page.fit([cost(summary) for _, summary in page.found], budget)
    return await finish(shelf, listing, page)


async def list_changes(
    shelf: Shelf, asked: Modified, cost: Callable[[Change], int], budget: int
) -> Page[Change]:
    """A page of collections in the order in which they were created, changed or removed last.

    Args and raises: as `list_collections`.
    """
    listing = Listing(
        select(collection).where(
            collection.c.owner_id == shelf.owner.id, collection.c.changed > to_micros(asked.since)
        ),
        ("changed",),
        Cursors(shelf.owner.index, "changes", 1),
    )

    def entry(row: Row) -> Change | None:
        record = open_record(shelf, row)
        if record is None:
            return None
        return Change(record.collection.name, record.collection.version, record.collection.removed)

    page = await scan(shelf, listing, asked.page, entry, budget)
    page.fit([cost(change) for _, change in page.found], budget)
    return await finish(shelf, listing, page)


async def _kept(shelf: Shelf) -> int:
    kept = select(archive.c.collections).where(archive.c.owner_id == shelf.owner.id)
    return (await shelf.connection.execute(kept)).scalar_one_or_none() or 0
