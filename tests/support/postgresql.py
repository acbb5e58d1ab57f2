"""A private PostgreSQL: one cluster for a run of the tests, a new database for each test."""

import os
import shutil
import signal
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]  # it has no types

from support.ports import LOOPBACK, free_port
from support.process import ChildProcess, run
from support.xmpp_server import MissingServerError

_USER = "postgres"

# Durability stays as PostgreSQL has it: what the vault acknowledges must be on the disk.
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",
    "timezone": "UTC",
}


@dataclass(kw_only=True)
class PostgreSQL:
    """A cluster in a temporary folder that trusts loopback and listens nowhere else."""

    settings: dict[str, str] = field(default_factory=dict)
    """Server settings that differ from the harness's own."""
    port: int = field(default_factory=free_port)
    folder: Path = field(init=False)
    process: ChildProcess = field(init=False, repr=False)
    _count: int = field(default=0, init=False, repr=False)

    host = LOOPBACK

    def start(self) -> None:
        """Make a new cluster and start it."""
        self.folder = Path(tempfile.mkdtemp(prefix="stanzavault-postgresql-"))
        try:
            if account := _account():
                shutil.chown(self.folder, account, account)
            run(
                [
                    _program("initdb"), "--pgdata", self._data, "--username", _USER, "--auth", "trust",
                    "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
                ],
                user=_account(),
                folder=self.folder,
            )  # fmt: skip
            self.start_again()
        except BaseException:
            self.close()
            raise

    def start_again(self) -> None:
        """Start the cluster on its port and data, and return when it takes connections."""
        options = [
            word for name, value in (_SETTINGS | self.settings).items() for word in ("-c", f"{name}={value}")
        ]
        self.process = ChildProcess(
            "postgresql",
            [_program("postgres"), "-D", self._data, "-p", str(self.port), *options],
            user=_account(),
            folder=self.folder,
        )
        self.process.wait_for_line("database system is ready to accept connections", within=20)

    def stop(self) -> None:
        """End the server as its operator would: connections are cut, the data is left clean."""
        self.process.stop(by=signal.SIGINT, within=20)

    def kill(self) -> None:
        """End every process of the server with SIGKILL, as a crash would."""
        self.process.kill()

    def close(self) -> None:
        """End the server and remove its folder."""
        if hasattr(self, "process"):
            # The quick end that lets the server collect its own children.
            self.process.stop(by=signal.SIGQUIT)
        shutil.rmtree(self.folder)

    def url(self, database: str) -> str:
        """Return the URL of a database as the vault's settings take it."""
        return f"postgresql://{_USER}@{self.host}:{self.port}/{database}"

    async def create_database(self, *, template: str = "template0") -> str:
        """Create a database under a new name, as a copy of `template`, and return the name."""
        self._count += 1
        name = f"vault_{self._count}"
        await self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    async def drop_database(self, name: str) -> None:
        """Drop a database, cutting the connections to it."""
        await self._execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    async def checkpoint(self) -> None:
        """Bring everything committed into the database's own files."""
        await self._execute("CHECKPOINT")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host=self.host, port=self.port, user=_USER, database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    @property
    def _data(self) -> Path:
        return self.folder / "data"


def _account() -> str | None:
    """PostgreSQL refuses to run as root; its package made an account for it."""
    return _USER if os.geteuid() == 0 else None


def _program(name: str) -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    if not found:
        raise MissingServerError("PostgreSQL is not installed: run `make servers`")
    return found[-1]
