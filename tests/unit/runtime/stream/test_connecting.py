"""Every way in which a connection can fail or end: named, counted, told to health, and tried again."""

import asyncio
import logging
import socket
import ssl

import pytest

from stanzavault.runtime.stream import Failure, FailureReason, ReconnectPace, dialling
from stanzavault.runtime.stream.failures import STREAM_CONDITIONS

from .conftest import AT_ONCE, PATIENCE, Server, Start

CLOSING = "</stream:stream>"
STREAMS = "xmlns:stream='http://etherx.jabber.org/streams'"


def stream_error(condition: str) -> str:
    return (
        f"<stream:error><{condition} xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        f"<text xmlns='urn:ietf:params:xml:ns:xmpp-streams'>Wherefore</text></stream:error>{CLOSING}"
    )


async def test_the_handshake_is_that_of_xep_0114_section_3(server: Server, start: Start) -> None:
    vault = start()
    link = await server.connection()
    header = await link.header()
    assert header.get("to") == server.vault
    await link.open("3BF96D32")
    assert await link.handshake() == link.digest("3BF96D32")
    assert not vault.stream.connected
    await link.send("<handshake/>")
    await vault.observer.until(lambda: vault.observer.established)
    assert vault.stream.connected
    assert vault.stream.last_failure is None


async def test_a_refused_connection(server: Server, start: Start) -> None:
    server.refuse()
    vault = start(reconnect=AT_ONCE)
    assert (await vault.failure()).reason is FailureReason.REFUSED
    await server.listen()
    await server.established()
    await vault.observer.until(lambda: vault.observer.established)
    assert vault.stream.last_failure is None


@pytest.mark.parametrize("host", ["nowhere.invalid", f"{'x' * 64}.invalid", "a..b"])
async def test_a_host_that_is_not_there(server: Server, start: Start, host: str) -> None:
    vault = start(host=host, allow_plaintext=True)
    assert (await vault.failure()).reason is FailureReason.UNREACHABLE


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("not-authorized", FailureReason.WRONG_SECRET),
        ("conflict", FailureReason.CONFLICT),
        ("host-unknown", FailureReason.HOST_UNKNOWN),
        ("system-shutdown", FailureReason.STREAM_ERROR),
    ],
)
async def test_the_servers_stream_error_tells_why_the_handshake_failed(
    server: Server, start: Start, caplog: pytest.LogCaptureFixture, condition: str, reason: FailureReason
) -> None:
    caplog.set_level(logging.DEBUG)
    vault = start()
    link = await server.connection()
    await link.open()
    await link.handshake()
    await link.send(stream_error(condition))
    failure = await vault.failure()
    assert failure == Failure(reason, condition)
    assert vault.stream.last_failure == failure.text
    record = next(each for each in caplog.records if getattr(each, "action", "") == "connection-ended")
    assert record.name == "stanzavault.stream"
    assert record.levelno == logging.WARNING
    assert (record.reason, record.condition) == (reason.value, condition)  # type: ignore[attr-defined]
    assert failure.text in record.getMessage()
    assert "Wherefore" not in caplog.text


@pytest.mark.parametrize(
    ("condition", "reason", "kept"),
    [
        ("not-authorized", FailureReason.STREAM_ERROR, "not-authorized"),
        ("conflict", FailureReason.CONFLICT, "conflict"),
        ("wherefore-art-thou", FailureReason.STREAM_ERROR, "undefined-condition"),
    ],
)
async def test_a_stream_error_after_the_handshake(
    server: Server, start: Start, condition: str, reason: FailureReason, kept: str
) -> None:
    vault = start()
    link = await server.established()
    await link.send(stream_error(condition))
    assert await vault.failure() == Failure(reason, kept)
    assert not vault.stream.connected


async def test_a_server_that_hangs_up_instead_of_answering_the_handshake(
    server: Server, start: Start
) -> None:
    vault = start()
    link = await server.connection()
    await link.open()
    await link.handshake()
    await link.close()
    assert (await vault.failure()).reason is FailureReason.CLOSED_EARLY


