"""Accounts, their wrapped keys and their sealed address in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Column, LargeBinary, SmallInteger, Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.kernel.clock import to_micros
from stanzavault.kernel.ports import KeyPurpose, Owner, WrappedKey
from stanzavault.storage.schema import Identity, metadata, owner_column, sealed_columns
from stanzavault.storage.sealed import seal_row

account = Table(
    "account",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("lookup", LargeBinary, nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
)

account_address = Table("account_address", metadata, owner_column(), *sealed_columns())

owner_key = Table(
    "owner_key",
    metadata,
    owner_column(),
    Column("purpose", SmallInteger, primary_key=True, autoincrement=False),
    Column("version", SmallInteger, primary_key=True, autoincrement=False),
    Column("master", LargeBinary, nullable=False, index=True),
    Column("wrapped", LargeBinary, nullable=False),
    Column("seals", BigInteger, nullable=False),
)


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """An account as found: its id and its wrapped keys."""

    id: int
    keys: tuple[WrappedKey, ...]


async def find(connection: AsyncConnection, lookup: bytes) -> AccountKeys | None:
    """The account found under `lookup`; where its keys are lost it is there without any."""
    rows = (
        await connection.execute(
            select(
                account.c.id,
                owner_key.c.purpose,
                owner_key.c.version,
                owner_key.c.master,
                owner_key.c.wrapped,
            )
            .join_from(account, owner_key, isouter=True)
            .where(account.c.lookup == lookup)
        )
    ).all()
    if not rows:
        return None
    keys = (WrappedKey(r.purpose, r.version, r.master, r.wrapped) for r in rows if r.version is not None)
    return AccountKeys(rows[0].id, tuple(keys))


async def insert(
    connection: AsyncConnection, lookup: bytes, now: datetime, keys: Sequence[WrappedKey]
) -> int:
    """Add an account with its keys: its id.

    Raises:
        IntegrityError: it is there already.
    """
    result = await connection.execute(
        account.insert().values(lookup=lookup, created_at=to_micros(now)).returning(account.c.id)
    )
    account_id: int = result.scalar_one()
    await connection.execute(
        owner_key.insert(),
        [
            {
                "owner_id": account_id,
                "purpose": key.purpose,
                "version": key.version,
                "master": key.master,
                "wrapped": key.wrapped,
                "seals": 0,
            }
            for key in keys
        ],
    )
    return account_id


async def insert_address(connection: AsyncConnection, owner: Owner) -> None:
    """Keep the owner's address, sealed, so that whoever holds the master key can list the accounts."""
    row = seal_row(owner, account_address, {}, str(owner.address).encode())
    await connection.execute(account_address.insert().values(row))


async def reserve_seals(connection: AsyncConnection, owner: Owner, seals: int) -> int:
    """Count `seals` more under the owner's present data key: the sum reserved so far."""
    result = await connection.execute(
        update(owner_key)
        .where(
            owner_key.c.owner_id == owner.id,
            owner_key.c.purpose == KeyPurpose.SEALING,
            owner_key.c.version == owner.sealer.key_id,
        )
        .values(seals=owner_key.c.seals + seals)
        .returning(owner_key.c.seals)
    )
    reserved: int = result.scalar_one()
    return reserved


async def insert_key(connection: AsyncConnection, owner_id: int, key: WrappedKey) -> None:
    """Add a further key of an account."""
    await connection.execute(
        owner_key.insert().values(
            owner_id=owner_id,
            purpose=key.purpose,
            version=key.version,
            master=key.master,
            wrapped=key.wrapped,
            seals=0,
        )
    )
