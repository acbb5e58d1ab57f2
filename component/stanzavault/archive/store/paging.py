"""Pages by key (XEP-0059): no offsets, no scans, and no more read than an answer can take.

docs/decisions/archive-paging.md says why counts and indexes end at a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Select, func, select, tuple_
from sqlalchemy.sql.base import ColumnCollection

from stanzavault.archive.cursors import Cursors, Place
from stanzavault.archive.store.shelf import Row, Shelf
from stanzavault.kernel.errors import FeatureNotImplemented
from stanzavault.kernel.paging import Page, PageRequest

Entry = TypeVar("Entry")

COUNTED = 4096
"""Entries up to which a set, or what precedes a page, is counted."""


@dataclass(frozen=True, slots=True)
class Listing:
    """A set of rows in an order.

    Attributes:
        rows: selects the whole set, in no order; a column `sealed`, if there is one, bounds what is read.
        order: the names of the columns that order it and are unique together.
        cursors: its cursors.
        kept: the size of the whole set where that is kept, None where it would have to be counted.
    """

    rows: Select[Any]
    order: tuple[str, ...]
    cursors: Cursors
    kept: int | None = None


@dataclass(slots=True)
class Scan(Generic[Entry]):
    """A page in the making.

    Attributes:
        asked: what is asked.
        found: the entries with their places, in the direction of paging.
        passed: for each entry how many rows were passed up to it, those included that do not open.
        scanned: how many rows were passed in all.
        more: whether rows follow in the direction of paging.
        start: the index of the first entry where it is known from the request.
    """

    asked: PageRequest
    found: list[tuple[Place, Entry]] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    scanned: int = 0
    more: bool = False
    start: int | None = None

    def keep(self, most: int) -> None:
        """Cut the page to its first entries in the direction of paging."""
        if most < len(self.found):
            del self.found[most:], self.passed[most:]
            self.scanned = self.passed[-1]
            self.more = True

    def fit(self, costs: Sequence[int], budget: int) -> None:
        """Cut the page to what costs no more than `budget`, but not below one entry."""
        used = 0
        for number, cost in enumerate(costs):
            used += cost
            if used > budget and number:
                self.keep(number)
                return


async def scan(
    shelf: Shelf,
    listing: Listing,
    asked: PageRequest,
    entry: Callable[[Row], Entry | None],
    budget: int,
) -> Scan[Entry]:
    """Read the rows of a page.

    Args:
        shelf: the owner's.
        listing: what is paged.
        asked: which page.
        entry: makes an entry of a row, None of one that is to be skipped.
        budget: bytes that the answer can take.

    Raises:
        ItemNotFound: the page begins at a place that this listing never had.
        FeatureNotImplemented: the page begins at an index beyond those that are counted.
    """
    page: Scan[Entry] = Scan(asked)
    place = await _begin(shelf, listing, page)
    while place is not _NOWHERE and asked.most and not page.more:
        wanted = asked.most - len(page.found)
        rows, ended = await _read(shelf, listing, place, wanted + 1, budget, backwards=asked.backwards)
        for row in rows[:wanted]:
            place = tuple(row[name] for name in listing.order)
            page.scanned += 1
            made = entry(row)
            if made is not None:
                page.found.append((place, made))
                page.passed.append(page.scanned)
        if ended and len(rows) <= wanted:
            break
        page.more = len(page.found) == asked.most or (not ended and bool(page.found))
    return page


async def finish(shelf: Shelf, listing: Listing, page: Scan[Entry]) -> Page[Entry]:
    """Tell the page's place in the whole set, as far as that is known or counted within the bound."""
    backwards = page.asked.backwards
    found = page.found[::-1] if backwards else page.found
    at_edge = page.asked.before == "" if backwards else page.start == 0
    count = listing.kept
    if count is None and at_edge and not page.more and page.asked.most:
        count = page.scanned
    if count is None:
        count = await _bounded(shelf, listing, None)
    if not found:
        return Page((), count=count, complete=not page.more)
    first = found[0][0]
    index = 0 if backwards and not page.more else page.start
    if index is None and backwards and at_edge and count is not None:
        index = count - page.scanned
    if index is None:
        index = await _bounded(shelf, listing, first)
    return Page(
        [made for _, made in found],
        listing.cursors.of(first),
        listing.cursors.of(found[-1][0]),
        index,
        count,
        complete=not page.more,
    )


