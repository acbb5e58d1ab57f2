"""Messages for the absent, between real clients beside real servers (XEP-0160, XEP-0013)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TypeAlias
from xml.etree import ElementTree as ET

import pytest

from support.accounts import Account, new_account
from support.clients import CLIENT, Client, StanzaRefusedError, logged_in
from support.inbox import WAIT
from support.offline_clients import (
    OFFLINE,
    bodies,
    come,
    ids,
    item,
    leave,
    left_messages,
    message_of,
    node_query,
    offline,
    receive,
    refusal,
    until_empty,
    visitor,
)
from support.vaults import NewVault, ServerVault

Told: TypeAlias = tuple[ServerVault, Account, Account]


async def befriend(client: Client, vault: ServerVault) -> None:
    """Subscribe to the vault's presence, as a client does with a gateway, and grant it the same."""
    for type_ in ("subscribe", "subscribed"):
        client.send_element(ET.Element(f"{{{CLIENT}}}presence", {"to": vault.jid, "type": type_}))
        if type_ == "subscribe":
            await client.wait_for(lambda it: (it.get("from"), it.get("type")) == (vault.jid, "subscribe"))
    await client.pass_through()


async def two_known(vault: ServerVault) -> tuple[Account, Account]:
    """Romeo, and Juliet whom the vault has met."""
    romeo, juliet = await new_account(vault.server, "romeo"), await new_account(vault.server, "juliet")
    async with visitor(vault, juliet):
        pass
    return romeo, juliet


@asynccontextmanager
async def at_home(vault: ServerVault, account: Account, resource: str = "home") -> AsyncIterator[Client]:
    """A client that is logged in, and of which neither the vault nor anybody else is told."""
    async with logged_in(vault.server, account, resource, presence=False) as client:
        yield client


async def test_messages_left_arrive_in_order_once_and_with_a_delay(vault: ServerVault) -> None:
    romeo, juliet = await two_known(vault)
    texts = [f"{number}: But soft!" for number in range(70)]
    before = datetime.now(UTC).replace(microsecond=0)
    async with at_home(vault, romeo, "orchard") as client:
        for text in texts:
            leave(client, vault, juliet, text)
        await client.iq_get(ET.Element("{urn:xmpp:ping}ping"), to=vault.jid)
    async with visitor(vault, juliet, "balcony") as client:
        messages = await receive(client, vault, len(texts))
        assert bodies(messages) == texts
        assert len(set(ids(messages, vault))) == len(texts)
        for message in messages:
            assert message.get("from") == f"{romeo.user}\\40{romeo.domain}@{vault.jid}/orchard"
            assert message.get("to") == client.boundjid.full
            assert message.get("type") == "chat"
            (delay,) = message.findall("{urn:xmpp:delay}delay")
            assert delay.get("from") == vault.jid
            assert before <= datetime.fromisoformat(delay.get("stamp", "")) <= datetime.now(UTC)
        await until_empty(client, vault)
    async with visitor(vault, juliet, "balcony") as client:
        leave(client, vault, juliet, "the last")
        assert bodies(await receive(client, vault, 1)) == ["the last"]
        assert len(left_messages(client, vault)) == 1


# What an operator may add, so that Prosody tells the vault of logins (XEP-0356). ejabberd takes no second
# section of mod_privilege: there the line goes into the file in deploy/ itself.
GRANTED = """
VirtualHost "example.org"
    privileged_entities = { ["vault.example.org"] = { roster = "get"; presence = "managed_entity" } }
"""


@pytest.fixture(params=["subscribed-prosody", "subscribed-ejabberd", "granted-prosody"])
async def told(request: pytest.FixtureRequest, new_vault: NewVault) -> Told:
    """A vault that is told of ordinary presence: by the account's subscription, or by the server's grant."""
    means, server = request.param.split("-")
    vault = await new_vault(f"{server}-sqlite", extra=GRANTED if means == "granted" else "")
    romeo, juliet = await two_known(vault)
    if means == "subscribed":
        async with logged_in(vault.server, juliet) as client:
            await befriend(client, vault)
    return vault, romeo, juliet


