"""The reader alone: the same events however the bytes arrive, and limits while a stanza is being read."""

import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanzavault.runtime.stream import COMPONENT, Refusal, StanzaLimits
from stanzavault.runtime.stream.reader import (
    StanzaRead,
    StanzaReader,
    StanzaTooBig,
    StreamBroken,
    StreamClosed,
    StreamEvent,
    StreamOpened,
)
from stanzavault.runtime.stream.writer import to_wire

HEADER = (
    b"<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' xmlns:db='urn:db'"
    b" xmlns:stream='http://etherx.jabber.org/streams' id='1'>"
)
LIMITS = StanzaLimits(max_bytes=2000, max_depth=5, max_parts=20)
WORDS = (
    b"<message from='a@b' to='v'><body>Wherefore &amp; \xe2\x82\xac</body></message>",
    b" ",
    b"<iq id='1' xml:lang='en'><q xmlns='q' db:a='1'/></iq>",
    b"<message id='deep'>" + b"<a>" * 9 + b"</a>" * 9 + b"</message>",
    b"<message id='wide'>" + b"<a/>" * 30 + b"</message>",
    b"<message id='long'>" + b"x" * 3000 + b"</message>",
    b"<message id='cdata'><![CDATA[" + b"<a></message>]]" * 200 + b"]]><b c='>/' d=\"'>\"></b ></message >",
    b"<presence/>",
)


def told(events: list[StreamEvent]) -> Iterator[object]:
    for event in events:
        match event:
            case StanzaRead():
                yield to_wire(event.element)
            case StanzaTooBig():
                yield (event.tag, event.attributes, event.refusal)
            case _:
                yield event


def read(data: bytes, size: int, limits: StanzaLimits = LIMITS) -> list[StreamEvent]:
    reader = StanzaReader(limits)
    return [event for at in range(0, len(data), size) for event in reader.feed(data[at : at + size])]


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.integers(1, 5000))
def test_the_same_is_read_however_the_bytes_are_cut(words: list[bytes], size: int) -> None:
    data = HEADER + b"".join(words) + b"</stream:stream> "
    whole = list(told(read(data, len(data))))
    assert list(told(read(data, size))) == whole
    assert len(whole) == len(words) - words.count(b" ") + 2


@given(st.binary(max_size=200), st.integers(1, 50))
def test_no_bytes_make_the_reader_raise(data: bytes, size: int) -> None:
    events = read(HEADER + data, size)
    assert isinstance(events[0], StreamOpened)


@pytest.mark.parametrize("size", [1, 7, 100, 8192])
def test_names_that_peers_make_up_do_not_gather_and_no_stanza_is_lost_when_the_parser_is_renewed(
    size: int,
) -> None:
    reader = StanzaReader(StanzaLimits())
    count = 12_000
    stanzas = b"".join(b"<message id='%d'><n%d db:a%d='1'/>\n</message>" % (n, n, n) for n in range(count))
    data = HEADER + stanzas + b"</stream:stream>"
    events: list[StreamEvent] = []
    most = 0
    for at in range(0, len(data), size):
        events += reader.feed(memoryview(data)[at : at + size])
        most = max(most, len(reader._names))
    ids = [event.element.get("id") for event in events if isinstance(event, StanzaRead)]
    assert ids == [str(number) for number in range(count)]
    assert isinstance(events[-1], StreamClosed)
    assert most < count
    last = events[-2]
    assert isinstance(last, StanzaRead)
    assert last.element[0].tag == f"{{{COMPONENT}}}n{count - 1}"
    assert last.element[0].attrib == {f"{{urn:db}}a{count - 1}": "1"}


def nested(depth: int) -> bytes:
    return b"<message>" + b"<a>" * (depth - 1) + b"</a>" * (depth - 1) + b"</message>"


def sized(size: int) -> bytes:
    return b"<message>" + b"x" * (size - len(b"<message>")) + b"</message>"


def of_parts(parts: int) -> bytes:
    return b"<message a='1'>" + b"<a/>" * (parts - 2) + b"</message>"


@pytest.mark.parametrize(
    ("fits", "exceeds", "refusal"),
    [
        (nested(5), nested(6), Refusal.TOO_DEEP),
        (sized(2000), sized(2001), Refusal.TOO_LARGE),
        (of_parts(20), of_parts(21), Refusal.TOO_MANY_PARTS),
    ],
)
def test_a_limit_permits_what_it_says_and_no_more(fits: bytes, exceeds: bytes, refusal: Refusal) -> None:
    _, first, second, third = read(HEADER + fits + exceeds + fits, 10_000)
    assert isinstance(first, StanzaRead)
    assert isinstance(second, StanzaTooBig)
    assert second.refusal is refusal
    assert isinstance(third, StanzaRead)


