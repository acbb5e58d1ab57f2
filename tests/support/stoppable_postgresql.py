"""A PostgreSQL of a test's own, to be stopped, killed, frozen and closed to a running vault."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from support.postgresql import PostgreSQL


class StoppablePostgreSQL(PostgreSQL):
    """A cluster whose every process can be reached: each backend is in a session of its own."""

    def _processes(self) -> list[psutil.Process]:
        postmaster = psutil.Process(self.process.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def crash(self) -> None:
        """End every process at once with SIGKILL, as when the machine's power fails."""
        processes = self._processes()
        for one in processes:
            one.kill()
        self.process.kill()
        psutil.wait_procs(processes, 10)

    def freeze(self) -> None:
        """Stop every process where it is: connections stay, nobody answers."""
        for one in self._processes():
            one.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let every process go on."""
        for one in self._processes():
            one.send_signal(signal.SIGCONT)

    async def close_database(self, name: str) -> None:
        """Cut the connections to a database, and let nobody in."""
        await self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await self._execute(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )

    async def open_database(self, name: str) -> None:
        """Let clients in again."""
        await self._execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")

    @asynccontextmanager
    async def down(self, how: str, database: str) -> AsyncIterator[None]:
        """Be "stopped", "killed", "frozen", or "closed" to the clients of one database, for a block."""
        match how:
            case "stopped":
                await asyncio.to_thread(self.stop)
            case "killed":
                await asyncio.to_thread(self.crash)
            case "frozen":
                self.freeze()
            case "closed":
                await self.close_database(database)
            case _:
                raise ValueError(how)
        try:
            yield
        finally:
            match how:
                case "stopped" | "killed":
                    await asyncio.to_thread(self.start_again)
                case "frozen":
                    self.thaw()
                case _:
                    await self.open_database(database)
