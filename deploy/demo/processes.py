"""Programs that the demo starts, and ends again whatever happens."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"


class ProgramFailed(Exception):
    """A program ended with an error, or did not get ready; the text holds what it wrote."""


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind((LOOPBACK, 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


async def run(*command: str | Path) -> str:
    """Run a program to its end, and give what it wrote.

    Raises:
        ProgramFailed: it failed.
    """
    program = await asyncio.create_subprocess_exec(
        *map(str, command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await program.communicate()
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
    if program.returncode:
        raise ProgramFailed(f"{Path(command[0]).name} ended with {program.returncode}:\n{output.decode()}")
    return output.decode()


class Program:
    """A program that runs beside the demo, in a process group of its own: Ctrl-C reaches the demo alone.

    Args:
        command: the words of it.
        log: where it writes.
    """

    def __init__(self, command: Sequence[str | Path], log: Path) -> None:
        self._command = [str(word) for word in command]
        self._log = log
        self._process: asyncio.subprocess.Process | None = None

    async def start(self, port: int, within: float = 20.0) -> None:
        """Start it, and return when it listens on a port of 127.0.0.1.

        Raises:
            ProgramFailed: it ended instead, or does not listen.
        """
        with self._log.open("wb") as log:
            process = self._process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(within):
                while not await _listens(port):
                    if process.returncode is not None:
                        raise ProgramFailed(f"{self._command[0]} ended:\n{self._log.read_text()}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            await self.stop()
            raise ProgramFailed(f"{self._command[0]} did not start:\n{self._log.read_text()}") from None

    async def stop(self, within: float = 10.0) -> None:
        """End it as its operator would, or else at once."""
        if self._process is None:
            return
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), within)
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