_NOWHERE: Place = ()


async def _begin(shelf: Shelf, listing: Listing, page: Scan[Entry]) -> Place | None:
    """The place that the page follows (or precedes): None for the edge, _NOWHERE if nothing is there."""
    asked = page.asked
    if asked.after is not None:
        return listing.cursors.place(asked.after)
    if asked.before is not None:
        return listing.cursors.place(asked.before) if asked.before else None
    page.start = asked.index or 0
    if not page.start:
        return None
    if listing.kept is not None and page.start >= listing.kept:
        return _NOWHERE
    if page.start > COUNTED:
        raise FeatureNotImplemented(f"Beyond the index {COUNTED}, ask for pages by <after/> and <before/>.")
    ordered = _columns(listing)
    before = listing.rows.with_only_columns(*ordered).order_by(*ordered).limit(page.start)
    places = (await shelf.connection.execute(before)).all()
    return tuple(places[-1]) if len(places) == page.start else _NOWHERE


async def _read(
    shelf: Shelf,
    listing: Listing,
    place: Place | None,
    most: int,
    budget: int,
    *,
    backwards: bool,
) -> tuple[list[Row], bool]:
    """Up to `most` rows beyond a place, of about `budget` bytes but at least one, and whether none follow."""
    rows = listing.rows
    if place is not None:
        rows = rows.where(_beyond(listing, place, backwards=backwards))
    limited = rows.order_by(*_ordered(rows.selected_columns, listing, backwards=backwards)).limit(most)
    if "sealed" not in limited.selected_columns:
        found = await shelf.rows(limited)
        return found, len(found) < most
    inner = limited.subquery()
    in_order = _ordered(inner.c, listing, backwards=backwards)
    running = func.sum(func.length(inner.c.sealed)).over(order_by=in_order, rows=(None, 0)).label("running")
    outer = select(inner, running, func.count().over().label("fetched")).subquery()
    within = outer.c.running - func.length(outer.c.sealed) < budget
    in_order = _ordered(outer.c, listing, backwards=backwards)
    found = await shelf.rows(select(outer).where(within).order_by(*in_order))
    return found, len(found) < most and (not found or len(found) == found[0]["fetched"])


async def _bounded(shelf: Shelf, listing: Listing, before: Place | None) -> int | None:
    """How many rows there are, all or before a place; None beyond the bound."""
    rows = listing.rows if before is None else listing.rows.where(_beyond(listing, before, backwards=True))
    some = rows.with_only_columns(*_columns(listing)).limit(COUNTED + 1)
    count: int = (
        await shelf.connection.execute(select(func.count()).select_from(some.subquery()))
    ).scalar_one()
    return count if count <= COUNTED else None


def _beyond(listing: Listing, place: Place, *, backwards: bool) -> ColumnElement[bool]:
    columns = _columns(listing)
    if len(columns) == 1:
        return columns[0] < place[0] if backwards else columns[0] > place[0]
    here, there = tuple_(*columns), tuple_(*place)
    return here < there if backwards else here > there


def _columns(listing: Listing) -> list[ColumnElement[Any]]:
    return [listing.rows.selected_columns[name] for name in listing.order]


def _ordered(
    columns: ColumnCollection[str, Any], listing: Listing, *, backwards: bool
) -> list[ColumnElement[Any]]:
    return [columns[name].desc() if backwards else columns[name] for name in listing.order]
