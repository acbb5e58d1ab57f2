"""Bad input gets a precise error, stores nothing, and stops nobody else."""

from __future__ import annotations

from time import process_time
from xml.etree import ElementTree as ET

import pytest

from stanzavault.kernel.limits import Limits
from support.archive_desk import ArchiveDesk, Refused
from support.archive_stanzas import ARCHIVE, RSM, data, key, key_name, page, request, save
from support.service import Inside

pytestmark = pytest.mark.asyncio(loop_scope="module")

JULIET = "juliet@capulet.com/chamber"
START = "1469-07-21T02:56:15Z"
BODY = "<to secs='0'><body>Neither</body></to>"
NAMED = {"with_": JULIET, "start": START}
COUNTLESS = "<x xmlns='jabber:x:data' type='submit'>" + "".join(
    f"<field var='{number}'/>" for number in range(100_000)
) + "</x>"  # fmt: skip

NOT_OF_THE_SCHEMA = {
    "nothing in save": f"<save xmlns='{ARCHIVE}'/>",
    "two collections": f"<save xmlns='{ARCHIVE}'>" + 2 * f"<chat with='a@b' start='{START}'/>" + "</save>",
    "a stranger in save": f"<save xmlns='{ARCHIVE}'><list/></save>",
    "no with": f"<save xmlns='{ARCHIVE}'><chat start='{START}'/></save>",
    "no start": f"<save xmlns='{ARCHIVE}'><chat with='a@b'/></save>",
    "an unknown attribute": f"<save xmlns='{ARCHIVE}'><chat with='a@b' start='{START}' mood='sad'/></save>",
    "text in a collection": save(JULIET, START, "Neither"),
    "an empty message": save(JULIET, START, "<to secs='0'/>"),
    "text in a message": save(JULIET, START, "<to>Neither<body/></to>"),
    "a stranger in a message": save(JULIET, START, "<to><subject/></to>"),
    "no namespace in a message": save(JULIET, START, "<to><body xmlns=''/></to>"),
    "elements in a body": save(JULIET, START, "<to><body><b/></body></to>"),
    "elements in a note": save(JULIET, START, "<note><b/></note>"),
    "a stranger in a collection": save(JULIET, START, "<with/>"),
    "negative secs": save(JULIET, START, "<to secs='-1'><body/></to>"),
    "secs that are no number": save(JULIET, START, "<to secs='soon'><body/></to>"),
    "enormous secs": save(JULIET, START, f"<to secs='{10**30}'><body/></to>"),
    "half a link": save(JULIET, START, "<next with='a@b'/>"),
    "two links of one name": save(JULIET, START, "<next/><next/>"),
    "two forms": save(JULIET, START, 2 * "<x xmlns='jabber:x:data' type='submit'/>"),
    "a form of no type": save(JULIET, START, "<x xmlns='jabber:x:data'/>"),
    "a form that is none to submit": save(JULIET, START, "<x xmlns='jabber:x:data' type='form'/>"),
    "data without a key's name": save(JULIET, START, data("").replace("<KeyName></KeyName>", "")),
    "data with an empty name": save(JULIET, START, data(" ")),
    "data without its value": save(JULIET, START, data("one").replace("CipherValue", "CipherReference")),
    "a value that is no Base64": save(JULIET, START, data("one", "<b/>")),
    "another value that is no Base64": save(JULIET, START, data("one", "a?b")),
    "a key without its name": save(JULIET, START, key("", "first")),
    "a key without its opener": save(JULIET, START, key("one", "")),
    "a stranger in a key": save(JULIET, START, key("one", "first").replace("<CipherD", "<b/><CipherD")),
    "a method without algorithm": save(JULIET, START, data("one").replace("Algorithm", "Rhythm")),
}  # fmt: skip


async def test_a_long_value_that_is_nearly_base64_is_refused_at_once(desk: ArchiveDesk) -> None:
    began = process_time()
    await refused(desk, "bad-request", "set", save(JULIET, START, data("one", "A" * 20_000 + "?")))
    assert process_time() - began < 1  # where each place may end a part it takes several seconds


