"""How much each owner keeps: counters that move in the transaction that moves the data."""

from __future__ import annotations

from enum import IntEnum

from sqlalchemy import BigInteger, Column, SmallInteger, Table, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.kernel.ports import Owner
from stanzavault.storage.schema import metadata, owner_column

usage = Table(
    "usage",
    metadata,
    owner_column(),
    Column("store", SmallInteger, primary_key=True, autoincrement=False),
    Column("bytes", BigInteger, nullable=False),
    Column("records", BigInteger, nullable=False),
)


class Store(IntEnum):
    """What an owner keeps, as the usage counts it."""

    KEYS = 1
    ARCHIVE = 2
    OFFLINE = 3


async def charge(
    connection: AsyncConnection, owner: Owner, store: Store, *, size: int, records: int
) -> tuple[int, int]:
    """Add to (or, negative, take from) what `owner` keeps.

    Returns:
        Bytes and records that it keeps from now on.
    """
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    added = insert(usage).values(owner_id=owner.id, store=store, bytes=size, records=records)
    statement = added.on_conflict_do_update(
        index_elements=[usage.c.owner_id, usage.c.store],
        set_={
            "bytes": usage.c.bytes + added.excluded.bytes,
            "records": usage.c.records + added.excluded.records,
        },
    ).returning(usage.c.bytes, usage.c.records)
    row = (await connection.execute(statement)).one()
    return row.bytes, row.records


async def kept(connection: AsyncConnection, owner: Owner, store: Store) -> tuple[int, int]:
    """Bytes and records that `owner` keeps."""
    row = (
        await connection.execute(
            select(usage.c.bytes, usage.c.records).where(usage.c.owner_id == owner.id, usage.c.store == store)
        )
    ).one_or_none()
    return (row.bytes, row.records) if row else (0, 0)
