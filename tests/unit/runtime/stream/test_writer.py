"""What is written is read back as it was, and what XML can't carry is never written."""

from collections.abc import Callable
from time import process_time
from xml.etree.ElementTree import Comment, Element, ProcessingInstruction, SubElement, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanzavault.runtime.stream import COMPONENT, to_wire

TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    | st.sampled_from("\n\r\t&<>\"' ]"),
    max_size=30,
)
LOCAL = st.sampled_from(["a", "b-c", "d.e", "_f", "é", "g7"])
NAMESPACE = st.sampled_from(
    [None, COMPONENT, "jabber:client", "urn:x", 'urn:"&<', "http://www.w3.org/XML/1998/namespace"]
)
NAME = st.builds(lambda namespace, local: f"{{{namespace}}}{local}" if namespace else local, NAMESPACE, LOCAL)
TAG = NAME.filter(lambda name: "XML/1998" not in name)


def build(tag: str, attributes: dict[str, str], text: str, tail: str, children: list[Element]) -> Element:
    element = Element(tag, attributes)
    element.text, element.tail = text, tail
    element.extend(children)
    return element


ELEMENTS = st.recursive(
    st.builds(build, TAG, st.dictionaries(NAME, TEXT, max_size=4), TEXT, TEXT, st.just([])),
    lambda inner: st.builds(
        build, TAG, st.dictionaries(NAME, TEXT, max_size=4), TEXT, TEXT, st.lists(inner, max_size=3)
    ),
    max_leaves=10,
)


def same(one: Element, other: Element) -> bool:
    return (
        one.tag == other.tag
        and one.attrib == other.attrib
        and (one.text or "") == (other.text or "")
        and len(one) == len(other)
        and all(
            same(*pair) and (pair[0].tail or "") == (pair[1].tail or "")
            for pair in zip(one, other, strict=True)
        )
    )


@given(ELEMENTS)
def test_every_element_is_read_back_as_it_was(payload: Element) -> None:
    stanza = Element(f"{{{COMPONENT}}}message", {"id": "a\n\t\r\"'<&>b"})
    stanza.append(payload)
    on_stream = f"<stream xmlns='{COMPONENT}'>".encode() + to_wire(stanza) + b"</stream>"
    assert same(fromstring(on_stream)[0], stanza)


def with_text(text: str) -> Element:
    stanza = Element(f"{{{COMPONENT}}}message")
    stanza.text = text
    return stanza


def with_attribute(text: str) -> Element:
    return Element(f"{{{COMPONENT}}}message", {"id": text})


def ready(text: str) -> str:
    return f"<message>{text}</message>"


@pytest.mark.parametrize("place", [with_text, with_attribute, ready])
@pytest.mark.parametrize(
    "character", ["\x00", "\x08", "\x0b", "\x1f", chr(0xD800), chr(0xDFFF), "\ufffe", "\uffff"]
)
def test_what_xml_can_not_carry_is_refused_and_not_quoted(
    place: Callable[[str], Element | str], character: str
) -> None:
    with pytest.raises(ValueError, match="can't be sent") as refused:
        to_wire(place(f"Wherefore{character}"))
    assert "Wherefore" not in str(refused.value)


@pytest.mark.parametrize(
    "tag", ["iq", "{jabber:client}iq", f"{{{COMPONENT}}}query", f"{{{COMPONENT}}}handshake"]
)
def test_only_stanzas_of_the_stream_are_sent(tag: str) -> None:
    with pytest.raises(ValueError, match="a stanza is an iq, message or presence"):
        to_wire(Element(tag))


@pytest.mark.parametrize("name", ["", "a b", "a>", "1a", "a/><b", "a:b", "a='1'", "{urn:x}", "-a"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    stanza = Element(f"{{{COMPONENT}}}message")
    SubElement(stanza, name)
    with pytest.raises(ValueError, match="a name that XML does not allow"):
        to_wire(stanza)
    with pytest.raises(ValueError, match="a name that XML does not allow"):
        to_wire(Element(f"{{{COMPONENT}}}message", {name: "1"}))


@pytest.mark.parametrize("node", [Comment("x"), ProcessingInstruction("x")])
def test_comments_and_processing_instructions_are_not_sent(node: Element) -> None:
    stanza = Element(f"{{{COMPONENT}}}message")
    stanza.append(node)
    with pytest.raises(ValueError, match="can't be sent"):
        to_wire(stanza)


def test_ten_thousand_attributes_cost_little_more_each_than_one() -> None:
    stanza = Element(f"{{{COMPONENT}}}message", {f"{{urn:x}}a{number}": "" for number in range(10_000)})
    began = process_time()
    to_wire(stanza)
    assert process_time() - began < 1  # where each looks for its own place it takes several seconds


def test_an_element_too_deep_to_be_meant_is_refused() -> None:
    stanza = inner = Element(f"{{{COMPONENT}}}message")
    for _ in range(5000):
        inner = SubElement(inner, "a")
    with pytest.raises(ValueError, match="levels deep"):
        to_wire(stanza)
