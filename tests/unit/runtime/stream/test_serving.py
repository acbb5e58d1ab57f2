"""What reaches the handler, what does not, and what a handler can not break."""

import asyncio
import contextvars
import logging
from xml.etree.ElementTree import Element

import pytest
import uvloop

from stanzavault.runtime.stream import (
    COMPONENT,
    QueueLimits,
    Refusal,
    SilentObserver,
    StanzaLimits,
    Stream,
    StreamSettings,
)

from .conftest import AT_ONCE, PATIENCE, Server, Start, result


async def test_a_stanza_is_handed_on_as_a_plain_element_of_the_streams_namespace(
    server: Server, start: Start
) -> None:
    vault = start()
    link = await server.established()
    await link.send(server.iq("one", "<q xmlns='q'>text</q>"))
    await server.answer(link, "one")
    (stanza,) = vault.handled
    assert type(stanza) is Element
    assert stanza.tag == f"{{{COMPONENT}}}iq"
    assert [(child.tag, child.text) for child in stanza] == [("{q}q", "text")]


@pytest.mark.parametrize(
    "to", ["", "other.example", "notvault.example.org", "example.org", "@", "a@other.example/x"]
)
async def test_a_stanza_to_somebody_else_is_ignored_and_counted(
    server: Server, start: Start, to: str
) -> None:
    vault = start()
    link = await server.established()
    await link.send(f"<iq type='get' id='1' from='a@example.org' to='{to}'><q xmlns='q'/></iq>")
    await server.serves(link)
    assert vault.observer.refusals == [Refusal.FOREIGN_TO]
    assert len(link.inbox.stanzas) == 2  # the handshake and the probe's answer


@pytest.mark.parametrize("local", ["", "romeo\\40example.org@", "sub.", "a@sub."])
async def test_a_stanza_to_the_component_its_accounts_and_subdomains_is_served(
    server: Server, start: Start, local: str
) -> None:
    start()
    link = await server.established()
    await link.send(
        f"<iq type='get' id='1' from='a@example.org' to='{local}{server.vault}'><q xmlns='q'/></iq>"
    )
    assert (await server.answer(link, "1")).get("type") == "result"


@pytest.mark.parametrize(
    ("sent", "refusal"),
    [
        ("<query xmlns='jabber:iq:version'/>", Refusal.FOREIGN_NAMESPACE),
        ("<query/>", Refusal.UNKNOWN_STANZA),
        ("<handshake/>", Refusal.UNKNOWN_STANZA),
        ("<iq type='result' id='1' from='a@example.org' to='{vault}'/>", Refusal.UNEXPECTED_RESPONSE),
        ("<iq type='error' id='1' from='a@example.org' to='{vault}'/>", Refusal.UNEXPECTED_RESPONSE),
        ("<iq type='result' id='1' from='a@example.org' to='{vault}'><a/><a/></iq>", Refusal.MALFORMED_IQ),
        ("<presence from='a@example.org' to='{vault}'>{deep}</presence>", Refusal.TOO_DEEP),
        ("<message type='error' from='a@example.org' to='{vault}'>{deep}</message>", Refusal.TOO_DEEP),
        ("<iq type='error' id='1' from='a@example.org' to='{vault}'>{deep}</iq>", Refusal.TOO_DEEP),
        ("<iq type='get' id='1' from='@' to='{vault}'>{deep}</iq>", Refusal.TOO_DEEP),
    ],
)
async def test_what_nobody_should_be_answered_about_is_counted_in_silence(
    server: Server, start: Start, sent: str, refusal: Refusal
) -> None:
    vault = start()
    link = await server.established()
    await link.send(sent.format(vault=server.vault, deep="<a>" * 99 + "</a>" * 99))
    await server.serves(link)
    assert vault.observer.refusals == [refusal]
    assert len(link.inbox.stanzas) == 2


@pytest.mark.parametrize("kind", ["iq", "message"])
@pytest.mark.parametrize(
    "payload",
    [
        "<a>" * 99 + "</a>" * 99,
        "<b/>" * 999,
        "x" * 99_999,
        "<a " + " ".join(f"b{number}=''" for number in range(999)) + "/>",
    ],
)
async def test_a_sender_over_a_limit_is_told_and_the_stream_goes_on(
    server: Server, start: Start, kind: str, payload: str
) -> None:
    start(limits=StanzaLimits(max_bytes=50_000, max_depth=50, max_parts=500))
    link = await server.established()
    head = f"type='set' id='big' from='a@example.org/x' to='{server.vault}'"
    await link.send(f"<{kind} {head}>{payload}</{kind}>")
    answer = await server.answer(link, "big")
    assert answer.tag == f"{{{COMPONENT}}}{kind}"
    assert (answer.get("type"), answer.get("from"), answer.get("to")) == (
        "error",
        server.vault,
        "a@example.org/x",
    )
    assert answer[0][0].tag == "{urn:ietf:params:xml:ns:xmpp-stanzas}not-acceptable"
    assert answer[0][1].text
    await server.serves(link)


