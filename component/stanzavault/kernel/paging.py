"""Pages of a result set as values (XEP-0059)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which part of a result set is wanted.

    Attributes:
        most: the largest number of entries, within the deployment's limit; 0 asks for the count alone.
        after: the cursor that the page follows, None for the beginning.
        before: the cursor that the page precedes; "" asks for the last page; None where not asked.
        index: the place of the first entry in the whole set, None where not asked.
    """

    most: int
    after: str | None = None
    before: str | None = None
    index: int | None = None

    @property
    def backwards(self) -> bool:
        """Whether the page is found from its end."""
        return self.before is not None


@dataclass(frozen=True, slots=True)
class Page(Generic[Entry]):
    """A part of a result set, in the order of the set.

    Attributes:
        entries: what the page holds.
        first: cursor of the first entry, None on an empty page.
        last: cursor of the last entry, None on an empty page.
        index: the place of the first entry in the set, None where it was not counted.
        count: the size of the whole set, None where it was not counted.
        complete: whether nothing follows in the direction of paging.
    """

    entries: Sequence[Entry]
    first: str | None = None
    last: str | None = None
    index: int | None = None
    count: int | None = None
    complete: bool = True
