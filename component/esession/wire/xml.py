"""Serializing, normalizing and parsing the small pieces of XML that are encrypted, hashed or signed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from xml.etree import ElementTree as ET

from esession.errors import MalformedError

MAX_DEPTH: Final = 64
_XML_NAMESPACE: Final = "http://www.w3.org/XML/1998/namespace"
_SPECIAL_TEXT: Final = re.compile(r"[&<>\r]")
_SPECIAL_ATTRIBUTE: Final = re.compile(r'[&<"\t\n\r>]')
_FORBIDDEN: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Style:
    """How XML is written where writers differ.

    Attributes:
        empty: How an empty element's start tag ends.
        closes_empty: Whether an empty element gets an end tag of its own.
        escapes_quotes: Whether quotation marks in text are escaped.
        keeps_inner_space: Whether white space between the children of a form's field is kept.
    """

    empty: str
    closes_empty: bool
    escapes_quotes: bool
    keeps_inner_space: bool


CANONICAL: Final = Style(empty=">", closes_empty=True, escapes_quotes=False, keeps_inner_space=False)
"""Canonical XML, as far as the simple XML that XEP-0116 section 6.2 speaks of needs it."""
COMPACT: Final = Style(empty="/>", closes_empty=False, escapes_quotes=False, keeps_inner_space=False)
GAJIM: Final = Style(empty=" />", closes_empty=False, escapes_quotes=True, keeps_inner_space=True)


@lru_cache(maxsize=512)
def split_tag(tag: str) -> tuple[str, str]:
    """Namespace and local name of an ElementTree tag."""
    if tag[:1] != "{":
        return "", tag
    namespace, _, name = tag[1:].partition("}")
    return namespace, name


def escape_text(text: str, style: Style = COMPACT) -> str:
    """Character data as it is written between tags."""
    if _SPECIAL_TEXT.search(text):
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")
    return text.replace('"', "&quot;") if style.escapes_quotes else text


def escape_attribute(value: str) -> str:
    """An attribute's value as it is written between double quotes."""
    if not _SPECIAL_ATTRIBUTE.search(value):
        return value
    value = value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    return value.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("\r", "&#xD;")


def serialize(elements: Iterable[ET.Element], namespace: str, style: Style = COMPACT) -> bytes:
    """Write elements one after another, as content of an element in `namespace` (XEP-0200 section 5).

    Args:
        elements: What to write; character data between them is left out.
        namespace: The default namespace that the reader will have in force.
        style: How empty elements and quotation marks are written.

    Returns:
        UTF-8.

    Raises:
        MalformedError: Deeper than MAX_DEPTH, or holds a character that XML doesn't have.
    """
    out: list[str] = []
    for element in elements:
        _write(out, element, namespace, style, MAX_DEPTH)
    text = "".join(out)
    if not text.isprintable() and _FORBIDDEN.search(text):  # the first is quick, and true of most texts
        raise MalformedError("the content holds a character that XML does not have")
    return text.encode()


def _write(out: list[str], element: ET.Element, inherited: str, style: Style, depth: int) -> None:
    if depth == 0:
        raise MalformedError(f"XML is nested deeper than {MAX_DEPTH} elements")
    namespace, name = split_tag(element.tag)
    out.append(f"<{name}")
    if namespace != inherited:
        out.append(f' xmlns="{escape_attribute(namespace)}"')
    if element.attrib:
        for prefix, (key, value) in enumerate(element.attrib.items()):
            if key[0] != "{":
                out.append(f' {key}="{escape_attribute(value)}"')
                continue
            of, local = split_tag(key)
            if of == _XML_NAMESPACE:
                out.append(f' xml:{local}="{escape_attribute(value)}"')
            else:
                out.append(f' xmlns:a{prefix}="{escape_attribute(of)}"')
                out.append(f' a{prefix}:{local}="{escape_attribute(value)}"')
    text = element.text
    if not text and not len(element):
        out.append(f"{style.empty}</{name}>" if style.closes_empty else style.empty)
        return
    out.append(">")
    if text:
        out.append(escape_text(text, style))
    for child in element:
        _write(out, child, namespace, style, depth - 1)
        if child.tail:
            out.append(escape_text(child.tail, style))
    out.append(f"</{name}>")


def normalize(elements: Iterable[ET.Element], style: Style) -> bytes:
    """The normalized XML of a form's content or of a key, which is hashed, MACed or signed.

    XEP-0116 section 6.2: no namespace declarations or prefixes, attributes in lexicographic order and in
    double quotes, no character data between elements. See docs/decisions/esession-normalization.md.

    Args:
        elements: The elements to write, already without those that the specification excludes.
        style: CANONICAL or GAJIM.

    Raises:
        MalformedError: An attribute has a namespace, or an element has text beside its children: both
            would drop out of what is authenticated.
    """
    out: list[str] = []
    for element in elements:
        _write_normalized(out, element, style, MAX_DEPTH)
    return "".join(out).encode()


def _write_normalized(out: list[str], element: ET.Element, style: Style, depth: int) -> None:
    if depth == 0:
        raise MalformedError(f"XML is nested deeper than {MAX_DEPTH} elements")
    name = split_tag(element.tag)[1]
    out.append("<" + name)
    for key in sorted(element.attrib):
        if key[0] == "{":
            raise MalformedError("an attribute with a namespace can't be normalized")
        out.append(f' {key}="{escape_attribute(element.attrib[key])}"')
    text = element.text
    children = list(element)
    if not text and not children:
        out.append(f"{style.empty}</{name}>" if style.closes_empty else style.empty)
        return
    out.append(">")
    if text and (style.keeps_inner_space or not children):
        out.append(escape_text(text))
    elif text and text.strip():
        raise MalformedError("character data between elements can't be normalized")
    for child in children:
        if child.text and not child.attrib and not len(child):
            # Most of what is normalized is plain values: they need no call of their own.
            leaf = split_tag(child.tag)[1]
            out.append(f"<{leaf}>{escape_text(child.text)}</{leaf}>")
        else:
            _write_normalized(out, child, style, depth - 1)
        if child.tail:
            if style.keeps_inner_space:
                out.append(escape_text(child.tail))
            elif child.tail.strip():
                raise MalformedError("character data between elements can't be normalized")
    out.append(f"</{name}>")


def parse_content(xml: bytes, stanza: str, namespace: str) -> ET.Element:
    """Read decrypted content back as children of a stanza (XEP-0200 section 7, last step).

    Args:
        xml: What was decrypted.
        stanza: The stanza's local name.
        namespace: The stanza's namespace.

    Returns:
        A new element of that name and namespace, with the content as its children.

    Raises:
        MalformedError: It isn't well-formed, or it is nested too deeply.
    """
    declared = f' xmlns="{escape_attribute(namespace)}"' if namespace else ""
    try:
        root = ET.fromstring(b"<%s%s>%s</%s>" % (stanza.encode(), declared.encode(), xml, stanza.encode()))
    except (ET.ParseError, ValueError):
        raise MalformedError("the content is not well-formed XML") from None
    level = [root]
    for _ in range(MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return root
    raise MalformedError(f"the content is nested deeper than {MAX_DEPTH} elements")


def copy_element(element: ET.Element) -> ET.Element:
    """A deep copy, without the tail."""
    duplicate = ET.Element(element.tag, dict(element.attrib))
    duplicate.text = element.text
    for child in element:
        copied = copy_element(child)
        copied.tail = child.tail
        duplicate.append(copied)
    return duplicate
