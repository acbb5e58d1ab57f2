"""Remote accounts: they read what is published to them and leave messages, and never become owners.

They are of a server of their own, which speaks to the vault's server by server-to-server streams.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from support.accounts import new_account
from support.archive_stanzas import request, save
from support.clients import CLIENT, Client, StanzaRefusedError, logged_in
from support.federation import Federation, remote_server
from support.key_desk import EVENT, PUBKEY, PUBSUB, as_owner, form, pubsub
from support.offline_clients import bodies, leave, receive, visitor
from support.published_keys import OwnKey
from support.vaults import NewVault, ServerVault

START = "2026-03-01T12:00:00Z"


@dataclass(frozen=True)
class Pair:
    """Juliet, of the vault's host, and Romeo, of a remote one."""

    vault: ServerVault
    juliet: Client
    romeo: Client

    @property
    def at(self) -> str:
        """Juliet's address at the vault."""
        return f"{self.juliet.account.user}\\40{self.juliet.account.domain}@{self.vault.jid}"

    async def publish(self, key: OwnKey, item: str = "current", **options: str) -> None:
        wanted = {f"pubsub#{name}": value for name, value in options.items()}
        told = f"<publish-options>{form('publish-options', wanted)}</publish-options>" if wanted else ""
        asked = pubsub(f"<publish node='{PUBKEY}'><item id='{item}'>{key.pubkey}</item></publish>{told}")
        await self.juliet.iq_set(ET.fromstring(asked), to=self.vault.jid)

    async def fetch(self) -> list[str | None]:
        """The items that Romeo gets."""
        answer = await self.romeo.iq_get(ET.fromstring(pubsub(f"<items node='{PUBKEY}'/>")), to=self.at)
        return [item.get("id") for item in answer.iter(f"{PUBSUB}item")]


@pytest.fixture(params=["prosody-sqlite", "ejabberd-postgresql"])
async def pair(request: pytest.FixtureRequest, new_vault: NewVault, tmp_path: Path) -> AsyncIterator[Pair]:
    federation = Federation(tmp_path)
    beside_prosody = request.param.startswith("prosody")
    extra = federation.prosody(federation.home_port) if beside_prosody else federation.ejabberd()
    vault = await new_vault(request.param, extra=extra)
    async with AsyncExitStack() as stack:
        remote = stack.enter_context(remote_server(federation))
        clients = []
        for server, name in ((vault.server, "juliet"), (remote, "romeo")):
            account = await new_account(server, name)
            clients.append(await stack.enter_async_context(logged_in(server, account)))
        yield Pair(vault, *clients)


async def test_a_remote_account_reads_what_is_published_and_is_told_of_changes(pair: Pair) -> None:
    key = OwnKey(pair.juliet.account.jid)
    await pair.publish(key)
    assert await pair.fetch() == ["current"]
    asked = ET.fromstring(f"<pubkey xmlns='{PUBKEY}'/>")
    assert (await pair.romeo.iq_get(asked, to=pair.at))[0].tag == f"{{{PUBKEY}}}pubkey"
    subscribe = pubsub(f"<subscribe node='{PUBKEY}' jid='{pair.romeo.account.jid}'/>")
    await pair.romeo.iq_set(ET.fromstring(subscribe), to=pair.at)
    await pair.publish(OwnKey(pair.juliet.account.jid, "second"), "second")
    told = await pair.romeo.wait_for(lambda it: it.find(f"{EVENT}event") is not None)
    assert told.get("from") == pair.at
    assert [item.get("id") for item in told.iter(f"{EVENT}item")] == ["second"]


async def test_a_whitelist_names_remote_accounts_too(pair: Pair) -> None:
    await pair.publish(OwnKey(pair.juliet.account.jid), access_model="whitelist")
    with pytest.raises(StanzaRefusedError, match="not-allowed"):
        await pair.fetch()
    member = f"<affiliation jid='{pair.romeo.account.jid}' affiliation='member'/>"
    named = as_owner(f"<affiliations node='{PUBKEY}'>{member}</affiliations>")
    await pair.juliet.iq_set(ET.fromstring(named), to=pair.at)
    assert await pair.fetch() == ["current"]


async def test_presence_keeps_out_remote_strangers(pair: Pair) -> None:
    await pair.publish(OwnKey(pair.juliet.account.jid), access_model="presence")
    with pytest.raises(StanzaRefusedError, match="not-authorized"):
        await pair.fetch()


async def test_presence_lets_in_remote_contacts(pair: Pair) -> None:
    pair.romeo.send_presence_subscription(pto=pair.juliet.account.jid)
    # Juliet's client agrees by itself, as slixmpp does; then her server shows her presence.
    await pair.romeo.wait_for(
        lambda it: it.tag == f"{{{CLIENT}}}presence" and it.get("from") == pair.juliet.boundjid.full
    )
    await pair.publish(OwnKey(pair.juliet.account.jid), access_model="presence")
    assert await pair.fetch() == ["current"]


async def test_a_remote_account_leaves_a_message(pair: Pair) -> None:
    juliet = pair.juliet.account
    async with visitor(pair.vault, juliet):
        pass
    await pair.juliet.log_out()
    leave(pair.romeo, pair.vault, juliet, "Fair Juliet")
    await pair.romeo.pass_through(pair.vault.jid)
    async with visitor(pair.vault, juliet) as client:
        (message,) = await receive(client, pair.vault, 1)
        romeo = pair.romeo.account
        assert message.get("from") == f"{romeo.user}\\40{romeo.domain}@{pair.vault.jid}/test"
        assert bodies([message]) == ["Fair Juliet"]


async def test_a_remote_account_never_becomes_an_owner(pair: Pair) -> None:
    romeo = pair.romeo.account
    key = OwnKey(romeo.jid)
    own = f"{romeo.user}\\40{romeo.domain}@{pair.vault.jid}"
    publish = pubsub(f"<publish node='{PUBKEY}'><item id='current'>{key.pubkey}</item></publish>")
    said = "<to secs='0'><body>mine</body></to>"
    for payload in (publish, save("juliet@capulet.example", START, said)):
        for to, conditions in (
            (pair.vault.jid, {"forbidden", "item-not-found"}),
            (own, {"item-not-found"}),
            (pair.at, {"forbidden"}),
        ):
            with pytest.raises(StanzaRefusedError) as refused:
                await pair.romeo.iq_set(ET.fromstring(payload), to=to)
            assert refused.value.condition in conditions
    with pytest.raises(StanzaRefusedError, match="forbidden"):
        await pair.romeo.iq_get(ET.fromstring(request("list")), to=pair.at)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_remote_server_hands_nothing_over(pair: Pair, version: int) -> None:
    wrapper = ET.fromstring(
        f"<delegation xmlns='urn:xmpp:delegation:{version}'><forwarded xmlns='urn:xmpp:forward:0'>"
        f"<iq xmlns='{CLIENT}' type='get' id='inner' from='{pair.juliet.account.jid}/x'>"
        "<list xmlns='urn:xmpp:archive'/></iq></forwarded></delegation>"
    )
    with pytest.raises(StanzaRefusedError, match="forbidden"):
        await pair.romeo.iq_set(wrapper, to=pair.vault.jid)
