"""Nodes, items and subscriptions in the database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stanzavault.keys.store.items import ItemStore
from stanzavault.keys.store.nodes import NodeStore
from stanzavault.keys.store.opening import Opener
from stanzavault.keys.store.subscriptions import SubscriptionStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where nodes, their items and their subscribers are kept."""

    nodes: NodeStore
    items: ItemStore
    subscriptions: SubscriptionStore

    @staticmethod
    def make(count_unopened: Callable[[], None] = lambda: None) -> Stores:
        """All stores; `count_unopened` is told of each record that does not open."""
        opener = Opener(count_unopened)
        return Stores(NodeStore(opener), ItemStore(opener), SubscriptionStore(opener))