async def test_a_stream_that_the_server_closes_is_closed_by_us_too(server: Server, start: Start) -> None:
    vault = start(reconnect=AT_ONCE)
    link = await server.established()
    await link.send(CLOSING)
    async with asyncio.timeout(PATIENCE):
        await link.footer.wait()
        await link.closed.wait()
    assert (await vault.failure()).reason is FailureReason.CLOSED
    await server.serves(await server.established())


async def test_a_connection_that_breaks(server: Server, start: Start) -> None:
    vault = start(reconnect=AT_ONCE)
    link = await server.established()
    await server.serves(link)
    link.abort()
    assert (await vault.failure()).reason is FailureReason.LOST
    await server.serves(await server.established())


@pytest.mark.parametrize(
    ("header", "condition"),
    [
        (f"<stream:stream xmlns='jabber:client' {STREAMS} id='1'>", "invalid-namespace"),
        ("<stream:stream xmlns='jabber:component:accept' xmlns:stream='urn:x' id='1'>", "invalid-namespace"),
        ("<html>", "invalid-namespace"),
        (f"<stream:stream xmlns='jabber:component:accept' {STREAMS}>", "bad-format"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "not-well-formed"),
    ],
)  # fmt: skip
async def test_what_is_no_component_stream_is_left_without_proving_the_secret(
    server: Server, start: Start, header: str, condition: str
) -> None:
    vault = start()
    link = await server.connection()
    await link.header()
    await link.send(header)
    assert await server.stream_error(link) == condition
    assert await vault.failure() == Failure(FailureReason.MALFORMED, condition)
    assert b"handshake" not in link.received


async def test_localhost_that_turns_out_to_be_elsewhere_is_told_nothing(
    server: Server, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialling, "is_loopback_address", lambda address: False)
    vault = start()
    connection = await server.connection()
    assert (await vault.failure()).reason is FailureReason.NOT_LOOPBACK
    async with asyncio.timeout(PATIENCE):
        await connection.closed.wait()
    assert not connection.received


async def test_a_server_that_does_not_speak_tls_is_told_nothing_but_tls(server: Server, start: Start) -> None:
    vault = start(tls=ssl.create_default_context())
    link = await server.connection()
    await link.send("<stream:stream>" * 10)
    assert (await vault.failure()).reason is FailureReason.TLS
    assert b"stream" not in link.received


async def test_a_server_that_stops_reading_is_left_after_the_stall_timeout(
    server: Server, start: Start
) -> None:
    async def flood(stanza: object) -> None:
        while True:
            await vault.stream.send(f"<message to='a@b'><body>{'x' * 100_000}</body></message>")

    vault = start(flood, stall_timeout=0.2, reconnect=AT_ONCE)
    link = await server.established()
    link.stop_reading()
    await link.send(server.iq("flood"))
    assert (await vault.failure()).reason is FailureReason.STALLED
    await server.established()


async def test_a_server_that_never_lets_us_in_is_not_asked_more_often_than_the_pace_allows(
    server: Server, start: Start
) -> None:
    vault = start(reconnect=ReconnectPace(first=60.0, cap=60.0))
    (await server.connection()).abort()
    await vault.observer.until(lambda: vault.observer.delays)
    for _ in range(1000):
        await asyncio.sleep(0)
    assert server.connection_count == 1


def test_every_failure_has_a_text_and_none_is_of_the_peers_making() -> None:
    texts = {
        Failure(reason, condition).text
        for reason in FailureReason
        for condition in (None, *STREAM_CONDITIONS)
    }
    assert len(texts) == len(FailureReason) * (len(STREAM_CONDITIONS) + 1)


async def test_a_server_that_vanished_is_given_up_after_the_stall_timeout(
    server: Server, start: Start
) -> None:
    vault = start(stall_timeout=7.5)
    await server.serves(await server.established())
    connection = vault.stream._link.transport.get_extra_info("socket")
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 7500
