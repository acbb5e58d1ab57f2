"""Every example of XEP-0136 and XEP-0241 is answered as the text says, or refused for the reason given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from stanzavault.archive.stanza.xep_0136_parts import NAMESPACES
from stanzavault.kernel.limits import Limits
from stanzavault.wire.xep_0082 import render
from support.archive_desk import ArchiveDesk, Refused
from support.archive_examples import NUMBERS, ROOT, Example, assert_like, condition, examples, requests, table
from support.archive_stanzas import data, key, save
from support.service import Inside

JULIET = "juliet@capulet.com/chamber"
BALCONY = "balcony@house.capulet.com"
START = "1469-07-21T02:56:15Z"
CRYPT_START = "1469-07-23T19:22:31Z"
KEYS = [key(f"dataKey{n}", f"romeoPublicKey{m}fingerprint") for n in (1, 2) for m in (1, 2)]
FIRST = "<from secs='0'><body>Art thou not Romeo, and a Montague?</body></from>"
LAST = "<from secs='9'><body>How cam'st thou hither, tell me, and wherefore?</body></from>"
SECOND = "<to secs='11'><body>Neither, fair saint, if either thee dislike.</body></to>"


async def a_collection_of_217_messages(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, FIRST + SECOND + SECOND * 97, subject="She speaks!"))
    for _ in range(3):
        await desk.set(save(JULIET, START, LAST))
    await desk.set(save(JULIET, START, LAST * 115))


async def an_empty_collection(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START))
    for word in ("He", "They", "It", "We", "She"):
        await desk.set(save(JULIET, START, subject=f"{word} speaks!"))


async def sixty_changes(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, FIRST))
    for number in range(48):
        await desk.set(save(f"{number}@capulet.com", START))
    for _ in range(3):
        await desk.set(save(BALCONY, "1469-07-21T03:16:37Z", LAST))
    await desk.set(f"<remove xmlns='urn:xmpp:archive' with='{BALCONY}' start='1469-07-21T03:16:37Z'/>")
    for number in range(10):
        await desk.set(save(f"{number}@montague.net", START))


async def collections_some_encrypted(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, START, data("dataKey1"), KEYS[0], subject="She speaks!"))
    for number in range(28):
        await desk.set(save(f"{number}@capulet.com", "1469-07-21T03:00:00Z", LAST))
    for _ in range(5):
        await desk.set(save(BALCONY, "1469-07-21T03:16:37Z", LAST))
    await desk.set(save(BALCONY, "1469-07-22T03:16:37Z", LAST))


async def an_encrypted_collection_of_7(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, CRYPT_START, data("dataKey1") * 2, *KEYS[:2], subject="She speaks!"))
    for _ in range(2):
        await desk.set(save(JULIET, CRYPT_START, data("dataKey1")))
    await desk.set(save(JULIET, CRYPT_START, data("dataKey2"), *KEYS[2:]))
    for name in ("dataKey2", "dataKey2"):
        await desk.set(save(JULIET, CRYPT_START, data(name)))


async def keys_in_60_collections(desk: ArchiveDesk) -> None:
    await desk.set(save(JULIET, CRYPT_START, *KEYS))
    for _ in range(6):
        await desk.set(save(JULIET, CRYPT_START, data("dataKey1")))
    start = datetime.fromisoformat(CRYPT_START)
    for number in range(59):
        await desk.set(save(BALCONY, render(start + timedelta(days=number)), KEYS[number % 4 // 2 * 2]))


STATES: dict[str, Callable[[ArchiveDesk], Awaitable[None]]] = {
    "a collection of 217 messages": a_collection_of_217_messages,
    "an empty collection": an_empty_collection,
    "60 changes": sixty_changes,
    "31 collections, some encrypted": collections_some_encrypted,
    "an encrypted collection of 7": an_encrypted_collection_of_7,
    "keys in 60 collections": keys_in_60_collections,
}


@pytest.mark.parametrize("namespace", NAMESPACES)
@pytest.mark.parametrize("example", requests(), ids=lambda example: example.id)
@pytest.mark.asyncio(loop_scope="module")
async def test_the_examples_are_answered_as_the_text_says(
    shared_service: Inside, account: str, example: Example, namespace: str
) -> None:
    small = example.before == "an answer of 700 bytes"
    limits = Limits(reply=700) if small else Limits()
    desk = ArchiveDesk(shared_service, limits=limits, client=account)
    if example.before and not small:
        await STATES[example.before](desk)
    for number in example.after:
        await desk.set(example.stanza(namespace, number)[0])
    await CHECKS[example.asks.split()[0]](desk, example, namespace)


async def as_an_example(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    expected = example.stanza(namespace, int(example.asks.split()[1]))
    error = condition(expected)
    if error is not None:
        await is_refused(desk, example, namespace, error)
        return
    answer = await desk.ask(example.type, example.payload(namespace))
    assert answer is not None
    assert_like(expected[0], answer, example.count)


async def is_refused(desk: ArchiveDesk, example: Example, namespace: str, error: str = "") -> None:
    with pytest.raises(Refused) as refused:
        await desk.ask(example.type, example.payload(namespace))
    assert refused.value.condition == (error or example.asks)
    assert refused.value.text


async def is_empty(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    assert await desk.ask(example.type, example.payload(namespace)) is None


async def saves(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    """As the text shows for its first upload: what the upload said of the collection, with the version."""
    payload = example.payload(namespace)
    version = example.asks.rsplit(maxsplit=1)[1]
    answer = await desk.set(payload)
    assert answer is not None
    assert answer.tag == payload.tag
    (chat,) = answer
    assert chat.attrib == {**payload[0].attrib, "version": version}
    assert len(chat) == 0
    await is_kept(desk, example, namespace)


async def is_kept(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    """What was uploaded last comes back: links first, then the form, then the items, then the keys."""
    chat = example.payload(namespace)[0]
    if {child.tag.split("}")[1] for child in chat} == {"EncryptedKey"}:
        return  # keys come with the data that they open, which is not there: `keys` brings them
    named = f"with='{chat.get('with')}' start='{chat.get('start')}'"
    answer = await desk.get(f"<retrieve xmlns='{namespace}' {named}/>")
    given = [child for child in answer if not child.tag.endswith("}set")]
    for child in chat:
        removes_link = not child.attrib and child.tag.endswith(("}previous", "}next"))
        if removes_link or (child.tag.endswith("}x") and not len(child)):
            assert answer.find(child.tag) is None
        else:
            assert any(_equal(child, kept) for kept in given)
    ranks = [_rank(child.tag) for child in given]
    assert ranks == sorted(ranks)


def _rank(tag: str) -> int:
    order = ["previous", "next", "x", "from", "to", "note", "EncryptedData", "EncryptedKey"]
    return [0, 1, 2, 3, 3, 3, 3, 4][order.index(tag.split("}")[1])]


def _equal(one: object, other: object) -> bool:
    try:
        assert_like(one, other)  # type: ignore[arg-type]  # elements
    except AssertionError:
        return False
    return True


async def lists(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    answer = await desk.get(example.payload(namespace))
    numbers = [int(number) for number in example.asks.removeprefix("list of ").split(", ")]
    chats = [dict(example.stanza(namespace, number)[0][0].attrib, version="0") for number in numbers]
    assert [child.attrib for child in answer if child.tag.endswith("}chat")] == chats


async def holds(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    answer = await desk.get(example.payload(namespace))
    wanted = example.asks.removeprefix("chat with ").split(", ")
    assert [child.tag.split("}")[1] for child in answer] == wanted
    asked = [
        name.text for name in example.payload(namespace).iter("{http://www.w3.org/2000/09/xmldsig#}KeyName")
    ]
    (encrypted,) = [child for child in answer if child.tag.endswith("}EncryptedKey")]
    names = [name.text for name in encrypted.iter("{http://www.w3.org/2000/09/xmldsig#}KeyName")]
    assert names == asked


async def is_no_xml(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    with pytest.raises(SyntaxError, match="not well-formed"):
        example.payload(namespace)


async def shows_features(desk: ArchiveDesk, example: Example, namespace: str) -> None:
    answer = await desk.get("<query xmlns='http://jabber.org/protocol/disco#info'/>")
    shown = {child.get("var") for child in answer if child.tag.endswith("}feature")}
    (delegated,) = [each for each in desk.routes.delegated if each.namespace == namespace]
    for features in (shown, set(delegated.host_features), set(delegated.account_features)):
        assert {namespace, f"{namespace}:manage", f"{namespace}:manual"} <= features
        assert "http://jabber.org/protocol/rsm" in features
        assert not {f"{namespace}:{part}" for part in ("auto", "pref", "encrypt")} & features


CHECKS: dict[str, Callable[[ArchiveDesk, Example, str], Awaitable[None]]] = {
    "example": as_an_example,
    "feature-not-implemented": is_refused,
    "item-not-found": is_refused,
    "empty": is_empty,
    "save": saves,
    "list": lists,
    "chat": holds,
    "nothing": is_no_xml,
    "features": shows_features,
}


@pytest.mark.parametrize("xep", NUMBERS)
def test_every_example_has_its_line(xep: str) -> None:
    files = {int(file.stem) for file in (ROOT / f"tests/data/xep_{xep}").glob("*.xml")}
    listed = examples(xep)
    assert {example.number for example in listed} == files
    assert [example.number for example in listed] == sorted(example.number for example in listed)
    assert all(bool(example.asks) != bool(example.tells) for example in listed)


@pytest.mark.parametrize("xep", NUMBERS)
def test_the_table_of_examples_is_current(xep: str) -> None:
    assert (ROOT / f"docs/examples-{xep}.md").read_text() == table(xep)
