"""Nodes, their items and who subscribed to them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "node",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("name_index", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.SmallInteger(), nullable=False),
        sa.Column("codec", sa.SmallInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_node_owner_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_node")),
        sa.UniqueConstraint("owner_id", "name_index", name=op.f("uq_node_owner_id_name_index")),
    )
    op.create_table(
        "node_item",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("node_id", sa.LargeBinary(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("item_index", sa.LargeBinary(), nullable=False),
        sa.Column("key_index", sa.LargeBinary(), nullable=True),
        sa.Column("fingerprint_index", sa.LargeBinary(), nullable=True),
        sa.Column("valid_until", sa.BigInteger(), nullable=True),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.SmallInteger(), nullable=False),
        sa.Column("codec", sa.SmallInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_node_item_owner_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "node_id"],
            ["node.owner_id", "node.id"],
            name=op.f("fk_node_item_owner_id_node_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_node_item")),
        sa.UniqueConstraint(
            "owner_id", "node_id", "position", name=op.f("uq_node_item_owner_id_node_id_position")
        ),
    )
    for column in ("item_index", "key_index", "fingerprint_index"):
        op.create_index(op.f(f"ix_node_item_owner_id_{column}"), "node_item", ["owner_id", column])
    op.create_table(
        "node_subscription",
        sa.Column("owner_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("node_id", sa.LargeBinary(), nullable=False),
        sa.Column("subscriber_index", sa.LargeBinary(), nullable=False),
        sa.Column("account_index", sa.LargeBinary(), nullable=False),
        sa.Column("key_id", sa.SmallInteger(), nullable=False),
        sa.Column("codec", sa.SmallInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_node_subscription_owner_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id", "node_id"],
            ["node.owner_id", "node.id"],
            name=op.f("fk_node_subscription_owner_id_node_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("owner_id", "id", name=op.f("pk_node_subscription")),
        sa.UniqueConstraint(
            "owner_id",
            "node_id",
            "subscriber_index",
            name=op.f("uq_node_subscription_owner_id_node_id_subscriber_index"),
        ),
    )
    op.create_index(
        op.f("ix_node_subscription_owner_id_account_index"),
        "node_subscription",
        ["owner_id", "account_index"],
    )


def downgrade() -> None:
    op.drop_table("node_subscription")
    op.drop_table("node_item")
    op.drop_table("node")
