"""The harness itself: servers start, accounts log in, components attach, delegated requests arrive."""

import asyncio
from xml.etree import ElementTree as ET

import asyncpg  # type: ignore[import-untyped]  # it has no types
import pytest
from slixmpp import JID

from support.accounts import new_account, register
from support.clients import CLIENT, StanzaRefusedError, logged_in
from support.component import COMPONENT, answer_to, attached
from support.inbox import WAIT
from support.postgresql import PostgreSQL
from support.xmpp_server import XmppServer

DELEGATION = ("urn:xmpp:delegation:1", "urn:xmpp:delegation:2")
FORWARD = "{urn:xmpp:forward:0}forwarded"
DISCO_INFO = "{http://jabber.org/protocol/disco#info}query"

DELEGATED = (
    "{urn:xmpp:archive}list",
    "{urn:xmpp:tmp:archive}list",
    "{urn:xmpp:pubkey:2}pubkeys",
    "{http://jabber.org/protocol/offline}offline",
)


def answer_delegated(stanza: ET.Element) -> ET.Element | None:
    """Answer what was handed over by an echo of its payload, and discovery by an empty list."""
    if stanza.tag != f"{{{COMPONENT}}}iq" or stanza.get("type") not in {"get", "set"}:
        return None
    payload = stanza[0]
    if payload.tag == DISCO_INFO:
        return answer_to(stanza, ET.Element(DISCO_INFO, payload.attrib))
    wrapped = payload.find(f"{FORWARD}/{{{CLIENT}}}iq")
    assert wrapped is not None, ET.tostring(stanza, "unicode")
    owner = wrapped.get("from", "").split("/")[0]
    inner = ET.Element(
        f"{{{CLIENT}}}iq",
        {
            "type": "result",
            "id": wrapped.get("id", ""),
            "to": wrapped.get("from", ""),
            "from": wrapped.get("to") or owner,
        },
    )
    inner.append(ET.Element(wrapped[0].tag, {"owner": owner}))
    wrapper = ET.Element(payload.tag)
    ET.SubElement(wrapper, FORWARD).append(inner)
    return answer_to(stanza, wrapper)


async def test_an_account_is_made_and_logs_in(server: XmppServer) -> None:
    account = await new_account(server, "romeo")
    async with logged_in(server, account) as client:
        assert client.boundjid.bare == account.jid
        await client.pass_through()


async def test_a_wrong_password_is_refused(server: XmppServer) -> None:
    account = await new_account(server, "romeo")
    stranger = type(account)(user=account.user, domain=account.domain, password="wrong")
    with pytest.raises(PermissionError, match="could not log in"):
        async with logged_in(server, stranger):
            pass


async def test_messages_pass_between_two_accounts_of_both_hosts(server: XmppServer) -> None:
    romeo = await new_account(server, "romeo")
    juliet = await new_account(server, "juliet", domain=server.elsewhere)
    async with logged_in(server, romeo) as sender, logged_in(server, juliet) as receiver:
        sender.send_message(mto=JID(juliet.jid), mbody="here is a body")
        message = await receiver.wait_for_message(sender=romeo.jid)
        assert message.findtext(f"{{{CLIENT}}}body") == "here is a body"


@pytest.mark.parametrize("payload", DELEGATED)
@pytest.mark.parametrize("addressed", ["to nobody", "to the own account"])
async def test_a_delegated_request_reaches_the_component(
    server: XmppServer, payload: str, addressed: str
) -> None:
    romeo = await new_account(server, "romeo")
    to = romeo.jid if addressed == "to the own account" else None
    async with attached(server, answer_delegated) as component, logged_in(server, romeo) as client:
        result = await client.iq_get(ET.Element(payload), to=to)
        assert result[0].tag == payload
        assert result[0].get("owner") == romeo.jid
        handed_over = [
            stanza for stanza in component.inbox.stanzas if stanza.find(f"*/{FORWARD}") is not None
        ]
        assert len(handed_over) == 1
        assert handed_over[0].get("from") == server.domain
        assert handed_over[0][0].tag in {f"{{{namespace}}}delegation" for namespace in DELEGATION}


