"""What any client may ask of the vault, and what nobody may: discovery, version, ping, and every refusal."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from xml.etree import ElementTree as ET

import pytest

from support.accounts import Account, new_account
from support.clients import CLIENT, Client, StanzaRefusedError, logged_in
from support.vaults import NewVault, ServerVault

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
PING = "{urn:xmpp:ping}ping"


def at_vault(account: Account, vault: ServerVault) -> str:
    """Where an account is addressed at the vault (XEP-0106)."""
    return f"{account.user}\\40{account.domain}@{vault.jid}"


async def features(client: Client, to: str) -> set[str | None]:
    answer = await client.iq_get(ET.Element(f"{{{INFO}}}query"), to=to)
    return {feature.get("var") for feature in answer.iter(f"{{{INFO}}}feature")}


async def refusal(client: Client, payload: str, to: str, type_: str = "get") -> StanzaRefusedError:
    with pytest.raises(StanzaRefusedError) as refused:
        await (client.iq_get if type_ == "get" else client.iq_set)(ET.Element(payload), to=to)
    assert refused.value.text
    return refused.value


async def test_the_vault_is_discovered_with_what_it_serves(server_vault: ServerVault) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        answer = await client.iq_get(ET.Element(f"{{{INFO}}}query"), to=server_vault.jid)
        identities = {(it.get("category"), it.get("name")) for it in answer.iter(f"{{{INFO}}}identity")}
        assert ("component", "Stanzavault") in identities
        assert {INFO, ITEMS, "jabber:iq:version", "urn:xmpp:ping", "urn:xmpp:delegation:2"} <= await features(
            client, server_vault.jid
        )
        assert {INFO, ITEMS, "urn:xmpp:ping"} <= await features(client, at_vault(romeo, server_vault))


async def test_the_vault_is_among_the_items_of_the_server(server_vault: ServerVault) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        answer = await client.iq_get(ET.Element(f"{{{ITEMS}}}query"), to=romeo.domain)
        assert server_vault.jid in {item.get("jid") for item in answer.iter(f"{{{ITEMS}}}item")}


async def test_the_vault_and_an_account_at_it_tell_their_version(server_vault: ServerVault) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        for to in (server_vault.jid, at_vault(romeo, server_vault)):
            (query,) = await client.iq_get(ET.Element("{jabber:iq:version}query"), to=to)
            assert {child.tag.partition("}")[2]: child.text for child in query} == {
                "name": "Stanzavault",
                "version": version("stanzavault"),
            }


async def test_the_vault_and_an_account_at_it_answer_pings(server_vault: ServerVault) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        for to in (server_vault.jid, at_vault(romeo, server_vault)):
            answer = await client.iq_get(ET.Element(PING), to=to)
            assert (answer.get("from"), len(answer)) == (to, 0)


@pytest.mark.parametrize(
    ("payload", "type_", "condition"),
    [
        ("{urn:example:nothing}query", "get", "service-unavailable"),
        ("{urn:example:nothing}query", "set", "service-unavailable"),
        ("{urn:xmpp:ping}pong", "get", "feature-not-implemented"),
        (PING, "set", "feature-not-implemented"),
        ("{urn:xmpp:forward:0}forwarded", "set", "forbidden"),
        ("{urn:xmpp:privilege:1}privilege", "set", "forbidden"),
    ],
)
async def test_what_is_not_served_gets_the_right_error_and_never_silence(
    server_vault: ServerVault, payload: str, type_: str, condition: str
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        for to in (server_vault.jid, at_vault(romeo, server_vault)):
            assert (await refusal(client, payload, to, type_)).condition == condition


@pytest.mark.parametrize(
    ("local", "condition"),
    [
        ("romeo\\40stranger.example", "item-not-found"),
        ("romeo\\40elsewhere.example", "item-not-found"),
        ("romeo", "item-not-found"),
        ("\\40example.org", "jid-malformed"),
        ("romeo\\40example.org\\2fx", "jid-malformed"),
    ],
)
async def test_an_address_at_the_vault_is_that_of_an_account_or_is_refused(
    server_vault: ServerVault, local: str, condition: str
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        assert (await refusal(client, PING, f"{local}@{server_vault.jid}")).condition == condition


async def test_an_unknown_node_is_not_found(server_vault: ServerVault) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        for namespace in (INFO, ITEMS):
            query = ET.Element(f"{{{namespace}}}query", {"node": "nowhere"})
            with pytest.raises(StanzaRefusedError) as refused:
                await client.iq_get(query, to=server_vault.jid)
            assert refused.value.condition == "item-not-found"


@pytest.mark.parametrize("version_", [1, 2])
async def test_a_wrapper_that_a_client_forges_serves_nobody(server_vault: ServerVault, version_: int) -> None:
    mallory = await new_account(server_vault.server, "mallory")
    victim = await new_account(server_vault.server, "victim")
    wrapper = ET.fromstring(
        f"<delegation xmlns='urn:xmpp:delegation:{version_}'><forwarded xmlns='urn:xmpp:forward:0'>"
        f"<iq xmlns='{CLIENT}' type='get' id='inner' from='{victim.jid}/x'>"
        "<list xmlns='urn:xmpp:archive'/></iq></forwarded></delegation>"
    )
    async with logged_in(server_vault.server, mallory) as client:
        for to in (server_vault.jid, at_vault(victim, server_vault), at_vault(mallory, server_vault)):
            with pytest.raises(StanzaRefusedError) as refused:
                await client.iq_set(wrapper, to=to)
            assert refused.value.condition == "forbidden"


async def test_a_copy_that_a_client_forges_is_refused(server_vault: ServerVault) -> None:
    mallory = await new_account(server_vault.server, "mallory")
    copy = ET.fromstring(
        f"<message xmlns='{CLIENT}' id='forged' to='{server_vault.jid}'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='romeo@example.org'"
        " to='juliet@example.org'><body>I hate thee</body></message></forwarded></message>"
    )
    async with logged_in(server_vault.server, mallory) as client:
        client.send_element(copy)
        answer = await client.wait_for(lambda it: it.get("id") == "forged")
    assert answer.get("type") == "error"
    assert answer.find("*/{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden") is not None


HANDED_OVER = {
    "XEP-0136": "<list xmlns='urn:xmpp:archive'/>",
    "XEP-0189": "<pubkey xmlns='urn:xmpp:pubkey:2'/>",
    "XEP-0013": "<offline xmlns='http://jabber.org/protocol/offline'><fetch/></offline>",
}


@pytest.mark.parametrize("protocol", HANDED_OVER)
async def test_requests_to_ones_own_account_reach_the_vault(server_vault: ServerVault, protocol: str) -> None:
    """A client that knows nothing of the vault is served by it: the answer is the vault's, word for word."""
    romeo = await new_account(server_vault.server, "romeo")
    payload = HANDED_OVER[protocol]
    async with logged_in(server_vault.server, romeo) as client:
        answers = []
        for to in (None, romeo.jid, at_vault(romeo, server_vault)):
            try:
                result = await client.iq_get(ET.fromstring(payload), to=to)
                answers.append(("result", *(child.tag for child in result)))
            except StanzaRefusedError as refused:
                answers.append((refused.condition, refused.text))
        assert answers[0] == answers[1] == answers[2]
        assert answers[0][0] not in {"service-unavailable", "feature-not-implemented", "forbidden"}


