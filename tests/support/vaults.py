"""Vaults beside real servers: one for each combination, shared by the tests of a run, and private ones."""

import asyncio
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeAlias

from support.ejabberd import Ejabberd
from support.files import sqlite_files
from support.ports import LOOPBACK
from support.postgresql import PostgreSQL
from support.prosody import Prosody
from support.vault import Settings, Vault
from support.xmpp_server import DOMAIN, VAULT, XmppServer, new_secret

SERVERS: Mapping[str, type[XmppServer]] = {"prosody": Prosody, "ejabberd": Ejabberd}
DATABASES = ("sqlite", "postgresql")
COMBINATIONS = tuple(f"{server}-{database}" for server in SERVERS for database in DATABASES)

ServerVault: TypeAlias = Vault[XmppServer]
"""A vault that is attached to a real server, which is its `server`."""


class NewVault(Protocol):
    """Starts a vault for one test, as `Vaults.new` does."""

    async def __call__(
        self, combination: str = ..., *, settings: Settings | None = None, extra: str = ""
    ) -> ServerVault:
        """Start a server and a vault beside it."""


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """The server of a vault that is never run."""

    host: str = LOOPBACK
    component_port: int = 5347
    vault: str = VAULT
    domain: str = DOMAIN
    secret: str = field(default_factory=new_secret, repr=False)


@dataclass(frozen=True, slots=True)
class _Template:
    """A database that nobody has used yet: its name if it is PostgreSQL's, and the vault that it is of."""

    database: str | None
    vault: Vault[_Nowhere]

    @property
    def files(self) -> list[Path]:
        """The master key, and the files of an SQLite database."""
        return [self.vault.master_key_file, *sqlite_files(self.vault.folder / "vault.db")]


class Vaults:
    """Starts vaults, each beside a server and on a database of its own, and ends them all."""

    def __init__(self, cluster: PostgreSQL) -> None:
        self._cluster = cluster
        self._shared: dict[str, ServerVault] = {}
        self._private: list[ServerVault] = []
        self._templates: dict[str, _Template] = {}

    async def shared(self, combination: str) -> ServerVault:
        """Return the vault of a combination such as `prosody-sqlite`; it serves, whatever became of it."""
        vault = self._shared.get(combination)
        if vault is None:
            vault = self._shared[combination] = await self._make(combination, {}, "")
            await vault.start_again()
        elif vault.process.is_running:
            await vault.wait_until_ready()
        else:
            await vault.start_again()
        return vault

    async def new(
        self, combination: str = "prosody-sqlite", *, settings: Settings | None = None, extra: str = ""
    ) -> ServerVault:
        """Start a server and a vault for one test.

        Args:
            combination: the kinds of server and database.
            settings: what differs from the harness's settings of the vault.
            extra: what is added to the server's configuration, in its own language.
        """
        vault = await self._make(combination, settings or {}, extra)
        self._private.append(vault)
        await vault.start_again()
        return vault

    async def _make(self, combination: str, settings: Settings, extra: str) -> ServerVault:
        kind, database = combination.split("-")
        template = await self._template(database)
        url = None
        if template.database:
            url = self._cluster.url(await self._cluster.create_database(template=template.database))
        server = SERVERS[kind](extra=extra)
        await asyncio.to_thread(server.start)
        vault = Vault(server=server, database_url=url, settings=settings)
        for file in template.files:
            shutil.copy2(file, vault.folder)
        return vault

    async def _template(self, database: str) -> "_Template":
        """Make the tables and a master key once for each kind of database: to copy them is quicker."""
        if database not in self._templates:
            name = await self._cluster.create_database() if database == "postgresql" else None
            vault = Vault(server=_Nowhere(), database_url=self._cluster.url(name) if name else None)
            self._templates[database] = _Template(name, vault)
            await vault.prepare()
        return self._templates[database]

    def close_private(self) -> None:
        """End what `new` started, servers included, and remove the folders."""
        while self._private:
            _close(self._private.pop())

    def close(self) -> None:
        """End everything."""
        self.close_private()
        for vault in self._shared.values():
            _close(vault)
        for template in self._templates.values():
            template.vault.close()


def _close(vault: ServerVault) -> None:
    vault.close()
    vault.server.close()
