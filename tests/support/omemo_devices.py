"""OMEMO (XEP-0384) as slixmpp-omemo does it, on clients that are logged in: its state lives in memory."""

from copy import deepcopy
from typing import Any
from xml.etree import ElementTree as ET

from omemo.storage import Just, Maybe, Nothing, Storage
from omemo.types import DeviceInformation, JSONType
from slixmpp import JID
from slixmpp.plugins.base import register_plugin
from slixmpp.stanza import Message
from slixmpp_omemo import XEP_0384

from stanzavault_client.lookup import plugin_of
from support.clients import CLIENT, Client

OMEMO = "eu.siacs.conversations.axolotl"
_PAYLOAD = f"{{{OMEMO}}}encrypted/{{{OMEMO}}}payload"


class _Memory(Storage):
    """Forgets with the device."""

    def __init__(self) -> None:
        super().__init__(disable_cache=True)
        self._kept: dict[str, JSONType] = {}

    async def _load(self, key: str) -> Maybe[JSONType]:
        return Just(self._kept[key]) if key in self._kept else Nothing()

    async def _store(self, key: str, value: JSONType) -> None:
        self._kept[key] = deepcopy(value)

    async def _delete(self, key: str) -> None:
        self._kept.pop(key, None)


class _Plugin(XEP_0384):
    """Trusts every device before any was verified."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._memory = _Memory()

    @property
    def storage(self) -> Storage:
        return self._memory

    @property
    def _btbv_enabled(self) -> bool:
        return True

    async def _prompt_manual_trust(
        self, manually_trusted: frozenset[DeviceInformation], identifier: str | None
    ) -> None:
        raise AssertionError(f"nothing was verified, so nothing is to be decided: {manually_trusted}")


class OmemoDevice:
    """One device of an account: what it gets it decrypts once, as OMEMO lets it."""

    def __init__(self, client: Client, plugin: XEP_0384) -> None:
        self._client = client
        self._plugin = plugin

    async def send(self, to: str, body: str) -> None:
        """Send a chat message that only the account's devices of this moment can read."""
        clear = self._client.make_message(mto=JID(to), mbody=body, mtype="chat")
        sealed, errors = await self._plugin.encrypt_message(clear, JID(to))
        assert sealed is not None
        assert errors == frozenset()
        sealed.send()

    async def receive(self) -> ET.Element:
        """The next encrypted message with content, as it came."""
        return await self._client.wait_for(
            lambda it: it.tag == f"{{{CLIENT}}}message" and it.find(_PAYLOAD) is not None
        )

    async def decrypt(self, wire: ET.Element) -> str:
        """The body of a message as it came.

        Raises:
            MessageNotForUs: it was encrypted for other devices.
        """
        message = Message(self._client, deepcopy(wire))  # type: ignore[no-untyped-call]  # slixmpp's own
        message, _ = await self._plugin.decrypt_message(message)
        return str(message["body"])


async def omemo_device(client: Client) -> OmemoDevice:
    """Make a new device of a client that is logged in, and publish its keys (XEP-0163)."""
    register_plugin(_Plugin)
    client.register_plugin("xep_0384")
    plugin = plugin_of(client, _Plugin)
    await plugin.get_session_manager()
    return OmemoDevice(client, plugin)
