"""Collections are created, appended to, changed, removed and remembered as XEP-0136 says."""

from __future__ import annotations

import pytest

from stanzavault.archive.stanza.xep_0136_parts import NAMESPACES
from support.archive_desk import ArchiveDesk, Refused
from support.archive_stanzas import ARCHIVE, RSM, page, request, save
from support.service import Inside

pytestmark = pytest.mark.asyncio(loop_scope="module")

JULIET = "juliet@capulet.com/chamber"
START = "1469-07-21T02:56:15Z"
NAMED = {"with_": JULIET, "start": START}
BODY = "<to secs='0'><body>Neither</body></to>"
FORM = "<x xmlns='jabber:x:data' type='submit'><field var='task'><value>1</value></field></x>"


async def version_of(desk: ArchiveDesk, said: str) -> str | None:
    answer = await desk.set(said)
    assert answer is not None
    return answer[0].get("version")


async def test_a_version_starts_at_zero_and_grows_by_one_with_each_change(desk: ArchiveDesk) -> None:
    changes = [
        BODY, BODY * 5, FORM, FORM, "<x xmlns='jabber:x:data' type='submit'/>",
        "<next with='a@b' start='2000-01-01T00:00:00Z'/>", "<next/>", "<note>Here</note>",
    ]  # fmt: skip
    versions = [await version_of(desk, save(JULIET, START, change)) for change in changes]
    assert versions == [str(number) for number in range(len(changes))]
    assert await version_of(desk, save(JULIET, START, BODY, subject="A", thread="t")) == "8"


async def test_an_upload_that_changes_nothing_leaves_the_version(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, BODY, subject="She speaks!"))
    for said in ("", "<previous/>", "<x xmlns='jabber:x:data' type='submit'/>"):
        assert await version_of(desk, save(JULIET, START, said, subject="She speaks!")) == "0"
    changes = await desk.get(request("modified", start="0000-01-01T00:00:00Z"))
    assert [child.get("version") for child in changes[:-1]] == ["0"]


async def test_a_version_that_a_client_tells_is_ignored(desk: ArchiveDesk) -> None:
    said = save(JULIET, START, BODY).replace("<chat", "<chat version='7' crypt='true'")
    assert await version_of(desk, said) == "0"


async def test_links_then_the_form_then_items_whatever_the_order_of_upload(desk: ArchiveDesk) -> None:
    link = "with='nurse@capulet.com' start='2000-01-01T00:00:00Z'"
    await desk.set(save(JULIET, START, BODY, FORM, f"<next {link}/>", f"<previous {link}/>"))
    answer = await desk.get(request("retrieve", **NAMED))
    assert [child.tag.split("}")[1] for child in answer] == ["previous", "next", "x", "to", "set"]
    await desk.set(save(JULIET, START, "<next with='friar@capulet.com' start='2001-01-01T00:00:00Z'/>"))
    answer = await desk.get(request("retrieve", **NAMED))
    assert [child.get("with") for child in answer[:2]] == ["nurse@capulet.com", "friar@capulet.com"]


async def test_a_start_comes_back_as_precise_as_it_was_written(desk: ArchiveDesk) -> None:
    for start, shown in (
        ("2020-01-01T00:00:00.000Z", "2020-01-01T00:00:00.000Z"),
        ("2020-01-01T00:00:01.5Z", "2020-01-01T00:00:01.5Z"),
        ("2020-01-01T00:00:02.123456789Z", "2020-01-01T00:00:02.123456Z"),
        ("2020-01-01T02:00:03+02:00", "2020-01-01T00:00:03Z"),
    ):
        await desk.set(save(JULIET, start, BODY))
        listed = await desk.get(request("list", start=start))
        assert listed[0].get("start") == shown
        assert len(await desk.get(request("retrieve", with_=JULIET, start=shown))) == 2


async def test_answers_are_in_the_namespace_that_was_asked_in(desk: ArchiveDesk) -> None:
    for number, namespace in enumerate(NAMESPACES):
        said = save(JULIET, START, BODY, "<note>Here</note>").replace(f"'{ARCHIVE}'", f"'{namespace}'")
        answer = await desk.set(said)
        assert answer is not None
        assert {child.tag.split("}")[0] for child in answer.iter()} == {f"{{{namespace}"}
        for said in (request("list"), request("retrieve", **NAMED), request("modified", start=START)):
            answer = await desk.get(said.replace(ARCHIVE, namespace))
            ours = {child.tag.split("}")[0][1:] for child in answer.iter()} - {RSM}
            assert ours == {namespace}
        assert len(answer) == 2
        assert number == int(answer[0].get("version", ""))