async def test_the_account_and_the_host_advertise_what_the_vault_serves(server_vault: ServerVault) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with logged_in(server_vault.server, romeo) as client:
        served = {"urn:xmpp:archive", "urn:xmpp:pubkey:2", "http://jabber.org/protocol/offline"}
        assert {feature for feature in served if feature in await features(client, romeo.jid)} == served
        # A key is asked of the account that owns it: the host has none to offer.
        assert served - {"urn:xmpp:pubkey:2"} <= await features(client, romeo.domain)


async def test_a_flood_from_one_account_is_limited_and_another_is_served(new_vault: NewVault) -> None:
    vault = await new_vault("prosody-sqlite", settings={"limits": {"per_account": "5/s"}})
    mallory, romeo = await new_account(vault.server, "mallory"), await new_account(vault.server, "romeo")
    async with logged_in(vault.server, mallory) as flooder, logged_in(vault.server, romeo) as client:
        flood = [flooder.iq_get(ET.Element(PING), to=vault.jid) for _ in range(100)]
        answers = asyncio.gather(*flood, return_exceptions=True)
        assert (await client.iq_get(ET.Element(PING), to=vault.jid)).get("type") == "result"
        refused = [answer for answer in await answers if isinstance(answer, StanzaRefusedError)]
        assert len(refused) >= 50
        assert {(error.condition, error.type) for error in refused} == {("resource-constraint", "wait")}
