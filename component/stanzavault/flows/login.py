"""An account comes online and gets what waits for it (XEP-0160).

A message is deleted only once the session that it was sent to has answered an IQ that was sent behind it on
the same way. So a message lost with its session, the stream or the vault stays, and comes again under the
same id.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import Clock
from stanzavault.kernel.ports import Post
from stanzavault.offline import store
from stanzavault.offline.handing_on import hand_on
from stanzavault.offline.model import Place, Waiting, Window
from stanzavault.offline.rules.sessions import Sessions, Turn
from stanzavault.offline.stanza.xep_0199 import QUESTIONS, Proof, proof, question
from stanzavault.storage.unit import Database, Unit

_log = logging.getLogger("stanzavault.offline")

_MOST_SENDING = 8  # windows in memory at once


@dataclass(eq=False, slots=True)
class _Delivery:
    """A session that is being served; `over` is set when it ends."""

    resource: Address
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Login:
    """Delivers what waits to the sessions that come online, one session of an account at a time.

    Args:
        database: where the messages wait.
        post: sends them.
        component: the vault's address, which they come from.
        clock: tells how long ago a session asked by XEP-0013.
        answer_within: seconds after which a session that has not answered is left alone until its next
            presence.
        window: how much is sent before an answer is waited for.
        unopened: told of each record that fails to open.
    """

    def __init__(
        self,
        database: Database,
        post: Post,
        component: Address,
        clock: Clock,
        *,
        answer_within: float = 60.0,
        window: Window = Window(),  # noqa: B008 - a frozen value
        unopened: store.Unopened = lambda: None,
    ) -> None:
        self._database = database
        self._post = post
        self._component = component
        self._clock = clock
        self._answer_within = answer_within
        self._window = window
        self._unopened = unopened
        self._sessions = Sessions()
        self._sending = asyncio.Semaphore(_MOST_SENDING)
        self._tasks: dict[Address, asyncio.Task[None]] = {}
        self._again: set[Address] = set()
        self._deliveries: dict[Address, _Delivery] = {}
        self._closed = False

    def available(self, resource: Address, priority: int) -> None:
        """A session sent its presence."""
        self._sessions.available(resource, priority)
        self._wake(resource.bare)

    def unavailable(self, resource: Address) -> None:
        """A session ended."""
        self._sessions.unavailable(resource)
        delivery = self._deliveries.get(resource.bare)
        if delivery is not None and delivery.resource == resource:
            delivery.over.set()

    def asked(self, resource: Address) -> None:
        """A session asked by XEP-0013."""
        self._sessions.asked(resource, self._clock())

    def left(self, account: Address, position: int) -> None:
        """A message was left for an account, and is committed."""
        self._sessions.left(account, position)
        if self._sessions.turn(account) is not None:
            self._wake(account)

    async def close(self, within: float = 5.0) -> None:
        """End every delivery after its present step; what was not answered for stays.

        Args:
            within: seconds after which a step that does not end is cut off.
        """
        self._closed = True
        for delivery in self._deliveries.values():
            delivery.over.set()
        tasks = list(self._tasks.values())
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=within)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _wake(self, account: Address) -> None:
        if self._closed:
            return
        if account in self._tasks:
            self._again.add(account)
            return
        task = asyncio.create_task(self._serve(account))
        self._tasks[account] = task
        task.add_done_callback(lambda done: self._finished(account, done))

    def _finished(self, account: Address, task: asyncio.Task[None]) -> None:
        del self._tasks[account]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a delivery failed", extra={"error": type(error).__name__})
        if account in self._again:
            self._again.discard(account)
            self._wake(account)

    async def _serve(self, account: Address) -> None:
        """Serve one session after the other, until one has all or nobody can receive."""
        for asker in self._sessions.in_the_way(account, self._clock()):
            await self._confirm(asker)
        while not self._closed and (turn := self._sessions.turn(account)) is not None:
            if not (turn.is_fresh or await self._confirm(turn.resource)):
                continue
            self._sessions.tried(turn.resource)
            with self._dealing_with(turn.resource) as delivery:
                if await self._deliver(delivery, turn):
                    return
            self._sessions.failed(turn.resource)

    async def _confirm(self, resource: Address) -> bool:
        """Ask a session of which nothing was heard of late whether it is there; else forget it."""
        self._sessions.tried(resource)
        with self._dealing_with(resource) as delivery:
            if await self._is_there(delivery):
                return True
        self._sessions.gone(resource)
        return False

    @contextmanager
    def _dealing_with(self, resource: Address) -> Iterator[_Delivery]:
        delivery = self._deliveries[resource.bare] = _Delivery(resource)
        try:
            yield delivery
        finally:
            del self._deliveries[resource.bare]

    async def _deliver(self, delivery: _Delivery, turn: Turn) -> bool:
        """Send window after window; whether the session has answered for all that waits."""
        account, after = turn.resource.bare, turn.after
        while not delivery.over.is_set():
            async with self._sending:
                waiting, end = await self._read(account, after)
                if end is None:
                    self._sessions.delivered(account, after)
                    return True
                try:
                    await hand_on(self._post, waiting, self._component, delivery.resource)
                except ConnectionError:
                    return False
                places = [one.place for one in waiting]
            if places:
                if not await self._is_there(delivery):
                    return False
                await self._forget(account, places)
            after = end
        return False

    async def _read(self, account: Address, after: int) -> tuple[list[Waiting], int | None]:
        async def work(unit: Unit) -> tuple[list[Waiting], int | None]:
            owner = await unit.find_owner(account)
            if owner is None:
                return [], None
            waiting, end = await store.window(unit.connection, owner, after, self._window, self._unopened)
            return list(waiting), end

        return await self._database.read(account, work)

    async def _forget(self, account: Address, places: list[Place]) -> None:
        async def work(unit: Unit) -> None:
            owner = await unit.find_owner(account)
            if owner is not None:
                await store.remove(unit.connection, owner, places)

        await self._database.write(account, work, saves=False)

    async def _is_there(self, delivery: _Delivery) -> bool:
        """Whether the session itself answers, and did not end since the delivery began."""
        for payload in QUESTIONS:
            if delivery.over.is_set():
                return False
            answered = await self._ask(delivery, payload)
            if answered is not Proof.UNCLEAR:
                return answered is Proof.THERE
        return False

    async def _ask(self, delivery: _Delivery, payload: str) -> Proof:
        iq = question(payload, self._component, delivery.resource)
        asking = asyncio.ensure_future(self._post.request(iq, self._answer_within))
        ending = asyncio.ensure_future(delivery.over.wait())
        try:
            await asyncio.wait((asking, ending), return_when=asyncio.FIRST_COMPLETED)
            if delivery.over.is_set():
                return Proof.GONE
            return proof(asking.result(), delivery.resource)
        except (TimeoutError, ConnectionError):
            return Proof.GONE
        finally:
            asking.cancel()
            ending.cancel()
            await asyncio.gather(asking, ending, return_exceptions=True)
