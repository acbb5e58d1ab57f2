"""Encrypted collections and their keys (XEP-0241)."""

from __future__ import annotations

import secrets
from xml.etree import ElementTree as ET

import pytest

from esession.wire import xep_0241 as wire
from stanzavault.archive.stanza import xep_0241
from support.archive_desk import ArchiveDesk, Refused
from support.archive_stanzas import ARCHIVE, data, key, key_name, page, request, save

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


async def test_encrypted_and_plain_content_do_not_mix_xep_0241(desk: ArchiveDesk) -> None:
    crypt_form = f"<x xmlns='jabber:x:data' type='submit'>{data('one')}</x>"
    for first in (data("one"), key("one", "first"), crypt_form):
        for second in (BODY, "<from><body/></from>", "<note>Here</note>"):
            with pytest.raises(Refused, match="not-acceptable"):
                await desk.set(save(JULIET, START, first, second))
            for one, other in ((first, second), (second, first)):
                await desk.set(save(JULIET, START, one))
                with pytest.raises(Refused, match="not-acceptable"):
                    await desk.set(save(JULIET, START, other))
                listed = await desk.get(request("list"))
                assert listed[0].get("crypt") == ("true" if one is first else None)
                await desk.set(request("remove"))


async def test_keys_come_with_the_page_that_refers_to_them_xep_0241(desk: ArchiveDesk) -> None:
    rings = [key(name, public) for name in ("one", "two", "form", "idle") for public in ("first", "second")]
    form = f"<x xmlns='jabber:x:data' type='submit'>{data('form')}</x>"
    await desk.set(save(JULIET, START, data("one"), data("one"), data("two"), form, *rings))

    async def ring(asked: str) -> list[tuple[str, str]]:
        answer = await desk.get(request("retrieve", asked, **NAMED))
        found = [
            xep_0241.parse_key(child, ARCHIVE) for child in answer if child.tag == xep_0241.ENCRYPTED_KEY
        ]
        return [(each.carried_name, each.public_name) for each in found]

    everything = {(name, public) for name in ("one", "two", "form") for public in ("first", "second")}
    assert set(await ring(page(10))) == everything
    assert set(await ring(page(2))) == {pair for pair in everything if pair[0] != "two"}
    assert set(await ring(page(1, before=""))) == {pair for pair in everything if pair[0] != "one"}
    assert set(await ring(key_name("first") + page(10))) == {
        pair for pair in everything if pair[1] == "first"
    }
    assert set(await ring(key_name("first") + key_name("second") + page(10))) == everything
    assert await ring(key_name("third") + page(10)) == []


async def test_keys_are_replaced_as_the_text_describes_xep_0241(desk: ArchiveDesk) -> None:
    for number in range(3):
        await desk.set(save(f"{number}@capulet.com", START, data("one"), key("one", "old")))
    affected = await desk.get(request("keys", key_name("old") + page(50)))
    assert [chat.get("with") for chat in affected[:-1]] == [f"{number}@capulet.com" for number in range(3)]
    for chat in affected[:-1]:
        name = chat.get("with", "")
        assert await version_of(desk, save(name, START, key("one", "new"))) == "1"
        assert await version_of(desk, save(name, START, key("one", "new"))) == "1"
        assert await desk.ask("get", request("delete", key_name("old"), with_=name, start=START)) is None
        assert await desk.ask("set", request("delete", key_name("old"), with_=name, start=START)) is None
    assert len(await desk.get(request("keys", key_name("old")))) == 0
    replaced = await desk.get(request("keys", key_name("new")))
    assert [chat.get("version") for chat in replaced[:-1]] == ["2"] * 3
    with pytest.raises(Refused, match="item-not-found"):
        await desk.ask("get", request("delete", key_name("old"), with_="friar@capulet.com", start=START))


async def test_a_collection_that_lost_its_keys_and_data_may_hold_plain_messages(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, key("one", "old")))
    await desk.set(request("delete", key_name("old"), **NAMED))
    assert await version_of(desk, save(JULIET, START, BODY)) == "2"


async def test_what_the_library_writes_comes_back_as_it_was(desk: ArchiveDesk) -> None:
    written = wire.EncryptedData("fresh", secrets.token_bytes(500))
    wrapped = [wire.EncryptedKey("fresh", name, secrets.token_bytes(256)) for name in ("laptop", "phone")]
    upload = ET.fromstring(save(JULIET, START))
    upload[0].extend([wire.write_data(written), *map(wire.write_key, wrapped)])
    await desk.set(upload)
    chat = await desk.get(request("retrieve", **NAMED))
    assert [wire.read_data(each) for each in chat.iter(wire.ENCRYPTED_DATA)] == [written]
    assert [wire.read_key(each) for each in chat.iter(wire.ENCRYPTED_KEY)] == wrapped
