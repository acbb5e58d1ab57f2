"""`register`: all plugins of this package for one slixmpp client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from slixmpp import ClientXMPP
from slixmpp.plugins.base import BasePlugin, register_plugin

from stanzavault_client.archive import ArchivePlugin
from stanzavault_client.esession import ESessionPlugin
from stanzavault_client.keys import KeysPlugin
from stanzavault_client.lookup import plugin_of
from stanzavault_client.offline import OfflinePlugin
from stanzavault_client.policy import Policy
from stanzavault_client.recovery import RecoveryPlugin
from stanzavault_client.storage import Store
from stanzavault_client.vault import VaultPlugin

_PLUGINS: tuple[type[BasePlugin], ...] = (
    VaultPlugin,
    KeysPlugin,
    ArchivePlugin,
    OfflinePlugin,
    RecoveryPlugin,
    ESessionPlugin,
)


@dataclass(frozen=True, slots=True)
class Plugins:
    """The plugins of one client, with their types: `client.plugin['archive']` is `archive` here."""

    vault: VaultPlugin
    keys: KeysPlugin
    archive: ArchivePlugin
    offline: OfflinePlugin
    recovery: RecoveryPlugin
    esession: ESessionPlugin


def register(client: ClientXMPP, *, store: Store, policy: Policy | None = None) -> Plugins:
    """Enable every plugin of this package; call it before the client connects.

    Args:
        client: of the account that the store is for.
        store: keeps the user's keys, and what is known of others'.
        policy: what the client insists on.
    """
    shared: dict[str, Any] = {"store": store, "policy": policy or Policy()}
    for plugin in _PLUGINS:
        register_plugin(plugin)
        client.register_plugin(plugin.name, {**client.plugin_config.get(plugin.name, {}), **shared})
    return Plugins(
        plugin_of(client, VaultPlugin),
        plugin_of(client, KeysPlugin),
        plugin_of(client, ArchivePlugin),
        plugin_of(client, OfflinePlugin),
        plugin_of(client, RecoveryPlugin),
        plugin_of(client, ESessionPlugin),
    )
