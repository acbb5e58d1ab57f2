"""What lies at rest: nothing readable, nothing that was changed is served, and all of it is counted."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
import pytest_asyncio

from support.archive_desk import HOSTS, ArchiveDesk, Refused
from support.archive_stanzas import RSM, data, key, key_name, page, request, save
from support.service import inside

PEER = "juliet@capulet.com/chamber"
START = "1469-07-21T02:56:15Z"
NAMED = {"with_": PEER, "start": START}
FORM = "<x xmlns='jabber:x:data' type='submit'><field var='task'><value>Formvalue</value></field></x>"
TABLES = ("collection", "message", "collection_key", "collection_form")
SEALED = dict.fromkeys(TABLES, ("key_id", "codec", "sealed"))


@pytest_asyncio.fixture
async def own_desk(tmp_path: Path) -> AsyncIterator[ArchiveDesk]:
    """An archive in a database that no other test has."""
    async with inside(tmp_path, hosts=HOSTS) as service:
        yield ArchiveDesk(service)


def run(desk: ArchiveDesk, statement: str, *values: object) -> list[Any]:
    """What another process does to the file."""
    connection = sqlite3.connect(desk.service.url.database or "")
    try:
        found = connection.execute(statement, values).fetchall()
        connection.commit()
    finally:
        connection.close()
    return found


async def fill(desk: ArchiveDesk, sender: str = "") -> None:
    link = "<next with='nurse@capulet.com' start='1470-01-01T00:00:00Z'/>"
    messages = "".join(f"<from secs='1' name='Nickname'><body>Message {n}</body></from>" for n in range(3))
    note = "<note utc='1469-07-21T03:04:35Z'>Private note</note>"
    plain = save(PEER, START, messages, note, link, FORM, subject="Subjectline", thread="Threadname")
    await desk.set(plain, sender=sender)
    crypt = save("friar@capulet.com", START, data("Datakeyname") * 2, key("Datakeyname", "Publickeyname"))
    await desk.set(crypt, sender=sender)


async def test_nothing_readable_lies_in_the_files_of_the_database(own_desk: ArchiveDesk) -> None:
    await fill(own_desk)
    await own_desk.set(save("nurse@capulet.com", START, "<to><body>Removed</body></to>", subject="Removed"))
    await own_desk.set(request("remove", with_="nurse@capulet.com", start=START))
    folder = Path(own_desk.service.url.database or "").parent
    files = b"".join(file.read_bytes() for file in folder.iterdir() if file.is_file())
    assert len(files) > 100_000
    for secret in (
        "juliet", "friar", "nurse", "romeo", "capulet", "Message", "Private", "Subjectline", "Threadname",
        "Nickname", "Formvalue", "Datakeyname", "Publickeyname", "CipherValue", "Removed", "<body", "1469",
    ):  # fmt: skip
        assert secret.encode() not in files


async def test_cleartext_columns_hold_numbers_and_indexes_of_16_bytes_alone(own_desk: ArchiveDesk) -> None:
    await fill(own_desk)
    for table in TABLES:
        columns = [row[1] for row in run(own_desk, f"PRAGMA table_info({table})")]
        rows = run(own_desk, f"SELECT * FROM {table}")
        assert rows
        for row in rows:
            for column, value in zip(columns, row, strict=True):
                assert isinstance(value, int) or column == "sealed" or len(value) == 16


async def test_equal_addresses_of_two_owners_have_different_indexes(own_desk: ArchiveDesk) -> None:
    await fill(own_desk)
    await fill(own_desk, sender="benvolio@montague.net/street")
    for column in ("peer_full", "peer_bare", "peer_domain"):
        ((distinct,),) = run(own_desk, f"SELECT count(DISTINCT {column}) FROM collection")
        assert distinct == (4 if column != "peer_domain" else 2)


def edits(desk: ArchiveDesk, table: str) -> list[str]:
    """Statements that each change one thing about the first row of a table."""
    found = ["sealed = zeroblob(length(sealed))"]
    for _, column, type_, *_ in run(desk, f"PRAGMA table_info({table})"):
        if column not in {"owner_id", "key_id", "collection_id", "id", "removed", "sealed"}:
            found.append(f"{column} = {'randomblob(16)' if type_ == 'BLOB' else column + ' + 1000'}")
    return [f"UPDATE {table} SET {each} WHERE rowid = (SELECT min(rowid) FROM {table})" for each in found]


@pytest.mark.parametrize("table", TABLES)
async def test_a_row_that_was_edited_is_reported_and_never_served_and_the_rest_is(
    own_desk: ArchiveDesk, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, logger="stanzavault.archive")
    for edit in ["", *edits(own_desk, table)]:
        for name in TABLES[::-1]:
            run(own_desk, f"DELETE FROM {name}")
        run(own_desk, "DELETE FROM archive")
        await fill(own_desk)
        before = own_desk.unopened
        caplog.clear()
        if edit:
            run(own_desk, edit)
        answers = await everything(own_desk)
        told = [record for record in caplog.records if record.message == "a record does not open"]
        if edit:
            assert own_desk.unopened > before
            assert {record.table for record in told} == {table}  # type: ignore[attr-defined]
            assert all(re.fullmatch("[a-z2-7]{26}|[0-9]+", record.record) for record in told)  # type: ignore[attr-defined]
            assert answers < COMPLETE
        else:
            assert answers == COMPLETE
            assert not told


COMPLETE = {
    PEER, "friar@capulet.com", "Message 0", "Message 1", "Message 2", "Private note", "Formvalue",
    "data 0", "data 1", "ring", "key set",
}  # fmt: skip


async def everything(desk: ArchiveDesk) -> set[str]:
    """All that the archive serves of what `fill` uploads."""
    found = {child.get("with", "") for child in await desk.get(request("list"))} - {""}
    changed = {child.get("with", "") for child in await desk.get(request("modified", start=START))} - {""}
    assert changed == found
    for peer in (PEER, "friar@capulet.com"):
        chat: Iterable[Element] = ()
        with suppress(Refused):  # as it is where the collection's own record does not open
            chat = await desk.get(request("retrieve", with_=peer, start=START))
        for number, child in enumerate(chat):
            kind = child.tag.split("}")[1]
            text = "".join(child.itertext()).strip()
            found |= {
                "from": {text}, "note": {text}, "x": {text}, "EncryptedData": {f"data {number}"},
                "EncryptedKey": {"ring"},
            }.get(kind, set())  # fmt: skip
    keys = await desk.get(request("keys", key_name("Publickeyname")))
    return found | {"key set" for chat in keys if len(chat) == 1}


async def test_rows_moved_to_another_owner_or_swapped_are_not_served(own_desk: ArchiveDesk) -> None:
    await fill(own_desk)
    await fill(own_desk, sender="benvolio@montague.net/street")
    other = "SELECT sealed FROM message AS o WHERE o.owner_id <> m.owner_id AND o.position = m.position"
    run(own_desk, f"UPDATE message AS m SET sealed = ({other})")
    chat = await own_desk.get(request("retrieve", **NAMED))
    assert not [child for child in chat if child.tag.endswith(("}from", "}note"))]
    assert own_desk.unopened == 4


async def test_paging_passes_over_records_that_do_not_open(own_desk: ArchiveDesk) -> None:
    bodies = [str(number) for number in range(12)]
    await own_desk.set(save(PEER, START, *(f"<to><body>{body}</body></to>" for body in bodies)))
    run(own_desk, "UPDATE message SET time = 0 WHERE position % 13 IN (3, 4, 5, 6, 9, 12)")
    for backwards in (False, True):
        found: list[str] = []
        cursor: str | None = "" if backwards else None
        while True:
            asked = page(2, before=cursor) if backwards else page(2, after=cursor)
            chat = await own_desk.get(request("retrieve", asked, **NAMED))
            entries = [child[0].text or "" for child in chat[:-1]]
            if not entries:
                break
            found = [*entries, *found] if backwards else [*found, *entries]
            cursor = chat.findtext(f"{{{RSM}}}set/{{{RSM}}}{'first' if backwards else 'last'}")
        assert found == ["0", "5", "6", "8", "9", "11"]


async def test_a_collection_whose_record_does_not_open_can_still_be_removed(own_desk: ArchiveDesk) -> None:
    await fill(own_desk)
    run(own_desk, "UPDATE collection SET changed = changed + 1000000")
    assert len([child for child in await own_desk.get(request("list")) if child.get("with")]) == 0
    for type_, said in (("set", save(PEER, START, FORM)), ("get", request("retrieve", **NAMED))):
        with pytest.raises(Refused) as refused:
            await own_desk.ask(type_, said)
        assert refused.value.condition == "internal-server-error"
    await own_desk.set(request("remove"))
    assert len(await own_desk.get(request("list"))) == 0
    assert run(own_desk, "SELECT bytes, records FROM usage WHERE store = 2") == [(0, 0)]
    for table in TABLES:
        assert run(own_desk, f"SELECT count(*) FROM {table}") == [(0,)]
    await fill(own_desk)
    assert len(await own_desk.get(request("list"))) == 3


def kept(desk: ArchiveDesk) -> int:
    """What the rows take, as the quota counts it."""
    sizes = [
        run(desk, f"SELECT coalesce(sum(length(sealed)), 0) + count(*) * 128 FROM {table}")[0][0]
        for table in TABLES
    ]
    return sum(sizes)


async def test_the_bytes_that_an_owner_keeps_are_counted_through_every_change(own_desk: ArchiveDesk) -> None:
    for said in (
        save(PEER, START, "<to><body>1</body></to>" * 3, FORM, subject="She speaks!"),
        save(PEER, START, "<to><body>2</body></to>"),
        save(PEER, START, FORM.replace("Formvalue", "another" * 9)),
        save(PEER, START, "<x xmlns='jabber:x:data' type='submit'/>", subject="She"),
        save("friar@capulet.com", START, data("one"), key("one", "old"), key("one", "new")),
        save("friar@capulet.com", START, key("one", "old")),
        request("delete", key_name("old"), with_="friar@capulet.com", start=START),
        request("remove", **NAMED),
        save(PEER, START, "<to><body>3</body></to>"),
        request("remove"),
    ):
        await own_desk.set(said)
        ((size, records),) = run(own_desk, "SELECT bytes, records FROM usage WHERE store = 2")
        assert size == kept(own_desk)
        assert records == run(own_desk, "SELECT count(*) FROM message")[0][0]
    assert run(own_desk, "SELECT collections FROM archive") == [(0,)]


async def test_a_save_over_the_quota_is_refused_whole_and_what_frees_is_not(own_desk: ArchiveDesk) -> None:
    desk = ArchiveDesk(own_desk.service, quota=5000)
    said = save(PEER, START, f"<to><body>{'x' * 1000}</body></to>")
    for _ in range(3):
        await desk.set(said)
    before = kept(desk)
    with pytest.raises(Refused) as refused:
        await desk.set(save(PEER, START, f"<to><body>{'x' * 3000}</body></to>"))
    assert refused.value.condition == "resource-constraint"
    assert "5000" in refused.value.text
    assert kept(desk) == before <= 5000
    assert (await desk.get(request("retrieve", **NAMED))).get("version") == "2"
    await desk.set(said, sender="benvolio@montague.net/street")
    await desk.set(request("remove", **NAMED))
    await desk.set(said)