async def test_removal_is_remembered_with_its_version_and_a_new_collection_starts_again(
    desk: ArchiveDesk,
) -> None:
    await desk.set(save(JULIET, START, BODY, FORM, subject="She speaks!"))
    await desk.set(save("nurse@capulet.com", START, BODY))
    assert await desk.set(request("remove", **NAMED)) is None
    since = "1970-01-01T00:00:00Z"
    changes = await desk.get(request("modified", start=since))
    assert [(child.tag.split("}")[1], child.get("with"), child.get("version")) for child in changes[:-1]] == [
        ("changed", "nurse@capulet.com", "0"), ("removed", JULIET, "1"),
    ]  # fmt: skip
    assert await version_of(desk, save(JULIET, START, BODY)) == "0"
    answer = await desk.get(request("retrieve", **NAMED))
    assert [child.tag.split("}")[1] for child in answer] == ["to", "set"]
    assert answer.get("subject") is None
    changes = await desk.get(request("modified", start=since))
    assert [child.tag.split("}")[1] for child in changes[:-1]] == ["changed", "changed"]


async def test_a_client_resumes_replication_at_the_last_identifier_it_saved(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, BODY))
    first = await desk.get(request("modified", start="1970-01-01T00:00:00Z"))
    saved = first.findtext(f"{{{RSM}}}set/{{{RSM}}}last", "")
    nothing = await desk.get(request("modified", page(after=saved), start="1970-01-01T00:00:00Z"))
    assert [child.tag for child in nothing] == [f"{{{RSM}}}set"]
    await desk.set(save("nurse@capulet.com", START, BODY))
    await desk.set(request("remove", **NAMED))
    rest = await desk.get(request("modified", page(after=saved), start="1970-01-01T00:00:00Z"))
    assert [child.get("with") for child in rest[:-1]] == ["nurse@capulet.com", JULIET]


async def test_changes_stay_in_order_when_the_clock_goes_back(shared_service: Inside, account: str) -> None:
    desk = ArchiveDesk(shared_service, client=account)
    for number in range(4):
        shared_service.clock.now = shared_service.clock.now.replace(hour=12 - number)
        await desk.set(save(f"{number}@capulet.com", START))
    changes = await desk.get(request("modified", start="1970-01-01T00:00:00Z"))
    assert [child.get("with") for child in changes[:-1]] == [f"{number}@capulet.com" for number in range(4)]


async def test_changes_before_the_start_are_left_out(shared_service: Inside, account: str) -> None:
    desk = ArchiveDesk(shared_service, client=account)
    for year in (2020, 2021, 2022):
        shared_service.clock.now = shared_service.clock.now.replace(year=year, month=1, day=1)
        await desk.set(save(f"{year}@capulet.com", START))
    changes = await desk.get(request("modified", start="2020-06-01T00:00:00Z"))
    assert [child.get("with") for child in changes[:-1]] == ["2021@capulet.com", "2022@capulet.com"]


async def test_more_collections_than_one_transaction_removes_are_removed(desk: ArchiveDesk) -> None:
    for number in range(105):
        await desk.set(save(f"{number}@capulet.com", START, BODY))
    await desk.set(save(JULIET, "2020-01-01T00:00:00Z", BODY))
    assert await desk.set(request("remove", start=START, end="2000-01-01T00:00:00Z")) is None
    listed = await desk.get(request("list"))
    assert [child.get("with") for child in listed[:-1]] == [JULIET]
    changes = await desk.get(request("modified", page(0), start="1970-01-01T00:00:00Z"))
    assert changes.findtext(f"{{{RSM}}}set/{{{RSM}}}count") == "106"


async def test_with_and_start_name_one_collection_and_not_a_range(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, BODY))
    with pytest.raises(Refused, match="item-not-found"):
        await desk.set(request("remove", with_="juliet@capulet.com", start=START))
    await desk.set(request("remove", with_="juliet@capulet.com", start=START, end="2000-01-01T00:00:00Z"))
