"""Vaults beside real servers: one for each combination, shared by the tests of a run, and private ones."""

import asyncio
from collections.abc import Mapping
from typing import Protocol, TypeAlias

from support.ejabberd import Ejabberd
from support.postgresql import PostgreSQL
from support.prosody import Prosody
from support.vault import Settings, Vault
from support.xmpp_server import XmppServer

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


class Vaults:
    """Starts vaults, each beside a server and on a database of its own, and ends them all."""

    def __init__(self, cluster: PostgreSQL) -> None:
        self._cluster = cluster
        self._shared: dict[str, ServerVault] = {}
        self._private: list[ServerVault] = []

    async def shared(self, combination: str) -> ServerVault:
        """Return the vault of a combination such as `prosody-sqlite`; it serves, whatever became of it."""
        vault = self._shared.get(combination)
        if vault is None:
            vault = self._shared[combination] = await self._make(combination, {}, "")
            await vault.start()
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
        await vault.start()
        return vault

    async def _make(self, combination: str, settings: Settings, extra: str) -> ServerVault:
        kind, database = combination.split("-")
        url = None
        if database == "postgresql":
            url = self._cluster.url(await self._cluster.create_database())
        server = SERVERS[kind](extra=extra)
        await asyncio.to_thread(server.start)
        return Vault(server=server, database_url=url, settings=settings)

    def close_private(self) -> None:
        """End what `new` started, servers included, and remove the folders."""
        while self._private:
            _close(self._private.pop())

    def close(self) -> None:
        """End everything."""
        self.close_private()
        for vault in self._shared.values():
            _close(vault)


def _close(vault: ServerVault) -> None:
    vault.close()
    vault.server.close()
