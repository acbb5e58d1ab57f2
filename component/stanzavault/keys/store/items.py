"""Items of nodes, past ones included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update

from stanzavault.kernel.clock import from_micros, to_micros
from stanzavault.kernel.errors import ItemNotFound
from stanzavault.kernel.ids import id_bytes, id_text, new_record_id
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.kernel.ports import Owner
from stanzavault.keys.model.node import About, Node, Record, State
from stanzavault.keys.rules.paging import Place, cut
from stanzavault.keys.store import tables
from stanzavault.keys.store.opening import Opener
from stanzavault.storage.sealed import seal_row
from stanzavault.storage.unit import Unit
from stanzavault.storage.usage import Store, charge
from stanzavault.wire.xml import element, parse, serialize, written_size

Row = Mapping[str, Any]

_CLEARTEXT = [
    column.name
    for column in tables.item.columns
    if column.name not in {"owner_id", "key_id", "codec", "sealed"}
]


@dataclass(frozen=True, slots=True)
class Room:
    """How much an answer may hold.

    Attributes:
        page: bytes of a page.
        around: bytes that go out with each item.
    """

    page: int
    around: int


class ItemStore:
    """Finds and saves items. A node never holds more than the quota lets it, so its places are read whole.

    Args:
        opener: opens their rows.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    async def insert(
        self, unit: Unit, owner: Owner, node: Node, record: Record, about: About
    ) -> tuple[int, int]:
        """Save an item behind all others of its node: bytes and records that the owner keeps from now on."""
        held = _held(record)
        content, size = serialize(held), written_size(held, "")
        last = await unit.connection.execute(
            select(func.max(tables.item.c.position)).where(*_of(owner, node))
        )
        cleartext = {
            "id": record.id,
            "node_id": node.id,
            "position": (last.scalar_one() or 0) + 1,
            "item_index": _item_index(owner, node, record.item_id),
            "key_index": key_index(owner, about.key) if about.key else None,
            "fingerprint_index": fingerprint_index(owner, about.fingerprint) if about.fingerprint else None,
            "valid_until": about.end and to_micros(about.end),
            "published_at": to_micros(record.published_at),
            "ended_at": None,
            "revoked_at": record.revoked_at and to_micros(record.revoked_at),
            "state": record.state,
            "size": size,
        }
        await unit.connection.execute(
            tables.item.insert().values(seal_row(owner, tables.item, cleartext, content))
        )
        return await charge(unit.connection, owner, Store.KEYS, size=size, records=1)

    async def current(self, unit: Unit, owner: Owner, node: Node, item_id: str) -> Record | None:
        """The item of that id that was neither replaced nor retracted."""
        rows = await self._select(
            unit,
            *_of(owner, node),
            tables.item.c.item_index == _item_index(owner, node, item_id),
            tables.item.c.state == State.CURRENT,
        )
        return next(iter(self._records(owner, rows)), None)

    async def end(self, unit: Unit, owner: Owner, record: Record, state: State) -> None:
        """Say that an item was replaced or retracted; only the history shows it from now on."""
        rows = await self._select(unit, *_one(owner, record.id))
        await self._change(unit, owner, rows, {"state": state, "ended_at": to_micros(unit.now)})

    async def end_all(self, unit: Unit, owner: Owner, node: Node, state: State) -> None:
        """Say so of every item of a node."""
        rows = await self._select(unit, *_of(owner, node), tables.item.c.state == State.CURRENT)
        await self._change(unit, owner, rows, {"state": state, "ended_at": to_micros(unit.now)})

    async def remove(
        self, unit: Unit, owner: Owner, node: Node, record_ids: Iterable[bytes] | None = None
    ) -> None:
        """Remove items of a node without a trace: those with `record_ids`, or all."""
        chosen: list[ColumnElement[bool]] = [*_of(owner, node)]
        if record_ids is not None:
            chosen.append(tables.item.c.id.in_(list(record_ids)))
        gone = await unit.connection.execute(delete(tables.item).where(*chosen).returning(tables.item.c.size))
        sizes = [row.size for row in gone]
        await charge(unit.connection, owner, Store.KEYS, size=-sum(sizes), records=-len(sizes))

    async def revoke(self, unit: Unit, owner: Owner, key: str) -> Sequence[Record]:
        """Mark every publication of a key as revoked: those of them that were shown until now."""
        rows = await self._select(
            unit,
            tables.item.c.owner_id == owner.id,
            tables.item.c.key_index == key_index(owner, key),
            tables.item.c.fingerprint_index.is_not(None),
            tables.item.c.revoked_at.is_(None),
        )
        await self._change(unit, owner, rows, {"revoked_at": to_micros(unit.now)})
        now = to_micros(unit.now)
        shown = [row for row in rows if row["state"] == State.CURRENT and row["valid_until"] > now]
        return list(self._records(owner, shown))

    async def is_about(self, unit: Unit, owner: Owner, node: Node, key: str) -> bool:
        """Whether a node has, or ever had, an item about a key."""
        found = await unit.connection.execute(
            select(tables.item.c.id)
            .where(*_of(owner, node), tables.item.c.key_index == key_index(owner, key))
            .limit(1)
        )
        return found.first() is not None

    async def with_fingerprint(self, unit: Unit, owner: Owner, fingerprint: str) -> Sequence[Record]:
        """Publications of the key with that fingerprint (hexadecimal digits), past ones included."""
        rows = await self._select(
            unit,
            tables.item.c.owner_id == owner.id,
            tables.item.c.fingerprint_index == fingerprint_index(owner, fingerprint),
        )
        return list(self._records(owner, rows))

    async def shown(self, unit: Unit, owner: Owner, node: Node) -> Sequence[Record]:
        """Every item of a node that its readers are shown."""
        return list(self._records(owner, await self._select(unit, *_of(owner, node), _shown(unit.now))))

    async def holds(self, unit: Unit, owner: Owner, node: Node) -> bool:
        """Whether a node has an item that was neither replaced nor retracted."""
        found = await unit.connection.execute(
            select(tables.item.c.id).where(*_of(owner, node), tables.item.c.state == State.CURRENT).limit(1)
        )
        return found.first() is not None

    async def named(
        self, unit: Unit, owner: Owner, node: Node, item_ids: Sequence[str], *, history: bool
    ) -> Sequence[Record]:
        """The items of these ids; in the history, an item's id is its record's."""
        if history:
            wanted = [record_id for text in item_ids if (record_id := id_bytes(text)) is not None]
            chosen: list[ColumnElement[bool]] = [tables.item.c.id.in_(wanted)]
        else:
            indexes = [_item_index(owner, node, item_id) for item_id in item_ids]
            chosen = [tables.item.c.item_index.in_(indexes), _shown(unit.now)]
        return list(self._records(owner, await self._select(unit, *_of(owner, node), *chosen)))

    async def page(
        self, unit: Unit, owner: Owner, node: Node, wanted: PageRequest, room: Room, *, history: bool
    ) -> Page[Record]:
        """A page of what a node shows, or of its history; its cursors are the records' ids.

        Raises:
            ItemNotFound: a cursor is none of this node.
        """
        which = [*_of(owner, node), *([] if history else [_shown(unit.now)])]
        found = await unit.connection.execute(
            select(tables.item.c.position, tables.item.c.size).where(*which).order_by(tables.item.c.position)
        )
        places = [Place(row.position, row.size + room.around) for row in found]
        after = await self._position(unit, owner, node, wanted.after)
        before = await self._position(unit, owner, node, wanted.before or None)
        part = cut(places, wanted, after, before, room.page)
        positions = [place.position for place in places[part.start : part.end]]
        rows = await self._select(unit, *_of(owner, node), tables.item.c.position.in_(positions))
        return Page(
            entries=list(self._records(owner, rows)),
            first=id_text(rows[0]["id"]) if rows else None,
            last=id_text(rows[-1]["id"]) if rows else None,
            index=part.start if rows else None,
            count=len(places),
            complete=part.is_complete,
        )

    async def _position(self, unit: Unit, owner: Owner, node: Node, cursor: str | None) -> int | None:
        if cursor is None:
            return None
        record_id = id_bytes(cursor)
        if record_id is not None:
            found = await unit.connection.execute(
                select(tables.item.c.position).where(*_of(owner, node), tables.item.c.id == record_id)
            )
            position: int | None = found.scalar_one_or_none()
            if position is not None:
                return position
        raise ItemNotFound("The page begins at an item that is not there: begin anew.")

    async def _select(self, unit: Unit, *which: ColumnElement[bool]) -> Sequence[Row]:
        found = await unit.connection.execute(
            select(tables.item).where(*which).order_by(tables.item.c.node_id, tables.item.c.position)
        )
        return [dict(row) for row in found.mappings()]

    async def _change(
        self, unit: Unit, owner: Owner, rows: Sequence[Row], changes: Mapping[str, int]
    ) -> None:
        """Seal rows again with other cleartext columns; what does not open is never shown anyway."""
        for row in rows:
            content = self._opener.open(owner, tables.item, row)
            if content is None:
                continue
            cleartext = {**{name: row[name] for name in _CLEARTEXT}, **changes}
            await unit.connection.execute(
                update(tables.item)
                .where(*_one(owner, row["id"]))
                .values(seal_row(owner, tables.item, cleartext, content))
            )

    def _records(self, owner: Owner, rows: Sequence[Row]) -> Iterable[Record]:
        for row in rows:
            content = self._opener.open(owner, tables.item, row)
            if content is not None:
                yield _record(row, content)


