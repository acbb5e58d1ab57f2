"""Tells subscribers and the owner's resources of changes, in order, beside the answering of requests."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import ResourceConstraint
from stanzavault.kernel.ports import Owner, Post
from stanzavault.keys.model.node import Change, Node
from stanzavault.keys.routes.gate import Gate
from stanzavault.keys.stanza.xep_0060_event import message
from stanzavault.keys.store.subscriptions import SubscriptionStore
from stanzavault.storage.unit import Unit

_MOST_WAITING = 100
"""Changes of one account that wait: each may hold an item, and be told to hundreds."""

_log = logging.getLogger("stanzavault.keys")


class Announcer:
    """Sends a message of type headline to whom a change concerns.

    Args:
        post: sends them.
        gate: knows who may still read.
        subscriptions: knows who subscribed.
        component: the domain of the vault, in which an account has its address.
    """

    def __init__(self, post: Post, gate: Gate, subscriptions: SubscriptionStore, component: str) -> None:
        self._post = post
        self._gate = gate
        self._subscriptions = subscriptions
        self._component = component
        self._changes: asyncio.Queue[Change] = asyncio.Queue()
        self._waiting: Counter[Address] = Counter()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to send."""
        self._task = asyncio.create_task(self._serve(), name="announcer")

    async def close(self) -> None:
        """Send what is committed, then end."""
        await self._changes.join()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def announce(
        self, unit: Unit, owner: Owner, node: Node, event: Element, *, is_for_subscribers: bool = True
    ) -> None:
        """Announce an event of a node once the unit that makes it is committed.

        Raises:
            ResourceConstraint: too many changes of this account are still to be told.
        """
        if self._waiting[owner.address] >= _MOST_WAITING:
            raise ResourceConstraint("Your changes before this one are still being told: try again later.")
        subscribers = await self._subscriptions.subscribers(unit, owner, node) if is_for_subscribers else ()
        change = Change(owner.address, node, event, subscribers)

        async def put() -> None:
            self._waiting[change.account] += 1
            self._changes.put_nowait(change)

        unit.after_commit(put)

    async def _serve(self) -> None:
        while True:
            change = await self._changes.get()
            await self._announce(change)
            self._waiting[change.account] -= 1
            if not self._waiting[change.account]:
                del self._waiting[change.account]
            self._changes.task_done()

    async def _announce(self, change: Change) -> None:
        # The owner's server hands a headline to every resource, those that subscribed among them.
        others = [address for address in change.subscribers if address.bare != change.account]
        for recipient in (change.account, *others):
            try:
                if await self._gate.tells(change.node, change.account, recipient):
                    sender = change.account.inside(self._component)
                    await self._post.send(message(change.event, sender, recipient))
            except Exception as error:  # noqa: BLE001 - one that can't be told keeps no other from being told
                _log.warning("a change was not announced", extra={"error": type(error).__name__})
