"""Messages for the absent as XML: what goes in comes out, and nothing else of it."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import ItemNotFound
from stanzavault.kernel.ids import id_text
from stanzavault.offline.model import Place, Waiting
from stanzavault.offline.stanza import xep_0013
from stanzavault.offline.stanza.xep_0160 import parse_letter, render_waiting
from stanzavault.offline.stanza.xep_0199 import PING, Proof, proof, question
from stanzavault.wire.xml import parse, serialize

COMPONENT = "jabber:component:accept"
VAULT = Address.parse("vault.example.org")
JULIET = Address.parse("juliet@example.org")
BALCONY = Address.parse("juliet@example.org/balcony")
ROMEO = Address.parse("romeo@montague.net/orchard")

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

_names = st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True)
_texts = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Cn"), exclude_characters="\ufffe\uffff"), max_size=40
)
_spaces = st.sampled_from([COMPONENT, "jabber:client", "urn:example:a", "jabber:x:oob", "urn:xmpp:receipts"])
_attributes = st.dictionaries(_names, _texts, max_size=3)


@st.composite
def _elements(draw: st.DrawFn, depth: int = 2) -> Element:
    made = Element(f"{{{draw(_spaces)}}}{draw(_names)}", draw(_attributes))
    made.text = draw(st.none() | _texts.filter(bool))
    if depth:
        made.extend(draw(st.lists(_elements(depth - 1), max_size=2)))
    return made


def _message(attributes: dict[str, str], children: list[Element]) -> Element:
    message = Element(f"{{{COMPONENT}}}message", {"from": str(ROMEO), "to": "x", **attributes})
    message.extend(children)
    return message


_messages = st.builds(
    _message,
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["chat", "normal", "other"]),
            "id": _texts.filter(bool),
            "{http://www.w3.org/XML/1998/namespace}lang": st.just("it"),
        },
    ),
    st.lists(_elements(), max_size=3),
)
_places = st.builds(Place, st.integers(1, 2**60 - 1), st.binary(min_size=16, max_size=16))


def _canonical(tree: Element) -> str:
    return ET.canonicalize(ET.tostring(tree, "unicode"))


@unhurried
@given(_messages, _places)
def test_what_is_left_is_handed_on_unchanged_but_for_the_vaults_own_marks(
    message: Element, place: Place
) -> None:
    letter = parse_letter(message, JULIET, ROMEO, VAULT)
    received = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    handed_on = render_waiting(Waiting(place, received, ROMEO, letter.stanza), VAULT, BALCONY, node=True)
    delay, stanza_id, node = handed_on[-3:]
    assert delay.attrib == {"from": "vault.example.org", "stamp": "2026-03-01T12:00:00.25Z"}
    assert stanza_id.attrib == {"id": id_text(place.id), "by": "vault.example.org"}
    assert node[0].attrib == {"node": xep_0013.render_node(place)}
    assert handed_on.get("from") == "romeo\\40montague.net@vault.example.org/orchard"
    assert handed_on.get("to") == "juliet@example.org/balcony"
    for name in ("type", "id", "{http://www.w3.org/XML/1998/namespace}lang"):
        assert handed_on.get(name) == message.get(name)
    # A child of the other content namespace is a child of this one's all the same.
    expected = [ET.fromstring(ET.tostring(child)) for child in message]
    for child in expected:
        child.tag = child.tag.replace("{jabber:client}", f"{{{COMPONENT}}}")
    assert [_canonical(child) for child in handed_on[:-3]] == [_canonical(child) for child in expected]


@unhurried
@given(_messages)
def test_reading_a_message_changes_nothing_in_it(message: Element) -> None:
    before = serialize(message)
    parse_letter(message, JULIET, ROMEO, VAULT)
    assert serialize(message) == before


def test_a_message_forwarded_within_a_message_keeps_its_namespace_xep_0297() -> None:
    inner = (
        "<forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client'><body>x</body></message></forwarded>"
    )
    message = ET.fromstring(f"<message xmlns='{COMPONENT}'>{inner}</message>")
    letter = parse_letter(message, JULIET, ROMEO, VAULT)
    waiting = Waiting(Place(1, bytes(16)), datetime(2026, 3, 1, tzinfo=UTC), ROMEO, letter.stanza)
    assert _canonical(render_waiting(waiting, VAULT, BALCONY)[0]) == _canonical(parse(inner))


@unhurried
@given(_places)
def test_a_node_is_read_as_it_was_written(place: Place) -> None:
    assert xep_0013.parse_node(xep_0013.render_node(place)) == place


@unhurried
@given(st.lists(_places, max_size=6))
def test_nodes_sort_as_text_in_the_order_of_the_messages(places: list[Place]) -> None:
    by_text = sorted(places, key=xep_0013.render_node)
    assert [place.position for place in by_text] == sorted(place.position for place in places)


@unhurried
@given(st.text(max_size=50) | st.from_regex(r"[0-9a-f]{15}-[a-z0-9]{26}", fullmatch=True))
def test_a_node_that_was_never_given_is_not_found(text: str) -> None:
    try:
        place = xep_0013.parse_node(text)
    except ItemNotFound:
        return
    assert xep_0013.render_node(place) == text


@unhurried
@given(st.sampled_from(["get", "set"]), st.lists(_places, min_size=1, max_size=5))
def test_items_are_read_each_once(type_: str, places: list[Place]) -> None:
    tree = Element(xep_0013.OFFLINE)
    action = "view" if type_ == "get" else "remove"
    for place in places * 2:
        ET.SubElement(
            tree,
            f"{{{xep_0013.NAMESPACE}}}item",
            {"action": action, "node": xep_0013.render_node(place), "jid": str(JULIET)},
        )
    assert xep_0013.parse(tree, type_, JULIET) == xep_0013.Some(tuple(dict.fromkeys(places)))


def _answer(xml: str) -> Element:
    return ET.fromstring(f"<iq xmlns='{COMPONENT}' {xml}</iq>")


def _error(name: str) -> str:
    return f"<error type='cancel'><{name} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("from='juliet@example.org/balcony' type='result'>", Proof.THERE),
        ("from='JULIET@example.org/balcony' type='result'>", Proof.THERE),
        ("from='juliet@example.org/balcony' type='error'>" + _error("feature-not-implemented"), Proof.THERE),
        ("from='juliet@example.org/balcony' type='error'>" + _error("service-unavailable"), Proof.UNCLEAR),
        ("from='juliet@example.org/balcony' type='error'>" + _error("recipient-unavailable"), Proof.GONE),
        ("from='juliet@example.org/balcony' type='error'>" + _error("remote-server-not-found"), Proof.GONE),
        ("from='juliet@example.org/balcony' type='error'>" + _error("policy-violation"), Proof.GONE),
        ("from='juliet@example.org/balcony' type='error'>", Proof.GONE),
        ("from='juliet@example.org/garden' type='result'>", Proof.GONE),
        ("from='juliet@example.org' type='result'>", Proof.GONE),
        ("from='@' type='result'>", Proof.GONE),
        ("type='result'>", Proof.GONE),
    ],
)
def test_what_an_answer_proves(answer: str, expected: Proof) -> None:
    assert proof(_answer(answer), BALCONY) is expected


def test_a_question_goes_to_the_full_address() -> None:
    iq = question(PING, VAULT, BALCONY)
    assert (iq.get("to"), iq.get("from"), iq.get("type")) == (str(BALCONY), str(VAULT), "get")
    assert iq[0].tag == "{urn:xmpp:ping}ping"
