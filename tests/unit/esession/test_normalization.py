"""XML that is normalized, written and read."""

from xml.etree import ElementTree as ET

import pytest

from esession.errors import MalformedError
from esession.suite import GAJIM, XEP
from esession.wire import xml
from esession.wire.xep_0004 import Field, Form, decode_base64

NS = "xmlns='jabber:x:data'"


def form(text: str) -> Form:
    return Form(ET.fromstring(text))


@pytest.mark.parametrize(
    ("written", "normalized"),
    [
        ("<field var='a' type='b'/>", '<field type="b" var="a"></field>'),
        ('<field  type="b"\n var="a"></field>', '<field type="b" var="a"></field>'),
        ("<field var='a'> <value>x y</value> </field>", '<field var="a"><value>x y</value></field>'),
        ("<field var='a'><value> x </value></field>", '<field var="a"><value> x </value></field>'),
        (
            "<field var='a'><value>&#65;&lt;&amp;'\"&gt;</value></field>",
            '<field var="a"><value>A&lt;&amp;\'"&gt;</value></field>',
        ),
        ("<field var='&quot;&lt;&#9;'/>", '<field var="&quot;&lt;&#x9;"></field>'),
        ("<field var='a'><value>&#13;</value></field>", '<field var="a"><value>&#xD;</value></field>'),
    ],
)
def test_xep_normalization_is_canonical_xml_without_namespaces(written: str, normalized: str) -> None:
    assert form(f"<x {NS} type='form'>{written}</x>").normalized(XEP).decode() == normalized


def test_prefixes_and_declarations_make_no_difference() -> None:
    plain = form(f"<x {NS}><field var='a'><value>1</value></field></x>")
    prefixed = form("<d:x xmlns:d='jabber:x:data'>\n <d:field var='a'><d:value>1</d:value></d:field></d:x>")
    assert plain.normalized(XEP) == prefixed.normalized(XEP)


def test_identity_and_mac_are_left_out_and_nothing_else() -> None:
    whole = form(f"<x {NS}><title>T</title><field var='a'/><field var='identity'/><field var='mac'/></x>")
    assert whole.normalized(XEP) == b'<title>T</title><field var="a"></field>'


@pytest.mark.parametrize(
    "written",
    [
        "<field var='a' xml:lang='en'/>",
        "<field var='a'>text<value>1</value></field>",
        "loose<field var='a'/>",
    ],
)
def test_what_would_drop_out_of_the_mac_is_refused(written: str) -> None:
    with pytest.raises(MalformedError):
        form(f"<x {NS}>{written}</x>").normalized(XEP)


def test_gajim_normalization_keeps_space_within_fields_and_spells_empty_elements_its_way() -> None:
    written = f"<x {NS}> <field var='a'> <required/> <value>x</value></field> </x>"
    assert form(written).normalized(GAJIM) == b'<field var="a"> <required /> <value>x</value></field>'


def test_two_fields_of_the_same_name_are_refused() -> None:
    with pytest.raises(MalformedError, match="twice"):
        form(f"<x {NS}><field var='a'/><field var='a'/></x>")


@pytest.mark.parametrize(
    "text",
    [f"<x {NS}><field/></x>", "<x xmlns='other'/>", f"<x {NS}><y xmlns='other'/></x>"],
)
def test_what_is_no_form_is_refused(text: str) -> None:
    with pytest.raises(MalformedError):
        form(text)


def test_form_values_are_read_by_their_kind() -> None:
    made = Form.build("submit", [Field("a", ("1",)), Field("b", ("0",)), Field("c", ("x", "y"))], XEP)
    assert made.boolean("a") is True
    assert made.boolean("b") is False
    assert made.boolean("z") is None
    assert made.optional("z") is None
    for wrong in (lambda: made.value("c"), lambda: made.value("z"), lambda: made.octets("c")):
        with pytest.raises(MalformedError):
            wrong()
    with pytest.raises(MalformedError):
        Form.build("submit", [Field("a", ("yes",))], XEP).boolean("a")


@pytest.mark.parametrize("text", ["", "*", "abc", "YQ", "YQ==YQ=="])
def test_base64_is_strict(text: str) -> None:
    with pytest.raises(MalformedError):
        decode_base64(text)
    assert decode_base64(" Y\nQ== ") == b"a"


# --- content ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "<body>Hello, Bob!</body><active xmlns='http://jabber.org/protocol/chatstates'/>",
        "<body xml:lang='de'>&lt;&amp;&gt; \"quoted\" ümlaut \U0001f510</body>",
        "<x xmlns='a'><y xmlns='b' z='1'>t<q/>u</y>v</x>",
        "<x xmlns='a' xmlns:p='c' p:attribute='&#9;&#10;\"'/>",
        "<x xmlns=''/>",
    ],
)
def test_content_survives_being_written_and_read(content: str) -> None:
    children = list(ET.fromstring(f"<message xmlns='jabber:client'>{content}</message>"))
    written = xml.serialize(children, "jabber:client")
    read = xml.parse_content(written, "message", "jabber:client")
    assert [ET.canonicalize(ET.tostring(each)) for each in read] == [
        ET.canonicalize(ET.tostring(each)) for each in children
    ]


def test_content_in_the_stanza_s_namespace_is_written_without_declaring_it() -> None:
    children = list(ET.fromstring("<message xmlns='jabber:client'><body>a</body></message>"))
    assert xml.serialize(children, "jabber:client") == b"<body>a</body>"


@pytest.mark.parametrize(
    "content",
    ["<a>", "</message><message>", "<a></b>", "&undefined;", "<!DOCTYPE x><a/>", "\x00", "<a b='1' b='2'/>"],
)
def test_content_that_is_not_well_formed_is_refused(content: str) -> None:
    with pytest.raises(MalformedError):
        xml.parse_content(content.encode(), "message", "jabber:client")


def test_content_that_is_nested_too_deeply_is_refused_both_ways() -> None:
    text = "<a>" * 5000 + "</a>" * 5000
    with pytest.raises(MalformedError, match="nested"):
        xml.parse_content(text.encode(), "message", "jabber:client")
    root = deepest = ET.Element("a")
    for _ in range(5000):
        deepest = ET.SubElement(deepest, "a")
    with pytest.raises(MalformedError, match="nested"):
        xml.serialize([root], "")
    with pytest.raises(MalformedError, match="nested"):
        xml.normalize([root], xml.CANONICAL)


def test_characters_that_xml_does_not_have_are_refused_before_they_are_encrypted() -> None:
    body = ET.Element("body")
    body.text = "a\x08b"
    with pytest.raises(MalformedError):
        xml.serialize([body], "")
