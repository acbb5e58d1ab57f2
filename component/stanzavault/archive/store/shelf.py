"""One owner's archive within one unit of work: what opens its records, finds and numbers them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, and_, case, true
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.archive.model import CollectionName, Filter
from stanzavault.archive.rules import grain, value_at
from stanzavault.archive.store.tables import LIVE, archive, collection
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import to_micros
from stanzavault.kernel.errors import NotOpened
from stanzavault.kernel.ids import id_text
from stanzavault.kernel.ports import Owner
from stanzavault.storage.sealed import open_row

_log = logging.getLogger("stanzavault.archive")

Row = Mapping[str, Any]

ROW_COST = 128
"""Bytes that a row is charged beside its sealed content, for its other columns and the indexes."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """An owner's archive in a transaction.

    Attributes:
        connection: the transaction's.
        owner: whose archive it is.
        unopened: told of every record that does not open.
    """

    connection: AsyncConnection
    owner: Owner
    unopened: Callable[[], None]

    async def rows(self, statement: Select[Any]) -> list[Row]:
        """Every row that a statement selects."""
        return [row._asdict() for row in await self.connection.execute(statement)]

    def open(self, table: Table, row: Row) -> bytes | None:
        """The content of a row, None where it does not open: that is reported by the record's id."""
        try:
            return open_row(self.owner, table, row)
        except NotOpened:
            record = row.get("archive_id") or str(row.get("id", row.get("collection_id"))).encode()
            shown = id_text(record) if table.name == "message" else record.decode()
            _log.error("a record does not open", extra={"table": table.name, "record": shown})
            self.unopened()
            return None

    def peers(self, with_: Address) -> dict[str, bytes]:
        """The blind indexes of an address at each grain."""
        return {
            "peer_full": self._peer("full", str(with_)),
            "peer_bare": self._peer("bare", value_at("bare", with_)),
            "peer_domain": self._peer("domain", value_at("domain", with_)),
        }

    def name(self, kind: str, name: str) -> bytes:
        """The blind index of a key's name."""
        return self.owner.index.of(f"archive key {kind}", name)

    def named(self, name: CollectionName) -> ColumnElement[bool]:
        """The condition that a collection, removed or not, has this name."""
        return and_(
            collection.c.owner_id == self.owner.id,
            collection.c.peer_full == self._peer("full", str(name.with_)),
            collection.c.start == to_micros(name.start),
        )

    def matching(self, wanted: Filter) -> ColumnElement[bool]:
        """The condition that a collection is there and meant by a filter."""
        conditions: list[ColumnElement[bool]] = [collection.c.owner_id == self.owner.id, and_(true(), LIVE)]
        if wanted.with_ is not None:
            at, value = grain(wanted.with_, exact=wanted.exact)
            conditions.append(collection.c[f"peer_{at}"] == self._peer(at, value))
        if wanted.start is not None:
            conditions.append(collection.c.start >= to_micros(wanted.start))
        if wanted.end is not None:
            conditions.append(collection.c.start < to_micros(wanted.end))
        return and_(*conditions)

    async def advance(
        self, now: datetime, *, numbers: int, changes: int, collections: int
    ) -> tuple[int, int]:
        """Give out numbers and stamps of changes, under the owner's lock until the unit is committed.

        Args:
            now: the instant of the unit.
            numbers: how many numbers for new messages, keys and collections.
            changes: how many stamps: microseconds since 1970, each later than every one before.
            collections: how many collections more there are.

        Returns:
            The last number and the last stamp given.
        """
        insert = postgresql.insert if self.connection.dialect.name == "postgresql" else sqlite.insert
        first = insert(archive).values(
            owner_id=self.owner.id,
            last_number=numbers,
            last_change=to_micros(now),
            collections=collections,
        )
        next_change = archive.c.last_change + changes
        statement = first.on_conflict_do_update(
            index_elements=[archive.c.owner_id],
            set_={
                "last_number": archive.c.last_number + first.excluded.last_number,
                "last_change": case(
                    (next_change > first.excluded.last_change, next_change), else_=first.excluded.last_change
                ),
                "collections": archive.c.collections + first.excluded.collections,
            },
        ).returning(archive.c.last_number, archive.c.last_change)
        row = (await self.connection.execute(statement)).one()
        return row.last_number, row.last_change

    def _peer(self, at: str, value: str) -> bytes:
        return self.owner.index.of(f"peer {at}", value)
