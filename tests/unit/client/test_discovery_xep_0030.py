"""Finding the vault, whatever a server lists (XEP-0030)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from slixmpp import JID, ClientXMPP
from slixmpp.exceptions import XMPPError

from stanzavault_client import NoVault
from stanzavault_client.lookup import plugin_of
from stanzavault_client.vault import ARCHIVE, PUBKEY, FoundVault, VaultPlugin

VAULT = ({("component", "archive", None, "Stanzavault")}, {PUBKEY, ARCHIVE})
ROOMS = ({("conference", "text", None, "Rooms")}, {PUBKEY})
OTHER_ARCHIVE = ({("component", "archive", None, "Other")}, {ARCHIVE})


class Server:
    """What a server lists, and what each service says of itself; asked for like slixmpp's xep_0030."""

    def __init__(self, services: dict[str, Any]) -> None:
        self.services = services
        self.asked: list[str] = []

    async def get_items(self, jid: JID, timeout: float) -> Any:  # noqa: ASYNC109 - slixmpp's name
        self.asked.append(f"items of {jid}")
        return {"disco_items": {"items": {(service, None, None) for service in self.services}}}

    async def get_info(self, jid: JID, **_: Any) -> Any:
        self.asked.append(str(jid))
        told = self.services.get(str(jid))
        if told is None:
            raise XMPPError("service-unavailable")
        identities, features = told
        return {"disco_info": {"identities": identities, "features": features}}


@pytest.fixture
async def client() -> ClientXMPP:
    from slixmpp.plugins.base import register_plugin  # noqa: PLC0415 - as `register` does

    register_plugin(VaultPlugin)
    client = ClientXMPP("romeo@montague.example/orchard", "")
    client.register_plugin("vault")
    return client


def vault_of(client: ClientXMPP, services: dict[str, Any]) -> tuple[VaultPlugin, Server]:
    plugin, server = plugin_of(client, VaultPlugin), Server(services)
    plugin.xmpp = SimpleNamespace(boundjid=client.boundjid, plugin={"xep_0030": server})  # type: ignore[assignment]
    return plugin, server


async def test_a_vault_is_known_by_its_identity_and_its_keys(client: ClientXMPP) -> None:
    services = {
        "vault.montague.example": VAULT,
        "rooms.montague.example": ROOMS,
        "old.montague.example": OTHER_ARCHIVE,
    }
    plugin, server = vault_of(client, services)
    assert (await plugin.find()).jid == "vault.montague.example"
    asked = len(server.asked)
    await plugin.find()
    assert len(server.asked) == asked


async def test_services_that_are_down_malformed_or_addresses_of_people_hide_no_vault(
    client: ClientXMPP,
) -> None:
    services = {
        "down.montague.example": None,
        "": None,
        "@@@": None,
        "nurse@capulet.example": VAULT,
        "vault.montague.example/resource": VAULT,
        "vault.montague.example": VAULT,
    }
    plugin, server = vault_of(client, services)
    assert (await plugin.find()).jid == "vault.montague.example"
    assert "capulet.example" not in server.asked


async def test_a_host_without_a_vault_and_one_with_several_are_told_apart(client: ClientXMPP) -> None:
    plugin, _ = vault_of(client, {"rooms.montague.example": ROOMS})
    with pytest.raises(NoVault, match="shows no vault"):
        await plugin.find()
    plugin, _ = vault_of(client, {"a.montague.example": VAULT, "b.montague.example": VAULT})
    with pytest.raises(NoVault, match=r"several vaults \(a.montague.example, b.montague.example\)"):
        await plugin.find()


async def test_a_host_that_lists_no_end_of_services_is_not_asked_about_each(client: ClientXMPP) -> None:
    plugin, server = vault_of(client, {f"s{number}.montague.example": None for number in range(5000)})
    with pytest.raises(NoVault):
        await plugin.find()
    assert len(server.asked) == 101


async def test_who_pretends_to_be_a_vault_makes_a_client_look_once_only(client: ClientXMPP) -> None:
    plugin, server = vault_of(client, {"rooms.montague.example": ROOMS})
    told: list[FoundVault] = []
    for _ in range(10):
        plugin.with_own(told.append)
        await asyncio.sleep(0)
    with pytest.raises(NoVault):
        await plugin._looking  # type: ignore[misc]
    assert (server.asked.count("items of montague.example"), told) == (1, [])


async def test_what_came_before_the_vault_was_found_is_told_when_it_is(client: ClientXMPP) -> None:
    plugin, _ = vault_of(client, {"vault.montague.example": VAULT})
    told: list[str] = []
    plugin.with_own(lambda vault: told.append(f"first from {vault.jid}"))
    plugin.with_own(lambda vault: told.append(f"second from {vault.jid}"))
    await plugin._looking  # type: ignore[misc]
    await asyncio.sleep(0)
    assert told == ["first from vault.montague.example", "second from vault.montague.example"]
