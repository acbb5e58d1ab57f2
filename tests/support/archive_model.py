"""An archive in plain Python, and a walk of random requests that asks it and the vault the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from hypothesis import strategies as st

from stanzavault.archive.model import Change, KeySet, Summary
from stanzavault.archive.stanza import xep_0136_answers as answers
from stanzavault.kernel.paging import Page
from stanzavault.wire.xep_0082 import render
from support.archive_desk import ArchiveDesk, Refused
from support.archive_stanzas import data, key, key_name, page, request, save

Entry = TypeVar("Entry")
Name = tuple[str, datetime]

PEERS = (
    "juliet@capulet.com/chamber", "juliet@capulet.com/balcony", "juliet@capulet.com", "nurse@capulet.com",
    "capulet.com", "capulet.com/gate", "balcony@house.capulet.com", "juliet@capulet.community",
)  # fmt: skip
STARTS = tuple(datetime(1469, 7, 21, tzinfo=UTC) + timedelta(hours=hour) for hour in range(6))
PUBLIC_KEYS = ("first", "second")
_MOST_PAGES = 200
DATA_KEYS = ("one", "two", "three")


@dataclass(slots=True)
class Collection:
    """What the model knows of one."""

    version: int = 0
    subject: str | None = None
    items: list[str] = field(default_factory=list)
    keys: list[tuple[str, str]] = field(default_factory=list)
    previous: str | None = None
    removed: bool = False
    number: int = 0
    """Counts the names in the order in which they were met: collections of one start are in that order."""

    @property
    def encrypted(self) -> bool:
        return bool(self.keys) or any(item.startswith("<Enc") for item in self.items)


def stands_for(wanted: str, exact: bool, with_: str) -> bool:
    """XEP-0136, section 10.1, as it is written."""
    if exact or "/" in wanted:
        return with_ == wanted
    if "@" in wanted:
        return with_.split("/", maxsplit=1)[0] == wanted
    return with_.split("/", maxsplit=1)[0].rsplit("@", maxsplit=1)[-1] == wanted


@dataclass(slots=True)
class Model:
    """An archive.

    Attributes:
        collections: by name, in the order in which they were changed last.
    """

    collections: dict[Name, Collection] = field(default_factory=dict)

    def touch(self, name: Name, collection: Collection) -> None:
        self.collections.pop(name, None)
        self.collections[name] = collection

    def live(self, wanted: str | None = None, exact: bool = False, start: datetime | None = None,
             end: datetime | None = None) -> list[Name]:  # fmt: skip
        """What a list holds, in chronological order."""
        found = [
            name for name, collection in self.collections.items()
            if not collection.removed
            and (wanted is None or stands_for(wanted, exact, name[0]))
            and (start is None or name[1] >= start) and (end is None or name[1] < end)
        ]  # fmt: skip
        return sorted(found, key=lambda name: (name[1], self.collections[name].number))


# What is asked: each step does it in the model, and asks the vault.


@dataclass(frozen=True, slots=True)
class Upload:
    name: Name
    subject: str | None
    plain: int
    encrypted: tuple[str, ...]
    keys: tuple[tuple[str, str], ...]
    previous: str | None
    """A link's start hour to set, "" to remove the link, None to leave it."""

    async def ask(self, desk: ArchiveDesk, model: Model) -> None:
        found = model.collections.get(self.name)
        old = found if found and not found.removed else None
        old_items = len(old.items) if old else 0
        items = [
            *(f"<to secs='1'><body>{old_items + number}</body></to>" for number in range(self.plain)),
            *(data(name, f"{old_items + number:04d}") for number, name in enumerate(self.encrypted)),
        ]
        link = f"with='nurse@capulet.com' start='{self.previous}'" if self.previous else ""
        content = [
            *items,
            *(key(*names) for names in self.keys),
            *([] if self.previous is None else [f"<previous {link}/>"]),
        ]
        said = save(self.name[0], render(self.name[1]), *content, subject=self.subject)
        holds_plain = bool(self.plain) or bool(old and old.items and not old.encrypted)
        if holds_plain and (self.encrypted or self.keys or (old and old.encrypted)):
            assert await _refusal(desk, "set", said) == "not-acceptable"
            return
        answer = await desk.set(said)
        new = Collection(
            old.version if old else 0,
            self.subject if self.subject is not None else old.subject if old else None,
            [*(old.items if old else []), *items],
            list(dict.fromkeys([*(old.keys if old else []), *self.keys])),
            old.previous if old and self.previous is None else self.previous or None,
            number=found.number if found else len(model.collections),
        )
        if new != old:
            new.version += old is not None
            model.touch(self.name, new)
        assert answer is not None
        assert answers.parse_saved(answer).version == new.version


@dataclass(frozen=True, slots=True)
class Removal:
    wanted: str | None
    exact: bool
    start: datetime | None
    end: datetime | None

    async def ask(self, desk: ArchiveDesk, model: Model) -> None:
        if self.wanted is not None and self.start is not None and self.end is None:
            meant = [name for name in model.live() if name == (self.wanted, self.start)]
        else:
            meant = model.live(self.wanted, self.exact, self.start, self.end)
        said = request("remove", **_told(self))
        if not meant:
            assert await _refusal(desk, "set", said) == "item-not-found"
            return
        assert await desk.set(said) is None
        for name in meant:
            held = model.collections[name]
            model.touch(name, Collection(held.version + 1, number=held.number, removed=True))


