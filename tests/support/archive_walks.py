"""Walks through a listing page by page, while what is listed changes between the pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from xml.etree.ElementTree import Element

from stanzavault.wire.xep_0082 import render
from support.archive_desk import ArchiveDesk
from support.archive_stanzas import RSM, data, key, key_name, page, request, save

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_MOST_PAGES = 1000


def _start(number: int) -> str:
    return render(_FIRST + timedelta(minutes=number))


async def walk_while_it_changes(desk: ArchiveDesk, kind: str, random: Random, *, backwards: bool) -> None:
    """Page through a listing of `kind` ("list", "retrieve", "modified" or "keys") and change it meanwhile.

    What was there before the first page, and still is after the last, is given once and in order, and nothing
    is given twice.
    """
    there = [_start(number) for number in range(0, 20, 2)]
    fresh = iter(random.sample(range(1, 2 * _MOST_PAGES, 2), _MOST_PAGES))
    for start in there:
        await _insert(desk, kind, start)
    given: list[list[str]] = []
    removed: set[str] = set()
    inserted: set[str] = set()
    cursor: str | None = "" if backwards else None
    for _ in range(_MOST_PAGES):
        most = random.choice((1, 2, 3, 7))
        asked = page(most, before=cursor) if backwards else page(most, after=cursor)
        answer = await desk.get(_request(kind, asked))
        entries = _entries(kind, answer)
        if not entries:
            break
        given.append(entries)
        cursor = answer.findtext(f"{{{RSM}}}set/{{{RSM}}}{'first' if backwards else 'last'}")
        for _ in range(random.choice((0, 1, 3))):
            if random.random() < 0.5 and len(inserted) < 10:
                new = _start(next(fresh))
                inserted.add(new)
                await _insert(desk, kind, new)
            elif kind != "retrieve" and (left := [start for start in there if start not in removed]):
                gone = random.choice(left)
                removed.add(gone)
                await _remove(desk, kind, gone)
    seen = [entry for entries in (reversed(given) if backwards else given) for entry in entries]
    assert len(seen) == len(set(seen))
    stayed = [start for start in there if start not in removed]
    assert [entry for entry in seen if entry in set(stayed)] == stayed
    assert set(seen) <= {*there, *inserted}
    if kind == "list":
        assert seen == sorted(seen)


def _request(kind: str, asked: str) -> str:
    match kind:
        case "retrieve":
            return request("retrieve", asked, with_="juliet@capulet.com", start=_start(0))
        case "modified":
            return request("modified", asked, start="0000-01-01T00:00:00Z")
        case "keys":
            return request("keys", key_name("first") + asked)
        case _:
            return request("list", asked, with_="juliet@capulet.com")


def _entries(kind: str, answer: Element) -> list[str]:
    if kind == "retrieve":
        return [child[0].text or "" for child in answer if child.tag.endswith("}to")]
    return [child.get("start", "") for child in answer if child.tag.endswith(("}chat", "}changed"))]


async def _insert(desk: ArchiveDesk, kind: str, start: str) -> None:
    if kind == "retrieve":
        await desk.set(save("juliet@capulet.com", _start(0), f"<to><body>{start}</body></to>"))
    else:
        await desk.set(
            save("juliet@capulet.com", start, key("one", "first") if kind == "keys" else data("a"))
        )


async def _remove(desk: ArchiveDesk, kind: str, start: str) -> None:
    named = {"with_": "juliet@capulet.com", "start": start}
    if kind == "keys":
        await desk.set(request("delete", key_name("first"), **named))
    else:
        await desk.set(request("remove", **named))
