"""Tables of the slice. Names, addresses and payloads are sealed; what finds them is a blind index."""

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
)

from stanzavault.storage.schema import metadata, owner_column, sealed_columns

node = Table(
    "node",
    metadata,
    owner_column(),
    Column("id", LargeBinary, primary_key=True),
    Column("name_index", LargeBinary, nullable=False),
    *sealed_columns(),
    UniqueConstraint("owner_id", "name_index"),
)
"""Sealed: the node's name, its access model and the members of its whitelist."""

item = Table(
    "node_item",
    metadata,
    owner_column(),
    Column("id", LargeBinary, primary_key=True),
    Column("node_id", LargeBinary, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("item_index", LargeBinary, nullable=False),
    Column("key_index", LargeBinary),
    Column("fingerprint_index", LargeBinary),
    Column("valid_until", BigInteger),
    Column("published_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("state", SmallInteger, nullable=False),
    Column("size", Integer, nullable=False),
    *sealed_columns(),
    ForeignKeyConstraint(["owner_id", "node_id"], ["node.owner_id", "node.id"], ondelete="CASCADE"),
    UniqueConstraint("owner_id", "node_id", "position"),
    Index(None, "owner_id", "item_index"),
    Index(None, "owner_id", "key_index"),
    Index(None, "owner_id", "fingerprint_index"),
)
"""Sealed: the item with its id and its payload. The indexes of keys are there where the item is about one."""

subscription = Table(
    "node_subscription",
    metadata,
    owner_column(),
    Column("id", LargeBinary, primary_key=True),
    Column("node_id", LargeBinary, nullable=False),
    Column("subscriber_index", LargeBinary, nullable=False),
    Column("account_index", LargeBinary, nullable=False),
    *sealed_columns(),
    ForeignKeyConstraint(["owner_id", "node_id"], ["node.owner_id", "node.id"], ondelete="CASCADE"),
    UniqueConstraint("owner_id", "node_id", "subscriber_index"),
    Index(None, "owner_id", "account_index"),
)
"""Sealed: the subscriber's address. Its index stands for that address, the account's for its bare form."""
