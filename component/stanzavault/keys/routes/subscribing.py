"""Subscribing to nodes, and what somebody is to the nodes of an account (XEP-0060, sections 5.6 to 6.2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, Forbidden, ItemNotFound, PolicyViolation, UnexpectedRequest
from stanzavault.kernel.request import Request
from stanzavault.keys.kinds.table import KindTable
from stanzavault.keys.model.conditions import condition, unsupported
from stanzavault.keys.model.node import Policy
from stanzavault.keys.model.requests import ListAffiliations, ListSubscriptions, Subscribe, Unsubscribe
from stanzavault.keys.routes.gate import Gate
from stanzavault.keys.stanza.xep_0060 import (
    render_affiliations,
    render_subscription,
    render_subscriptions,
)
from stanzavault.keys.store import Stores
from stanzavault.storage.unit import Database, Unit


@dataclass(frozen=True, slots=True)
class Subscribing:
    """Serves whoever may read."""

    database: Database
    stores: Stores
    kinds: KindTable
    policy: Policy
    gate: Gate

    async def subscribe(self, request: Request, command: Subscribe) -> Element:
        """Tell an address of changes from now on; again for who has subscribed changes nothing."""
        kind, is_history = self.kinds.readable(command.node)
        if is_history:
            raise unsupported("subscribe", "Subscribe to the node, not to its history.")
        if command.subscriber.bare != request.principal.address.bare:
            raise BadRequest("Subscribe an address of your own.", application=condition("invalid-jid"))
        node = await self.gate.readable(request, kind.name)

        async def work(unit: Unit) -> None:
            owner = await self.gate.still(unit, node, request.account, writes=True)
            subscriptions = self.stores.subscriptions
            if await subscriptions.has(unit, owner, node, command.subscriber):
                return
            counts = await subscriptions.counts(unit, owner, node, command.subscriber)
            if counts.all >= self.policy.most_subscribers or counts.of_account >= self.policy.most_of_account:
                raise PolicyViolation(
                    f"A node has {self.policy.most_subscribers} subscribers at most, and of one account "
                    f"{self.policy.most_of_account}.",
                    application=condition("too-many-subscriptions"),
                )
            await subscriptions.insert(unit, owner, node, command.subscriber)

        await self.database.write(request.account, work)
        return render_subscription(command.node, command.subscriber)

    async def unsubscribe(self, request: Request, command: Unsubscribe) -> None:
        """Tell an address no longer."""
        if command.subscriber.bare != request.principal.address.bare:
            raise Forbidden("Only who subscribed may end a subscription.")
        self.gate.refuse_private(request, command.node)

        async def work(unit: Unit) -> None:
            owner = await unit.find_owner(request.account)
            node = None if owner is None else await self.stores.nodes.find(unit, owner, command.node)
            if owner is None or node is None:
                raise ItemNotFound("There is no such node.")
            if not await self.stores.subscriptions.delete(unit, owner, node, command.subscriber):
                raise UnexpectedRequest(
                    "That address has not subscribed.", application=condition("not-subscribed")
                )

        await self.database.write(request.account, work, saves=False)

    async def list_subscriptions(self, request: Request, command: ListSubscriptions) -> Element:
        """The principal's own subscriptions to nodes of the account."""

        async def work(unit: Unit) -> Sequence[tuple[str, Address]]:
            owner = await unit.find_owner(request.account)
            if owner is None:
                return ()
            names = {node.id: node.name for node in await self.stores.nodes.all(unit, owner)}
            found = await self.stores.subscriptions.of_account(unit, owner, request.principal.address)
            named = [(names[node_id], subscriber) for node_id, subscriber in found if node_id in names]
            return [(name, subscriber) for name, subscriber in named if command.node in {"", name}]

        return render_subscriptions(command.node, await self.database.read(request.account, work))

    async def list_affiliations(self, request: Request, command: ListAffiliations) -> Element:
        """What the principal is to nodes of the account: owner or member."""
        reader = request.principal.address.bare

        async def work(unit: Unit) -> Sequence[tuple[str, str]]:
            owner = await unit.find_owner(request.account)
            nodes = () if owner is None else await self.stores.nodes.all(unit, owner)
            affiliation = "owner" if reader == request.account else "member"
            return [
                (node.name, affiliation)
                for node in nodes
                if command.node in {"", node.name} and (reader == request.account or reader in node.members)
            ]

        return render_affiliations(command.node, await self.database.read(request.account, work))
