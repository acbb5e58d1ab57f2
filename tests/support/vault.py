"""The vault as its operator runs it: the real command, a YAML file, a process that can be killed."""

import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import yaml

from support.inbox import WAIT
from support.ports import LOOPBACK, free_port
from support.process import ChildProcess, run

COMMAND = Path(sys.executable).with_name("stanzavault")

Settings = Mapping[str, Mapping[str, Any]]
"""Sections of the YAML file, each with its settings."""


class Server(Protocol):
    """Where a vault attaches: a real server, or one that a test plays."""

    @property
    def host(self) -> str:
        """The address on which it takes components."""

    @property
    def component_port(self) -> int:
        """The port on which it takes components."""

    @property
    def vault(self) -> str:
        """The JID that it gives the vault."""

    @property
    def secret(self) -> str:
        """The secret that it shares with the vault."""

    @property
    def domain(self) -> str:
        """The host whose accounts the vault serves."""


ServerT = TypeVar("ServerT", bound=Server)


@dataclass(kw_only=True, eq=False)
class Vault(Generic[ServerT]):
    """A vault with a folder of its own: settings, secret, master key, and the SQLite file if it has one.

    `start` does everything from an empty database to a vault that serves. `kill` and `stop` end the process,
    `start_again` starts it on the same data, and `close` also removes the folder.
    """

    server: ServerT
    database_url: str | None = None
    """A URL, or None for an SQLite file in the vault's folder."""
    settings: Settings = field(default_factory=dict)
    """What differs from the harness's own settings."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables that the vault sees besides this process's own."""
    metrics_port: int = field(default_factory=free_port)
    folder: Path = field(init=False)
    process: ChildProcess = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="stanzavault-vault-"))
        self.write_settings()

    @property
    def jid(self) -> str:
        """The vault's own address."""
        return self.server.vault

    @property
    def file(self) -> Path:
        """The YAML file."""
        return self.folder / "stanzavault.yaml"

    @property
    def master_key_file(self) -> Path:
        """The file of the master key."""
        return self.folder / "master.key"

    @property
    def log(self) -> str:
        """What the process has written since it was last started."""
        return self.process.log

    def write_settings(self) -> None:
        """Write the YAML file and the secret file, readable by their owner only."""
        secret = self.folder / "component.secret"
        url = self.database_url or f"sqlite:///{self.folder}/vault.db"
        own: dict[str, dict[str, Any]] = {
            "component": {
                "jid": self.server.vault,
                "host": self.server.host,
                "port": self.server.component_port,
                "secret_file": str(secret),
            },
            "server": {"hosts": [self.server.domain]},
            "database": {"url": url, "min_free": "16MiB"},
            "sealing": {"master_key_file": str(self.master_key_file)},
            # Tests ask as quickly as they can; those of the limit set it.
            "limits": {"per_account": "100000/s"},
            "log": {"level": "debug"},
            "metrics": {"listen": f"{LOOPBACK}:{self.metrics_port}"},
        }
        sections = own | {name: {**own.get(name, {}), **values} for name, values in self.settings.items()}
        for path, text in ((secret, f"{self.server.secret}\n"), (self.file, yaml.safe_dump(sections))):
            path.touch(mode=0o600)
            path.write_text(text, "utf-8")

    async def start(self) -> None:
        """Prepare the database and the master key, start the vault, and return when it serves."""
        await self.prepare()
        await self.start_again()

    async def prepare(self) -> None:
        """Make the tables and the master key."""
        await self.command("db", "upgrade")
        await self.command("keys", "init", "--yes")

    async def start_again(self) -> None:
        """Start the vault on the data that is there, and return when it serves."""
        self.launch()
        await self.wait_until_ready()

    def launch(self) -> None:
        """Start the process, and don't wait for what becomes of it."""
        self.process = ChildProcess(
            "stanzavault",
            [COMMAND, "run", "--config", self.file],
            environment=self.environment,
            folder=self.folder,
        )

    async def wait_until_ready(self, *, within: float = 20.0) -> None:
        """Return when the vault says that it is healthy: attached to its server and its database reachable.

        Raises:
            RuntimeError: it ended instead.
            TimeoutError: it was not healthy `within` seconds.
        """
        try:
            async with asyncio.timeout(within):
                while not await self.is_healthy():
                    if not self.process.is_running:
                        raise RuntimeError(f"the vault ended with {self.process.exit_status}:\n{self.log}")
                    # Health is asked for, it does not announce itself.
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise TimeoutError(f"the vault was not healthy in {within} s:\n{self.log}") from None

    async def is_healthy(self) -> bool:
        """Ask the health endpoint; a vault that does not listen is not healthy."""
        try:
            status, _ = await self.http("/health")
        except ConnectionError:
            return False
        return status == 200

    async def http(self, path: str) -> tuple[int, str]:
        """GET a path from the metrics listener; returns the status and the body.

        Raises:
            ConnectionError: nobody listens, or the connection broke.
        """
        async with asyncio.timeout(WAIT):
            reader, writer = await asyncio.open_connection(LOOPBACK, self.metrics_port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}\r\nConnection: close\r\n\r\n".encode())
                answer = (await reader.read()).decode()
            finally:
                writer.close()
                await asyncio.gather(writer.wait_closed(), return_exceptions=True)
        head, _, body = answer.partition("\r\n\r\n")
        if not head.startswith("HTTP/"):
            raise ConnectionResetError("the listener closed the connection without an answer")
        return int(head.split(" ")[1]), body

    async def stop(self, *, within: float = 20.0) -> int:
        """End the vault with SIGTERM, as its operator would, and return its exit status.

        Raises:
            TimeoutError: it had to be killed.
        """
        return await asyncio.to_thread(self.process.stop, by=signal.SIGTERM, within=within)

    def kill(self) -> None:
        """End the vault with SIGKILL, in the middle of whatever it does."""
        self.process.kill()

    def close(self) -> None:
        """Kill the process and remove the folder."""
        if hasattr(self, "process"):
            self.process.kill()
        shutil.rmtree(self.folder)

    async def command(self, *words: str) -> str:
        """Run a subcommand of `stanzavault` on this vault's settings and return what it wrote.

        Raises:
            RuntimeError: it failed; the text holds its output.
        """
        return await asyncio.to_thread(
            run, [COMMAND, *words, "--config", self.file], folder=self.folder, environment=self.environment
        )
