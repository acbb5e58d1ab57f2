"""Creating, configuring and emptying nodes, and naming their members (XEP-0060, section 8)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from stanzavault.kernel.errors import Conflict, ItemNotFound, NotAllowed, PolicyViolation
from stanzavault.kernel.ports import Owner
from stanzavault.kernel.request import Request
from stanzavault.keys.kinds.table import KindTable
from stanzavault.keys.model.conditions import unsupported
from stanzavault.keys.model.node import AccessModel, Node, Policy, State
from stanzavault.keys.model.requests import Affiliate, Configure, Create, Delete, Purge
from stanzavault.keys.routes.announcing import Announcer
from stanzavault.keys.routes.gate import Gate, require_own, writing_owner
from stanzavault.keys.rules import configuration
from stanzavault.keys.stanza import xep_0060_event, xep_0060_owner
from stanzavault.keys.stanza.node_form import NODE_CONFIG, render_form
from stanzavault.keys.store import Stores
from stanzavault.storage.unit import Database, Unit


@dataclass(frozen=True, slots=True)
class Owning:
    """Serves an account that manages its nodes."""

    database: Database
    stores: Stores
    kinds: KindTable
    policy: Policy
    gate: Gate
    announcer: Announcer

    async def create(self, request: Request, command: Create) -> None:
        """Make a node (section 8.1)."""
        require_own(request)
        kind = self.kinds.writable(command.node)
        fresh = configuration.default_node(kind.name, self.policy.access, owner_only=kind.owner_only)
        fresh = configuration.configured(fresh, command.options, owner_only=kind.owner_only)
        await self.gate.check_grant(fresh.access, request.account)

        async def work(unit: Unit) -> None:
            owner = await unit.owner(request.account)
            if await self.stores.nodes.find(unit, owner, kind.name) is not None:
                raise Conflict("The node is there already.")
            await self.stores.nodes.insert(unit, owner, fresh)

        await self.database.write(request.account, work)

    async def show_default(self, request: Request) -> Element:
        """The configuration of a node that nobody configured (section 8.3)."""
        require_own(request)
        return xep_0060_owner.render_default(_form(self.policy.access))

    async def show_configuration(self, request: Request, name: str) -> Element:
        """A node's configuration (section 8.2)."""
        node = await self._own(request, name)
        return xep_0060_owner.render_configuration(name, _form(node.access))

    async def configure(self, request: Request, command: Configure) -> None:
        """Change a node's configuration (section 8.2.4)."""
        require_own(request)
        kind = self.kinds.writable(command.node)
        fresh = configuration.default_node(kind.name, AccessModel.OPEN, owner_only=kind.owner_only)
        wanted = configuration.configured(fresh, command.options, owner_only=kind.owner_only)
        if configuration.ACCESS in command.options:
            await self.gate.check_grant(wanted.access, request.account)

        async def change(unit: Unit, owner: Owner, node: Node) -> None:
            changed = configuration.configured(node, command.options, owner_only=kind.owner_only)
            if changed != node:
                await self.stores.nodes.update(unit, owner, changed)
                await self.announcer.announce(
                    unit, owner, changed, xep_0060_event.configured(node.name), is_for_subscribers=False
                )

        await self._change(request, command.node, change)

    async def show_affiliations(self, request: Request, name: str) -> Element:
        """Who may read a node by name (section 8.9.1)."""
        node = await self._own(request, name)
        members = [(member, "member") for member in sorted(node.members)]
        return xep_0060_owner.render_affiliations(name, [(request.account, "owner"), *members])

    async def affiliate(self, request: Request, command: Affiliate) -> None:
        """Name members of a node, or no longer (section 8.9.2)."""
        require_own(request)
        if self.kinds.writable(command.node).owner_only:
            raise NotAllowed("Only its owner ever reads this node.")
        if request.account in command.added | command.removed:
            raise NotAllowed("The owner of a node stays its owner.")

        async def change(unit: Unit, owner: Owner, node: Node) -> None:
            changed = replace(node, members=(node.members | command.added) - command.removed)
            if sum(len(str(member)) for member in changed.members) > self.policy.whitelist_length:
                raise PolicyViolation("The whitelist is full.")
            await self.stores.nodes.update(unit, owner, changed)

        await self._change(request, command.node, change)

    async def purge(self, request: Request, command: Purge) -> None:
        """Retract every item of a node; its history keeps them (section 8.5)."""
        require_own(request)
        kind = self.kinds.writable(command.node)

        async def change(unit: Unit, owner: Owner, node: Node) -> None:
            if kind.keeps_history:
                await self.stores.items.end_all(unit, owner, node, State.RETRACTED)
            else:
                await self.stores.items.remove(unit, owner, node)
            await self.announcer.announce(unit, owner, node, xep_0060_event.purged(node.name))

        await self._change(request, command.node, change, saves=False)

    async def delete(self, request: Request, command: Delete) -> None:
        """Remove a node that keeps no history, with all in it (section 8.4)."""
        require_own(request)
        if self.kinds.writable(command.node).keeps_history:
            text = "What was published on this node is kept as long as the account: purge it instead."
            raise unsupported("delete-nodes", text)

        async def change(unit: Unit, owner: Owner, node: Node) -> None:
            await self.announcer.announce(unit, owner, node, xep_0060_event.deleted(node.name))
            await self.stores.items.remove(unit, owner, node)
            await self.stores.nodes.delete(unit, owner, node)

        await self._change(request, command.node, change, saves=False)

    async def _own(self, request: Request, name: str) -> Node:
        require_own(request)
        self.kinds.writable(name)
        return await self.gate.readable(request, name)

    async def _change(
        self,
        request: Request,
        name: str,
        change: Callable[[Unit, Owner, Node], Awaitable[None]],
        *,
        saves: bool = True,
    ) -> None:
        async def work(unit: Unit) -> None:
            owner = await writing_owner(unit, request.account)
            node = None if owner is None else await self.stores.nodes.find(unit, owner, name)
            if owner is None or node is None:
                raise ItemNotFound("There is no such node.")
            await change(unit, owner, node)

        await self.database.write(request.account, work, saves=saves)


def _form(access: AccessModel) -> Element:
    return render_form(NODE_CONFIG, "form", configuration.values(access), configuration.CHOICES)