LONG = b"n" * 100_000
LONG_NAMESPACES = {
    "inherited": b"<message id='1'><x xmlns='%s'>%s</x></message>"
    % (LONG, b"".join(b"<a%d/>" % n for n in range(2000))),
    "of attributes": b"<message id='1'><x xmlns:p='%s' %s/></message>"
    % (LONG, b" ".join(b"p:a%d=''" % n for n in range(2000))),
    "of the stanza": b"<message id='1' xmlns:p='%s' %s/>"
    % (LONG, b" ".join(b"p:a%d=''" % n for n in range(2000))),
    "in turns": b"<message id='1'><x xmlns:p='%s'>%s</x></message>" % (LONG, b"<p:a/><b/>" * 1000),
    "after a limit": b"<message id='1'>%s<x xmlns='%s'>%s</x></message>"
    % (b"<a/>" * 10_000, LONG, b"<a1/>" * 2000),
    "with data": b"<message id='1'><x xmlns='%s'><![CDATA[<a></b>]]>&lt;y><y z='/>'>%s</y></x></message>"
    % (LONG, b"<z></z>" * 1000),
}


@pytest.mark.parametrize("stanza", LONG_NAMESPACES.values(), ids=LONG_NAMESPACES.keys())
@pytest.mark.parametrize("size", [100, 8192, 1_000_000])
def test_a_long_namespace_is_not_made_into_as_many_long_names(stanza: bytes, size: int) -> None:
    tracemalloc.start()
    try:
        events = read(HEADER + stanza + b"<presence/>", size, StanzaLimits())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    _, refused, after = events
    assert isinstance(refused, StanzaTooBig)
    assert refused.tag in {"", f"{{{COMPONENT}}}message"}
    assert isinstance(after, StanzaRead)
    assert peak < 6_000_000


def test_names_are_counted_at_their_full_length() -> None:
    namespace = b"n" * 1000
    wide = b"<message id='1'><x xmlns:p='%s'>%s</x></message>" % (namespace, b"<p:a/><b/>" * 2000)
    _, refused, after = read(HEADER + wide + b"<presence/>", 8192, StanzaLimits())
    assert isinstance(refused, StanzaTooBig)
    assert refused.refusal is Refusal.TOO_LARGE
    assert isinstance(after, StanzaRead)


def test_a_stanza_over_a_limit_is_reported_before_it_ends() -> None:
    reader = StanzaReader(LIMITS)
    reader.feed(HEADER)
    event = reader.feed(b"<iq id='7' from='a@b'>" + b"x" * 2000)[0]
    assert event == StanzaTooBig(f"{{{COMPONENT}}}iq", {"id": "7", "from": "a@b"}, Refusal.TOO_LARGE)


@pytest.mark.parametrize(
    "endless", [b"<iq><a b='" + b"x" * 100, b"<iq>" + b"x" * 100, b"<iq>" + b"<a/>" * 30]
)
def test_nothing_is_kept_of_a_stanza_that_does_not_end_and_then_the_stream_is_ended(endless: bytes) -> None:
    reader = StanzaReader(LIMITS)
    reader.feed(HEADER + endless)
    events: list[StreamEvent] = []
    more = endless[-100:] if b"<a/>" in endless else b"x" * 100
    tracemalloc.start()
    try:
        for _ in range(16 * 2000 // 100 + 1):
            events += reader.feed(more)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(events[-1], StreamBroken)
    assert events[-1].condition == "policy-violation"
    assert peak < 100_000


def test_a_start_tag_that_does_not_end_ends_the_stream() -> None:
    assert read(HEADER + b"<iq id='" + b"x" * 33_000, 100)[-1] == StreamBroken("policy-violation")
    assert read(b"<stream id='" + b"x" * 3000, 100) == [StreamBroken("policy-violation")]


def test_a_start_tag_over_the_limit_is_one_refused_stanza() -> None:
    data = HEADER + b"<iq id='" + b"&quot;" * 500 + b"'><a/></iq><presence/>"
    _, refused, after = read(data, 100)
    assert refused == StanzaTooBig("", {}, Refusal.TOO_LARGE)
    assert isinstance(after, StanzaRead)


def test_a_stanza_nested_without_end_ends_the_stream() -> None:
    assert read(HEADER + b"<a>" * 11_000, 8192)[-1] == StreamBroken("policy-violation")


@pytest.mark.parametrize("markup", [b"<!-- x -->", b"<?x y?>", b"<!DOCTYPE x>"])
def test_restricted_xml_ends_the_stream_even_where_nothing_is_read(markup: bytes) -> None:
    skipped = b"<iq>" + b"<a>" * 9 + markup
    assert read(HEADER + skipped, 3)[-1] == StreamBroken("restricted-xml")


def test_nothing_follows_the_end() -> None:
    reader = StanzaReader(LIMITS)
    assert isinstance(reader.feed(HEADER + b"</stream:stream><iq/>")[-1], StreamClosed)
    assert not reader.feed(b"<iq/>")


def test_a_million_spaces_between_stanzas_are_nothing() -> None:
    opened, stanza = read(HEADER + b" " * 1_000_000 + b"<iq/>", 8192)
    assert isinstance(opened, StreamOpened)
    assert isinstance(stanza, StanzaRead)


def test_another_encoding_than_utf_8_ends_the_stream() -> None:
    text = "<?xml version='1.0' encoding='UTF-16'?>" + HEADER.decode().partition("?>")[2]
    assert isinstance(StanzaReader(LIMITS).feed(text.encode("utf-16"))[-1], StreamBroken)
