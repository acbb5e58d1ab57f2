"""Collections, their messages, encrypted keys and forms."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

LIVE = sa.text("removed = 0")


def upgrade() -> None:
    op.create_table(
        "archive",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("last_change", sa.BigInteger(), nullable=False),
        sa.Column("collections", sa.BigInteger(), nullable=False),
        owner("archive"),
        sa.PrimaryKeyConstraint("owner_id", name=op.f("pk_archive")),
    )
    op.create_table(
        "collection",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.SmallInteger(), nullable=False),
        *sealed(),
        sa.Column("peer_full", sa.LargeBinary(), nullable=False),
        sa.Column("peer_bare", sa.LargeBinary(), nullable=False),
        sa.Column("peer_domain", sa.LargeBinary(), nullable=False),
        owner("collection"),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_collection")),
        sa.UniqueConstraint(
            "owner_id", "peer_full", "start", name=op.f("uq_collection_owner_id_peer_full_start")
        ),
        sa.UniqueConstraint("owner_id", "changed", name=op.f("uq_collection_owner_id_changed")),
    )
    for columns in (["start", "id"], ["peer_bare", "start", "id"], ["peer_domain", "start", "id"]):
        op.create_index(
            op.f("_".join(["ix_collection_owner_id", *columns])),
            "collection",
            ["owner_id", *columns],
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        )
    op.create_table(
        "message",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection_id", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        *sealed(),
        sa.Column("archive_id", sa.LargeBinary(), nullable=False),
        sa.Column("peer_full", sa.LargeBinary(), nullable=False),
        sa.Column("peer_bare", sa.LargeBinary(), nullable=False),
        owner("message"),
        of_collection("message"),
        sa.PrimaryKeyConstraint("owner_id", "position", name=op.f("pk_message")),
    )
    op.create_index(
        op.f("ix_message_owner_id_collection_id_position"),
        "message",
        ["owner_id", "collection_id", "position"],
    )
    op.create_table(
        "collection_key",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection_id", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        *sealed(),
        sa.Column("carried_name", sa.LargeBinary(), nullable=False),
        sa.Column("public_name", sa.LargeBinary(), nullable=False),
        owner("collection_key"),
        of_collection("collection_key"),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_collection_key")),
    )
    for columns in (["collection_id", "carried_name"], ["public_name", "collection_id"]):
        op.create_index(
            op.f("_".join(["ix_collection_key_owner_id", *columns])), "collection_key", ["owner_id", *columns]
        )
    op.create_table(
        "collection_form",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("collection_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *sealed(),
        owner("collection_form"),
        of_collection("collection_form"),
        sa.PrimaryKeyConstraint("owner_id", "collection_id", name=op.f("pk_collection_form")),
    )


def downgrade() -> None:
    for table in ("collection_form", "collection_key", "message", "collection", "archive"):
        op.drop_table(table)


def sealed() -> list[sa.Column]:
    return [
        sa.Column("key_id", sa.SmallInteger(), nullable=False),
        sa.Column("codec", sa.SmallInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    ]


def owner(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["owner_id"], ["account.id"], name=op.f(f"fk_{table}_owner_id"), ondelete="CASCADE"
    )


def of_collection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["owner_id", "collection_id"],
        ["collection.owner_id", "collection.id"],
        name=op.f(f"fk_{table}_owner_id_collection_id"),
        ondelete="CASCADE",
    )