@pytest.mark.parametrize("said", NOT_OF_THE_SCHEMA.values(), ids=list(NOT_OF_THE_SCHEMA))
async def test_an_upload_that_is_not_of_the_schema_is_a_bad_request(desk: ArchiveDesk, said: str) -> None:
    await refused(desk, "bad-request", "set", said)


@pytest.mark.parametrize(
    "start",
    [
        "", "yesterday", "1469-07-21", "02:56:15Z", "1469-07-21T02:56:15", "1469-13-21T02:56:15Z",
        "1469-02-30T02:56:15Z", "1469-07-21T24:56:15Z", "14690-07-21T02:56:15Z", "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", "١٤٦٩-07-21T02:56:15Z", "1469-07-21'; --",
    ],
)  # fmt: skip
async def test_a_collection_with_a_bad_date_is_a_bad_request(desk: ArchiveDesk, start: str) -> None:
    await refused(desk, "bad-request", "set", save(JULIET, start, BODY))


@pytest.mark.parametrize(
    "content",
    [
        "<to utc='0000-01-01T00:00:00Z'><body/></to>",
        "<to utc='9999-12-31T23:59:59Z'><body/></to>",
        "<to utc='once'><body/></to>",
        "<note utc='9999-01-01T00:00:00Z'>Here</note>",
        "<next with='a@b' start='9999-01-01T00:00:00Z'/>",
    ],
)
async def test_a_bad_date_within_a_collection_is_a_bad_request(desk: ArchiveDesk, content: str) -> None:
    await refused(desk, "bad-request", "set", save(JULIET, START, content))


async def test_messages_that_would_reach_the_year_9999_are_a_bad_request(desk: ArchiveDesk) -> None:
    later = "<to secs='2147483647'><body/></to>"
    await refused(desk, "bad-request", "set", save(JULIET, "9998-12-31T00:00:00Z", later))
    await refused(desk, "bad-request", "set", save(JULIET, "9000-01-01T00:00:00Z", later * 20))


async def test_the_year_0000_bounds_a_range_from_the_beginning_and_9999_to_the_end(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, BODY))
    ages = {"start": "0000-01-01T00:00:00Z", "end": "9999-12-31T23:59:59Z"}
    assert len(await desk.get(request("list", **ages))) == 2
    assert len(await desk.get(request("modified", start=ages["start"]))) == 2
    assert len(await desk.get(request("modified", start=ages["end"]))) == 0
    for bad in ("0000-13-01T00:00:00Z", "0000-02-30T00:00:00Z", "0000"):
        await refused(desk, "bad-request", "get", request("list", start=bad), stored=True)
    await desk.set(request("remove", **ages))
    await desk.get(request("list"))


@pytest.mark.parametrize(
    "with_", ["", "@capulet.com", "juliet@", "juliet@capulet.com/", "a b@c", "a@b@c", "x" * 1024 + "@c"]
)
async def test_what_is_no_address_is_refused(desk: ArchiveDesk, with_: str) -> None:
    for type_, said in (
        ("set", save(with_, START, BODY)),
        ("set", save(JULIET, START, f"<from jid='{with_}'><body/></from>")),
        ("get", request("list", with_=with_)),
        ("get", request("retrieve", with_=with_, start=START)),
        ("set", request("remove", with_=with_)),
    ):
        condition = await refused(desk, "", type_, said)
        assert condition in {"jid-malformed", *(["bad-request"] if not with_ else [])}


@pytest.mark.parametrize("character", ["\0", "\x1b", "\ud800", "\ufffe"])
@pytest.mark.parametrize("place", ["body", "subject", "attribute", "note", "form", "key"])
async def test_what_xml_does_not_carry_is_a_bad_request(
    desk: ArchiveDesk, character: str, place: str
) -> None:
    upload = ET.fromstring(save(JULIET, START, BODY, "<note>Here</note>", FORM))
    if place == "key":
        upload = ET.fromstring(save(JULIET, START, key("one", "first")))
    found = {
        "body": f"{{{ARCHIVE}}}body", "note": f"{{{ARCHIVE}}}note", "form": "{jabber:x:data}value",
        "key": "{http://www.w3.org/2001/04/xmlenc#}CarriedKeyName",
    }  # fmt: skip
    if place == "subject":
        upload[0].set("subject", character)
    elif place == "attribute":
        upload[0][0].set("name", character)
    else:
        next(upload.iter(found[place])).text = f"a{character}"
    with pytest.raises(Refused) as error:
        await desk.set(upload)
    assert error.value.condition == "bad-request"
    await holds_nothing(desk)


