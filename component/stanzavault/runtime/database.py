"""Units of work over a database: reads on a snapshot, writes committed in groups.

Writes of one account go through one lane, in order. A lane takes all that waits, runs each unit in a
savepoint of one transaction, commits once, and only then tells their callers. SQLite has one lane, PostgreSQL
several.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import zlib
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, text
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    PendingRollbackError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import Clock
from stanzavault.kernel.errors import ResourceConstraint
from stanzavault.kernel.ports import Owner
from stanzavault.runtime.engines import STATEMENT_WITHIN, reading_engine, sqlite_file, writing_engine
from stanzavault.runtime.units import OwnerSource, TransactionUnit
from stanzavault.storage.unit import Effect, Work

Result = TypeVar("Result")

_log = logging.getLogger("stanzavault.database")

_LANES = 4
_MOST_IN_GROUP = 128
_MOST_WAITING = 4096
_CONFLICTS = frozenset({"40001", "40P01"})  # serialization_failure and deadlock_detected
_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


@dataclass(eq=False, slots=True)
class _Job:
    """A unit that waits for its lane."""

    account: Address
    work: Work[Any]
    done: asyncio.Future[Any]
    unit: TransactionUnit | None = field(default=None)
    result: Any = None
    error: Exception | None = None


@dataclass(eq=False, slots=True)
class _Group:
    """Units of one transaction.

    Attributes:
        now: their instant.
        as_of: the count of changes to owners when it began.
        owners: what its units found and made so far, those that were undone excepted.
        sealing: which of them are able to seal by what the transaction did.
    """

    now: datetime
    as_of: int
    owners: dict[Address, Owner] = field(default_factory=dict)
    sealing: set[Address] = field(default_factory=set)

    def add(self, unit: TransactionUnit) -> None:
        """A unit succeeded."""
        self.owners.update(unit.met)
        self.sealing |= unit.sealing

    def drop(self, unit: TransactionUnit) -> None:
        """A unit was undone."""
        for address in unit.met:
            self.owners.pop(address, None)
        self.sealing -= unit.met.keys()


class _UnreachableError(Exception):
    """The database does not answer, or no transaction can be begun: that is no unit's doing."""


