"""Nodes with their configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sqlalchemy import delete, select, update

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import InternalServerError
from stanzavault.kernel.ids import new_record_id
from stanzavault.kernel.ports import Owner
from stanzavault.keys.model.node import AccessModel, Node
from stanzavault.keys.store import tables
from stanzavault.keys.store.opening import Opener
from stanzavault.storage.sealed import seal_row
from stanzavault.storage.unit import Unit


class NodeStore:
    """Finds and saves nodes.

    Args:
        opener: opens their rows.
    """

    def __init__(self, opener: Opener) -> None:
        self._opener = opener

    async def find(self, unit: Unit, owner: Owner, name: str) -> Node | None:
        """The node of that name.

        Raises:
            InternalServerError: its record does not open, so that nobody knows who may read it.
        """
        found = await unit.connection.execute(
            select(tables.node).where(
                tables.node.c.owner_id == owner.id, tables.node.c.name_index == _index(owner, name)
            )
        )
        row = next((dict(row) for row in found.mappings()), None)
        if row is None:
            return None
        content = self._opener.open(owner, tables.node, row)
        if content is None:
            raise InternalServerError("The node's record is damaged: tell the operator.")
        return _node(row["id"], content)

    async def all(self, unit: Unit, owner: Owner) -> Sequence[Node]:
        """Every node of an owner."""
        found = await unit.connection.execute(select(tables.node).where(tables.node.c.owner_id == owner.id))
        contents = [(row["id"], self._opener.open(owner, tables.node, dict(row))) for row in found.mappings()]
        nodes = [_node(node_id, content) for node_id, content in contents if content is not None]
        return sorted(nodes, key=lambda node: node.name)

    async def insert(self, unit: Unit, owner: Owner, node: Node) -> Node:
        """Save a new node: the same with its id."""
        saved = Node(new_record_id(), node.name, node.access, node.members)
        await unit.connection.execute(tables.node.insert().values(_row(owner, saved)))
        return saved

    async def update(self, unit: Unit, owner: Owner, node: Node) -> None:
        """Save a node that changed."""
        await unit.connection.execute(
            update(tables.node)
            .where(tables.node.c.owner_id == owner.id, tables.node.c.id == node.id)
            .values(_row(owner, node))
        )

    async def delete(self, unit: Unit, owner: Owner, node: Node) -> None:
        """Remove a node with its items and subscriptions."""
        await unit.connection.execute(
            delete(tables.node).where(tables.node.c.owner_id == owner.id, tables.node.c.id == node.id)
        )


def _index(owner: Owner, name: str) -> bytes:
    return owner.index.of("node", name)


def _row(owner: Owner, node: Node) -> dict[str, object]:
    content = json.dumps(
        {
            "name": node.name,
            "access": node.access.value,
            "members": sorted(str(member) for member in node.members),
        }
    )
    cleartext = {"id": node.id, "name_index": _index(owner, node.name)}
    return seal_row(owner, tables.node, cleartext, content.encode())


def _node(node_id: bytes, content: bytes) -> Node:
    told = json.loads(content)
    members = frozenset(Address.parse(member) for member in told["members"])
    return Node(bytes(node_id), told["name"], AccessModel(told["access"]), members)
