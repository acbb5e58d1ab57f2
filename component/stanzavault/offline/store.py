"""Tables of messages for the absent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    delete,
    insert,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import from_micros, to_micros
from stanzavault.kernel.errors import NotOpened
from stanzavault.kernel.ids import id_text, new_record_id
from stanzavault.kernel.ports import Owner
from stanzavault.offline.model import Letter, Place, State, Waiting, Window
from stanzavault.offline.rules.storing import kind_of
from stanzavault.storage.schema import metadata, owner_column, sealed_columns
from stanzavault.storage.sealed import open_row, seal_row
from stanzavault.storage.usage import Store, charge, usage

_log = logging.getLogger("stanzavault.offline")

offline_queue = Table(
    "offline_queue",
    metadata,
    owner_column(),
    Column("last_position", BigInteger, nullable=False),
)

offline_message = Table(
    "offline_message",
    metadata,
    owner_column(),
    Column("id", LargeBinary, primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("kind", SmallInteger, nullable=False),
    Column("state", SmallInteger, nullable=False),
    *sealed_columns(),
    UniqueConstraint("owner_id", "position"),
    Index(None, "expires_at"),
)

Unopened = Callable[[], None]
"""Told of each record that fails to open."""

_ID_BYTES = 16
_columns = offline_message.c


async def append(
    connection: AsyncConnection, owner: Owner, letter: Letter, received: datetime, expires: datetime
) -> tuple[Place, int]:
    """Put a message behind all others of its owner.

    Returns:
        Where it stands, and its size in bytes as quotas count it.
    """
    place = Place(await _next_position(connection, owner), new_record_id())
    content = str(letter.sender).encode() + b"\n" + letter.stanza
    row = seal_row(
        owner,
        offline_message,
        {
            "id": place.id,
            "position": place.position,
            "received_at": to_micros(received),
            "expires_at": to_micros(expires),
            "size": len(content),
            "kind": int(kind_of(letter)),
            "state": int(State.WAITING),
        },
        content,
    )
    await connection.execute(insert(offline_message).values(row))
    return place, len(content)


async def window(
    connection: AsyncConnection,
    owner: Owner,
    after: int,
    most: Window,
    unopened: Unopened,
    *,
    backwards: bool = False,
) -> tuple[Sequence[Waiting], int | None]:
    """The messages that follow a position, as many as fit; backwards, those that precede it.

    Returns:
        The messages in their order, and the last position that was looked at (the first, backwards), None
        where nothing is beyond `after`. A record that does not open is reported and left out.
    """
    beyond = _columns.position < after if backwards else _columns.position > after
    order = _columns.position.desc() if backwards else _columns.position
    sizes = await connection.execute(
        select(_columns.position, _columns.size)
        .where(_columns.owner_id == owner.id, beyond)
        .order_by(order)
        .limit(most.messages)
    )
    end, total = None, 0
    for position, size in sizes:
        total += size
        if end is not None and total > most.bytes:
            break
        end = position
    if end is None:
        return (), None
    within = _columns.position >= end if backwards else _columns.position <= end
    rows = await connection.execute(
        select(offline_message)
        .where(_columns.owner_id == owner.id, beyond, within)
        .order_by(_columns.position)
    )
    return _opened(owner, rows.mappings().all(), unopened), end


async def at(
    connection: AsyncConnection, owner: Owner, places: Collection[Place], unopened: Unopened
) -> Sequence[Waiting]:
    """The messages that stand at these places, in their order."""
    rows = await connection.execute(
        select(offline_message).where(_are_at(owner, places)).order_by(_columns.position)
    )
    return _opened(owner, rows.mappings().all(), unopened)


async def sizes_at(connection: AsyncConnection, owner: Owner, places: Collection[Place]) -> dict[Place, int]:
    """The sizes of those messages that stand at these places."""
    rows = await connection.execute(
        select(_columns.position, _columns.id, _columns.size).where(_are_at(owner, places))
    )
    return {Place(row.position, bytes(row.id)): row.size for row in rows}


async def remove(connection: AsyncConnection, owner: Owner, places: Collection[Place]) -> int:
    """Remove the messages that stand at these places, and count them."""
    return await _delete(connection, owner, _are_at(owner, places))


async def remove_all(connection: AsyncConnection, owner: Owner) -> int:
    """Remove every message of an owner, and count them."""
    return await _delete(connection, owner, _columns.owner_id == owner.id)


async def remove_expired(connection: AsyncConnection, now: datetime, most: int) -> int:
    """Remove messages of any owner whose time is over, those of longest ago first, and count them."""
    expired = (
        select(_columns.owner_id, _columns.id)
        .where(_columns.expires_at <= to_micros(now))
        .order_by(_columns.expires_at)
        .limit(most)
    )
    rows = await connection.execute(
        delete(offline_message)
        .where(tuple_(_columns.owner_id, _columns.id).in_(expired))
        .returning(_columns.owner_id, _columns.size)
    )
    freed: dict[int, list[int]] = {}
    for owner_id, size in rows:
        freed.setdefault(owner_id, []).append(size)
    for owner_id, sizes in sorted(freed.items()):
        await connection.execute(
            update(usage)
            .where(usage.c.owner_id == owner_id, usage.c.store == Store.OFFLINE)
            .values(bytes=usage.c.bytes - sum(sizes), records=usage.c.records - len(sizes))
        )
    return sum(map(len, freed.values()))


async def _next_position(connection: AsyncConnection, owner: Owner) -> int:
    """The position after the last that was ever given; its row is held until the unit is committed."""
    upsert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = (
        upsert(offline_queue)
        .values(owner_id=owner.id, last_position=1)
        .on_conflict_do_update(
            index_elements=[offline_queue.c.owner_id],
            set_={"last_position": offline_queue.c.last_position + 1},
        )
        .returning(offline_queue.c.last_position)
    )
    position: int = (await connection.execute(statement)).scalar_one()
    return position


async def _delete(connection: AsyncConnection, owner: Owner, condition: Any) -> int:
    removed = await connection.execute(delete(offline_message).where(condition).returning(_columns.size))
    sizes = removed.scalars().all()
    if sizes:
        await charge(connection, owner, Store.OFFLINE, size=-sum(sizes), records=-len(sizes))
    return len(sizes)


def _are_at(owner: Owner, places: Collection[Place]) -> Any:
    pairs = [(place.position, place.id) for place in places]
    return (_columns.owner_id == owner.id) & tuple_(_columns.position, _columns.id).in_(pairs)


def _opened(owner: Owner, rows: Sequence[Any], unopened: Unopened) -> Sequence[Waiting]:
    found = []
    for row in rows:
        try:
            content = open_row(owner, offline_message, row)
        except NotOpened:
            _log.error("a waiting message does not open", extra={"record": id_text(bytes(row["id"]))})
            unopened()
            continue
        sender, _, stanza = content.partition(b"\n")
        place = Place(row["position"], bytes(row["id"]))
        found.append(Waiting(place, from_micros(row["received_at"]), Address.parse(sender.decode()), stanza))
    return found
