"""What stands in a collection, page by page (XEP-0136, section 7.2; XEP-0241, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, func, select

from stanzavault.archive.cursors import Cursors
from stanzavault.archive.model import Collection, Content, EncryptedKey, Form, Item, Retrieve
from stanzavault.archive.store.collections import find_live
from stanzavault.archive.store.header import Record
from stanzavault.archive.store.paging import Listing, finish, scan
from stanzavault.archive.store.shelf import Row, Shelf
from stanzavault.archive.store.tables import collection_form, collection_key, message
from stanzavault.kernel.paging import Page


@dataclass(frozen=True, slots=True)
class Reading:
    """How kept content becomes items and keys, and what an answer costs.

    Attributes:
        item: reads an item as it was kept.
        key: reads a key as it was kept.
        frame: bytes of `<chat/>` with its attributes and links alone, for a collection.
        most: bytes that an answer may have.
    """

    item: Callable[[bytes], Item]
    key: Callable[[bytes], EncryptedKey]
    frame: Callable[[Collection], int]
    most: int


async def retrieve(shelf: Shelf, asked: Retrieve, reading: Reading) -> Content:
    """A page of a collection, with every key that its encrypted data refer to.

    Raises:
        ItemNotFound: the collection is not there, or never held the item at which the page begins.
        FeatureNotImplemented: the page begins at an index beyond those that are counted.
        InternalServerError: the record of the collection does not open.
    """
    record = await find_live(shelf, asked.name)
    kept = record.collection
    listing = Listing(
        select(message).where(message.c.owner_id == shelf.owner.id, message.c.collection_id == record.id),
        ("position",),
        Cursors(shelf.owner.index, f"collection {record.id}", 1),
        kept.items,
    )

    def entry(row: Row) -> Item | None:
        content = shelf.open(message, row)
        return None if content is None else reading.item(content)

    form = await _form(shelf, record)
    budget = reading.most - reading.frame(kept) - kept.form
    page = await scan(shelf, listing, asked.page, entry, budget)
    items = [item for _, item in page.found]
    rings = await _ring_sizes(shelf, record.id, _names(kept, items), asked.public_names)
    for_form = sum(rings.get(name, 0) for name in kept.form_key_names)
    page.fit(_costs(items, rings, kept.form_key_names), budget - for_form)
    finished: Page[Item] = await finish(shelf, listing, page)
    keys = await _keys(shelf, record.id, _names(kept, finished.entries), asked.public_names, reading)
    return Content(kept.summary, finished, kept.links, form, keys)


def _names(kept: Collection, items: Iterable[Item]) -> list[str]:
    """The keys that the form and some items are encrypted with."""
    names = [*kept.form_key_names, *(item.key_name for item in items if item.key_name is not None)]
    return list(dict.fromkeys(names))


def _costs(items: Iterable[Item], rings: Mapping[str, int], form_names: Iterable[str]) -> list[int]:
    """What each item adds to an answer: itself, and its keys unless the form or one before brings them."""
    brought = set(form_names)
    costs = []
    for item in items:
        name = item.key_name
        ring = 0 if name is None or name in brought else rings.get(name, 0)
        costs.append(item.size + ring)
        brought |= {name} if name else set()
    return costs


async def _form(shelf: Shelf, record: Record) -> Form | None:
    kept = record.collection
    if not kept.form:
        return None
    found = select(collection_form).where(
        collection_form.c.owner_id == shelf.owner.id, collection_form.c.collection_id == record.id
    )
    for row in await shelf.rows(found):
        content = shelf.open(collection_form, row)
        if content is not None:
            return Form(content, kept.form, kept.form_key_names)
    return None


def _wanted(
    shelf: Shelf, id_: int, names: Iterable[str], public_names: Iterable[str]
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [
        collection_key.c.owner_id == shelf.owner.id,
        collection_key.c.collection_id == id_,
        collection_key.c.carried_name.in_([shelf.name("carried", name) for name in names]),
    ]
    public = [shelf.name("public", name) for name in public_names]
    return [*conditions, collection_key.c.public_name.in_(public)] if public else conditions


async def _ring_sizes(
    shelf: Shelf, id_: int, names: list[str], public_names: tuple[str, ...]
) -> dict[str, int]:
    if not names:
        return {}
    sizes = (
        select(collection_key.c.carried_name, func.sum(collection_key.c.size).label("size"))
        .where(*_wanted(shelf, id_, names, public_names))
        .group_by(collection_key.c.carried_name)
    )
    found = {bytes(row.carried_name): int(row.size) for row in await shelf.connection.execute(sizes)}
    return {name: found.get(shelf.name("carried", name), 0) for name in names}


async def _keys(
    shelf: Shelf, id_: int, names: list[str], public_names: tuple[str, ...], reading: Reading
) -> list[EncryptedKey]:
    if not names:
        return []
    found = (
        select(collection_key).where(*_wanted(shelf, id_, names, public_names)).order_by(collection_key.c.id)
    )
    opened = [shelf.open(collection_key, row) for row in await shelf.rows(found)]
    return [reading.key(content) for content in opened if content is not None]