async def test_an_ordinary_login_is_enough_where_presence_is_told(told: Told) -> None:
    vault, romeo, juliet = told
    async with at_home(vault, romeo) as client:
        leave(client, vault, juliet, "Good night")
        await client.pass_through(vault.jid)
    async with logged_in(vault.server, juliet) as client:
        assert bodies(await receive(client, vault, 1)) == ["Good night"]


@pytest.mark.parametrize("end", ["log out", "break"])
async def test_after_an_ordinary_session_ended_a_message_waits_and_comes_once(told: Told, end: str) -> None:
    vault, romeo, juliet = told
    async with logged_in(vault.server, juliet) as client:
        leave(client, vault, juliet, "to myself")
        assert bodies(await receive(client, vault, 1)) == ["to myself"]
        await until_empty(client, vault)
        if end == "break":
            client.abort()
    async with at_home(vault, romeo) as client:
        leave(client, vault, juliet, "Are you there?")
        await client.iq_get(ET.Element("{urn:xmpp:ping}ping"), to=vault.jid)
    async with logged_in(vault.server, juliet) as client:
        assert bodies(await receive(client, vault, 1)) == ["Are you there?"]
        await until_empty(client, vault)
        await client.pass_through()
        assert len(left_messages(client, vault)) == 1


async def test_a_negative_priority_receives_nothing_until_it_is_raised(server_vault: ServerVault) -> None:
    romeo, juliet = await two_known(server_vault)
    async with at_home(server_vault, romeo) as client:
        leave(client, server_vault, juliet, "waiting")
        await client.pass_through(server_vault.jid)
    async with at_home(server_vault, juliet) as client:
        come(client, server_vault, priority=-1)
        await client.pass_through(server_vault.jid)
        assert left_messages(client, server_vault) == []
        come(client, server_vault, priority=1)
        assert bodies(await receive(client, server_vault, 1)) == ["waiting"]


async def test_types_are_treated_as_xep_0160_says(server_vault: ServerVault) -> None:
    romeo, juliet = await two_known(server_vault)
    chat_state = "<composing xmlns='http://jabber.org/protocol/chatstates'/>"
    async with at_home(server_vault, romeo) as client:
        for type_ in ("normal", "chat", "headline", "error", "groupchat", None):
            leave(client, server_vault, juliet, f"as {type_}", type_=type_)
        leave(client, server_vault, juliet, None, more=chat_state)
        leave(client, server_vault, juliet, "not to be kept", more="<no-store xmlns='urn:xmpp:hints'/>")
        await client.iq_get(ET.Element("{urn:xmpp:ping}ping"), to=server_vault.jid)
        errors = [it for it in client.inbox.stanzas if it.get("type") == "error"]
        assert [refusal(it) for it in errors] == ["service-unavailable"] * 2
    async with visitor(server_vault, juliet) as client:
        assert bodies(await receive(client, server_vault, 3)) == ["as normal", "as chat", "as None"]
        await until_empty(client, server_vault)
        assert len(left_messages(client, server_vault)) == 3


@pytest.mark.parametrize("combination", ["prosody-sqlite", "ejabberd-postgresql"])
async def test_a_full_queue_answers_service_unavailable(new_vault: NewVault, combination: str) -> None:
    vault = await new_vault(combination, settings={"offline": {"quota": {"bytes": "20KiB", "messages": 3}}})
    romeo, juliet = await two_known(vault)
    async with at_home(vault, romeo) as client:
        for number in range(4):
            leave(client, vault, juliet, str(number))
        refused = await client.wait_for(lambda it: it.get("type") == "error")
        assert refusal(refused) == "service-unavailable"
        async with visitor(vault, juliet) as reader:
            assert bodies(await receive(reader, vault, 3)) == ["0", "1", "2"]
            await until_empty(reader, vault)
        leave(client, vault, juliet, "x" * 30_000)
        refused = await client.wait_for(lambda it: it.get("type") == "error")
        assert refusal(refused) == "service-unavailable"
        leave(client, vault, juliet, "room again")
        await client.pass_through(vault.jid)
    async with visitor(vault, juliet) as reader:
        assert bodies(await receive(reader, vault, 1)) == ["room again"]


