"""Elements to bytes: what goes out is well-formed, and comes back unchanged.

Line breaks and tabs in attributes are written as references (XML 1.0 section 3.3.3 would turn them into
spaces), carriage returns in text too (section 2.11). What XML can't carry is refused, never sent or dropped.
"""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final
from xml.etree.ElementTree import Element

COMPONENT: Final = "jabber:component:accept"
"""The namespace that the stream header declares, and that every stanza on it has (XEP-0114)."""

STANZA_KINDS: Final = {f"{{{COMPONENT}}}{kind}": kind for kind in ("iq", "message", "presence")}
"""Tag of a stanza on this stream -> its kind."""

_XML: Final = "http://www.w3.org/XML/1998/namespace"
_DEEPEST: Final = 256
_NAME_START: Final = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_NAME: Final = re.compile(f"[{_NAME_START}][{_NAME_START}\\-.0-9\u00b7\u0300-\u036f\u203f-\u2040]*")
_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\r"))


def escape_text(text: str) -> str:
    """Character data, fit to stand between tags."""
    # one memory search each: a regular expression takes a hundred times as long on a long body
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text:
        text = text.replace("<", "&lt;")
    if ">" in text:
        text = text.replace(">", "&gt;")
    if "\r" in text:
        text = text.replace("\r", "&#xD;")
    return text


def escape_attribute(value: str) -> str:
    """An attribute's value, fit to stand in double quotes."""
    value = escape_text(value)
    if '"' in value:
        value = value.replace('"', "&quot;")
    if "\n" in value:
        value = value.replace("\n", "&#xA;")
    if "\t" in value:
        value = value.replace("\t", "&#x9;")
    return value


def to_wire(stanza: Element | str) -> bytes:
    """One stanza as UTF-8.

    Args:
        stanza: An element ``{jabber:component:accept}iq``, ``message`` or ``presence``, or text that the
            caller vouches is one such well-formed element without a declared default namespace.

    Raises:
        ValueError: It is no stanza of this stream, holds a control character, a lone surrogate or another
            character that XML can't carry, or a name that is none. The text never quotes it.
    """
    if isinstance(stanza, str):
        text = stanza
    else:
        if stanza.tag not in STANZA_KINDS:
            raise ValueError(f"a stanza is an iq, message or presence in the namespace {COMPONENT}")
        parts: list[str] = []
        _write(stanza, COMPONENT, parts.append, 1)
        text = "".join(parts)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise ValueError("a lone surrogate can't be sent") from None
    if (
        len(data.translate(None, _CONTROLS)) != len(data)
        or b"\xef\xbf\xbe" in data
        or b"\xef\xbf\xbf" in data
    ):
        raise ValueError("a character that XML does not allow can't be sent")
    return data


def _write(element: Element, inherited: str, write: Callable[[str], None], depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"an element nested more than {_DEEPEST} levels deep can't be sent")
    opening, closing, namespace = _tags(element.tag, inherited)
    write(opening)
    for number, (key, value) in enumerate(element.attrib.items()):
        name = _attribute_name(key) if key[:1] != "{" else _qualified_attribute_name(key, number)
        write(f' {name}="{escape_attribute(value)}"')
    text = element.text
    if not text and not len(element):
        write("/>")
        return
    write(f">{escape_text(text)}" if text else ">")
    for child in element:
        _write(child, namespace, write, depth + 1)
        if child.tail:
            write(escape_text(child.tail))
    write(closing)


@lru_cache(maxsize=2048)
def _tags(tag: str, inherited: str) -> tuple[str, str, str]:
    """Start of the opening tag, closing tag, and the namespace ('' for none) that children inherit."""
    if not isinstance(tag, str):
        raise ValueError("comments and processing instructions can't be sent (RFC 6120 section 11.1)")  # noqa: TRY004 - a value
    namespace, name = _split(tag)
    declaration = "" if namespace == inherited else f' xmlns="{escape_attribute(namespace)}"'
    return f"<{name}{declaration}", f"</{name}>", namespace


@lru_cache(maxsize=512)
def _attribute_name(name: str) -> str:
    return _split(name)[1]


def _qualified_attribute_name(key: str, number: int) -> str:
    """The name to write, preceded by the declaration of a prefix of its own where it needs one.

    Args:
        key: ElementTree's form of the name.
        number: The attribute's place in its element, so that its prefix is no other's.
    """
    namespace, name = _split(key)
    if namespace == _XML:
        return f"xml:{name}"
    prefix = f"a{number}"
    return f'xmlns:{prefix}="{escape_attribute(namespace)}" {prefix}:{name}'


def _split(name: str) -> tuple[str, str]:
    """Namespace ('' for none) and local name of ElementTree's form."""
    namespace, local = name[1:].split("}", 1) if name.startswith("{") and "}" in name else ("", name)
    if not _NAME.fullmatch(local):
        raise ValueError("an element or attribute has a name that XML does not allow")
    return namespace, local
