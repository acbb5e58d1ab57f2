"""The tables of the archive (docs/decisions/archive-schema.md).

What finds and orders records stands in the clear, as numbers and blind indexes; all else is sealed. Columns
of fixed width come first, so that PostgreSQL pads no row.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    UniqueConstraint,
    text,
)

from stanzavault.storage.schema import metadata, owner_column, sealed_columns

LIVE = text("removed = 0")
"""Collections that are not removed; written out, so that partial indexes serve it."""


def _number(name: str) -> Column[int]:
    return Column(name, BigInteger, primary_key=True, autoincrement=False)


def _of_collection() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["owner_id", "collection_id"], ["collection.owner_id", "collection.id"], ondelete="CASCADE"
    )


archive = Table(
    "archive",
    metadata,
    owner_column(),
    Column("last_number", BigInteger, nullable=False),
    Column("last_change", BigInteger, nullable=False),
    Column("collections", BigInteger, nullable=False),
)
"""One row an owner: the numbers given last, and the count of collections that are kept for it."""

collection = Table(
    "collection",
    metadata,
    owner_column(),
    _number("id"),
    Column("start", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("removed", SmallInteger, nullable=False),
    *sealed_columns(),
    Column("peer_full", LargeBinary, nullable=False),
    Column("peer_bare", LargeBinary, nullable=False),
    Column("peer_domain", LargeBinary, nullable=False),
    UniqueConstraint("owner_id", "peer_full", "start"),
    UniqueConstraint("owner_id", "changed"),
)
"""Collections, and the memory of removed ones; the sealed content is a header (see `header`)."""

for _columns in (
    (collection.c.start, collection.c.id),
    (collection.c.peer_bare, collection.c.start, collection.c.id),
    (collection.c.peer_domain, collection.c.start, collection.c.id),
):
    Index(None, collection.c.owner_id, *_columns, sqlite_where=LIVE, postgresql_where=LIVE)

message = Table(
    "message",
    metadata,
    owner_column(),
    _number("position"),
    Column("collection_id", BigInteger, nullable=False),
    Column("time", BigInteger, nullable=False),
    *sealed_columns(),
    Column("archive_id", LargeBinary, nullable=False),
    Column("peer_full", LargeBinary, nullable=False),
    Column("peer_bare", LargeBinary, nullable=False),
    _of_collection(),
    Index(None, "owner_id", "collection_id", "position"),
)
"""Messages, notes and encrypted sequences, in the order in which the archive took them."""

collection_key = Table(
    "collection_key",
    metadata,
    owner_column(),
    _number("id"),
    Column("collection_id", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    *sealed_columns(),
    Column("carried_name", LargeBinary, nullable=False),
    Column("public_name", LargeBinary, nullable=False),
    _of_collection(),
    Index(None, "owner_id", "collection_id", "carried_name"),
    Index(None, "owner_id", "public_name", "collection_id"),
)
"""Encrypted keys (XEP-0241), found by the data key that they carry and the public key that encrypts them."""

collection_form = Table(
    "collection_form",
    metadata,
    owner_column(),
    _number("collection_id"),
    *sealed_columns(),
    _of_collection(),
)
"""The attributes form of a collection, apart from its header because a list does not show it."""