async def test_an_account_that_never_came_and_one_of_another_host_get_nothing(
    server_vault: ServerVault,
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    ghost = Account(user="ghost", domain=server_vault.server.domain, password="")
    elsewhere = await new_account(server_vault.server, "paris", domain=server_vault.server.elsewhere)
    async with at_home(server_vault, romeo) as client:
        leave(client, server_vault, ghost, "Boo")
        assert refusal(await client.wait_for_message()) == "service-unavailable"
        leave(client, server_vault, elsewhere, "Sir")
        assert refusal(await client.wait_for_message()) in {"service-unavailable", "item-not-found"}


async def test_a_stranger_may_leave_a_message(server_vault: ServerVault) -> None:
    _, juliet = await two_known(server_vault)
    paris = await new_account(server_vault.server, "paris", domain=server_vault.server.elsewhere)
    async with at_home(server_vault, paris) as client:
        leave(client, server_vault, juliet, "Fair Juliet")
        await client.pass_through(server_vault.jid)
    async with visitor(server_vault, juliet) as client:
        (message,) = await receive(client, server_vault, 1)
        assert message.get("from") == f"{paris.user}\\40{paris.domain}@{server_vault.jid}/home"


class Mute(Client):
    """A client that takes messages and answers no IQ, as one whose connection has broken unseen."""

    def incoming_filter(self, xml: ET.Element) -> ET.Element:
        kept = super().incoming_filter(xml)
        if xml.tag == f"{{{CLIENT}}}iq" and xml.get("type") in {"get", "set"}:
            return ET.Element("{stanzavault:tests}unheard")
        return kept


async def test_what_a_session_did_not_answer_for_comes_again_under_the_same_id(vault: ServerVault) -> None:
    romeo, juliet = await two_known(vault)
    async with at_home(vault, romeo) as client:
        for text in ("one", "two"):
            leave(client, vault, juliet, text)
        await client.pass_through(vault.jid)
    mute = Mute(vault.server, juliet, "broken")
    await mute.log_in(presence=False)
    come(mute, vault)
    first = await receive(mute, vault, 2)
    await mute.wait_for(lambda it: it.find("{urn:xmpp:ping}ping") is not None)
    await mute.log_out()
    async with visitor(vault, juliet, "sound") as client:
        second = await receive(client, vault, 2)
        assert bodies(first) == bodies(second) == ["one", "two"]
        assert ids(first, vault) == ids(second, vault)
        await until_empty(client, vault)


async def test_two_sessions_at_once_get_each_message_once(server_vault: ServerVault) -> None:
    romeo, juliet = await two_known(server_vault)
    async with at_home(server_vault, romeo) as client:
        for number in range(40):
            leave(client, server_vault, juliet, str(number))
        await client.pass_through(server_vault.jid)
    async with (
        at_home(server_vault, juliet, "balcony") as balcony,
        at_home(server_vault, juliet, "garden") as garden,
    ):
        for client in (balcony, garden):
            come(client, server_vault)
        await until_empty(balcony, server_vault)
        for client in (balcony, garden):
            await client.pass_through(server_vault.jid)
        received = left_messages(balcony, server_vault) + left_messages(garden, server_vault)
        assert sorted(map(int, bodies(received))) == list(range(40))


async def test_messages_wait_through_a_restart(vault: ServerVault) -> None:
    romeo, juliet = await two_known(vault)
    async with at_home(vault, romeo) as client:
        leave(client, vault, juliet, "patience")
        await client.pass_through(vault.jid)
    assert await vault.stop() == 0
    await vault.start_again()
    async with visitor(vault, juliet) as client:
        assert bodies(await receive(client, vault, 1)) == ["patience"]


async def test_a_client_that_subscribes_is_answered_and_asked_in_return(server_vault: ServerVault) -> None:
    juliet = await new_account(server_vault.server, "juliet")
    async with logged_in(server_vault.server, juliet) as client:
        client.send_presence_subscription(pto=server_vault.jid)
        for type_ in (None, "subscribe"):  # the grant itself becomes a roster push
            await client.wait_for(
                lambda it, type_=type_: (
                    it.tag == f"{{{CLIENT}}}presence"
                    and it.get("from") == server_vault.jid
                    and it.get("type") == type_
                )
            )


class TestRetrieval:
    """XEP-0013, sent to the vault and handed over by the server."""

    @pytest.fixture(params=["directly", "handed over"])
    def to(self, request: pytest.FixtureRequest, vault: ServerVault) -> str | None:
        return vault.jid if request.param == "directly" else None

    async def test_view_fetch_remove_and_purge(self, vault: ServerVault, to: str | None) -> None:
        romeo, juliet = await two_known(vault)
        async with at_home(vault, romeo, "orchard") as client:
            for text in ("one", "two", "three"):
                leave(client, vault, juliet, text)
            await client.pass_through(vault.jid)
        async with at_home(vault, juliet) as client:
            headers = (await client.iq_get(node_query("items"), to=vault.jid))[0]
            nodes = [it.get("node", "") for it in headers]
            assert {it.get("name") for it in headers} == {f"{romeo.jid}/orchard"}
            assert {it.get("jid") for it in headers} == {juliet.jid}

            await client.iq_get(offline(item("view", nodes[1])), to=to)
            assert [message_of(it) for it in left_messages(client, vault)] == [("two", nodes[1])]

            await client.iq_get(offline(ET.Element(f"{{{OFFLINE}}}fetch")), to=to)
            fetched = left_messages(client, vault)[1:]
            assert [message_of(it) for it in fetched] == list(
                zip(("one", "two", "three"), nodes, strict=True)
            )
            assert all(it.find("{urn:xmpp:delay}delay") is not None for it in fetched)

            await client.iq_set(offline(item("remove", nodes[0])), to=to)
            with pytest.raises(StanzaRefusedError, match="item-not-found"):
                await client.iq_set(offline(item("remove", nodes[0])), to=to)
            with pytest.raises(StanzaRefusedError, match="item-not-found"):
                await client.iq_get(offline(item("view", nodes[0]), item("view", nodes[1])), to=to)

            # It asked before its presence: no flood.
            come(client, vault)
            await client.pass_through(vault.jid)
            assert len(left_messages(client, vault)) == 4

            await client.iq_set(offline(ET.Element(f"{{{OFFLINE}}}purge")), to=to)
            await until_empty(client, vault)

    async def test_another_account_is_forbidden(self, server_vault: ServerVault) -> None:
        romeo, juliet = await two_known(server_vault)
        async with at_home(server_vault, romeo) as client:
            leave(client, server_vault, juliet, "private")
            at = f"{juliet.user}\\40{juliet.domain}@{server_vault.jid}"
            for payload in (
                offline(ET.Element(f"{{{OFFLINE}}}fetch")),
                node_query("info"),
                node_query("items"),
            ):
                with pytest.raises(StanzaRefusedError, match="forbidden"):
                    await client.iq_get(payload, to=at)
            with pytest.raises(StanzaRefusedError, match="forbidden"):
                await client.iq_get(offline(ET.Element(f"{{{OFFLINE}}}fetch")), to=juliet.jid)

    async def test_the_server_shows_the_feature(self, server_vault: ServerVault) -> None:
        juliet = await new_account(server_vault.server, "juliet")
        async with asyncio.timeout(WAIT), at_home(server_vault, juliet) as client:
            query = ET.Element("{http://jabber.org/protocol/disco#info}query")
            for to in (juliet.domain, juliet.jid, server_vault.jid):
                answer = await client.iq_get(query, to=to)
                assert OFFLINE in {it.get("var") for it in answer[0]}


async def test_a_login_without_a_question_first_is_flooded(server_vault: ServerVault) -> None:
    romeo, juliet = await two_known(server_vault)
    async with at_home(server_vault, romeo) as client:
        leave(client, server_vault, juliet, "flood")
        await client.pass_through(server_vault.jid)
    async with at_home(server_vault, juliet) as client:
        come(client, server_vault)
        assert bodies(await receive(client, server_vault, 1)) == ["flood"]
