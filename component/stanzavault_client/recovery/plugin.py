"""The plugin `recovery`: keys on their way to a second device, in a node that only their owner reads."""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar, Final

from slixmpp.plugins import BasePlugin

from stanzavault.keys.kinds.private import RECOVERY
from stanzavault_client.errors import NotTrusted, WrongCode
from stanzavault_client.keys.plugin import KeysPlugin
from stanzavault_client.lookup import plugin_of
from stanzavault_client.policy import Policy
from stanzavault_client.pubsub import ACCESS, Nodes
from stanzavault_client.recovery import envelope
from stanzavault_client.recovery.code import RecoveryCode
from stanzavault_client.storage import OwnKey, Store
from stanzavault_client.storage.passphrase import Cost
from stanzavault_client.vault import VaultPlugin

_ITEM: Final = "current"
_PRIVATE: Final = {"pubsub#persist_items": "true", ACCESS: "whitelist"}  # XEP-0223


class RecoveryPlugin(BasePlugin):
    """Brings the keys that open the archive to a second device."""

    name = "recovery"
    description = "Stanzavault: keys sealed under a recovery code (XEP-0223)"
    dependencies: ClassVar[set[str]] = {"vault", "keys"}
    default_config: ClassVar[dict[str, Any]] = {"store": None, "policy": Policy(), "cost": Cost()}

    store: Store
    policy: Policy
    cost: Cost

    def plugin_init(self) -> None:
        """See BasePlugin."""
        self._vault = plugin_of(self.xmpp, VaultPlugin)
        self._keys = plugin_of(self.xmpp, KeysPlugin)

    async def save(self) -> RecoveryCode:
        """Seal every key that this client holds under a fresh code, in the place of what was sealed before.

        Returns:
            The code: show it once, to be written down. It is kept nowhere.

        Raises:
            NotTrusted: this client holds no key.
            IqError: the vault refuses it.
        """
        keys = self._keys.own
        if not keys:
            raise NotTrusted("There is nothing to recover", ["this client holds no key"])
        code = RecoveryCode.new()
        account = self._vault.own_account
        sealed = await asyncio.to_thread(envelope.seal, keys, account, code, self.cost)
        await (await self._nodes()).publish(RECOVERY, sealed, item_id=_ITEM, options=_PRIVATE)
        return code

    async def recover(self, code: RecoveryCode) -> list[OwnKey]:
        """Open what another device sealed, and keep its keys here.

        Raises:
            WrongCode: it was sealed under another code, or nothing was.
        """
        items = await (await self._nodes()).items(RECOVERY, self.policy.entries)
        account = self._vault.own_account
        for item in items:
            if item.id == _ITEM:
                keys = await asyncio.to_thread(envelope.open_, item.payload, account, code)
                break
        else:
            raise WrongCode(f"Nothing was sealed for {account}: make a code on a device that has the keys.")
        held = {key.fingerprint for key in self._keys.own}
        for key in keys:
            if key.public.owner.address == account and key.fingerprint not in held:
                self.store.own_keys.put(key)
        return keys

    async def forget(self) -> None:
        """Remove what is sealed from the vault.

        Raises:
            IqError: nothing is.
        """
        await (await self._nodes()).retract(RECOVERY, _ITEM)

    async def _nodes(self) -> Nodes:
        return Nodes(self._vault.asker, await self._vault.address_of(self._vault.own_account))
