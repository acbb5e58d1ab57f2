"""Requests that Prosody and ejabberd hand over (XEP-0355), and what they allow (XEP-0356).

The boundary and the stream stand beside the real servers with a slice that echoes, so that what a request
looks like once it is through can be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from xml.etree import ElementTree as ET

import pytest

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import Forbidden
from support.accounts import new_account
from support.boundary_beside import INFO, NAMESPACES, OFFLINE, PAYLOADS, Beside, boundary_beside
from support.clients import CLIENT, Client, StanzaRefusedError, logged_in
from support.component import COMPONENT, attached
from support.prosody import Prosody
from support.xmpp_server import XmppServer

ITEMS = "http://jabber.org/protocol/disco#items"
FORGED = (
    "<delegation xmlns='urn:xmpp:delegation:{version}'><forwarded xmlns='urn:xmpp:forward:0'>"
    "<iq xmlns='jabber:client' type='get' id='inner' from='{victim}'><list xmlns='urn:xmpp:archive'/></iq>"
    "</forwarded></delegation>"
)


@pytest.fixture
async def beside(server: XmppServer) -> AsyncIterator[Beside]:
    async with boundary_beside(server) as attached_boundary:
        yield attached_boundary


async def features(client: Client, to: str | None) -> set[str | None]:
    answer = await client.iq_get(ET.Element(f"{{{INFO}}}query"), to=to)
    return {feature.get("var") for feature in answer.iter(f"{{{INFO}}}feature")}


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("addressed", ["nobody", "the own account", "the host"])
@pytest.mark.parametrize("type_", ["get", "set"])
async def test_a_request_for_ones_own_account_is_served(
    beside: Beside, payload: str, addressed: str, type_: str
) -> None:
    romeo = await new_account(beside.server, "romeo")
    to = {"nobody": None, "the own account": romeo.jid, "the host": romeo.domain}[addressed]
    async with logged_in(beside.server, romeo) as client:
        answer = await (client.iq_get if type_ == "get" else client.iq_set)(ET.Element(payload), to=to)
        assert answer.get("from") in {to, romeo.jid, None}
        assert answer[0].tag == payload
        assert answer[0].attrib == {
            "way": "handed over", "principal": client.boundjid.full, "account": romeo.jid, "own": "True",
        }  # fmt: skip


async def test_a_request_for_another_account_comes_with_its_sender(beside: Beside) -> None:
    romeo, juliet = await new_account(beside.server, "romeo"), await new_account(beside.server, "juliet")
    async with logged_in(beside.server, romeo) as client:
        answer = await client.iq_get(ET.Element(PAYLOADS[1]), to=juliet.jid)
        assert answer.get("from") == juliet.jid
        assert (answer[0].get("principal"), answer[0].get("account")) == (client.boundjid.full, juliet.jid)
        assert answer[0].get("own") == "False"


async def test_an_error_inside_reaches_the_client_with_condition_type_and_text(beside: Beside) -> None:
    romeo = await new_account(beside.server, "romeo")
    async with logged_in(beside.server, romeo) as client:
        with pytest.raises(StanzaRefusedError) as refused:
            await client.iq_get(ET.Element("{urn:xmpp:archive}unknown"))
        assert refused.value.condition == "feature-not-implemented"
        assert refused.value.type == "cancel"
        assert "is not served" in refused.value.text


async def test_a_sender_of_another_host_is_refused_and_told_how_to_ask(beside: Beside) -> None:
    """The host hands over what strangers ask of its accounts, and does not speak for strangers."""
    romeo = await new_account(beside.server, "romeo")
    stranger = await new_account(beside.server, "stranger", domain=beside.server.elsewhere)
    async with logged_in(beside.server, stranger) as client:
        with pytest.raises(StanzaRefusedError) as refused:
            await client.iq_get(ET.Element(PAYLOADS[1]), to=romeo.jid)
        assert refused.value.condition == "forbidden"
        assert f"user\\40host@{beside.server.vault}" in refused.value.text
        by_account = f"{romeo.user}\\40{romeo.domain}@{beside.server.vault}"
        answer = await client.iq_get(ET.Element(PAYLOADS[1]), to=by_account)
        assert (answer[0].get("way"), answer[0].get("own")) == ("by account", "False")
    assert [request.way.value for request in beside.slice.requests] == ["by account"]


async def test_the_account_and_the_host_advertise_what_the_vault_serves(beside: Beside) -> None:
    romeo = await new_account(beside.server, "romeo")
    async with logged_in(beside.server, romeo) as client:
        of_account = await features(client, romeo.jid)
        assert {f"{namespace}#account" for namespace in NAMESPACES} <= of_account
        assert set(NAMESPACES) <= await features(client, romeo.domain)


@pytest.mark.parametrize("version", [1, 2])
async def test_a_wrapper_that_a_client_forges_is_refused(beside: Beside, version: int) -> None:
    mallory, victim = await new_account(beside.server, "mallory"), await new_account(beside.server, "victim")
    wrapper = ET.fromstring(FORGED.format(version=version, victim=f"{victim.jid}/balcony"))
    async with logged_in(beside.server, mallory) as client:
        with pytest.raises(StanzaRefusedError) as refused:
            await client.iq_set(wrapper, to=beside.server.vault)
        assert refused.value.condition == "forbidden"
    assert beside.slice.requests == []


@pytest.mark.parametrize("version", [1, 2])
async def test_a_wrapper_that_another_component_forges_is_refused(beside: Beside, version: int) -> None:
    server = beside.server
    iq = ET.Element(
        f"{{{COMPONENT}}}iq", {"type": "set", "id": "forged", "from": server.rogue, "to": server.vault}
    )
    iq.append(ET.fromstring(FORGED.format(version=version, victim=f"victim@{server.domain}/balcony")))
    async with attached(
        server, lambda _: None, jid=server.rogue, secret=server.rogue_secret, port=server.rogue_port
    ) as rogue:
        rogue.send_element(iq)
        answer = await rogue.inbox.wait_for(lambda it: it.get("id") == "forged")
    assert answer.get("type") == "error"
    assert answer.find("*/{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden") is not None
    assert beside.slice.requests == []


async def test_a_privilege_that_a_client_forges_is_refused(beside: Beside) -> None:
    before = beside.privileges.of(beside.server.domain)
    mallory = await new_account(beside.server, "mallory")
    message = ET.fromstring(
        f"<message xmlns='{CLIENT}' id='forged' to='{beside.server.vault}'>"
        "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='none'/></privilege></message>"
    )
    async with logged_in(beside.server, mallory) as client:
        client.send_element(message)
        answer = await client.wait_for(lambda it: it.get("id") == "forged")
    assert answer.find("*/{urn:ietf:params:xml:ns:xmpp-stanzas}forbidden") is not None
    assert beside.privileges.of(beside.server.domain) == before


async def test_the_server_tells_what_it_allows_in_its_version(beside: Beside) -> None:
    granted = beside.privileges.of(beside.server.domain)
    assert granted is not None
    assert granted.namespace == f"urn:xmpp:privilege:{1 if beside.server.kind == 'ejabberd' else 2}"
    assert (granted.roster, granted.message, granted.presence) == ("get", "none", "none")
    assert beside.privileges.of(beside.server.elsewhere) is None


async def test_a_roster_is_read_through_the_privilege(beside: Beside) -> None:
    romeo, juliet = await new_account(beside.server, "romeo"), await new_account(beside.server, "juliet")
    stranger = Address.parse(f"stranger@{beside.server.domain}")
    async with logged_in(beside.server, romeo) as his, logged_in(beside.server, juliet) as hers:
        his.auto_authorize = hers.auto_authorize = True
        his.auto_subscribe = hers.auto_subscribe = True
        hers.send_presence_subscription(pto=romeo.jid)
        presence = f"{{{CLIENT}}}presence"
        await hers.wait_for(
            lambda it: (
                it.tag == presence and it.get("type") is None and it.get("from", "").startswith(romeo.jid)
            )
        )
        account = Address.parse(romeo.jid)
        assert await beside.roster.is_subscribed(account, Address.parse(juliet.jid))
        assert not await beside.roster.is_subscribed(account, stranger)


async def test_the_roster_of_a_host_that_allows_nothing_is_not_known(beside: Beside) -> None:
    account = Address.parse(f"stranger@{beside.server.elsewhere}")
    with pytest.raises(Forbidden, match="does not let the vault read rosters"):
        await beside.roster.is_subscribed(account, account)


async def test_requests_are_handed_over_again_when_the_vault_has_come_back(server: XmppServer) -> None:
    romeo = await new_account(server, "romeo")
    for _ in range(2):
        async with boundary_beside(server), logged_in(server, romeo) as client:
            answer = await client.iq_get(ET.Element(PAYLOADS[0]))
            assert answer[0].get("account") == romeo.jid


async def test_requests_are_handed_over_again_when_the_server_has_come_back(server: XmppServer) -> None:
    private = type(server)()
    await asyncio.to_thread(private.start)
    try:
        async with boundary_beside(private) as beside:
            await asyncio.to_thread(private.stop)
            await asyncio.to_thread(private.start_again)
            await beside.wait_until_handed_over()
            romeo = await new_account(private, "romeo")
            async with logged_in(private, romeo) as client:
                answer = await client.iq_get(ET.Element(PAYLOADS[0]))
                assert answer[0].get("account") == romeo.jid
                assert {f"{name}#account" for name in NAMESPACES} <= await features(client, romeo.jid)
    finally:
        await asyncio.to_thread(private.close)


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
async def test_nodes_of_xep_0013_are_handed_over_by_prosody_where_it_is_told_to(namespace: str) -> None:
    """Only without mod_pep, which answers for every node of an account itself."""
    server = Prosody(
        extra=f"""
VirtualHost "example.org"
    modules_disabled = {{ "pep" }}
    delegations = {{
        ["urn:xmpp:archive"] = {{ jid = "vault.example.org" }};
        ["urn:xmpp:pubkey:2"] = {{ jid = "vault.example.org" }};
        ["{OFFLINE}"] = {{ jid = "vault.example.org" }};
        ["urn:xmpp:delegation:2:bare:disco#info:*"] = {{ jid = "vault.example.org" }};
        ["urn:xmpp:delegation:2:bare:disco#items:*"] = {{ jid = "vault.example.org" }};
    }}
"""
    )
    await asyncio.to_thread(server.start)
    try:
        romeo = await new_account(server, "romeo")
        async with boundary_beside(server), logged_in(server, romeo) as client:
            answer = await client.iq_get(ET.Element(f"{{{namespace}}}query", {"node": OFFLINE}))
            (child,) = answer[0]
            assert romeo.jid in (child.get("var") or child.get("jid") or "")
    finally:
        await asyncio.to_thread(server.close)
