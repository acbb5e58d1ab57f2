"""Encrypted sessions over streams that break: resumed (XEP-0198), and not."""

import asyncio

from esession import State
from esession.events import EndReason
from stanzavault_client.esession import EncryptedSession
from support.session_clients import Pair, SessionClient


async def established(one: SessionClient, other: SessionClient) -> tuple[EncryptedSession, EncryptedSession]:
    """A session of the two, as each side has it."""
    session = await one.sessions.open(other.full_jid)
    return session, (await other.event_of("esession_active")).session


async def cut(client: SessionClient) -> None:
    """Break the connection without a word, and wait until slixmpp knows."""
    gone = client.start(client.wait_until("disconnected", 5))
    await asyncio.sleep(0)
    assert client.transport is not None
    client.transport.abort()
    await gone


async def connect_again(client: SessionClient, event: str) -> None:
    """Connect again, and wait for what comes of it."""
    come = client.start(client.wait_until(event, 10))
    await asyncio.sleep(0)
    client.connect(client.xmpp_server.host, client.xmpp_server.client_port)
    await come


async def test_a_session_survives_a_resumed_stream_and_nothing_is_lost_doubled_or_reordered(
    pair: Pair,
) -> None:
    one, other = await pair(resumable=True)
    session, theirs = await established(one, other)
    said: list[str] = []
    for round_ in range(3):
        for number in range(20):
            await session.send(body=f"{round_}: {number}")
            await theirs.send(body=f"{round_}: {number}")
        said += [f"{round_}: {number}" for number in range(20)]
        if round_ == 0:
            await asyncio.sleep(0)  # some have left, and some have not
        await cut(one)
        for number in range(5):
            await session.send(body=f"{round_}: cut {number}")
            await theirs.send(body=f"{round_}: cut {number}")
        said += [f"{round_}: cut {number}" for number in range(5)]
        await connect_again(one, "session_resumed")
        await session.send(body=f"{round_}: resumed")
        await theirs.send(body=f"{round_}: resumed")
        said.append(f"{round_}: resumed")
        await other.event_of("esession_message", len(said))
        await one.event_of("esession_message", len(said))
    assert other.bodies() == said
    assert one.bodies() == said
    assert session.state is theirs.state is State.ACTIVE
    assert (await session.end()).reason is EndReason.TERMINATED


async def test_an_answer_finds_its_request_over_a_resumed_stream(pair: Pair) -> None:
    one, other = await pair(resumable=True)
    session, _ = await established(one, other)
    asked = one.start(session.request(one.make_iq_get(queryxmlns="jabber:iq:version")))
    await asyncio.sleep(0)
    await cut(one)
    await connect_again(one, "session_resumed")
    await asyncio.wait({asked}, timeout=10)
    assert "feature-not-implemented" in str(asked.exception())


async def test_a_stream_that_is_not_resumed_ends_its_sessions(pair: Pair) -> None:
    one, other = await pair()
    session, _ = await established(one, other)
    await cut(one)
    assert (await session.until_over()).reason is EndReason.LOST
    assert not list(one.sessions)


async def test_a_stream_that_can_not_be_resumed_after_all_ends_its_sessions_and_their_stanzas_never_leave(
    pair: Pair,
) -> None:
    one, other = await pair(resumable=True)
    session, theirs = await established(one, other)
    await cut(one)
    await session.send(body="never sent")
    one.plugin["xep_0198"].sm_id = "of no stream that the server knows"
    await connect_again(one, "session_start")
    assert (await session.until_over()).reason is EndReason.LOST
    one.send_presence()
    await one.pass_through()
    await theirs.send(body="Art thou there?")
    assert (await theirs.until_over()).reason in {EndReason.REPORTED, EndReason.UNDELIVERED}
    assert not other.bodies()
