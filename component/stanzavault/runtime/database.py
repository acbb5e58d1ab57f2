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
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import URL, text
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import Clock
from stanzavault.kernel.errors import ResourceConstraint
from stanzavault.kernel.ports import Owner
from stanzavault.runtime.engines import reading_engine, sqlite_file, writing_engine
from stanzavault.storage.unit import Effect, Work

Result = TypeVar("Result")

_log = logging.getLogger("stanzavault.database")

_LANES = 4
_MOST_IN_GROUP = 128
_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT pg_database_size(current_database())",
}


class OwnerSource(Protocol):
    """Finds and makes owners (see `stanzavault.accounts.owners.Owners`)."""

    async def find(self, connection: AsyncConnection, address: Address) -> Owner | None:
        """The owner with this bare address."""
        ...

    async def find_or_make(self, connection: AsyncConnection, address: Address, now: datetime) -> Owner:
        """The owner with this bare address, made if need be."""
        ...

    def remember(self, owner: Owner) -> None:
        """The owner is committed."""
        ...

    def forget(self, address: Address) -> None:
        """What was done for the owner was undone."""
        ...


class _TransactionUnit:
    """One unit within a transaction (see `stanzavault.storage.unit.Unit`)."""

    def __init__(
        self, connection: AsyncConnection, now: datetime, owners: OwnerSource, *, writes: bool
    ) -> None:
        self.connection = connection
        self.now = now
        self.met: dict[Address, Owner] = {}
        self.effects: list[Effect] = []
        self._owners = owners
        self._writes = writes

    async def find_owner(self, address: Address) -> Owner | None:
        owner = self.met.get(address) or await self._owners.find(self.connection, address)
        if owner is not None:
            self.met[address] = owner
        return owner

    async def owner(self, address: Address) -> Owner:
        if not self._writes:
            raise RuntimeError("a unit that reads can't make an owner")
        owner = await self._owners.find_or_make(self.connection, address, self.now)
        self.met[address] = owner
        return owner

    def after_commit(self, effect: Effect) -> None:
        self.effects.append(effect)


@dataclass(eq=False, slots=True)
class _Job:
    """A unit that waits for its lane."""

    account: Address
    work: Work[Any]
    done: asyncio.Future[Any]
    unit: _TransactionUnit | None = field(default=None)
    result: Any = None
    error: Exception | None = None


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
        self._writing = writing_engine(url, lanes)
        self._reading = reading_engine(url, connections)
        self._queues: list[asyncio.Queue[_Job]] = [asyncio.Queue() for _ in range(lanes)]
        self._effects: asyncio.Queue[Effect] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []
        self._pending: dict[Address, asyncio.Future[Any]] = {}

    @property
    def waiting(self) -> int:
        """Units that wait to be written."""
        return sum(queue.qsize() for queue in self._queues)

    def start(self) -> None:
        """Begin to take writes."""
        lanes = [self._serve(queue) for queue in self._queues]
        self._tasks = [asyncio.create_task(running) for running in (*lanes, self._run_effects())]

    async def close(self) -> None:
        """Finish the writes that were taken, then close every connection."""
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
            async with self._reading.begin() as connection:
                unit = _TransactionUnit(connection, self._clock(), self._owners, writes=False)
                result = await work(unit)
        except (SQLAlchemyError, OSError) as error:
            raise _told(error) from error
        for owner in unit.met.values():
            self._owners.remember(owner)
        for effect in unit.effects:
            self._effects.put_nowait(effect)
        return result

    async def write(self, account: Address, work: Work[Result], *, saves: bool = True) -> Result:
        """See `Database.write`."""
        if saves and self._is_disk_low():
            raise ResourceConstraint("The vault's disk is nearly full: it saves nothing for now.")
        job = _Job(account, work, asyncio.get_running_loop().create_future())
        self._pending[account] = job.done
        job.done.add_done_callback(lambda done: self._settle(account, done))
        self._queues[zlib.crc32(str(account).encode()) % len(self._queues)].put_nowait(job)
        return await asyncio.shield(job.done)

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

    async def _commit(self, jobs: list[_Job]) -> None:
        """Commit a group; where it fails before its commit was sent, each unit is tried alone."""
        try:
            sent = await self._try(jobs)
        except (SQLAlchemyError, OSError) as error:
            if len(jobs) > 1:
                for job in jobs:
                    await self._commit([job])
                return
            _settle_all(jobs, _told(error))
            return
        if sent is not None:
            _settle_all(jobs, _told(sent))
            return
        self._committed(len(jobs))
        for job in jobs:
            self._tell(job)

    async def _try(self, jobs: list[_Job]) -> Exception | None:
        """Run and commit a group.

        Returns:
            None once it is durable; the error if the commit was sent and not confirmed, so that nobody knows.

        Raises:
            SQLAlchemyError: nothing of it was committed.
        """
        now = self._clock()
        try:
            async with self._writing.connect() as connection:
                transaction = await connection.begin()
                for job in jobs:
                    await self._run(job, connection, now)
                try:
                    await transaction.commit()
                except (SQLAlchemyError, OSError) as error:
                    self._forget(jobs)
                    return error
        except BaseException:
            self._forget(jobs)
            raise
        return None

    async def _run(self, job: _Job, connection: AsyncConnection, now: datetime) -> None:
        job.error = None
        job.unit = _TransactionUnit(connection, now, self._owners, writes=True)
        savepoint = await connection.begin_nested()
        try:
            job.result = await job.work(job.unit)
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            await savepoint.rollback()
            job.error = _told(error) if isinstance(error, SQLAlchemyError) else error
            for address in job.unit.met:
                self._owners.forget(address)
        else:
            await savepoint.commit()

    def _tell(self, job: _Job) -> None:
        if job.error is None and job.unit is not None:
            for owner in job.unit.met.values():
                self._owners.remember(owner)
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


def _settle_all(jobs: list[_Job], error: Exception) -> None:
    for job in jobs:
        if not job.done.done():
            job.done.set_exception(error)


def _told(error: Exception) -> Exception:
    """What the caller is told of a failed database; a mistake of ours in a statement stays what it is."""
    if isinstance(error, IntegrityError | ProgrammingError | DataError):
        return error
    if not isinstance(error, DBAPIError | PoolTimeoutError | OSError):
        return error
    _log.error("database failed", extra={"error": type(error).__name__})
    return ResourceConstraint("The vault's database can't be reached or has no room: try again later.")


def _free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