def key_index(owner: Owner, key: str) -> bytes:
    """What stands for a public key (Base64 of its SubjectPublicKeyInfo)."""
    return owner.index.of("public key", key)


def fingerprint_index(owner: Owner, fingerprint: str) -> bytes:
    """What stands for a fingerprint (hexadecimal digits)."""
    return owner.index.of("fingerprint", fingerprint)


def new_record(item_id: str, payload: Element, now: datetime) -> Record:
    """A record of an item that is published now."""
    return Record(new_record_id(), item_id, payload, State.CURRENT, now)


def _item_index(owner: Owner, node: Node, item_id: str) -> bytes:
    return owner.index.of("item", f"{node.id.hex()} {item_id}")


def _of(owner: Owner, node: Node) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return tables.item.c.owner_id == owner.id, tables.item.c.node_id == node.id


def _one(owner: Owner, record_id: bytes) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return tables.item.c.owner_id == owner.id, tables.item.c.id == record_id


def _shown(now: datetime) -> ColumnElement[bool]:
    """Neither replaced, retracted, revoked nor expired."""
    return and_(
        tables.item.c.state == State.CURRENT,
        tables.item.c.revoked_at.is_(None),
        or_(tables.item.c.valid_until.is_(None), tables.item.c.valid_until > to_micros(now)),
    )


def _held(record: Record) -> Element:
    held = element("item", {"id": record.item_id})
    held.append(record.payload)
    return held


def _record(row: Row, content: bytes) -> Record:
    held = parse(content)
    return Record(
        id=bytes(row["id"]),
        item_id=held.get("id", ""),
        payload=held[0],
        state=State(row["state"]),
        published_at=from_micros(row["published_at"]),
        ended_at=None if row["ended_at"] is None else from_micros(row["ended_at"]),
        revoked_at=None if row["revoked_at"] is None else from_micros(row["revoked_at"]),
    )
