"""The one row that tells which vault a database belongs to, and the rewrapping of every key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    LargeBinary,
    SmallInteger,
    Table,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.accounts.store import account, owner_key
from stanzavault.kernel.clock import to_micros
from stanzavault.kernel.ports import WrappedKey
from stanzavault.storage.schema import metadata

vault = Table(
    "vault",
    metadata,
    Column(
        "id",
        SmallInteger,
        CheckConstraint("id = 1", name="single_row"),
        primary_key=True,
        autoincrement=False,
    ),
    Column("master", LargeBinary, nullable=False),
    Column("index_key", LargeBinary, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class VaultRow:
    """The vault's index key, wrapped, and the fingerprint of the master key that wraps it."""

    master: bytes
    index_key: bytes = field(repr=False)


async def load(connection: AsyncConnection) -> VaultRow | None:
    """The vault of this database, None before `stanzavault keys init`."""
    row = (await connection.execute(select(vault.c.master, vault.c.index_key))).one_or_none()
    return VaultRow(row.master, row.index_key) if row else None


async def hold(connection: AsyncConnection) -> VaultRow | None:
    """The vault of this database, kept from being rotated until the transaction ends."""
    held = select(vault.c.master, vault.c.index_key).with_for_update(read=True)
    row = (await connection.execute(held)).one_or_none()
    return VaultRow(row.master, row.index_key) if row else None


async def create(connection: AsyncConnection, row: VaultRow, now: datetime) -> None:
    """Make this database a vault."""
    await connection.execute(
        vault.insert().values(id=1, master=row.master, index_key=row.index_key, created_at=to_micros(now))
    )


async def replace(connection: AsyncConnection, row: VaultRow) -> None:
    """Keep the index key under another master key."""
    await connection.execute(update(vault).values(master=row.master, index_key=row.index_key))


async def count_accounts(connection: AsyncConnection) -> int:
    """How many accounts there are; looked at before a vault is made, so it is 0 or a reason to stop."""
    return (await connection.execute(select(func.count()).select_from(account))).scalar_one()


async def keys_under(
    connection: AsyncConnection, master: bytes, most: int
) -> list[tuple[int, bytes, WrappedKey]]:
    """Up to `most` keys that a master key wraps: owner id, owner's lookup, key."""
    rows = await connection.execute(
        select(account.c.id, account.c.lookup, owner_key)
        .join_from(owner_key, account)
        .where(owner_key.c.master == master)
        .limit(most)
    )
    return [
        (row.id, bytes(row.lookup), WrappedKey(row.purpose, row.version, row.master, row.wrapped))
        for row in rows
    ]


async def count_keys_not_under(connection: AsyncConnection, master: bytes) -> int:
    """How many keys another master key wraps."""
    counted = select(func.count()).select_from(owner_key).where(owner_key.c.master != master)
    return (await connection.execute(counted)).scalar_one()


async def replace_key(connection: AsyncConnection, owner_id: int, old: WrappedKey, new: WrappedKey) -> None:
    """Put the rewrapped key in the place of the old one, if that still stands there."""
    await connection.execute(
        update(owner_key)
        .where(
            owner_key.c.owner_id == owner_id,
            owner_key.c.purpose == old.purpose,
            owner_key.c.version == old.version,
            owner_key.c.master == old.master,
        )
        .values(master=new.master, wrapped=new.wrapped)
    )
