"""The eleven ways in which stock slixmpp fails before a hostile or broken server side, each mended."""

import asyncio
import io
import logging
from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement

import pytest

from stanzavault.runtime.stream import FailureReason, QueueLimits, ReconnectPace, Refusal, StanzaLimits
from stanzavault.runtime.stream.quiet import silence_slixmpp

from .conftest import AT_ONCE, PATIENCE, Server, Start, result

ANSWER = 128 * 1024
REQUESTS = 1000
"""So many answers of that size fit into no socket's buffers."""


@pytest.fixture
def everything_logged() -> Iterator[io.StringIO]:
    """What a root logger that shows everything gets to see, other than from the event loop."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


async def test_1_xml_nested_5000_deep_is_refused_and_the_stream_goes_on(server: Server, start: Start) -> None:
    vault = start()
    link = await server.established()
    await link.send(server.iq("deep", "<a>" * 5000 + "</a>" * 5000))
    assert await server.error(link, "deep") == ("modify", "not-acceptable")
    await server.serves(link)
    assert vault.observer.refusals == [Refusal.TOO_DEEP]
    assert len(vault.handled) == 1


async def test_1_a_stanza_is_refused_for_its_size_while_it_is_still_being_sent(
    server: Server, start: Start
) -> None:
    start(limits=StanzaLimits(max_bytes=10_000))
    link = await server.established()
    whole = server.iq("large", f"<body>{'x' * 40_000}</body>")
    await link.send(whole[:20_000])
    assert await server.error(link, "large") == ("modify", "not-acceptable")
    await link.send(whole[20_000:])
    await server.serves(link)


async def test_2_an_invalid_from_is_ignored_and_the_stream_goes_on(server: Server, start: Start) -> None:
    vault = start()
    link = await server.established()
    invalid = ["", "@", "a@b@c", "juliet@", "juliet@localhost/", f"{'x' * 1100}@localhost", "a b@localhost"]
    for sender in invalid:
        await link.send(f"<iq type='get' id='i' from='{sender}' to='{server.vault}'><q xmlns='q'/></iq>")
    await link.send(f"<iq type='get' id='i' to='{server.vault}'><q xmlns='q'/></iq>")
    await server.serves(link)
    assert vault.observer.refusals == [Refusal.INVALID_FROM] * (len(invalid) + 1)
    assert len(vault.handled) == 1


async def test_3_stanzas_before_the_handshake_is_answered_are_not_served(
    server: Server, start: Start
) -> None:
    vault = start()
    link = await server.connection()
    await link.open()
    await link.handshake()
    await link.send(server.iq("early") + "<handshake/>")
    await server.serves(link)
    assert vault.observer.refusals == [Refusal.BEFORE_HANDSHAKE]
    assert [stanza.get("id") for stanza in vault.handled] == ["probe"]


@pytest.mark.parametrize(
    ("sent", "condition"),
    [
        (b"<message from='a@localhost' to='vault.localhost'><body>Wherefore</art>", "not-well-formed"),
        (b"<message><body>Wherefore \xff</body></message>", "not-well-formed"),
        (b"<message><body>Wherefore &romeo;</body></message>", "not-well-formed"),
        (b"<message><x:body>Wherefore</x:body></message>", "bad-namespace-prefix"),
        (b"Wherefore", "bad-format"),
    ],
)
async def test_4_broken_xml_is_answered_by_a_proper_stream_error_and_quoted_nowhere(
    server: Server, start: Start, everything_logged: io.StringIO, sent: bytes, condition: str
) -> None:
    vault = start(reconnect=AT_ONCE)
    link = await server.established()
    await link.send(sent)
    assert await server.stream_error(link) == condition
    assert b"Wherefore" not in link.received
    again = await server.established()
    await server.serves(again)
    assert vault.reasons == [FailureReason.MALFORMED]
    assert "Wherefore" not in everything_logged.getvalue()


async def test_4_no_body_address_payload_or_secret_is_ever_logged(
    server: Server, start: Start, everything_logged: io.StringIO
) -> None:
    async def fail(stanza: object) -> None:
        raise ValueError("a body: Wherefore")

    start(fail)
    link = await server.established()
    await link.send(server.iq("one", "<body>Wherefore</body>"))
    await server.error(link, "one")
    text = everything_logged.getvalue()
    assert "incident" in text
    assert not [word for word in ("Wherefore", "juliet", server.secret, "<iq") if word in text]


async def test_5_reconnecting_is_paced_with_capped_exponential_bounds(server: Server, start: Start) -> None:
    vault = start(reconnect=ReconnectPace(first=0.01, cap=0.08))
    for _ in range(7):
        link = await server.connection()
        link.abort()
    await vault.observer.until(lambda: len(vault.observer.delays) >= 7)
    bounds = [0.01, 0.02, 0.04, 0.08, 0.08, 0.08, 0.08]
    assert all(delay <= bound for delay, bound in zip(vault.observer.delays, bounds, strict=False))


async def test_6_a_refused_secret_is_logged_clearly_and_counted(
    server: Server, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    vault = start()
    link = await server.connection()
    await link.open()
    await link.handshake()
    await link.send(
        "<stream:error><not-authorized xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
        "</stream:stream>"
    )
    assert (await vault.failure()).reason is FailureReason.WRONG_SECRET
    assert vault.stream.last_failure is not None
    assert "refused the secret" in vault.stream.last_failure
    assert "refused the secret" in caplog.text


async def test_7_a_mute_server_is_left_after_the_handshake_timeout(server: Server, start: Start) -> None:
    vault = start(handshake_timeout=0.1)
    link = await server.connection()
    assert await server.stream_error(link) == "connection-timeout"
    assert (await vault.failure()).reason is FailureReason.HANDSHAKE_TIMEOUT


async def test_8_while_nobody_reads_the_answers_no_more_is_read_or_kept_and_none_is_lost(
    server: Server, start: Start
) -> None:
    async def answer_at_length(stanza: Element) -> None:
        answer = result(stanza)
        SubElement(answer, "{q}q").text = "x" * ANSWER
        await vault.stream.send(answer)

    vault = start(answer_at_length, queue=QueueLimits(total=50, concurrency=4, concurrency_per_key=4))
    link = await server.established()
    link.stop_reading()
    transport = vault.stream._link.transport
    for number in range(REQUESTS):
        link._writer.write(server.iq(f"i{number}").encode())
    await vault.observer.until(lambda: vault.stream._link._outbox.is_congested and not transport.is_reading())
    for _ in range(100):
        await asyncio.sleep(0)  # whatever could still move would
    assert len(vault.observer.accepted) < REQUESTS / 2
    assert vault.stream.waiting == 50
    assert vault.stream.running == 4
    assert transport.get_write_buffer_size() < 256 * 1024 + 5 * ANSWER
    link.read_again()
    await vault.observer.until(lambda: len(vault.observer.handled) == REQUESTS)
    await server.answer(link, f"i{REQUESTS - 1}")
    assert not vault.observer.refusals


@pytest.mark.parametrize("identifier", ["a&#10;b", "a&#9;b", "a&#13;b", "a&quot;b'", "&lt;&amp;&gt;"])
async def test_9_ids_come_back_unchanged_whatever_they_hold(
    server: Server, start: Start, identifier: str
) -> None:
    start()
    link = await server.established()
    await link.send(
        f"<iq type='get' id=\"{identifier}\" from='a@localhost' to='{server.vault}'><q xmlns='q'/></iq>"
    )
    answer = await link.wait_for(lambda stanza: stanza.get("type") == "result")
    expected = identifier
    for reference, character in (
        ("&#10;", "\n"), ("&#9;", "\t"), ("&#13;", "\r"), ("&quot;", '"'),
        ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"),
    ):  # fmt: skip
        expected = expected.replace(reference, character)
    assert answer.get("id") == expected


@pytest.mark.parametrize(
    ("kind", "payload"),
    [("get", "<a xmlns='a'/><b xmlns='b'/>"), ("set", ""), ("get", "text"), ("ask", "<a xmlns='a'/>")],
)
async def test_10_an_iq_without_exactly_one_child_gets_bad_request(
    server: Server, start: Start, kind: str, payload: str
) -> None:
    vault = start()
    link = await server.established()
    await link.send(server.iq("two", payload, kind=kind))
    assert await server.error(link, "two") == ("modify", "bad-request")
    await server.serves(link)
    assert len(vault.handled) == 1


@pytest.mark.parametrize(
    "sent",
    [
        "<!-- Wherefore -->",
        "<?php Wherefore ?>",
        "<message><!-- Wherefore --></message>",
        "<message><?php Wherefore ?></message>",
    ],
)
async def test_10_comments_and_processing_instructions_end_the_stream_as_restricted_xml(
    server: Server, start: Start, sent: str
) -> None:
    start()
    link = await server.established()
    await link.send(sent)
    assert await server.stream_error(link) == "restricted-xml"


async def test_10_doctypes_and_entities_end_the_stream_as_restricted_xml(
    server: Server, start: Start
) -> None:
    start()
    link = await server.connection()
    await link.header()
    await link.send("<!DOCTYPE stream [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;'>]><stream:stream/>")
    assert await server.stream_error(link) == "restricted-xml"


async def test_10_jabber_client_is_not_taken_as_the_streams_own_namespace(
    server: Server, start: Start
) -> None:
    vault = start()
    link = await server.established()
    await link.send(server.iq("client").replace("<iq ", "<iq xmlns='jabber:client' "))
    await server.serves(link)
    assert vault.observer.refusals == [Refusal.FOREIGN_NAMESPACE]
    assert len(vault.handled) == 1


async def test_11_the_keepalive_works_on_after_a_reconnect(server: Server, start: Start) -> None:
    vault = start(reconnect=AT_ONCE, keepalive=0.05)
    for _ in range(3):
        link = await server.established()
        await server.serves(link)
        async with asyncio.timeout(PATIENCE):
            while not link.received.endswith(b"  "):  # noqa: ASYNC110  (white space is no event of the server side)
                await asyncio.sleep(0.02)
        link.abort()
    await vault.observer.until(lambda: len(vault.observer.failures) == 3)
    assert vault.observer.established == 3


def test_4_slixmpp_logs_nothing_whatever_level_its_loggers_are_given(
    everything_logged: io.StringIO,
) -> None:
    silence_slixmpp()
    loud = logging.getLogger("slixmpp.xmlstream.xmlstream")
    loud.setLevel(logging.DEBUG)
    try:
        loud.error("Parse error: %r", b"Wherefore")
        logging.getLogger("slixmpp.componentxmpp").error("Wherefore")
    finally:
        loud.setLevel(logging.NOTSET)
    assert not everything_logged.getvalue()
