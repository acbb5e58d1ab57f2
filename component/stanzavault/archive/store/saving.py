"""Uploads to collections (XEP-0136, section 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Column, delete, func, insert, select, update

from stanzavault.archive import rules
from stanzavault.archive.model import Collection, EncryptedKey, Save
from stanzavault.archive.store.collections import find
from stanzavault.archive.store.header import Record, seal
from stanzavault.archive.store.shelf import ROW_COST, Shelf
from stanzavault.archive.store.tables import collection, collection_form, collection_key, message
from stanzavault.kernel.clock import to_micros
from stanzavault.kernel.ids import new_record_id
from stanzavault.storage.sealed import seal_row
from stanzavault.storage.usage import Store, charge


async def save(
    shelf: Shelf, upload: Save, now: datetime, *, frame: Callable[[Collection], int], most: int, quota: int
) -> int:
    """Create a collection, or append to it and change what the upload names.

    Args:
        shelf: the owner's.
        upload: what is asked.
        now: the instant of the unit.
        frame: bytes of `<chat/>` with its attributes and links alone, for a collection.
        most: bytes that an answer may have.
        quota: bytes that the owner may keep.

    Returns:
        The version of the collection from now on.

    Raises:
        BadRequest: a time in it is beyond the calendar.
        NotAcceptable: it mixes plain and encrypted content, or an item would never fit into an answer.
        ResourceConstraint: it exceeds the quota.
        InternalServerError: the record of the collection does not open.
    """
    record = await find(shelf, upload.name)
    new_keys = await _new_keys(shelf, record, upload.keys)
    saved = rules.save(
        record.collection if record else None,
        upload,
        new_keys=new_keys,
        rings=await _rings(shelf, record, new_keys),
        frame=frame,
        most=most,
    )
    if not saved.changed:
        return saved.collection.version
    created = record is None or record.collection.removed
    numbers = len(saved.items) + len(saved.keys) + (record is None)
    last, changed = await shelf.advance(now, numbers=numbers, changes=1, collections=int(created))
    free = iter(range(last - numbers + 1, last + 1))
    id_ = record.id if record else next(free)
    keys = [_key_row(shelf, next(free), id_, key) for key in saved.keys]
    peers = {name: index for name, index in shelf.peers(upload.name.with_).items() if name in message.c}
    messages = [
        _message_row(
            shelf,
            item.content,
            {**peers, "position": next(free), "collection_id": id_, "time": to_micros(time)},
        )
        for item, time in saved.items
    ]
    form = [] if saved.form is None or not saved.form.content else [_form_row(shelf, id_, saved.form.content)]
    before = Record(id_, saved.collection, 0, 0, 0) if record is None else record
    form_size = sum(map(_charged, form)) if saved.form else before.form_size
    content_size = before.content_size - before.form_size + form_size + sum(map(_charged, [*keys, *messages]))
    row = seal(shelf, id_, saved.collection, changed=changed, content_size=content_size, form_size=form_size)
    await _put(shelf, row, is_new=record is None)
    if saved.form and before.form_size:
        await _drop_form(shelf, id_)
    for table, rows in ((collection_form, form), (collection_key, keys), (message, messages)):
        if rows:
            await shelf.connection.execute(insert(table), rows)
    grown = content_size - before.content_size + len(row["sealed"]) - before.header_size
    used, _ = await charge(
        shelf.connection, shelf.owner, Store.ARCHIVE,
        size=grown + ROW_COST * (record is None), records=len(messages),
    )  # fmt: skip
    if grown > 0:
        rules.check_quota(used, quota)
    return saved.collection.version


async def rewrite(shelf: Shelf, record: Record, now: datetime) -> int:
    """Keep what became of a collection, as its latest change: the bytes by which its header grew."""
    _, changed = await shelf.advance(now, numbers=0, changes=1, collections=0)
    row = seal(
        shelf,
        record.id,
        record.collection,
        changed=changed,
        content_size=record.content_size,
        form_size=record.form_size,
    )
    await _put(shelf, row, is_new=False)
    return len(row["sealed"]) - record.header_size


async def _put(shelf: Shelf, row: dict[str, Any], *, is_new: bool) -> None:
    if is_new:
        await shelf.connection.execute(insert(collection).values(row))
    else:
        there = (collection.c.owner_id == shelf.owner.id, collection.c.id == row["id"])
        await shelf.connection.execute(update(collection).where(*there).values(row))


async def _drop_form(shelf: Shelf, id_: int) -> None:
    there = (collection_form.c.owner_id == shelf.owner.id, collection_form.c.collection_id == id_)
    await shelf.connection.execute(delete(collection_form).where(*there))


async def _new_keys(
    shelf: Shelf, record: Record | None, uploaded: Sequence[EncryptedKey]
) -> tuple[EncryptedKey, ...]:
    """Those keys that the collection does not have yet: sending one again changes nothing."""
    keys = {key.content: key for key in uploaded}
    if record is None or not keys:
        return tuple(keys.values())
    names = {shelf.name("carried", key.carried_name) for key in uploaded}
    rows = select(collection_key).where(
        collection_key.c.owner_id == shelf.owner.id,
        collection_key.c.collection_id == record.id,
        collection_key.c.carried_name.in_(names),
    )
    for row in await shelf.rows(rows):
        content = shelf.open(collection_key, row)
        if content is not None:
            keys.pop(content, None)
    return tuple(keys.values())


async def _rings(shelf: Shelf, record: Record | None, keys: Sequence[EncryptedKey]) -> list[int]:
    """Bytes of all keys that carry one data key, or are encrypted with one public key, as the new ones."""
    rings: list[int] = []
    names: tuple[tuple[Column[bytes], list[bytes]], ...] = (
        (collection_key.c.carried_name, [shelf.name("carried", key.carried_name) for key in keys]),
        (collection_key.c.public_name, [shelf.name("public", key.public_name) for key in keys]),
    )
    for column, named in names:
        sizes: dict[bytes, int] = {}
        for name, key in zip(named, keys, strict=True):
            sizes[name] = sizes.get(name, 0) + key.size
        if record is not None and sizes:
            kept = (
                select(column, func.sum(collection_key.c.size))
                .where(
                    collection_key.c.owner_id == shelf.owner.id,
                    collection_key.c.collection_id == record.id,
                    column.in_(sizes),
                )
                .group_by(column)
            )
            for name, size in await shelf.connection.execute(kept):
                sizes[name] += int(size)
        rings += sizes.values()
    return rings


def _message_row(shelf: Shelf, content: bytes, place: dict[str, Any]) -> dict[str, Any]:
    return seal_row(shelf.owner, message, {**place, "archive_id": new_record_id()}, content)


def _key_row(shelf: Shelf, id_: int, collection_id: int, key: EncryptedKey) -> dict[str, Any]:
    cleartext = {
        "id": id_,
        "collection_id": collection_id,
        "carried_name": shelf.name("carried", key.carried_name),
        "public_name": shelf.name("public", key.public_name),
        "size": key.size,
    }
    return seal_row(shelf.owner, collection_key, cleartext, key.content)


def _form_row(shelf: Shelf, collection_id: int, content: bytes) -> dict[str, Any]:
    return seal_row(shelf.owner, collection_form, {"collection_id": collection_id}, content)


def _charged(row: dict[str, Any]) -> int:
    return len(row["sealed"]) + ROW_COST