@dataclass(frozen=True, slots=True)
class Deletion:
    name: Name
    public: str

    async def ask(self, desk: ArchiveDesk, model: Model) -> None:
        named = {"with_": self.name[0], "start": render(self.name[1])}
        said = request("delete", key_name(self.public), **named)
        found = model.collections.get(self.name)
        if found is None or found.removed:
            assert await _refusal(desk, "get", said) == "item-not-found"
            return
        assert await desk.ask("get", said) is None
        kept = [names for names in found.keys if names[1] != self.public]
        if kept != found.keys:
            found.keys = kept
            found.version += 1
            model.touch(self.name, found)


Step = Upload | Removal | Deletion

names = st.tuples(st.sampled_from(PEERS), st.sampled_from(STARTS))
maybe_time = st.none() | st.sampled_from(STARTS)
uploads = st.builds(
    Upload,
    names,
    st.sampled_from([None, None, "She speaks!", "", "&<>\"'\n"]),
    st.sampled_from([0, 1, 3]),
    st.lists(st.sampled_from(DATA_KEYS), max_size=2).map(tuple),
    st.lists(st.tuples(st.sampled_from(DATA_KEYS), st.sampled_from(PUBLIC_KEYS)), max_size=2).map(tuple),
    st.sampled_from([None, None, "", "1469-07-21T03:00:00Z"]),
)
plain_uploads = uploads.map(
    lambda upload: Upload(upload.name, upload.subject, 1 + upload.plain, (), (), upload.previous)
)
removals = st.builds(Removal, st.none() | st.sampled_from(PEERS), st.booleans(), maybe_time, maybe_time)
deletions = st.builds(Deletion, names, st.sampled_from(PUBLIC_KEYS))
steps: st.SearchStrategy[Step] = st.one_of(
    uploads, uploads, plain_uploads, plain_uploads, removals, deletions
)


def _list_request(told: dict[str, str], inner: str) -> str:
    return request("list", inner, **told)


async def compare(desk: ArchiveDesk, model: Model, most: int) -> None:
    """Ask for everything in pages of `most`, and find in it what the model holds."""
    for wanted, exact in [(None, False), *((peer, exact) for peer in PEERS for exact in (False, True))]:
        told = {"with_": wanted, "exactmatch": str(exact).lower()} if wanted else {}
        listed = await walk(desk, partial(_list_request, told), answers.parse_listed, most)
        expected = model.live(wanted, exact)
        assert list(map(_name, listed)) == expected
        for summary in listed:
            held = model.collections[_name(summary)]
            assert summary == Summary(
                summary.name, held.version, held.subject, None, encrypted=held.encrypted
            )
    changes = await walk(
        desk,
        lambda inner: request("modified", inner, start="0000-01-01T00:00:00Z"),
        answers.parse_changes,
        most,
    )
    assert [(_name(change), change.version, change.removed) for change in changes] == [
        (name, held.version, held.removed) for name, held in model.collections.items()
    ]
    await _compare_contents(desk, model, most)
    for public in PUBLIC_KEYS:
        sets = await walk(desk, partial(_keys_request, public), answers.parse_key_sets, most)
        found = {_name(one): [(each.carried_name, each.public_name) for each in one.keys] for one in sets}
        held_under = {
            name: [names for names in held.keys if names[1] == public]
            for name, held in model.collections.items()
        }
        assert found == {name: names for name, names in held_under.items() if names}
        assert [one.version for one in sets] == [model.collections[_name(one)].version for one in sets]


def _keys_request(public: str, inner: str) -> str:
    return request("keys", key_name(public) + inner)


async def _compare_contents(desk: ArchiveDesk, model: Model, most: int) -> None:
    for name, held in model.collections.items():
        told = {"with_": name[0], "start": render(name[1])}
        if held.removed:
            assert await _refusal(desk, "get", request("retrieve", **told)) == "item-not-found"
            continue
        found: list[str] = []
        after = None
        for _ in range(_MOST_PAGES):
            answer = await desk.get(request("retrieve", page(most, after=after), **told))
            content = answers.parse_content(answer, desk.limits)
            if not content.page.entries:
                break
            found += [_said(item.content) for item in content.page.entries]
            opened = {item.key_name for item in content.page.entries}
            assert sorted((each.carried_name, each.public_name) for each in content.keys) == sorted(
                names for names in held.keys if names[0] in opened
            )
            assert content.page.count == len(held.items)
            assert content.page.index == len(found) - len(content.page.entries)
            after = content.page.last
        assert found == [_said(item.encode()) for item in held.items]
        link = content.links.get("previous")
        assert (render(link.start) if link else None) == held.previous


def _said(content: bytes) -> str:
    return ET.canonicalize(content.decode(), rewrite_prefixes=True)


async def walk(
    desk: ArchiveDesk, ask: Callable[[str], str], parse: Callable[[Element], Page[Entry]], most: int
) -> list[Entry]:
    """Every entry of a listing, page by page, with what each page tells of its place checked."""
    found: list[Entry] = []
    after = None
    for _ in range(_MOST_PAGES):
        one = parse(await desk.get(ask(page(most, after=after))))
        if not one.entries:
            assert one.first is None
            return found
        assert len(one.entries) <= most
        assert one.index == len(found)
        found += one.entries
        assert one.count is not None
        assert one.count >= len(found)
        after = one.last
    raise AssertionError("the pages have no end")


def _name(entry: Summary | Change | KeySet) -> Name:
    return str(entry.name.with_), entry.name.start


def _told(removal: Removal) -> dict[str, str]:
    told = {"with_": removal.wanted, "exactmatch": "true" if removal.exact else None}
    times = {"start": removal.start, "end": removal.end}
    return {
        **{name: value for name, value in told.items() if value is not None},
        **{name: render(time) for name, time in times.items() if time is not None},
    }


async def _refusal(desk: ArchiveDesk, type_: str, said: str) -> str:
    try:
        await desk.ask(type_, said)
    except Refused as refused:
        return refused.condition
    raise AssertionError("nothing was refused")