FORM = "<x xmlns='jabber:x:data' type='submit'><field var='task'><value>1</value></field></x>"


async def test_a_form_of_100000_fields_is_not_acceptable(desk: ArchiveDesk) -> None:
    await refused(desk, "not-acceptable", "set", save(JULIET, START, COUNTLESS))


@pytest.mark.parametrize("most", ["-1", str(2**31), str(10**30), "", "many", "1.5", "٣"])
async def test_a_maximum_that_is_no_sensible_number_is_a_bad_request(desk: ArchiveDesk, most: str) -> None:
    await desk.set(save(JULIET, START, BODY))
    asked = f"<set xmlns='{RSM}'><max>{most}</max></set>"
    for said in every_listing(asked):
        await refused(desk, "bad-request", "get", said, stored=True)


async def test_a_page_holds_no_more_than_the_deployment_allows(shared_service: Inside, account: str) -> None:
    desk = ArchiveDesk(shared_service, limits=Limits(page=3), client=account)
    await desk.set(save(JULIET, START, BODY * 9))
    answer = await desk.get(request("retrieve", page(1_000_000), **NAMED))
    assert len(answer) == 3 + 1


CURSORS = [
    "1469-07-21T03:16:37Zbalcony@house.capulet.com", "0", "99", "1", "-1",
    "' OR 1=1 --", "'; DROP TABLE message; --",
    "A" * 32, "AAAAAAAAAAE" + "A" * 21, "\u0661", "é", "=", "====", "%00", "A" * 4000,
]  # fmt: skip


@pytest.mark.parametrize("cursor", CURSORS)
@pytest.mark.parametrize("empty", [False, True], ids=["kept", "empty"])
async def test_unknown_and_sql_shaped_cursors_are_not_found(
    desk: ArchiveDesk, cursor: str, empty: bool
) -> None:
    if not empty:
        await desk.set(save(JULIET, START, BODY))
        await desk.set(save("nurse@capulet.com", START, key("one", "first")))
    for asked in (page(10, after=cursor), page(10, before=cursor), page(0, after=cursor)):
        for said in every_listing(asked):
            await refused(desk, "item-not-found", "get", said, stored=not empty)


async def test_a_cursor_of_another_list_collection_or_owner_is_not_found(desk: ArchiveDesk) -> None:
    for sender in (desk.client, "benvolio@montague.net/street"):
        for peer in (JULIET, "nurse@capulet.com"):
            await desk.set(save(peer, START, BODY), sender=sender)
        await desk.set(save("friar@capulet.com", START, key("one", "first")), sender=sender)
    cursors = []
    for said in every_listing(page(1)):
        answer = await desk.get(said)
        cursors.append(answer.findtext(f"{{{RSM}}}set/{{{RSM}}}last", ""))
    assert all(cursors)
    for number, cursor in enumerate(cursors):
        for place, said in enumerate(every_listing(page(1, after=cursor))):
            if place == number:
                await desk.get(said)
                with pytest.raises(Refused, match="item-not-found"):
                    await desk.get(said, sender="benvolio@montague.net/street")
            else:
                with pytest.raises(Refused, match="item-not-found"):
                    await desk.get(said)
    other = request("retrieve", page(1, after=cursors[1]), with_="nurse@capulet.com", start=START)
    await refused(desk, "item-not-found", "get", other, stored=True)


async def test_a_page_that_asks_for_two_places_is_a_bad_request(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, BODY))
    for asked in (
        page(1, after="A", before="A"),
        page(1, index=0, before=""),
        f"<set xmlns='{RSM}'><max>1</max><max>1</max></set>",
    ):
        await refused(desk, "bad-request", "get", request("list", asked), stored=True)