async def test_a_request_for_an_account_of_the_other_host_is_not_delegated(server: XmppServer) -> None:
    stranger = await new_account(server, "stranger", domain=server.elsewhere)
    async with attached(server, answer_delegated), logged_in(server, stranger) as client:
        with pytest.raises(StanzaRefusedError) as refused:
            await client.iq_get(ET.Element(DELEGATED[0]))
        assert refused.value.condition == "service-unavailable"


async def test_the_component_may_read_rosters_and_no_more(server: XmppServer) -> None:
    def permissions(stanza: ET.Element) -> set[tuple[str | None, str | None]]:
        return {(it.get("access"), it.get("type")) for it in stanza.iter() if it.tag.endswith("}perm")}

    async with attached(server, answer_delegated) as component:
        granted = await component.inbox.wait_for(lambda stanza: bool(permissions(stanza)))
        assert {kind for kind in permissions(granted) if kind[1] != "none"} == {("roster", "get")}


async def test_prosody_lets_a_new_link_of_the_component_replace_the_old_one(prosody: XmppServer) -> None:
    async with attached(prosody, answer_delegated) as old:
        replaced = asyncio.get_running_loop().create_future()
        old.add_event_handler("disconnected", replaced.set_result, disposable=True)
        romeo = await new_account(prosody, "romeo")
        async with attached(prosody, answer_delegated) as new, logged_in(prosody, romeo) as client:
            await asyncio.wait_for(replaced, WAIT)
            await client.iq_get(ET.Element(DELEGATED[0]))
            await new.inbox.wait_for(lambda stanza: stanza.find(f"*/{FORWARD}") is not None)


async def test_a_second_component_is_there_for_tests_of_distrust(server: XmppServer) -> None:
    romeo = await new_account(server, "romeo")
    async with (
        attached(
            server, answer_to, jid=server.rogue, secret=server.rogue_secret, port=server.rogue_port
        ) as rogue,
        logged_in(server, romeo) as client,
    ):
        await client.iq_get(ET.Element("{urn:xmpp:ping}ping"), to=rogue.boundjid.full)


@pytest.mark.parametrize("end", ["stop", "kill"])
async def test_a_server_comes_back_on_its_ports_and_data(server: XmppServer, end: str) -> None:
    private = type(server)()
    await asyncio.to_thread(private.start)
    try:
        romeo = await new_account(private, "romeo")
        async with logged_in(private, romeo):
            pass
        await asyncio.to_thread(getattr(private, end))
        await asyncio.to_thread(private.start_again)
        if end == "kill" and private.kind == "ejabberd":
            await register(private, romeo)
        async with logged_in(private, romeo):
            pass
    finally:
        await asyncio.to_thread(private.close)


async def test_postgresql_makes_a_database_and_copies_of_it(postgresql: PostgreSQL) -> None:
    original = await postgresql.create_database()
    connection = await asyncpg.connect(postgresql.url(original))
    await connection.execute("CREATE TABLE record (id int)")
    await connection.execute("INSERT INTO record VALUES (7)")
    await connection.close()

    copy = await postgresql.create_database(template=original)
    connection = await asyncpg.connect(postgresql.url(copy))
    assert await connection.fetchval("SELECT id FROM record") == 7
    assert await connection.fetchval("SHOW fsync") == "on"
    await connection.close()
    for name in (copy, original):
        await postgresql.drop_database(name)


async def test_a_new_database_is_empty(postgresql_url: str) -> None:
    connection = await asyncpg.connect(postgresql_url)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


async def test_a_database_is_given_by_its_url(database_url: str) -> None:
    assert database_url.partition(":")[0] in {"sqlite", "postgresql"}
