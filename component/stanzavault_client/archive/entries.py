"""Messages and notes as elements of the archive, and back (XEP-0136, section 5)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from stanzavault.archive.stanza.xep_0136_parts import NAMESPACE, NAMESPACES
from stanzavault.kernel.errors import BadRequest
from stanzavault.wire import xep_0082
from stanzavault.wire.xml import add, element, integer, only_characters, qualified, serialize, split
from stanzavault_client.archive.model import ArchivedMessage, Note


def write(entry: ArchivedMessage | Note) -> Element:
    """`<from/>`, `<to/>` or `<note/>`, each with its absolute time, so that none depends on another.

    Raises:
        BadRequest: it has a character that XML can't carry.
        ValueError: its time has no zone.
    """
    if isinstance(entry, Note):
        utc = None if entry.at is None else xep_0082.render(entry.at)
        tree = element(qualified(NAMESPACE, "note"), {"utc": utc}, entry.text)
    else:
        tree = element(
            qualified(NAMESPACE, "from" if entry.incoming else "to"),
            {
                "utc": xep_0082.render(entry.at),
                "name": entry.name or None,
                "jid": entry.sender or None,
            },
        )
        if entry.body or not entry.extras:
            add(tree, "body", text=entry.body)
        tree.extend(entry.extras)
    only_characters(tree)
    return tree


class Reader:
    """Reads the entries of one collection in their order, for times count from the message before.

    Args:
        start: when the conversation started (section 4.6).
    """

    def __init__(self, start: datetime) -> None:
        self._last = start

    def read(self, tree: Element) -> ArchivedMessage | Note:
        """An element that `write` or another client wrote.

        Raises:
            BadRequest: it is none of a collection.
        """
        namespace, name = split(tree.tag)
        if namespace not in {*NAMESPACES, ""} or name not in {"from", "to", "note"}:
            raise BadRequest(f"<{name}/> does not stand in a collection.")
        utc = tree.get("utc")
        if name == "note":
            return Note(tree.text or "", None if utc is None else xep_0082.parse(utc, "'utc'"))
        self._last = self._time(utc, tree.get("secs"))
        bodies = [child for child in tree if split(child.tag) in {(namespace, "body"), ("", "body")}]
        return ArchivedMessage(
            body="\n".join(body.text or "" for body in bodies),
            at=self._last,
            incoming=name == "from",
            extras=tuple(child for child in tree if child not in bodies),
            name=tree.get("name", ""),
            sender=tree.get("jid", ""),
        )

    def _time(self, utc: str | None, secs: str | None) -> datetime:
        if utc is not None:
            return xep_0082.parse(utc, "'utc'")
        try:
            return self._last + timedelta(seconds=integer(secs, "'secs'") if secs is not None else 0)
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)


def join(elements: Sequence[Element]) -> bytes:
    """The sequence of elements that is sealed as one piece (XEP-0241, section 2)."""
    return b"".join(map(serialize, elements))


def part(content: bytes) -> Iterator[Element]:
    """The elements that stand in an opened piece, whose names are the archive's where they have no other.

    Raises:
        BadRequest: it is no XML.
    """
    try:
        yield from ET.fromstring(b"<chat xmlns='%s'>%s</chat>" % (NAMESPACE.encode(), content))
    except ET.ParseError as error:
        raise BadRequest("An opened piece is not XML.") from error
