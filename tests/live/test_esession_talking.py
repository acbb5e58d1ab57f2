"""What passes through an encrypted session between two slixmpp clients on real servers (XEP-0200)."""

import asyncio
import random
from contextlib import suppress
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from slixmpp.exceptions import IqError
from slixmpp.stanza import Iq
from slixmpp.xmlstream import StanzaBase

from esession import MisuseError, State
from esession.events import EndReason
from stanzavault_client.esession import EncryptedSession, SessionFailed
from support.session_clients import QUICK_GROUPS, Pair, SessionClient

VERSION = "jabber:iq:version"
ENCRYPTION = "http://www.xmpp.org/extensions/xep-0200.html#ns"
FORGED = f"<c xmlns='{ENCRYPTION}'><data>AAAA</data><mac>{'A' * 43}=</mac></c>"


async def established(one: SessionClient, other: SessionClient) -> tuple[EncryptedSession, EncryptedSession]:
    """A session of the two, as each side has it."""
    session = await one.sessions.open(other.full_jid)
    return session, (await other.event_of("esession_active")).session


def encrypted(client: SessionClient) -> list[ET.Element]:
    """What the client got within sessions, as it came."""
    return [each for each in client.inbox.stanzas if each.find(f"{{{ENCRYPTION}}}c") is not None]


def forge(one: SessionClient, other: SessionClient, session: EncryptedSession) -> None:
    """Send what claims to be of the session and isn't."""
    one.send_raw(f"<message to='{other.full_jid}'><thread>{session.thread}</thread>{FORGED}</message>")


async def talk(session: EncryptedSession, words: list[str], chance: random.Random) -> None:
    """Say everything in order, with pauses, and new keys now and then."""
    for word in words:
        await session.send(body=word)
        if chance.random() < 0.05:
            with suppress(MisuseError):  # an earlier exchange of keys has not been answered yet
                await session.rekey()
        if chance.random() < 0.2:
            await asyncio.sleep(chance.random() / 100)


@pytest.mark.parametrize(
    "count", [500, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(1800)])]
)
async def test_messages_pass_in_both_directions_with_new_keys_at_random(pair: Pair, count: int) -> None:
    one, other = await pair(replace(QUICK_GROUPS, rekey_after=23))
    session, theirs = await established(one, other)
    said = [[f"{name} {number}" for number in range(count)] for name in ("alice", "bob")]
    chance = random.Random(count)
    await asyncio.gather(talk(session, said[0], chance), talk(theirs, said[1], chance))
    within = 10 + count / 20
    await other.until(lambda: len(other.bodies()) >= count, within=within)
    await one.until(lambda: len(one.bodies()) >= count, within=within)
    assert other.bodies() == said[0]
    assert one.bodies() == said[1]
    for client in (one, other):
        assert {each.event.by_us for each in client.all_of("esession_rekeyed")} == {True, False}
    assert len(one.all_of("esession_rekeyed")) > count / 50
    assert (await session.end()).reason is EndReason.TERMINATED


