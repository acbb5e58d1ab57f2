"""Hands what waits to the handler: in turn, so many at once, and on, whatever a handler does."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable
from contextvars import Context, copy_context
from time import perf_counter
from typing import Final, Protocol
from xml.etree.ElementTree import Element

from .failures import Disconnected
from .fair_queue import FairQueue
from .incidents import record_incident
from .observer import StreamObserver
from .refusals import Refusal
from .settings import QueueLimits
from .writer import STANZA_KINDS

log = logging.getLogger("stanzavault.stream")

_TURN: Final = 0.01
"""Seconds for which one worker keeps the loop from others, if its handlers never wait."""


class Answer(Protocol):
    """Answers a stanza that could not be served, where it may be answered."""

    def __call__(self, element: Element, refusal: Refusal, *, text: str | None = None) -> None:
        """``text`` stands for the refusal's own."""


class Dispatcher:
    """The queue and the running handlers.

    Args:
        handle: Called with each stanza and the seconds that it waited, many at once, each with clean context
            variables.
        queue_key: Whose stanza it is.
        limits: What may wait and run.
        observer: Told of each stanza's way.
        answer: For IQs whose handler failed.
        on_room: Called when a stanza waits no longer, and so more may be read.
    """

    def __init__(
        self,
        handle: Callable[[Element, float], Awaitable[None]],
        queue_key: Callable[[Element], Hashable],
        limits: QueueLimits,
        *,
        observer: StreamObserver,
        answer: Answer,
        on_room: Callable[[], None],
    ) -> None:
        self._handle = handle
        self._queue_key = queue_key
        self._concurrency = limits.concurrency
        self._queue: FairQueue[tuple[Element, float]] = FairQueue(limits)
        self._observer = observer
        self._answer = answer
        self._on_room = on_room
        self._context = Context()
        self._workers: set[asyncio.Task[None]] = set()
        self._worker_starts = False
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def is_full(self) -> bool:
        """Whether no more may wait."""
        return self._queue.is_full

    @property
    def waiting(self) -> int:
        """Stanzas that wait for a handler."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Stanzas whose handlers run."""
        return self._running

    def put(self, element: Element, size: int) -> Refusal | None:
        """Lets a stanza wait for its turn, or says why it may not."""
        if self._queue.is_full:
            return Refusal.QUEUE_FULL
        try:
            key = self._queue_key(element)
        except Exception as error:  # noqa: BLE001  (whatever it is, the stream goes on)
            record_incident(error)
            return Refusal.FAILED
        if not self._queue.put(key, (element, perf_counter()), size):
            return Refusal.KEY_FULL
        self._observer.stanza_accepted(STANZA_KINDS[element.tag])
        self._start_worker()
        return None

    async def wait_until_idle(self, within: float) -> None:
        """Returns when nothing waits or runs, or when that many seconds have passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._idle.wait()

    async def end(self) -> list[Element]:
        """Cancels what runs, and returns what never began."""
        waiting = [element for element, _since in self._queue.drain()]
        if self._running:
            log.warning(
                "%d handlers did not end in time",
                self._running,
                extra={"action": "handlers-cancelled", "count": self._running},
            )
        if workers := list(self._workers):
            for worker in workers:
                worker.cancel()
            await asyncio.wait(workers)
        return waiting

    def _start_worker(self) -> None:
        """Starts a worker if one is needed and allowed; it starts the next if that is needed too."""
        if not self._worker_starts and self._queue.has_ready and len(self._workers) < self._concurrency:
            self._worker_starts = True
            self._idle.clear()
            # not the context of whoever happens to put a stanza: each worker begins with a clean one
            self._workers.add(asyncio.create_task(self._work(), context=self._context.copy()))

    async def _work(self) -> None:
        """Serves one stanza after the other while there are any.

        A task for each stanza would cost as much as reading it. A handler that leaves context variables
        behind ends its worker, so that no stanza ever sees another's.
        """
        self._worker_starts = False
        worker = asyncio.current_task()
        clean = copy_context()
        turn_began = perf_counter()
        try:
            while (taken := self._queue.take()) is not None:
                self._on_room()
                self._start_worker()
                await self._serve(*taken)
                if copy_context() != clean:
                    break
                if perf_counter() - turn_began > _TURN:
                    await asyncio.sleep(0)
                    turn_began = perf_counter()
        finally:
            if worker is not None:
                self._workers.discard(worker)
            self._start_worker()
            if not self._workers:
                self._idle.set()

    async def _serve(self, key: Hashable, waiting: tuple[Element, float]) -> None:
        element, since = waiting
        started = perf_counter()
        failed = True
        self._running += 1
        try:
            await self._handle(element, started - since)
            failed = False
        except Disconnected:
            log.info("an answer could not be sent: the stream ended", extra={"action": "answer-lost"})
        except asyncio.CancelledError as error:
            worker = asyncio.current_task()
            if worker is None or worker.cancelling():
                raise
            self._fail(element, error)
        except Exception as error:  # noqa: BLE001  (whatever a handler does, the next stanza is served)
            self._fail(element, error)
        finally:
            self._running -= 1
            self._queue.release(key)
            self._observer.stanza_handled(STANZA_KINDS[element.tag], perf_counter() - started, failed=failed)

    def _fail(self, element: Element, error: BaseException) -> None:
        incident = record_incident(error)
        if STANZA_KINDS[element.tag] == "iq":
            text = f"The request failed; the operator finds it as {incident}."
            self._answer(element, Refusal.FAILED, text=text)
