"""Pages of a node (XEP-0059): which of its items, given the places and sizes of all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stanzavault.kernel.paging import PageRequest


@dataclass(frozen=True, slots=True)
class Place:
    """An item's place in its node, and its size.

    Attributes:
        position: grows from item to item, in the order of publication.
        size: of the stored item, in bytes.
    """

    position: int
    size: int


@dataclass(frozen=True, slots=True)
class Cut:
    """A page as a range of places.

    Attributes:
        start: index of its first place.
        end: index behind its last place.
        is_complete: whether nothing follows in the direction of paging.
    """

    start: int
    end: int
    is_complete: bool


def cut(
    places: Sequence[Place], page: PageRequest, after: int | None, before: int | None, most_bytes: int
) -> Cut:
    """The page of `places` that is asked for.

    Args:
        places: all that there are, in order.
        page: what is asked for.
        after: position that the page follows, None for the beginning.
        before: position that the page precedes, None for the end.
        most_bytes: of a page, which holds one entry nevertheless.
    """
    low, high = 0, len(places)
    if after is not None:
        low = next((i for i, place in enumerate(places) if place.position > after), high)
    if before is not None:
        high = next((i for i, place in enumerate(places) if place.position >= before), high)
    if page.index is not None:
        low = min(page.index, high)
    if page.backwards:
        sizes = [place.size for place in reversed(places[low:high])]
        taken = _fitting(sizes, page.most, most_bytes)
        return Cut(high - taken, high, high - taken == low)
    taken = _fitting([place.size for place in places[low:high]], page.most, most_bytes)
    return Cut(low, low + taken, low + taken == high)


def _fitting(sizes: Sequence[int], most: int, most_bytes: int) -> int:
    """How many of the first can go out together."""
    total = 0
    for taken, size in enumerate(sizes[:most]):
        total += size
        if taken and total > most_bytes:
            return taken
    return min(most, len(sizes))
