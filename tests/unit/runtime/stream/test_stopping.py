"""Stopping: no more is taken, what is in flight ends within the time, and the stream is closed properly."""

import asyncio
import time
from xml.etree.ElementTree import Element

from stanzavault.runtime.stream import FailureReason, QueueLimits, ReconnectPace, Refusal

from .conftest import PATIENCE, Server, Start


async def test_what_is_in_flight_ends_and_is_answered_and_then_the_stream_is_closed(
    server: Server, start: Start
) -> None:
    gate = asyncio.Event()

    async def handle(stanza: Element) -> None:
        await gate.wait()
        await vault.echo(stanza)

    vault = start(handle, queue=QueueLimits(concurrency=2))
    link = await server.established()
    await link.send("".join(server.iq(f"i{number}", user=f"user{number}") for number in range(5)))
    await vault.observer.until(lambda: vault.stream.running == 2 and vault.stream.waiting == 3)
    stopping = asyncio.create_task(vault.stream.stop(PATIENCE))
    await asyncio.sleep(0)
    await link.send(server.iq("late", user="late"))
    assert await server.error(link, "late") == ("wait", "recipient-unavailable")
    gate.set()
    for number in range(5):
        assert (await server.answer(link, f"i{number}")).get("type") == "result"
    async with asyncio.timeout(PATIENCE):
        await link.footer.wait()
    await link.send("</stream:stream>")
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(stopping, vault.running)
    assert not vault.stream.connected
    assert not vault.observer.failures
    assert vault.observer.refusals == [Refusal.STOPPING]


async def test_a_handler_that_does_not_end_is_cancelled_in_time_and_what_waited_is_refused(
    server: Server, start: Start
) -> None:
    cancelled = asyncio.Event()

    async def handle(stanza: Element) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    vault = start(handle, queue=QueueLimits(concurrency=1))
    link = await server.established()
    await link.send(server.iq("runs") + server.iq("waits"))
    await vault.observer.until(lambda: vault.stream.running == 1 and vault.stream.waiting == 1)
    began = time.monotonic()
    await vault.stream.stop(0.3)
    assert time.monotonic() - began < 1.0
    assert cancelled.is_set()
    assert await server.error(link, "waits") == ("wait", "recipient-unavailable")
    async with asyncio.timeout(PATIENCE):
        await link.closed.wait()
    assert link.footer.is_set()


async def test_handlers_may_still_ask_while_the_stream_stops(server: Server, start: Start) -> None:
    async def ask(stanza: Element) -> None:
        question = Element("{jabber:component:accept}iq", {"type": "get", "to": "example.org"})
        question.append(Element("{q}q"))
        await vault.stream.request(question, 10.0)
        await vault.echo(stanza)

    vault = start(ask)
    link = await server.established()
    await link.send(server.iq("one"))
    asked = await link.wait_for(lambda stanza: stanza.get("type") == "get")
    stopping = asyncio.create_task(vault.stream.stop(PATIENCE))
    await asyncio.sleep(0)
    await link.send(f"<iq type='result' id='{asked.get('id')}' from='example.org' to='{server.vault}'/>")
    assert (await server.answer(link, "one")).get("type") == "result"
    await link.send("</stream:stream>")
    await stopping


async def test_a_stream_that_waits_to_reconnect_stops_at_once(server: Server, start: Start) -> None:
    vault = start(reconnect=ReconnectPace(first=600.0, cap=600.0))
    (await server.connection()).abort()
    await vault.observer.until(lambda: vault.observer.delays)
    async with asyncio.timeout(PATIENCE):
        await vault.stream.stop(60.0)
        await vault.running


async def test_a_stream_that_waits_for_the_handshake_stops_in_time(server: Server, start: Start) -> None:
    vault = start()
    link = await server.connection()
    await link.open()
    await link.handshake()
    await vault.stream.stop(0.1)
    await vault.running
    async with asyncio.timeout(PATIENCE):
        await link.closed.wait()
    assert not vault.observer.established


async def test_a_server_that_reads_nothing_does_not_keep_the_stream_from_stopping(
    server: Server, start: Start
) -> None:
    async def flood(stanza: object) -> None:
        while True:
            await vault.stream.send(f"<message to='a@b'><body>{'x' * 100_000}</body></message>")

    vault = start(flood)
    link = await server.established()
    link.stop_reading()
    await link.send(server.iq("flood"))
    await vault.observer.until(lambda: vault.observer.accepted)
    began = time.monotonic()
    await vault.stream.stop(0.3)
    await vault.running
    assert time.monotonic() - began < 1.0


async def test_a_run_that_is_cancelled_leaves_nothing_behind(server: Server, start: Start) -> None:
    vault = start(lambda stanza: asyncio.Event().wait())
    link = await server.established()
    await link.send(server.iq("one"))
    await vault.observer.until(lambda: vault.stream.running == 1)
    vault.running.cancel()
    await asyncio.wait({vault.running})
    assert vault.running.cancelled()
    assert vault.stream.running == 0
    async with asyncio.timeout(PATIENCE):
        await link.closed.wait()
    vault.running = asyncio.create_task(asyncio.sleep(0))
    assert FailureReason.LOST not in vault.reasons
