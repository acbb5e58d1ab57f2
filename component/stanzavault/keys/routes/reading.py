"""Retrieving items, and asking for a key directly (XEP-0060, section 6.5; XEP-0189, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import BadRequest, ItemNotFound, NotAcceptable
from stanzavault.kernel.ids import id_text
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.paging import Page, PageRequest
from stanzavault.kernel.request import Request
from stanzavault.keys.kinds.table import KindTable
from stanzavault.keys.known_keys import KnownKeys
from stanzavault.keys.model.node import Record, State
from stanzavault.keys.model.public_key import PublicKey
from stanzavault.keys.model.requests import Fetch
from stanzavault.keys.routes.gate import Gate
from stanzavault.keys.rules.choice import choose_key
from stanzavault.keys.stanza import history
from stanzavault.keys.stanza.xep_0060 import render_items
from stanzavault.keys.stanza.xep_0189 import ATTEST, PUBKEY, parse_attestation, render_public_key
from stanzavault.keys.store import Stores
from stanzavault.keys.store.items import Room
from stanzavault.storage.unit import Database, Unit
from stanzavault.wire.xml import written_size

ANSWER_BYTES: Final = 4096
"""Bytes of an answer beside its items, at most."""

_ITEM_BYTES: Final = 64  # around an item in an answer
_RECORD_BYTES: Final = 512  # around an item in an answer that shows the history


@dataclass(frozen=True, slots=True)
class Reading:
    """Serves whoever may read."""

    database: Database
    stores: Stores
    kinds: KindTable
    gate: Gate
    limits: Limits

    @property
    def _room(self) -> int:
        return self.limits.reply - ANSWER_BYTES

    async def fetch(self, request: Request, command: Fetch) -> Element:
        """Items of a node, or of its history."""
        kind, is_history = self.kinds.readable(command.node)
        node = await self.gate.readable(request, kind.name)

        async def work(unit: Unit) -> tuple[Page[Record], Sequence[tuple[str, Element]]]:
            owner = await self.gate.still(unit, node, request.account)
            if command.item_ids:
                found = await self.stores.items.named(unit, owner, node, command.item_ids, history=is_history)
                if not found:
                    raise ItemNotFound("There is no such item.")
                page = Page(found)
            else:
                room = Room(self._room, _RECORD_BYTES if is_history else _ITEM_BYTES)
                page = await self.stores.items.page(
                    unit, owner, node, _wanted(command), room, history=is_history
                )
            known = KnownKeys(unit, self.stores, request.account)
            if not is_history:
                return page, [(record.item_id, record.payload) for record in page.entries]
            with_marks = kind.name == ATTEST
            return page, [await _past(record, known, with_marks=with_marks) for record in page.entries]

        page, items = await self.database.read(request.account, work)
        if command.item_ids and sum(written_size(item, "") for _, item in items) > self._room:
            raise NotAcceptable("These items are too large for one answer: ask for fewer.")
        is_part = command.is_paged or not page.complete
        return render_items(command.node, items, page if is_part else None)

    async def item_ids(self, request: Request, name: str) -> Sequence[str]:
        """Ids of the items on the first page of a node."""
        answer = await self.fetch(request, Fetch(name, PageRequest(self.limits.page)))
        return [item.get("id", "") for item in answer[0]]

    async def request_key(self, request: Request) -> Element:
        """The key to use for an account, which asks for it without its node."""
        if len(request.payload) or request.payload.attrib or (request.payload.text or "").strip():
            raise BadRequest("A key is asked for with an empty <pubkey/>.")
        node = await self.gate.readable(request, PUBKEY)

        async def work(unit: Unit) -> PublicKey | None:
            await self.gate.still(unit, node, request.account)
            shown = await KnownKeys(unit, self.stores, request.account).shown()
            return choose_key(shown, unit.now)

        key = await self.database.read(request.account, work)
        if key is None:
            raise ItemNotFound("The account publishes no key that is valid now.")
        return render_public_key(key)


def _wanted(command: Fetch) -> PageRequest:
    if command.newest is None:
        return command.page
    bounded = replace(command.page, most=min(command.page.most, command.newest))
    return bounded if command.is_paged else replace(bounded, before="")


async def _past(record: Record, known: KnownKeys, *, with_marks: bool) -> tuple[str, Element]:
    entry = history.Entry(
        item_id=record.item_id,
        payload=record.payload,
        published=record.published_at,
        replaced=record.ended_at if record.state is State.REPLACED else None,
        retracted=record.ended_at if record.state is State.RETRACTED else None,
        revoked=record.revoked_at,
        attestation=(await known.mark(parse_attestation(record.payload))).value if with_marks else None,
    )
    return id_text(record.id), history.render(entry)
