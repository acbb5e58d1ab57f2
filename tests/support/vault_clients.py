"""Clients with the plugins of `stanzavault_client`, and stores that open quickly."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from stanzavault_client import Plugins, Policy, SQLiteStore, register
from stanzavault_client.storage.passphrase import Cost
from support.accounts import Account
from support.clients import Client
from support.vaults import ServerVault

QUICK = Cost(rounds=1, kibibytes=8, lanes=1)
PASSPHRASE = "correct horse battery staple"


@dataclass(frozen=True, slots=True)
class VaultClient:
    """A logged in client with all plugins, and its store."""

    client: Client
    store: SQLiteStore
    plugins: Plugins

    @property
    def jid(self) -> str:
        """The bare address."""
        return self.client.boundjid.bare


@asynccontextmanager
async def vault_client(
    vault: ServerVault,
    account: Account,
    folder: Path,
    *,
    device: str = "one",
    way: str = "any",
    policy: Policy | None = None,
    presence: bool = False,
) -> AsyncIterator[VaultClient]:
    """Log in with a store of its own: again with the same `device`, the same store is opened again."""
    client = Client(vault.server, account, device)
    client.plugin_config["vault"] = {"way": way}
    client.plugin_config["recovery"] = {"cost": QUICK}
    with SQLiteStore.open(folder / f"{account.user}-{device}.db", PASSPHRASE, cost=QUICK) as store:
        plugins = register(client, store=store, policy=policy or Policy(new_bits=2048))
        try:
            await client.log_in(presence=presence)
            yield VaultClient(client, store, plugins)
        finally:
            await client.log_out()
