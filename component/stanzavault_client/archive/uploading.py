"""Cutting a conversation into pieces that can be sealed, and into uploads that a server takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from stanzavault.archive.model import Item
from stanzavault.archive.stanza.xep_0136_parts import NAMESPACE, parse_item
from stanzavault.wire.xml import written_size


@dataclass(frozen=True, slots=True)
class Piece:
    """An item of an upload.

    Attributes:
        item: plain, or sealed.
        entries: how many entries of the conversation it holds.
    """

    item: Item
    entries: int


def plain(elements: Iterable[Element]) -> Iterator[Piece]:
    """One piece for each entry."""
    return (Piece(parse_item(tree), 1) for tree in elements)


def sealed(
    elements: Iterable[Element], seal: Callable[[Sequence[Element]], Item], most: int
) -> Iterator[Piece]:
    """Pieces of several entries each, of `most` bytes together, and of one entry at least."""
    some: list[Element] = []
    total = 0
    for tree in elements:
        size = written_size(tree, NAMESPACE)
        if some and total + size > most:
            yield Piece(seal(some), len(some))
            some, total = [], 0
        some.append(tree)
        total += size
    if some:
        yield Piece(seal(some), len(some))


def uploads(pieces: Iterable[Piece], most: int) -> Iterator[list[Piece]]:
    """Pieces as they are sent together, of `most` bytes, and of one piece at least."""
    some: list[Piece] = []
    total = 0
    for piece in pieces:
        if some and total + piece.item.size > most:
            yield some
            some, total = [], 0
        some.append(piece)
        total += piece.item.size
    if some:
        yield some
