"""Strict reading and plain writing of XML elements."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest

_TRUE = frozenset({"true", "1"})
_FALSE = frozenset({"false", "0"})
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPED = '&<>"\r\n\t'
_LONGEST_ESCAPE = len("&quot;") - 1


def qualified(namespace: str, name: str) -> str:
    """The tag that ElementTree uses for `name` in `namespace`."""
    return f"{{{namespace}}}{name}"


def split(tag: str) -> tuple[str, str]:
    """Namespace ("" where there is none) and name of a tag."""
    if tag.startswith("{"):
        namespace, _, name = tag[1:].partition("}")
        return namespace, name
    return "", tag


def element(tag: str, attributes: dict[str, str | None] | None = None, text: str | None = None) -> Element:
    """A new element; attributes that are None are left out."""
    new = Element(tag, {name: value for name, value in (attributes or {}).items() if value is not None})
    new.text = text
    return new


def add(
    parent: Element, name: str, attributes: dict[str, str | None] | None = None, text: str | None = None
) -> Element:
    """Append a new child in the parent's namespace and give it back."""
    namespace, _ = split(parent.tag)
    child = element(qualified(namespace, name) if namespace else name, attributes, text)
    parent.append(child)
    return child


def serialize(tree: Element) -> bytes:
    """An element as UTF-8, with a namespace declaration of its own."""
    text: bytes = ET.tostring(tree, encoding="utf-8", xml_declaration=False)
    return text.replace(b"\r", b"&#13;")  # ElementTree leaves it in text, and a reader makes it a line feed


def parse(text: bytes | str) -> Element:
    """Read what `serialize` wrote; for our own records, never for a peer's bytes."""
    return ET.fromstring(text)


def required(tree: Element, name: str) -> str:
    """The value of an attribute.

    Raises:
        BadRequest: it is missing or empty.
    """
    value = tree.get(name)
    if not value:
        raise BadRequest(f"<{split(tree.tag)[1]}/> needs the attribute '{name}'.")
    return value


def address(tree: Element, name: str) -> Address:
    """The address in an attribute.

    Raises:
        BadRequest: the attribute is missing.
        JidMalformed: it holds no address.
    """
    return Address.parse(required(tree, name))


def boolean(tree: Element, name: str, *, default: bool) -> bool:
    """An attribute of type xs:boolean.

    Raises:
        BadRequest: it is neither true, 1, false nor 0.
    """
    value = tree.get(name)
    if value is None:
        return default
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise BadRequest(f"'{name}' of <{split(tree.tag)[1]}/> has to be true or false.")


def integer(text: str, what: str, *, least: int = 0, most: int = 2**31 - 1) -> int:
    """A whole decimal number.

    Raises:
        BadRequest: it is none, or outside least..most; `what` names it in the text.
    """
    stripped = text.strip()
    digits = stripped.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        raise BadRequest(f"{what} has to be a whole number from {least} to {most}.")
    number = int(stripped)
    if not least <= number <= most:
        raise BadRequest(f"{what} has to be a whole number from {least} to {most}.")
    return number


def only_known(tree: Element, *, attributes: Iterable[str] = (), children: Iterable[str] = ()) -> None:
    """Refuse an attribute or child that is not named here.

    Raises:
        BadRequest: the element has another one.
    """
    name = split(tree.tag)[1]
    for unknown in sorted(set(tree.keys()) - set(attributes)):
        raise BadRequest(f"<{name}/> has no attribute '{split(unknown)[1]}'.")
    known = set(children)
    for child in tree:
        if child.tag not in known:
            raise BadRequest(f"<{split(child.tag)[1]}/> does not stand in <{name}/>.")


def only_child(tree: Element, tag: str) -> Element | None:
    """The child with this tag, None where there is none.

    Raises:
        BadRequest: there are several.
    """
    found = tree.findall(tag)
    if len(found) > 1:
        raise BadRequest(f"<{split(tree.tag)[1]}/> holds <{split(tag)[1]}/> more than once.")
    return found[0] if found else None


def character_data(tree: Element) -> str:
    """The text of an element that holds text alone.

    Raises:
        BadRequest: it holds elements.
    """
    if len(tree):
        raise BadRequest(f"<{split(tree.tag)[1]}/> holds text alone.")
    return tree.text or ""


def texts(tree: Element) -> Iterator[str]:
    """Every text, tail and attribute value of an element and all within."""
    for node in tree.iter():
        yield from node.attrib.values()
        if node.text:
            yield node.text
        if node.tail:
            yield node.tail


def only_characters(tree: Element) -> None:
    """Refuse what XML can't carry, such as NUL and lone surrogates: it could be stored and never sent.

    Raises:
        BadRequest: such a character stands in the element or in one within.
    """
    if any(_NOT_XML.search(text) for text in texts(tree)):
        raise BadRequest("The request has a character that XML does not allow.")


def written_size(tree: Element, inherited: str) -> int:
    """Bytes of an element as it goes out, at most.

    That is whether prefixes stand before its names, as `serialize` writes them, or namespaces are declared
    anew wherever they change, as the stream does, which may be many times as much.

    Args:
        tree: what is measured.
        inherited: the namespace of the element that it will stand in.
    """
    namespace, name = split(tree.tag)
    size = len("<ns000:></ns000:>") + 2 * len(name.encode())
    if namespace != inherited:
        size += len(' xmlns=""') + _escaped_size(namespace)
    for key, value in tree.items():
        key_namespace, key_name = split(key)
        size += len(' =""') + len(key_name.encode()) + _escaped_size(value)
        if key_namespace:
            size += len(' xmlns:a00000="" a00000:') + _escaped_size(key_namespace)
    size += _escaped_size(tree.text or "")
    for child in tree:
        size += written_size(child, namespace) + _escaped_size(child.tail or "")
    return size


def _escaped_size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass")) + _LONGEST_ESCAPE * sum(map(text.count, _ESCAPED))
