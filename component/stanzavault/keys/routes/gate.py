"""Lets those read a node who may (XEP-0060, section 4.5)."""

from __future__ import annotations

from collections.abc import Collection

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import Forbidden, ItemNotFound, ResourceConstraint, StanzaError
from stanzavault.kernel.ports import Owner, Roster
from stanzavault.kernel.request import Request
from stanzavault.keys.model.conditions import unsupported
from stanzavault.keys.model.node import AccessModel, Node
from stanzavault.keys.rules.access import closed, depends_on_presence, may_read, refusal
from stanzavault.keys.store import Stores
from stanzavault.storage.unit import Database, Unit


class Gate:
    """Decides who may read.

    Args:
        database: where nodes are.
        stores: of the slice.
        roster: tells who may see the presence of whom.
        private: nodes that only their owner ever reads, or hears of.
    """

    def __init__(self, database: Database, stores: Stores, roster: Roster, private: Collection[str]) -> None:
        self._database = database
        self._stores = stores
        self._roster = roster
        self._private = frozenset(private)

    def refuse_private(self, request: Request, name: str) -> None:
        """Answer for a node that is its owner's alone, whether there is one or not: that is nobody else's.

        Raises:
            NotAllowed: it is such a node, and another account's.
        """
        if name in self._private and not request.is_own:
            raise closed()

    async def readable(self, request: Request, name: str) -> Node:
        """The node of the request's account, for a principal who may read it.

        Raises:
            ItemNotFound: there is none.
            NotAllowed: it is not for this principal.
            NotAuthorized: it is for those who see its owner's presence.
            Forbidden: the server does not tell who that is.
        """
        self.refuse_private(request, name)

        async def find(unit: Unit) -> Node | None:
            owner = await unit.find_owner(request.account)
            return None if owner is None else await self._stores.nodes.find(unit, owner, name)

        node = await self._database.read(request.account, find)
        if node is None:
            raise ItemNotFound("There is no such node.")
        if not await self._lets(node, request.account, request.principal.address):
            raise refusal(node)
        return node

    async def still(self, unit: Unit, node: Node, account: Address, *, writes: bool = False) -> Owner:
        """The owner of a node that `readable` gave, for this unit to go on.

        Raises:
            ResourceConstraint: the node was changed since.
        """
        owner = await (writing_owner(unit, account) if writes else unit.find_owner(account))
        if owner is None or await self._stores.nodes.find(unit, owner, node.name) != node:
            raise ResourceConstraint("The node is being changed: try again.")
        return owner

    async def tells(self, node: Node, account: Address, subscriber: Address) -> bool:
        """Whether a subscriber may still read the node; not, where the server does not say."""
        try:
            return await self._lets(node, account, subscriber)
        except StanzaError:
            return False

    async def check_grant(self, access: AccessModel, account: Address) -> None:
        """Refuse an access model that could let nobody in.

        Raises:
            FeatureNotImplemented: the server does not tell the vault who sees whose presence.
        """
        if access is not AccessModel.PRESENCE:
            return
        try:
            await self._roster.is_subscribed(account, account)
        except Forbidden as error:
            raise unsupported(
                "access-presence", f"The access model presence is not served: {error}"
            ) from error

    async def _lets(self, node: Node, account: Address, reader: Address) -> bool:
        is_contact = depends_on_presence(node, account, reader) and await self._roster.is_subscribed(
            account, reader.bare
        )
        return may_read(node, account, reader, is_contact=is_contact)


async def writing_owner(unit: Unit, account: Address) -> Owner | None:
    """An owner who is there, able to seal what the unit writes; None where the account has no record."""
    return None if await unit.find_owner(account) is None else await unit.owner(account)


def require_own(request: Request) -> None:
    """Let only an account itself change what it publishes.

    Raises:
        Forbidden: somebody else asks.
    """
    if not request.is_own:
        raise Forbidden("Only the account itself may do this.")
