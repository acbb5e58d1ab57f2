"""One account's flood neither starves another nor goes unanswered."""

import asyncio
from time import perf_counter
from xml.etree.ElementTree import Element

from stanzavault.runtime.stream import QueueLimits, Refusal, StanzaLimits

from .conftest import Server, Start


async def test_one_account_flooding_does_not_starve_another(server: Server, start: Start) -> None:
    gate = asyncio.Event()
    order: list[str] = []

    async def handle(stanza: Element) -> None:
        await gate.wait()
        order.append(stanza.attrib["id"])
        await vault.echo(stanza)

    vault = start(handle, queue=QueueLimits(concurrency=1))
    link = await server.established()
    await link.send("".join(server.iq(f"flood{number}", user="mallory") for number in range(100)))
    await link.send(server.iq("mine", user="romeo"))
    await vault.observer.until(lambda: len(vault.observer.accepted) == 101)
    gate.set()
    await server.answer(link, "flood99")
    assert order.index("mine") <= 2


async def test_a_handler_is_told_how_long_its_stanza_waited(server: Server, start: Start) -> None:
    gate = asyncio.Event()

    async def handle(stanza: Element) -> None:
        await gate.wait()
        await vault.echo(stanza)

    vault = start(handle)
    link = await server.established()
    await link.send(server.iq("first") + server.iq("second"))
    await vault.observer.until(lambda: len(vault.observer.accepted) == 2)
    both_wait = perf_counter()
    opened = perf_counter()
    gate.set()
    await server.answer(link, "second")
    assert vault.waited[1] >= opened - both_wait
    assert vault.waited[0] < vault.waited[1]


async def test_what_one_account_sends_beyond_its_share_is_answered_resource_constraint(
    server: Server, start: Start
) -> None:
    gate = asyncio.Event()

    async def handle(stanza: Element) -> None:
        await gate.wait()
        await vault.echo(stanza)

    vault = start(handle, queue=QueueLimits(per_key=10))
    link = await server.established()
    await link.send("".join(server.iq(f"flood{number}", user="mallory") for number in range(50)))
    assert await server.error(link, "flood49") == ("wait", "resource-constraint")
    gate.set()
    await server.serves(link)
    kinds = [
        stanza.get("type") for stanza in link.inbox.stanzas if (stanza.get("id") or "").startswith("flood")
    ]
    assert kinds.count("result") + kinds.count("error") == 50  # none is met with silence
    assert set(vault.observer.refusals) == {Refusal.KEY_FULL}


async def test_a_full_queue_pauses_reading_by_bytes_as_well_as_by_number(
    server: Server, start: Start
) -> None:
    gate = asyncio.Event()

    async def handle(stanza: Element) -> None:
        await gate.wait()
        await vault.echo(stanza)

    vault = start(handle, queue=QueueLimits(total_bytes=100_000), limits=StanzaLimits(max_bytes=50_000))
    link = await server.established()
    for number in range(100):
        text = f"<q xmlns='q'>{'x' * 40_000}</q>"
        link._writer.write(server.iq(f"i{number}", text, user=f"user{number % 20}").encode())
    await vault.observer.until(lambda: not vault.stream._link.transport.is_reading())
    assert vault.stream.waiting <= 4
    gate.set()
    await vault.observer.until(lambda: len(vault.observer.handled) == 100)
    assert not vault.observer.refusals


async def test_refusals_that_nobody_reads_do_not_gather_without_end(server: Server, start: Start) -> None:
    vault = start()
    link = await server.established()
    link.stop_reading()
    bad = server.iq("x" * 4000, "").encode() * 10
    transport = vault.stream._link.transport
    for _ in range(600):  # 24 MB, more than the sockets' own buffers hold
        link._writer.write(bad)
    await vault.observer.until(lambda: not transport.is_reading())
    for _ in range(100):
        await asyncio.sleep(0)  # whatever could still move would
    assert transport.get_write_buffer_size() < 1_500_000
    assert not transport.is_reading()
    link.read_again()
    await vault.observer.until(lambda: len(vault.observer.refusals) == 6_000)
    await server.serves(link)


async def test_an_answer_that_a_handler_waits_for_is_read_though_the_queue_is_full(
    server: Server, start: Start
) -> None:
    answers = []

    async def ask(stanza: Element) -> None:
        if stanza.get("id") == "ask":
            question = Element("{jabber:component:accept}iq", {"type": "get", "to": "romeo@example.org"})
            question.append(Element("{jabber:iq:roster}query"))
            answers.append(await vault.stream.request(question, 10.0))
        await vault.echo(stanza)

    vault = start(ask, queue=QueueLimits(total=5, concurrency=1))
    link = await server.established()
    await link.send(server.iq("ask"))
    asked = await link.wait_for(lambda stanza: stanza.get("to") == "romeo@example.org")
    await link.send("".join(server.iq(f"i{number}", user=f"user{number}") for number in range(20)))
    assert await server.error(link, "i19") == ("wait", "resource-constraint")
    await link.send(
        f"<iq type='result' id='{asked.get('id')}' from='romeo@example.org' to='{server.vault}'/>"
    )
    assert (await server.answer(link, "ask")).get("type") == "result"
    await server.serves(link)
    assert len(answers) == 1
    assert set(vault.observer.refusals) == {Refusal.QUEUE_FULL}
