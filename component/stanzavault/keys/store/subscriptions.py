"""Who subscribed to a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, case, delete, func, select

from stanzavault.kernel.address import Address
from stanzavault.kernel.ids import new_record_id
from stanzavault.kernel.ports import Owner
from stanzavault.keys.model.node import Node
from stanzavault.keys.store import tables
from stanzavault.keys.store.opening import Opener
from stanzavault.storage.sealed import seal_row
from stanzavault.storage.unit import Unit

_columns = tables.subscription.c


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of subscriptions to a node.

    Attributes:
        all: of everybody.
        of_account: of one bare address and its resources.
    """

    all: int
    of_account: int


class SubscriptionStore:
    """Finds and saves subscriptions.

    Args:
        opener: opens their rows.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    async def has(self, unit: Unit, owner: Owner, node: Node, subscriber: Address) -> bool:
        """Whether that very address subscribed."""
        found = await unit.connection.execute(select(_columns.id).where(*_one(owner, node, subscriber)))
        return found.first() is not None

    async def counts(self, unit: Unit, owner: Owner, node: Node, subscriber: Address) -> Counts:
        """How many subscribed: no more than the policy lets in."""
        index = owner.index.of("subscriber", str(subscriber.bare))
        found = await unit.connection.execute(
            select(func.count(), func.count(case((_columns.account_index == index, 1)))).where(
                _columns.owner_id == owner.id, _columns.node_id == node.id
            )
        )
        return Counts(*found.one())

    async def insert(self, unit: Unit, owner: Owner, node: Node, subscriber: Address) -> None:
        """Save a new subscription."""
        cleartext = {
            "id": new_record_id(),
            "node_id": node.id,
            "subscriber_index": owner.index.of("subscriber", str(subscriber)),
            "account_index": owner.index.of("subscriber", str(subscriber.bare)),
        }
        await unit.connection.execute(
            tables.subscription.insert().values(
                seal_row(owner, tables.subscription, cleartext, str(subscriber).encode())
            )
        )

    async def delete(self, unit: Unit, owner: Owner, node: Node, subscriber: Address) -> bool:
        """Remove a subscription: whether there was one."""
        gone = await unit.connection.execute(
            delete(tables.subscription).where(*_one(owner, node, subscriber)).returning(_columns.id)
        )
        return gone.first() is not None

    async def subscribers(self, unit: Unit, owner: Owner, node: Node) -> Sequence[Address]:
        """Everybody who subscribed."""
        return [address for _, address in await self._select(unit, owner, _columns.node_id == node.id)]

    async def of_account(self, unit: Unit, owner: Owner, account: Address) -> Sequence[tuple[bytes, Address]]:
        """Subscriptions of a bare address and its resources: the node's id and the address of each."""
        index = owner.index.of("subscriber", str(account.bare))
        return await self._select(unit, owner, _columns.account_index == index)

    async def _select(
        self, unit: Unit, owner: Owner, which: ColumnElement[bool]
    ) -> Sequence[tuple[bytes, Address]]:
        found = await unit.connection.execute(
            select(tables.subscription).where(_columns.owner_id == owner.id, which)
        )
        opened = [
            (bytes(row["node_id"]), self._opener.open(owner, tables.subscription, dict(row)))
            for row in found.mappings()
        ]
        return [
            (node_id, Address.parse(content.decode())) for node_id, content in opened if content is not None
        ]


def _one(owner: Owner, node: Node, subscriber: Address) -> tuple[ColumnElement[bool], ...]:
    return (
        _columns.owner_id == owner.id,
        _columns.node_id == node.id,
        _columns.subscriber_index == owner.index.of("subscriber", str(subscriber)),
    )