async def test_an_exception_is_logged_by_an_id_that_the_sender_gets_and_the_stream_goes_on(
    server: Server, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(stanza: Element) -> None:
        if stanza.get("id") == "bad":
            raise ValueError("a body: Wherefore")
        await vault.echo(stanza)

    vault = start(fail)
    link = await server.established()
    await link.send(server.iq("bad"))
    answer = await server.answer(link, "bad")
    error = answer[0]
    assert error[0].tag.endswith("}internal-server-error")
    incident = next(each for each in caplog.records if getattr(each, "action", "") == "incident")
    assert incident.incident in (error[1].text or "")  # type: ignore[attr-defined]
    assert "ValueError" in incident.getMessage()
    assert "test_serving.py" in incident.getMessage()
    assert "Wherefore" not in caplog.text
    await server.serves(link)
    await vault.observer.until(lambda: vault.observer.handled == [("iq", True), ("iq", False)])


async def test_a_handler_that_ends_as_cancelled_harms_nobody(server: Server, start: Start) -> None:
    async def cancelled(stanza: Element) -> None:
        if stanza.get("id") == "bad":
            raise asyncio.CancelledError
        await vault.echo(stanza)

    vault = start(cancelled, queue=QueueLimits(concurrency=1))
    link = await server.established()
    await link.send(server.iq("bad"))
    assert await server.error(link, "bad") == ("cancel", "internal-server-error")
    await server.serves(link)


async def test_a_failing_queue_key_harms_nobody(server: Server, start: Start) -> None:
    vault = start()
    key = vault.stream._dispatcher._queue_key

    def fail(stanza: Element) -> object:
        if stanza.get("id") == "bad":
            raise LookupError
        return key(stanza)

    vault.stream._dispatcher._queue_key = fail
    link = await server.established()
    await link.send(server.iq("bad"))
    assert await server.error(link, "bad") == ("cancel", "internal-server-error")
    await server.serves(link)


async def test_no_stanza_sees_the_context_variables_of_another(server: Server, start: Start) -> None:
    variable = contextvars.ContextVar[str]("variable")
    seen = []

    async def handle(stanza: Element) -> None:
        seen.append(variable.get("clean"))
        variable.set("left behind")
        await vault.echo(stanza)

    vault = start(handle)
    link = await server.established()
    await link.send("".join(server.iq(f"i{number}") for number in range(20)))
    await server.answer(link, "i19")
    assert seen == ["clean"] * 20


async def test_an_answer_that_comes_after_the_stream_has_ended_harms_nobody(
    server: Server, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    go = asyncio.Event()

    async def wait(stanza: Element) -> None:
        await go.wait()
        await vault.echo(stanza)

    vault = start(wait, reconnect=AT_ONCE)
    link = await server.established()
    await link.send(server.iq("late"))
    await vault.observer.until(lambda: vault.observer.accepted)
    server.refuse()
    link.abort()
    await vault.failure()
    go.set()
    await vault.observer.until(lambda: vault.observer.handled)
    assert "answer-lost" in [getattr(record, "action", "") for record in caplog.records]
    await server.listen()
    await server.serves(await server.established())


async def test_stanzas_of_one_account_are_handled_in_order_and_one_at_a_time(
    server: Server, start: Start
) -> None:
    order: list[str | None] = []

    async def handle(stanza: Element) -> None:
        order.append(stanza.get("id"))
        await asyncio.sleep(0)
        order.append(stanza.get("id"))
        await vault.echo(stanza)

    vault = start(handle)
    link = await server.established()
    await link.send("".join(server.iq(f"i{number}") for number in range(20)))
    await server.answer(link, "i19")
    assert order == [f"i{number // 2}" for number in range(40)]


def test_it_runs_on_uvloop() -> None:
    async def exchange() -> None:
        async with Server() as server:

            async def answer(stanza: Element, _waited: float) -> None:
                await stream.send(result(stanza))

            stream = Stream(
                StreamSettings(
                    jid=server.vault, secret=server.secret, host=server.host, port=server.component_port
                ),
                answer,
                queue_key=lambda stanza: None,
                observer=SilentObserver(),
            )
            running = asyncio.create_task(stream.run())
            link = await server.established()
            await link.send("".join(server.iq(f"i{number}") for number in range(1000)))
            await server.answer(link, "i199")
            await stream.stop(1.0)
            async with asyncio.timeout(PATIENCE):
                await running
            assert link.footer.is_set()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(exchange())
