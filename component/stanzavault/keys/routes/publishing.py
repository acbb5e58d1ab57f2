"""Publishing, replacing and retracting items (XEP-0060, section 7)."""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, ItemNotFound, NotAcceptable, PolicyViolation
from stanzavault.kernel.ids import new_stanza_id
from stanzavault.kernel.ports import Owner
from stanzavault.kernel.request import Request
from stanzavault.keys.kinds.kind import Admitted, NodeKind
from stanzavault.keys.kinds.table import KindTable
from stanzavault.keys.known_keys import KnownKeys
from stanzavault.keys.model.conditions import condition
from stanzavault.keys.model.node import Node, Policy, State
from stanzavault.keys.model.public_key import RsaKey
from stanzavault.keys.model.requests import Publish, Retract
from stanzavault.keys.routes.announcing import Announcer
from stanzavault.keys.routes.gate import Gate, require_own, writing_owner
from stanzavault.keys.rules.configuration import ACCESS, check_preconditions, configured, default_node
from stanzavault.keys.stanza.xep_0060 import render_published
from stanzavault.keys.stanza.xep_0060_event import published, retracted
from stanzavault.keys.stanza.xep_0189 import PUBKEY
from stanzavault.keys.store import Stores
from stanzavault.keys.store.items import new_record
from stanzavault.storage.unit import Database, Unit
from stanzavault.wire.xml import serialize, written_size


class _Evidence(KnownKeys):
    """What is known when an item is verified (see `stanzavault.keys.kinds.kind.Evidence`)."""

    def __init__(self, unit: Unit, stores: Stores, account: Address, policy: Policy) -> None:
        super().__init__(unit, stores, account)
        self.account = account
        self.now = unit.now
        self.policy = policy


@dataclass(frozen=True, slots=True)
class Publishing:
    """Serves an account that changes its items."""

    database: Database
    stores: Stores
    kinds: KindTable
    policy: Policy
    gate: Gate
    announcer: Announcer

    async def publish(self, request: Request, command: Publish) -> Element:
        """Verify an item and store it; the node is made where there is none (section 7.1)."""
        require_own(request)
        kind = self.kinds.writable(command.node)
        self._check_payload(kind, command.payload)
        fresh = configured(self._default(kind), command.options, owner_only=kind.owner_only)
        if ACCESS in command.options:
            await self.gate.check_grant(fresh.access, request.account)

        async def work(unit: Unit) -> str:
            owner = await unit.owner(request.account)
            node = await self.stores.nodes.find(unit, owner, kind.name)
            if node is None:
                node = await self.stores.nodes.insert(unit, owner, fresh)
            else:
                check_preconditions(node, command.options)
            evidence = _Evidence(unit, self.stores, request.account, self.policy)
            admitted = await kind.admit(command.payload, evidence)
            self._check_size(admitted.payload)
            item_id = command.item_id or await self._name(unit, owner, node, kind)
            await self._store(unit, owner, node, item_id, admitted)
            return item_id

        item_id = await self.database.write(request.account, work)
        return render_published(kind.name, item_id)

    async def retract(self, request: Request, command: Retract) -> None:
        """Delete an item; the history keeps it (section 7.2)."""
        require_own(request)
        kind = self.kinds.writable(command.node)

        async def work(unit: Unit) -> None:
            owner = await writing_owner(unit, request.account)
            node = None if owner is None else await self.stores.nodes.find(unit, owner, kind.name)
            if owner is None or node is None:
                raise ItemNotFound("There is no such node.")
            record = await self.stores.items.current(unit, owner, node, command.item_id)
            if record is None:
                raise ItemNotFound("There is no such item.")
            if kind.keeps_history:
                await self.stores.items.end(unit, owner, record, State.RETRACTED)
            else:
                await self.stores.items.remove(unit, owner, node, [record.id])
            event = retracted(kind.name, [command.item_id])
            await self.announcer.announce(unit, owner, node, event, is_for_subscribers=command.notify)

        await self.database.write(request.account, work, saves=False)

    def _default(self, kind: NodeKind) -> Node:
        return default_node(kind.name, self.policy.access, owner_only=kind.owner_only)

    def _check_payload(self, kind: NodeKind, payload: Element) -> None:
        if kind.tags and payload.tag not in kind.tags:
            raise BadRequest(
                "The payload is not what this node holds.", application=condition("invalid-payload")
            )
        self._check_size(payload)

    def _check_size(self, payload: Element) -> None:
        most = self.policy.item_bytes
        if written_size(payload, "") > most:
            raise NotAcceptable(
                f"An item has {most} bytes at most.", application=condition("payload-too-big")
            )

    async def _name(self, unit: Unit, owner: Owner, node: Node, kind: NodeKind) -> str:
        if kind.sole_item and not await self.stores.items.holds(unit, owner, node):
            return kind.sole_item
        return new_stanza_id()

    async def _store(self, unit: Unit, owner: Owner, node: Node, item_id: str, admitted: Admitted) -> None:
        items, kind = self.stores.items, self.kinds.writable(node.name)
        previous = await items.current(unit, owner, node, item_id)
        if previous is not None and serialize(previous.payload) == serialize(admitted.payload):
            return  # it is there already: no second entry in the history, and nothing to tell
        if previous is not None and kind.keeps_history:
            await items.end(unit, owner, previous, State.REPLACED)
        elif previous is not None:
            await items.remove(unit, owner, node, [previous.id])
        record = new_record(item_id, admitted.payload, unit.now)
        size, count = await items.insert(unit, owner, node, record, admitted.about)
        if size > self.policy.most_bytes or count > self.policy.most_items:
            raise PolicyViolation(
                f"An account keeps {self.policy.most_items} items of {self.policy.most_bytes} bytes in all, "
                "past ones included: there is no room for another."
            )
        await self.announcer.announce(unit, owner, node, published(kind.name, item_id, admitted.payload))
        if admitted.revokes is not None:
            await self._revoke(unit, owner, admitted.revokes)

    async def _revoke(self, unit: Unit, owner: Owner, key: RsaKey) -> None:
        """Take a revoked key out of what readers are shown."""
        gone = [record.item_id for record in await self.stores.items.revoke(unit, owner, key.text)]
        node = await self.stores.nodes.find(unit, owner, PUBKEY)
        if node is not None and gone:
            await self.announcer.announce(unit, owner, node, retracted(PUBKEY, gone))
