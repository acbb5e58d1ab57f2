"""Conventions of the schema: one metadata, names of constraints, column types."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, MetaData, SmallInteger

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""Every table of the vault; the slices' stores add theirs."""

Identity = BigInteger().with_variant(Integer, "sqlite")
"""A generated primary key: SQLite generates only for INTEGER."""


def owner_column() -> Column[int]:
    """The owner that a row belongs to: first in every primary key, gone with its account."""
    return Column(
        "owner_id",
        BigInteger,
        ForeignKey("account.id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    )


def sealed_columns() -> list[Column[int] | Column[bytes]]:
    """The columns that hold a sealed content: see `stanzavault.storage.sealed`."""
    return [
        Column("key_id", SmallInteger, nullable=False),
        Column("codec", SmallInteger, nullable=False),
        Column("sealed", LargeBinary, nullable=False),
    ]
