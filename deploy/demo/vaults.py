"""The vault as its operator runs it, and for comparison one whose sealing is switched off."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from processes import LOOPBACK, Program, ProgramFailed, free_ports, run
from prosody import HOST, Prosody
from transparent import open_transparent_keyring

from stanzavault import upkeep
from stanzavault.app import run_vault
from stanzavault.config import load_settings
from stanzavault.runtime.sealing import MasterKey

_COMMAND = Path(sys.executable).with_name("stanzavault")


class Vault:
    """A vault on an embedded SQLite file, beside a Prosody.

    Args:
        folder: an empty one, for its settings, its keys and its database.
        jid: its address.
        prosody: the server.
    """

    def __init__(self, folder: Path, jid: str, prosody: Prosody) -> None:
        self.jid = jid
        self.database = folder / "vault.db"
        self.settings = folder / "stanzavault.yaml"
        (self.metrics_port,) = free_ports(1)
        secret = folder / "component.secret"
        secret.touch(mode=0o600)
        secret.write_text(prosody.secret + "\n", "utf-8")
        sections: Mapping[str, Mapping[str, Any]] = {
            "component": {
                "jid": jid,
                "host": LOOPBACK,
                "port": prosody.component_port,
                "secret_file": str(secret),
            },
            "server": {"hosts": [HOST]},
            "database": {"url": f"sqlite:///{self.database}", "min_free": "16MiB"},
            "sealing": {"master_key_file": str(folder / "master.key")},
            "metrics": {"listen": f"{LOOPBACK}:{self.metrics_port}"},
        }
        self.settings.write_text(yaml.safe_dump(sections), "utf-8")
        self._program = Program([_COMMAND, "run", "--config", self.settings], folder / "vault.log")

    async def command(self, *words: str) -> None:
        """Run a subcommand of `stanzavault`.

        Raises:
            ProgramFailed: it failed.
        """
        await run(_COMMAND, *words, "--config", self.settings)

    async def start(self) -> None:
        """Run it, and return when it is attached to its server.

        Raises:
            ProgramFailed: it ended instead.
        """
        await self._program.start(self.metrics_port)
        await self.attached()

    async def attached(self, within: float = 15.0) -> None:
        """Return when it says that it is healthy.

        Raises:
            ProgramFailed: it does not become so.
        """
        try:
            async with asyncio.timeout(within):
                while not await self._is_healthy():  # noqa: ASYNC110 - health is asked for, and announces nothing
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise ProgramFailed(f"{self.jid} did not attach to its server.") from None

    async def stop(self) -> None:
        """End it."""
        await self._program.stop()

    def files(self) -> list[Path]:
        """The files of the database, -wal and -shm included."""
        return sorted(self.database.parent.glob(self.database.name + "*"))

    async def _is_healthy(self) -> bool:
        try:
            reader, writer = await asyncio.open_connection(LOOPBACK, self.metrics_port)
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
        except OSError:
            return False
        return answer.startswith(b"HTTP/1.1 200")


class UnsealedVault(Vault):
    """The same vault within this process, with a keyring that seals nothing: no setting can do that.

    It has a master key nevertheless, since there is no vault without one; nothing is sealed under it.
    """

    def __init__(self, folder: Path, jid: str, prosody: Prosody) -> None:
        super().__init__(folder, jid, prosody)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Prepare its database, run it, and return when it is attached to its server."""
        settings = load_settings(self.settings)
        upkeep.write_master_keys(self.database.with_name("master.key"), MasterKey.new())
        await upkeep.upgrade_database(settings, "head")
        await upkeep.initialise_keys(settings)
        self._task = asyncio.create_task(
            run_vault(settings, self._stop, open_keyring=open_transparent_keyring)
        )
        waiting = asyncio.create_task(self.attached())
        await asyncio.wait([waiting, self._task], return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            waiting.cancel()
            self._task.result()
        await waiting

    async def stop(self) -> None:
        """End it."""
        self._stop.set()
        if self._task is not None:
            await self._task