async def test_nothing_that_was_said_crosses_the_server_in_clear(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    await session.send(body="The orchard walls are high")
    await other.event_of("esession_message")
    (wrapper,) = encrypted(other)
    assert "orchard" not in "".join(wrapper.itertext())
    assert wrapper.find("{jabber:client}body") is None


async def test_presence_passes_encrypted(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    await session.send(one.make_presence(pshow="away", pstatus="In the tomb"))
    presence = (await other.event_of("esession_presence")).stanza
    assert (presence["show"], presence["status"]) == ("away", "In the tomb")
    assert str(presence["from"]) == one.full_jid


async def test_the_results_of_requests_find_them_whatever_their_order(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    other.answer_requests()
    asked = [one.start(session.request(version_request(one))) for _ in range(2)]
    await other.event_of("esession_iq", 2)
    for number, happening in reversed(list(enumerate(other.all_of("esession_iq")))):
        answer = happening.stanza.reply()
        answer.append(version(f"answer {number}"))
        await happening.session.send(answer)
    names = [(await each).xml.findtext(f"{{{VERSION}}}query/{{{VERSION}}}name") for each in asked]
    assert names == ["answer 0", "answer 1"]


async def test_a_request_that_nobody_understands_is_refused_within_the_session(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    with pytest.raises(IqError) as refused:
        await session.request(version_request(one))
    assert refused.value.condition == "feature-not-implemented"


async def test_a_request_fails_when_the_session_ends(pair: Pair) -> None:
    one, other = await pair()
    session, theirs = await established(one, other)
    other.answer_requests()
    asked = one.start(session.request(version_request(one)))
    await other.event_of("esession_iq")
    await theirs.end()
    with pytest.raises(SessionFailed):
        await asked


async def test_cleartext_beside_a_session_is_told_and_reaches_slixmpp_as_ever(pair: Pair) -> None:
    one, other = await pair()
    await established(one, other)
    ordinary = other.start(other.wait_until("message", 5))
    one.send_message(mto=other.full_jid, mbody="in clear", mtype="chat")
    cleartext = await other.event_of("esession_cleartext")
    assert cleartext.stanza["body"] == "in clear"
    assert cleartext.event.agreed
    assert (await ordinary)["body"] == "in clear"


async def test_a_forged_stanza_ends_the_session_and_changes_nothing_before(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    await session.send(body="first")
    await other.event_of("esession_message")
    forge(one, other, session)
    assert (await other.event_of("esession_end")).event.reason is EndReason.DAMAGED
    assert (await session.until_over()).reason is EndReason.REPORTED
    assert other.bodies() == ["first"]


async def test_a_forged_stanza_is_dropped_where_the_policy_says_so(pair: Pair) -> None:
    one, other = await pair(replace(QUICK_GROUPS, drop_damaged=True))
    session, _ = await established(one, other)
    forge(one, other, session)
    await other.event_of("esession_dropped")
    await session.send(body="still here")
    await other.event_of("esession_message")
    assert other.bodies() == ["still here"]


async def test_stanzas_leave_in_order_though_a_filter_of_the_application_is_slow(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    slept: list[str] = []

    async def slow(stanza: StanzaBase) -> StanzaBase:
        if not slept:
            slept.append(stanza["id"])
            await asyncio.sleep(1.3)  # slixmpp lets others overtake after a second
        return stanza

    one.add_filter("out", slow)
    for number in range(5):
        await session.send(body=str(number))
    await other.event_of("esession_message", 5)
    one.del_filter("out", slow)
    assert slept
    assert other.bodies() == list("01234")


async def test_many_tasks_may_send_at_once(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    await asyncio.gather(*(session.send(body=str(number)) for number in range(50)))
    await other.event_of("esession_message", 50)
    assert sorted(map(int, other.bodies())) == list(range(50))


async def test_an_exact_repetition_is_ignored(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    await session.send(body="once")
    await other.event_of("esession_message")
    (wrapper,) = encrypted(other)
    wrapper.set("to", other.full_jid)
    del wrapper.attrib["from"]
    one.send_element(wrapper)
    await other.event_of("esession_ignored")
    await session.send(body="twice")
    await other.event_of("esession_message", 2)
    assert other.bodies() == ["once", "twice"]


async def test_all_sessions_end_before_going_offline(pair: Pair) -> None:
    one, other = await pair()
    _, theirs = await established(one, other)
    await one.sessions.end_all()
    assert (await theirs.until_over()).reason is EndReason.PEER_TERMINATED
    assert not list(one.sessions)


async def test_a_peer_that_lost_the_session_says_so(pair: Pair) -> None:
    one, other = await pair()
    session, theirs = await established(one, other)
    other.event("session_start")  # as after a restart: another stream, and no session
    assert theirs.state is State.ENDED
    await session.send(body="Art thou there?")
    assert (await session.until_over()).reason in {EndReason.REPORTED, EndReason.UNDELIVERED}
    assert not other.bodies()


def version_request(client: SessionClient) -> Iq:
    """A question that is asked within the session."""
    iq = client.make_iq_get()
    iq.append(version())
    return iq


def version(name: str = "") -> ET.Element:
    """A query of XEP-0092."""
    query = ET.Element(f"{{{VERSION}}}query")
    if name:
        ET.SubElement(query, f"{{{VERSION}}}name").text = name
    return query