WRONG_REQUESTS = {
    "exactmatch in retrieve": request("retrieve", exactmatch="true", **NAMED),
    "retrieve without start": request("retrieve", with_=JULIET),
    "retrieve without with": request("retrieve", start=START),
    "modified without start": request("modified"),
    "keys without a name": request("keys"),
    "keys with two names": request("keys", key_name("first") + key_name("second")),
    "an exactmatch that is no boolean": request("list", with_=JULIET, exactmatch="perhaps"),
    "an element of the archive in a list": request("list", "<chat/>"),
    "text in a list": request("list", "please"),
    "a bad end": request("list", end="tomorrow"),
}


@pytest.mark.parametrize("said", WRONG_REQUESTS.values(), ids=list(WRONG_REQUESTS))
async def test_a_request_that_is_not_of_the_schema_is_a_bad_request(desk: ArchiveDesk, said: str) -> None:
    await refused(desk, "bad-request", "get", said)


async def test_a_removal_or_deletion_that_is_not_of_the_schema_removes_nothing(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, key("one", "first")))
    for said in (
        request("remove", key_name("first")), request("remove", open="perhaps"), request("remove", "all"),
        request("remove", exactmatch="maybe", **NAMED), request("delete", **NAMED),
        request("delete", key_name("first") + page(1), **NAMED),
    ):  # fmt: skip
        await refused(desk, "bad-request", "set", said, stored=True)
    names = "".join(key_name(str(number)) for number in range(65))
    await refused(desk, "not-acceptable", "set", request("delete", names, **NAMED), stored=True)


async def test_an_unknown_extension_in_a_request_is_ignored(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, BODY))
    assert len(await desk.get(request("list", "<order xmlns='urn:example:order'/>"))) == 2


async def test_what_an_archive_does_not_keep_beside_messages_is_not_dropped_silently(
    desk: ArchiveDesk,
) -> None:
    said = save(JULIET, START, BODY, "<mood xmlns='http://jabber.org/protocol/mood'/>")
    await refused(desk, "feature-not-implemented", "set", said)


async def test_another_accounts_archive_is_forbidden(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, BODY))
    romeos = desk.client.split("/")[0].replace("@", r"\40") + "@vault.example.org"
    for type_, said in [
        ("set", save(JULIET, START, BODY)), ("set", request("remove")),
        ("set", request("delete", key_name("a"), **NAMED)),
        *(("get", said) for said in every_listing(page(1))), ("get", request("pref")),
    ]:  # fmt: skip
        for stranger in ("juliet@capulet.com/chamber", "romeo@elsewhere.example/orchard"):
            with pytest.raises(Refused) as error:
                await desk.ask(type_, said, sender=stranger, to=romeos)
            assert error.value.condition == "forbidden"
    assert len(await desk.get(request("retrieve", **NAMED), to=romeos)) == 2


async def test_a_remote_address_never_becomes_an_owner(desk: ArchiveDesk) -> None:
    with pytest.raises(Refused, match="forbidden"):
        await desk.set(save(JULIET, START, BODY), sender="romeo@elsewhere.example/orchard")


async def test_what_is_refused_for_one_account_stops_no_other(desk: ArchiveDesk) -> None:
    for number in range(3):
        with pytest.raises(Refused):
            await desk.set(save(JULIET, START, "<to/>"))
        await desk.set(save(JULIET, START, BODY), sender="mercutio@montague.net/street")
        answer = await desk.get(request("retrieve", **NAMED), sender="mercutio@montague.net/street")
        assert len(answer) == number + 1 + 1


def every_listing(asked: str) -> tuple[str, ...]:
    return (
        request("list", asked),
        request("retrieve", asked, **NAMED),
        request("modified", asked, start="1970-01-01T00:00:00Z"),
        request("keys", key_name("first") + asked),
    )


async def refused(desk: ArchiveDesk, condition: str, type_: str, said: str, *, stored: bool = False) -> str:
    """The condition with which a request is refused; where nothing was stored before, nothing is after."""
    with pytest.raises(Refused) as error:
        await desk.ask(type_, said)
    if condition:
        assert error.value.condition == condition
    assert error.value.text
    if not stored:
        await holds_nothing(desk)
    return error.value.condition


async def holds_nothing(desk: ArchiveDesk) -> None:
    assert len(await desk.get(request("list"))) == 0
    assert len(await desk.get(request("modified", start="0000-01-01T00:00:00Z"))) == 0
