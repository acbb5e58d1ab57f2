"""The link to real servers: why it can't be made is said clearly, and it comes back by itself (XEP-0114)."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support.accounts import Account, new_account, register
from support.archive_stanzas import request, save
from support.clients import logged_in
from support.component import attached
from support.tls_front import TlsFront, certificate
from support.vaults import NewVault, ServerVault

PING = "{urn:xmpp:ping}ping"
WRONG = "not the secret that they share"
NAMED = {"with_": "juliet@capulet.example", "start": "1469-07-21T02:56:15Z"}
SAID = "<to secs='0'><body>Neither, fair saint.</body></to>"


@pytest.fixture(params=["prosody-sqlite", "ejabberd-sqlite"])
async def vault(request: pytest.FixtureRequest, new_vault: NewVault) -> ServerVault:
    """A vault and a server of this test alone."""
    return await new_vault(request.param)


def launch(vault: ServerVault) -> None:
    """Start the process again with other settings, and don't wait for what becomes of it."""
    vault.write_settings()
    vault.kill()
    vault.launch()


async def told(vault: ServerVault, pattern: str, *, since: int = 0) -> str:
    """The line in which the vault says it."""
    match = await asyncio.to_thread(vault.process.wait_for_line, pattern, since=since)
    return match.string


async def is_down(vault: ServerVault) -> bool:
    """Whether health says that the stream, and nothing else, is down."""
    status, body = await vault.http("/health")
    return (status, json.loads(body)) == (503, {"status": "down", "stream": "down", "database": "up"})


async def serves(vault: ServerVault) -> None:
    """The vault answers an account of its server."""
    account = await new_account(vault.server)
    async with logged_in(vault.server, account) as client:
        await client.iq_get(ET.Element(PING), to=vault.jid)


async def test_a_wrong_secret_is_said_and_stands_in_no_log(vault: ServerVault) -> None:
    vault.environment["STANZAVAULT_COMPONENT__SECRET"] = WRONG
    launch(vault)
    assert "the server refused the secret" in await told(vault, "wrong-secret")
    assert await is_down(vault)
    # It tries again, at its pace, and says when: who mends the server's side need not start it again.
    mark = 0
    for longest in (1.0, 2.0):
        delay = await told(vault, "connecting in", since=mark)
        mark = vault.log.split("\n").index(delay) + 1
        assert float(delay.partition("delay_s=")[2]) <= longest
    await told(vault, "reason=wrong-secret", since=mark)
    assert WRONG not in vault.log
    assert vault.server.secret not in vault.log
    assert await vault.stop() == 0


async def test_a_server_that_does_not_know_the_vaults_address_is_said(vault: ServerVault) -> None:
    vault.settings = {"component": {"jid": "unknown.example.org"}}
    launch(vault)
    line = await told(vault, "no stream to")
    # ejabberd doesn't tell an unknown address from a wrong secret, so the vault names both.
    if vault.server.kind == "ejabberd":
        assert "ejabberd says the same of a jid that it does not know" in line
    else:
        assert "add its jid to the configuration" in line
        assert "reason=host-unknown" in line
    assert await is_down(vault)


async def test_a_server_that_is_not_there_is_said_and_attached_to_once_it_is(vault: ServerVault) -> None:
    await asyncio.to_thread(vault.server.stop)
    launch(vault)
    assert "is the server up, and is this its component port?" in await told(vault, "reason=refused")
    assert await is_down(vault)
    await asyncio.to_thread(vault.server.start_again)
    await vault.wait_until_ready()
    await serves(vault)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_server_that_starts_again_finds_the_vault_back_with_everything(
    vault: ServerVault, end: str
) -> None:
    romeo, pid = await new_account(vault.server, "romeo"), vault.process.pid
    async with logged_in(vault.server, romeo) as client:
        await client.iq_set(ET.fromstring(save(NAMED["with_"], NAMED["start"], SAID)), to=vault.jid)
    mark = vault.process.line_count
    await asyncio.to_thread(getattr(vault.server, end))
    await told(vault, "no stream to|the stream ended|connection-ended", since=mark)
    assert await is_down(vault)
    await asyncio.to_thread(vault.server.start_again)
    await vault.wait_until_ready()
    await register_again(vault, romeo)
    async with logged_in(vault.server, romeo) as client:
        # To nobody: the server has to have handed the namespace over again.
        chat = (await client.iq_get(ET.fromstring(request("retrieve", **NAMED))))[0]
        assert [body.text for body in chat.iter("{urn:xmpp:archive}body")] == ["Neither, fair saint."]
    assert vault.process.pid == pid
    assert vault.process.is_running


async def register_again(vault: ServerVault, account: Account) -> None:
    """ejabberd forgets accounts made just before it was killed."""
    with suppress(RuntimeError):
        await register(vault.server, account)


async def test_another_component_in_the_vaults_place_is_said_as_a_conflict(new_vault: NewVault) -> None:
    """Prosody keeps the new link, as deploy/ tells it to; ejabberd lets both be there."""
    vault = await new_vault("prosody-sqlite")
    mark = vault.process.line_count
    async with attached(vault.server, lambda _: None):
        line = await told(vault, "reason=conflict", since=mark)
        assert "another connection of this component" in line
    await vault.wait_until_ready()
    await serves(vault)


async def test_a_second_vault_is_told_of_the_conflict_by_a_server_that_keeps_the_first(
    new_vault: NewVault,
) -> None:
    keeps_the_first = 'Component "vault.example.org"\n    component_conflict_resolve = "kick_new"\n'
    vault = await new_vault("prosody-sqlite", extra=keeps_the_first)
    assert await vault.stop() == 0
    async with attached(vault.server, lambda _: None):
        vault.launch()
        await told(vault, "reason=conflict")
        assert await is_down(vault)
    await vault.wait_until_ready()
    await serves(vault)


class TestTLS:
    """XEP-0114 has none of its own: TLS ends in a proxy in front of the server's component port."""

    async def test_the_vault_serves_over_it(self, vault: ServerVault, tmp_path: Path) -> None:
        file = certificate(tmp_path)
        front = TlsFront(file, vault.server.component_port)
        vault.settings = {"component": {"port": front.port, "tls": True, "ca_file": str(file)}}
        async with front.listening():
            launch(vault)
            await vault.wait_until_ready()
            await serves(vault)
        assert front.taken == 1
        assert front.passed_on > 0

    async def test_a_certificate_that_nobody_vouches_for_is_told_nothing(
        self, new_vault: NewVault, tmp_path: Path
    ) -> None:
        vault = await new_vault("prosody-sqlite")
        front = TlsFront(certificate(tmp_path), vault.server.component_port)
        vault.settings = {"component": {"port": front.port, "tls": True}}
        async with front.listening():
            launch(vault)
            assert "that its certificate fits the host" in await told(vault, "reason=tls")
            assert await is_down(vault)
        assert front.passed_on == 0

    async def test_a_server_without_it_is_told_nothing(self, new_vault: NewVault) -> None:
        vault = await new_vault("prosody-sqlite")
        vault.settings = {"component": {"tls": True}}
        launch(vault)
        await told(vault, "reason=tls")
        assert await is_down(vault)

    async def test_a_link_to_elsewhere_without_it_is_refused_at_the_start(self, new_vault: NewVault) -> None:
        vault = await new_vault("prosody-sqlite")
        vault.settings = {"component": {"host": "xmpp.example.org"}}
        launch(vault)
        assert await asyncio.to_thread(vault.process.wait) == 2
        assert "component.host: a link that leaves this machine needs" in vault.log