class GroupedDatabase:
    """The database of the running service (see `stanzavault.storage.unit.Database`).

    Args:
        url: with the driver, as `stanzavault.runtime.engines.database_url` gives it.
        owners: finds and makes owners.
        clock: gives each unit its instant.
        connections: how many connections may be open at once for reads.
        min_free: bytes of disk below which saves are refused; looked at for an embedded database.
        committed: told the number of units of each group that was committed.
    """

    def __init__(
        self,
        url: URL,
        owners: OwnerSource,
        clock: Clock,
        *,
        connections: int = 10,
        min_free: int = 0,
        committed: Callable[[int], None] = lambda _size: None,
    ) -> None:
        self._owners = owners
        self._clock = clock
        self._committed = committed
        self._file = sqlite_file(url)
        self._min_free = min_free
        lanes = 1 if self._file else _LANES
        self._writing = writing_engine(url, lanes, statement_within=STATEMENT_WITHIN)
        self._reading = reading_engine(url, connections)
        self._queues: list[asyncio.Queue[_Job]] = [asyncio.Queue() for _ in range(lanes)]
        self._effects: asyncio.Queue[Effect] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._pending: dict[Address, asyncio.Future[Any]] = {}
        self._is_closed = False

    @property
    def waiting(self) -> int:
        """Units that wait to be written."""
        return sum(queue.qsize() for queue in self._queues)

    def start(self) -> None:
        """Begin to take writes."""
        lanes = [self._serve(queue) for queue in self._queues]
        self._tasks = [asyncio.create_task(running) for running in (*lanes, self._run_effects())]

    async def close(self) -> None:
        """Finish the writes that were taken, take no more, then close every connection."""
        self._is_closed = True
        for queue in self._queues:
            await queue.join()
        await self._effects.join()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._writing.dispose()
        await self._reading.dispose()

    async def reachable(self) -> bool:
        """Whether the database answers."""
        try:
            async with self._reading.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True

    async def bytes_stored(self) -> int | None:
        """Bytes that the database takes on its disk; None while it can't tell."""
        try:
            async with self._reading.connect() as connection:
                size: int = (await connection.execute(text(_SIZE[connection.dialect.name]))).scalar_one()
                return size
        except (SQLAlchemyError, OSError):
            return None

    async def read(self, account: Address, work: Work[Result]) -> Result:
        """See `Database.read`."""
        pending = self._pending.get(account)
        if pending is not None:
            await asyncio.wait([pending])
        try:
            as_of = self._owners.changes
            async with self._reading.begin() as connection:
                unit = TransactionUnit(connection, self._clock(), self._owners, {}, writes=False)
                result = await work(unit)
        except (SQLAlchemyError, OSError) as error:
            raise _told(error) from error
        for owner in unit.met.values():
            self._owners.remember(owner, as_of)
        for effect in unit.effects:
            self._effects.put_nowait(effect)
        return result

    async def write(self, account: Address, work: Work[Result], *, saves: bool = True) -> Result:
        """See `Database.write`."""
        if saves and self._is_disk_low():
            raise ResourceConstraint("The vault's disk is nearly full: it saves nothing for now.")
        if self._is_closed or self.waiting >= _MOST_WAITING:
            raise ResourceConstraint("The vault takes no more for now: try again later.")
        job = _Job(account, work, asyncio.get_running_loop().create_future())
        self._pending[account] = job.done
        job.done.add_done_callback(lambda done: self._settle(account, done))
        self._queues[self._lane(account)].put_nowait(job)
        return await asyncio.shield(job.done)

    def _lane(self, account: Address) -> int:
        return zlib.crc32(str(account).encode()) % len(self._queues)

    def _settle(self, account: Address, done: asyncio.Future[Any]) -> None:
        if self._pending.get(account) is done:
            del self._pending[account]
        if not done.cancelled():
            done.exception()  # the caller may be gone, its error is not lost: it was reported where it arose

    def _is_disk_low(self) -> bool:
        return self._file is not None and _free_bytes(self._file.parent) < self._min_free

    async def _serve(self, queue: asyncio.Queue[_Job]) -> None:
        while True:
            jobs = [await queue.get()]
            while len(jobs) < _MOST_IN_GROUP and not queue.empty():
                jobs.append(queue.get_nowait())
            try:
                await self._commit(jobs)
            finally:
                for _ in jobs:
                    queue.task_done()

    async def _run_effects(self) -> None:
        while True:
            effect = await self._effects.get()
            try:
                await effect()
            except Exception as error:  # noqa: BLE001 - what is committed stays so, whatever becomes of its effect
                _log.error("an effect failed", extra={"error": type(error).__name__})
            finally:
                self._effects.task_done()

    async def _commit(self, jobs: list[_Job]) -> bool:
        """Commit a group; where it fails before its commit was sent, each unit is tried alone.

        Returns:
            Whether the database could be reached; if not, every unit was told so.
        """
        try:
            await self._try(jobs)
        except _UnreachableError as unreachable:
            _settle_all(jobs, _told(unreachable.args[0]))
            return False
        except SQLAlchemyError as error:
            if len(jobs) > 1 or _is_conflict(error):
                return await self._commit_alone(jobs)
            _settle_all(jobs, _told(error))
        return True

    async def _commit_alone(self, jobs: list[_Job]) -> bool:
        """Commit units one by one, in their order, until the database can't be reached."""
        for number, job in enumerate(jobs):
            try:
                await self._try([job])
            except _UnreachableError as unreachable:
                _settle_all(jobs[number:], _told(unreachable.args[0]))
                return False
            except SQLAlchemyError as error:
                _settle_all([job], _told(error))
        return True

    async def _try(self, jobs: list[_Job]) -> None:
        """Run and commit a group, and tell its callers, unless nothing of it was committed.

        Raises:
            SQLAlchemyError: nothing of it was committed; one unit alone may still succeed.
            _UnreachableError: nothing of it was committed, and nothing will be.
        """
        group = _Group(self._clock(), self._owners.changes)
        try:
            async with AsyncExitStack() as stack:
                try:
                    connection = await stack.enter_async_context(self._writing.connect())
                    transaction = await connection.begin()
                except (SQLAlchemyError, OSError) as error:
                    raise _UnreachableError(error) from error
                try:
                    for job in jobs:
                        await self._run(job, connection, group)
                except OSError as error:
                    await connection.invalidate()  # else it would be waited for again, to be tidied up
                    raise _UnreachableError(error) from error
                unconfirmed = await _commit(transaction)
        except BaseException:
            self._forget(jobs)
            raise
        if unconfirmed is not None:
            self._forget(jobs)
            _settle_all(jobs, _told(unconfirmed))
            return
        self._committed(len(jobs))
        for address, owner in group.owners.items():
            if address in group.sealing:
                self._owners.replace(owner)
            else:
                self._owners.remember(owner, group.as_of)
        for job in jobs:
            self._tell(job)

    async def _run(self, job: _Job, connection: AsyncConnection, group: _Group) -> None:
        job.error = None
        job.unit = TransactionUnit(connection, group.now, self._owners, group.owners, writes=True)
        savepoint = await connection.begin_nested()
        try:
            job.result = await job.work(job.unit)
        except Exception as error:
            if isinstance(error, DBAPIError) and (error.connection_invalidated or _is_conflict(error)):
                raise
            await savepoint.rollback()
            job.error = _told(error) if isinstance(error, SQLAlchemyError | OSError) else error
            group.drop(job.unit)
            self._forget([job])
        else:
            await savepoint.commit()
            group.add(job.unit)

    def _tell(self, job: _Job) -> None:
        if job.error is None and job.unit is not None:
            for effect in job.unit.effects:
                self._effects.put_nowait(effect)
        if job.done.done():
            return
        if job.error is None:
            job.done.set_result(job.result)
        else:
            job.done.set_exception(job.error)

    def _forget(self, jobs: list[_Job]) -> None:
        for job in jobs:
            for address in job.unit.met if job.unit else ():
                self._owners.forget(address)


async def _commit(transaction: AsyncTransaction) -> Exception | None:
    """Commit; the error if the commit was sent and not confirmed, so that nobody knows."""
    try:
        await transaction.commit()
    except (SQLAlchemyError, OSError) as error:
        return error
    return None


def _is_conflict(error: SQLAlchemyError) -> bool:
    """Whether the database ended a transaction in another's favour, so that it may be done again."""
    return isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _CONFLICTS


def _settle_all(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(error)


def _told(error: Exception) -> Exception:
    """What the caller is told of a failed database; a mistake of ours in a statement stays what it is."""
    if isinstance(error, IntegrityError | ProgrammingError | DataError):
        return error
    if not isinstance(error, DBAPIError | PoolTimeoutError | PendingRollbackError | OSError):
        return error
    _log.error("database failed", extra={"error": type(error).__name__})
    return ResourceConstraint("The vault's database can't be reached or has no room: try again later.")


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
