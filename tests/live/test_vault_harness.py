"""The vault as the harness runs it: it serves in each combination, and comes back after it was killed."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from support.accounts import new_account
from support.clients import logged_in
from support.server_side import ServerSide
from support.vault import Vault
from support.vaults import NewVault, ServerVault

PING = "{urn:xmpp:ping}ping"


async def test_the_vault_serves_in_each_combination(vault: ServerVault) -> None:
    account = await new_account(vault.server)
    async with logged_in(vault.server, account) as client:
        await client.iq_get(ET.Element(PING), to=vault.jid)
    assert await vault.is_healthy()


async def test_a_vault_that_was_killed_serves_again(prosody_vault: ServerVault) -> None:
    prosody_vault.kill()
    assert not await prosody_vault.is_healthy()
    await prosody_vault.start_again()
    account = await new_account(prosody_vault.server)
    async with logged_in(prosody_vault.server, account) as client:
        await client.iq_get(ET.Element(PING), to=prosody_vault.jid)


async def test_a_vault_of_a_test_alone_has_its_own_settings(new_vault: NewVault) -> None:
    vault = await new_vault("prosody-sqlite", settings={"log": {"format": "json", "level": "info"}})
    assert '"action": "connected"' in vault.log
    assert await vault.stop() == 0


@pytest.fixture
def vault_beside_a_played_server() -> Iterator[list[Vault[ServerSide]]]:
    vaults: list[Vault[ServerSide]] = []
    yield vaults
    for vault in vaults:
        vault.close()


async def test_a_vault_attaches_to_a_server_that_a_test_plays(
    vault_beside_a_played_server: list[Vault[ServerSide]],
) -> None:
    async with ServerSide() as played:
        vault = Vault(server=played)
        vault_beside_a_played_server.append(vault)
        await vault.prepare()
        vault.launch()
        link = await played.connection()
        await link.establish()
        await vault.wait_until_ready()
        await link.send(
            f"<iq type='get' id='1' from='a@example.org' to='{vault.jid}'><ping xmlns='urn:xmpp:ping'/></iq>"
        )
        answer = await link.wait_for(lambda it: it.get("id") == "1")
        assert answer.get("type") == "result"
