"""Pages of collections and messages: result set management (XEP-0059), and bounds of answers."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from stanzavault.kernel.limits import Limits
from stanzavault.wire.xml import serialize
from support.archive_desk import ArchiveDesk, Refused
from support.archive_stanzas import RSM, data, key, page, request, save
from support.service import Inside

pytestmark = pytest.mark.asyncio(loop_scope="module")

JULIET = "juliet@capulet.com/chamber"
START = "1469-07-21T02:56:15Z"
NAMED = {"with_": JULIET, "start": START}
BODY = "<to secs='0'><body>Neither</body></to>"
FORM = "<x xmlns='jabber:x:data' type='submit'><field var='task'><value>1</value></field></x>"


class Told:
    """What a page tells of its place."""

    def __init__(self, answer: Element) -> None:
        told = answer.find(f"{{{RSM}}}set")
        assert told is not None
        first = told.find(f"{{{RSM}}}first")
        self.entries = [child.get("start") for child in answer if child is not told]
        self.index = None if first is None else first.get("index")
        self.first = None if first is None else first.text
        self.last = told.findtext(f"{{{RSM}}}last")
        self.count = told.findtext(f"{{{RSM}}}count")


async def test_result_set_management_whole_xep_0059(desk: ArchiveDesk) -> None:
    starts = [f"2020-01-{day:02d}T00:00:00Z" for day in range(1, 11)]
    for start in reversed(starts):
        await desk.set(save(JULIET, start, BODY))

    async def ask(asked: str, **attributes: str) -> Told:
        return Told(await desk.get(request("list", asked, **attributes)))

    for attributes in ({}, {"with_": "capulet.com"}, {"start": starts[0]}):
        first = await ask(page(4), **attributes)
        assert (first.entries, first.index, first.count) == (starts[:4], "0", "10")
        second = await ask(page(4, after=first.last), **attributes)
        assert (second.entries, second.index, second.count) == (starts[4:8], "4", "10")
        third = await ask(page(4, after=second.last), **attributes)
        assert (third.entries, third.index, third.count) == (starts[8:], "8", "10")
        beyond = await ask(page(4, after=third.last), **attributes)
        assert (beyond.entries, beyond.first, beyond.last, beyond.count) == ([], None, None, "10")
        back = await ask(page(4, before=third.first), **attributes)
        assert (back.entries, back.index, back.first, back.last) == (
            second.entries,
            "4",
            second.first,
            second.last,
        )
        last = await ask(page(4, before=""), **attributes)
        assert (last.entries, last.index, last.count) == (starts[6:], "6", "10")
        before_all = await ask(page(4, before=first.first), **attributes)
        assert (before_all.entries, before_all.first, before_all.count) == ([], None, "10")
        count = await ask(page(0), **attributes)
        assert (count.entries, count.first, count.count) == ([], None, "10")
        jumped = await ask(page(3, index=5), **attributes)
        assert (jumped.entries, jumped.index, jumped.count) == (starts[5:8], "5", "10")
        over = await ask(page(3, index=10), **attributes)
        assert (over.entries, over.first, over.count) == ([], None, "10")
    assert len(await desk.get(request("list", with_="nobody@capulet.com"))) == 0


async def test_counts_end_at_a_bound_but_not_those_that_are_kept(
    desk: ArchiveDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stanzavault.archive.store.paging.COUNTED", 3)
    for day in range(1, 9):
        await desk.set(save(JULIET, f"2020-01-{day:02d}T00:00:00Z", BODY))
    told = Told(await desk.get(request("list", page(2))))
    assert (told.index, told.count) == ("0", "8")
    told = Told(await desk.get(request("list", page(2), with_=JULIET)))
    assert (told.index, told.count) == ("0", None)
    told = Told(await desk.get(request("list", page(6), with_=JULIET)))
    told = Told(await desk.get(request("list", page(2, after=told.last), with_=JULIET)))
    assert (len(told.entries), told.index, told.count) == (2, None, None)
    with pytest.raises(Refused, match="feature-not-implemented"):
        await desk.get(request("list", page(2, index=4), with_=JULIET))
    with pytest.raises(Refused, match="feature-not-implemented"):
        await desk.get(request("list", page(2, index=4)))
    assert Told(await desk.get(request("list", page(2, index=8)))).entries == []


async def test_a_page_is_cut_where_the_answer_would_have_too_many_bytes(
    shared_service: Inside, account: str
) -> None:
    desk = ArchiveDesk(shared_service, limits=Limits(reply=4000), client=account)
    bodies = [f"{number:03d}" + "x" * 400 for number in range(20)]
    await desk.set(save(JULIET, START, *(f"<to><body>{body}</body></to>" for body in bodies)))
    for day in range(1, 21):
        await desk.set(save(JULIET, f"2020-01-{day:02d}T00:00:00Z", subject="x" * 400))
    found: list[str | None] = []
    after = None
    while len(found) < 20:
        answer = await desk.get(request("retrieve", page(after=after), **NAMED))
        assert len(serialize(answer)) <= 4000
        assert len(answer) > 4
        found += [child[0].text for child in answer[:-1]]
        after = answer.findtext(f"{{{RSM}}}set/{{{RSM}}}last")
    assert found == bodies
    last = await desk.get(request("list", page(before="")))
    assert len(serialize(last)) <= 4000
    assert last[-2].get("start") == "2020-01-20T00:00:00Z"
    told = Told(last)
    assert told.index == str(21 - len(told.entries))


async def test_an_item_too_large_for_an_answer_of_its_own_is_refused_at_save(
    shared_service: Inside, account: str
) -> None:
    desk = ArchiveDesk(shared_service, limits=Limits(reply=4000), client=account)
    for large in (
        save(JULIET, START, f"<to><body>{'x' * 4000}</body></to>"),
        save(JULIET, START, BODY, subject="x" * 4000),
        save(JULIET, START, BODY, thread="<" * 1000),
        save(JULIET, START, f"<to><body>{'&amp;' * 1000}</body></to>"),
        save(JULIET, START, f"<to xmlns:p='urn:{'x' * 400}'><body/>{'<p:c/>' * 9}</to>"),
        save(JULIET, START, data("one"), *(key("one", str(number)) for number in range(8))),
        save(JULIET, START, *(key(str(number), "first") for number in range(8))),
        save(JULIET, START, FORM.replace("1", "1" * 4000)),
    ):  # fmt: skip
        with pytest.raises(Refused) as error:
            await desk.set(large)
        assert error.value.condition == "not-acceptable"
    assert len(await desk.get(request("list"))) == 0
    assert len(await desk.get(request("modified", start="1970-01-01T00:00:00Z"))) == 0


async def test_what_makes_a_kept_item_too_large_is_refused_too(shared_service: Inside, account: str) -> None:
    desk = ArchiveDesk(shared_service, limits=Limits(reply=4000), client=account)
    await desk.set(save(JULIET, START, f"<to><body>{'x' * 2500}</body></to>"))
    for said in (save(JULIET, START, FORM.replace("1", "1" * 1000)), save(JULIET, START, subject="s" * 1000)):
        with pytest.raises(Refused, match="not-acceptable"):
            await desk.set(said)
    assert len(serialize(await desk.get(request("retrieve", **NAMED)))) <= 4000
    crypt = save("nurse@capulet.com", START, data("one", "A" * 1000), key("one", "first"))
    await desk.set(crypt)
    with pytest.raises(Refused, match="not-acceptable"):
        await desk.set(save("nurse@capulet.com", START, *(key("one", str(number)) for number in range(5))))
