"""Every past key is kept with its times and shown as history; nodes are read in pages (XEP-0059)."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stanzavault.kernel.paging import PageRequest
from stanzavault.keys.rules.paging import Place, cut
from stanzavault.keys.stanza.history import RECORD
from support.key_desk import ATTEST, JULIET, PUBKEY, PUBSUB, ROMEO, KeyDesk, refusal, result
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
RSM = "http://jabber.org/protocol/rsm"
HISTORY = PUBKEY + "#history"


async def test_the_history_tells_what_became_of_each_key_and_when(desk: KeyDesk) -> None:
    for name in ("first", "second", "third"):
        await desk.publish(PUBKEY, OwnKey(JULIET, name).pubkey, "current")
        desk.clock.move(timedelta(hours=1))
    await desk.retract(PUBKEY, "current")
    past = list((await desk.items(HISTORY)).values())
    assert {record.tag for record in past} == {RECORD}
    assert [
        (one.get("item"), one.get("published"), one.get("replaced"), one.get("retracted")) for one in past
    ] == [
        ("current", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", None),
        ("current", "2026-03-01T13:00:00Z", "2026-03-01T14:00:00Z", None),
        ("current", "2026-03-01T14:00:00Z", None, "2026-03-01T15:00:00Z"),
    ]
    assert [one.findtext(f".//{{{PUBKEY}}}modulus") for one in past] == [
        str(OwnKey(JULIET, name).modulus) for name in ("first", "second", "third")
    ]


async def test_an_entry_of_the_history_is_fetched_by_its_id(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    (name,) = await desk.items(HISTORY)
    ask = f"<pubsub xmlns='{PUBSUB[1:-1]}'><items node='{HISTORY}'><item id='{name}'/></items></pubsub>"
    assert result(await desk.ask(ask, sender=ROMEO, about=JULIET, type_="get"))
    for wrong in ("current", "a" * 26):
        answer = await desk.ask(ask.replace(name, wrong), sender=ROMEO, about=JULIET, type_="get")
        assert refusal(answer)[1] == "item-not-found"


async def test_nobody_subscribes_to_a_history(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    answer = await desk.subscribe(HISTORY, ROMEO)
    assert refusal(answer) == ("cancel", "feature-not-implemented", "unsupported")


async def test_pages_are_told_with_their_count_and_place(desk: KeyDesk) -> None:
    for number in range(5):
        await desk.publish(PUBKEY, KEY.pubkey, f"k{number}")

    async def page(inner: str) -> tuple[list[str], str | None, str | None, str | None]:
        answer = await desk.fetch(PUBKEY, extra=f"<set xmlns='{RSM}'>{inner}</set>")
        assert result(answer)
        names = [item.get("id", "") for item in answer.iter(f"{PUBSUB}item")]
        first = answer.find(f".//{{{RSM}}}first")
        index = None if first is None else first.get("index")
        return names, index, answer.findtext(f".//{{{RSM}}}count"), answer.findtext(f".//{{{RSM}}}last")

    names, index, count, last = await page("<max>2</max>")
    assert (names, index, count) == (["k0", "k1"], "0", "5")
    assert (await page(f"<max>2</max><after>{last}</after>"))[:3] == (["k2", "k3"], "2", "5")
    assert (await page("<max>2</max><before/>"))[:3] == (["k3", "k4"], "3", "5")
    assert (await page("<max>0</max>"))[:3] == ([], None, "5")
    assert (await page("<max>9</max><index>3</index>"))[:3] == (["k3", "k4"], "3", "5")
    assert (await page("<index>9</index>"))[:3] == ([], None, "5")
    await desk.retract(PUBKEY, "k1")
    assert (await page(f"<max>2</max><after>{last}</after>"))[:3] == (["k2", "k3"], "1", "4")


async def test_the_newest_items_are_asked_for_by_max_items(desk: KeyDesk) -> None:
    for number in range(5):
        await desk.publish(PUBKEY, KEY.pubkey, f"k{number}")
    assert list(await desk.items(PUBKEY, max_items="2")) == ["k3", "k4"]


async def test_a_foreign_or_made_up_cursor_is_not_found(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    await desk.publish(PUBKEY, OwnKey(ROMEO).pubkey, "current", sender=ROMEO)
    await desk.publish(ATTEST, OwnKey(ROMEO).attestation(KEY), "from-romeo")
    (foreign,) = await desk.items(HISTORY, about=ROMEO)
    (of_another_node,) = await desk.items(ATTEST + "#history")
    for cursor in (foreign, of_another_node, "a" * 26, "' OR 1=1 --", "current"):
        extra = f"<set xmlns='{RSM}'><after>{cursor}</after></set>"
        assert refusal(await desk.fetch(PUBKEY, extra=extra)) == ("cancel", "item-not-found", "")


@given(
    sizes=st.lists(st.integers(1, 50), max_size=40),
    most=st.integers(1, 10),
    most_bytes=st.integers(1, 120),
    backwards=st.booleans(),
    removals=st.lists(st.integers(0, 60), max_size=8),
    additions=st.lists(st.integers(1, 50), max_size=8),
)
def test_any_sequence_of_pages_yields_every_item_once_in_order(
    *,
    sizes: list[int],
    most: int,
    most_bytes: int,
    backwards: bool,
    removals: list[int],
    additions: list[int],
) -> None:
    places = [Place(position * 3, size) for position, size in enumerate(sizes)]
    original = {place.position for place in places}
    removed: set[int] = set()
    seen: list[int] = []
    cursor: int | None = None
    while True:
        asked = PageRequest(most, before="x" if backwards else None)
        part = cut(places, asked, None if backwards else cursor, cursor if backwards else None, most_bytes)
        page = places[part.start : part.end]
        assert len(page) <= most
        assert len(page) == 1 or sum(place.size for place in page) <= most_bytes
        if not page:
            assert part.is_complete
            break
        seen += [place.position for place in (reversed(page) if backwards else page)]
        cursor = seen[-1]
        if removals:
            gone = removals.pop() * 3
            removed.add(gone)
            places = [place for place in places if place.position != gone]
        if additions:
            last = max([place.position for place in places] + [max(original, default=0)] + seen)
            places.append(Place(last + 3, additions.pop()))
        if part.is_complete and (backwards or not additions):
            assert not backwards or part.start == 0
            if backwards:
                break
    assert all((a > b) if backwards else (a < b) for a, b in pairwise(seen))
    assert original - removed <= set(seen)
