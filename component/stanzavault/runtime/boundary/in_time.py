"""Work that is answered for in time, even where it takes longer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from stanzavault.kernel.errors import ResourceConstraint, StanzaError

Result = TypeVar("Result")

_MOST_LATE = 256

_log = logging.getLogger("stanzavault.boundary")


class InTime:
    """Runs work, and stops waiting for it when its answer is due.

    What is late goes on: a write that was cut off would be undone after its sender had been told to wait.

    Args:
        within: seconds.
    """

    def __init__(self, within: float) -> None:
        self._within = within
        self._late: set[asyncio.Task[Any]] = set()

    async def run(self, work: Coroutine[Any, Any, Result], waited: float) -> Result:
        """The result of `work`.

        Args:
            work: begun at once, or not at all.
            waited: seconds that have passed already since it was asked for.

        Raises:
            ResourceConstraint: it is not there in time, or its time was over before it began, or too much
                else is late.
        """
        if waited >= self._within or len(self._late) >= _MOST_LATE:
            work.close()
            raise ResourceConstraint("The vault is behind with its work. Wait, and try again.")
        task = asyncio.create_task(work)
        try:
            done, _ = await asyncio.wait({task}, timeout=self._within - waited)
        except asyncio.CancelledError:
            task.cancel()
            raise
        if done:
            return task.result()
        self._late.add(task)
        task.add_done_callback(self._over)
        raise ResourceConstraint("The vault did not finish in time. What was asked for may still be done.")

    async def finish(self, within: float) -> None:
        """Wait for what is late, and cut it off after so many seconds: the vault stops."""
        if not self._late:
            return
        _, cut_off = await asyncio.wait(self._late, timeout=within)
        for task in cut_off:
            task.cancel()
        if cut_off:
            _log.warning("late requests were cut off", extra={"action": "stop", "count": len(cut_off)})
            await asyncio.wait(cut_off)

    def _over(self, task: asyncio.Task[Any]) -> None:
        self._late.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is None or isinstance(error, StanzaError):
            _log.info("a request that was answered as late is over", extra={"action": "late"})
        else:
            _log.error("a request that was answered as late failed", exc_info=error, extra={"action": "late"})
