"""Every example of XEP-0013 and XEP-0160, played with the vault in the server's part."""

from __future__ import annotations

import copy
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from support.offline_desk import COMPONENT, VAULT, Desk

TESTS = Path(__file__).parents[2]
DOCS = TESTS.parent / "docs"
OFFLINE = "http://jabber.org/protocol/offline"
ROMEO = "romeo@montague.net"
ORCHARD = "romeo@montague.net/orchard"
INSIDE = {
    "juliet@capulet.com/balcony": f"juliet\\40capulet.com@{VAULT}/balcony",
    "romeo@montague.net/orchard": f"romeo\\40montague.net@{VAULT}/orchard",
}
WAYS = ["directly", "by account", "handed over"]


def index(xep: str) -> list[dict[str, object]]:
    """What is said of each example."""
    with (TESTS / "data" / f"xep_{xep}" / "index.toml").open("rb") as file:
        return tomllib.load(file)["example"]  # type: ignore[no-any-return]


def example(xep: str, number: int, nodes: dict[str, str] | None = None) -> list[Element]:
    """The stanzas of an example, with nodes of ours in the place of its own."""
    text = (TESTS / "data" / f"xep_{xep}" / f"{number:02}.xml").read_text("utf-8")
    for theirs, ours in (nodes or {}).items():
        text = text.replace(f"'{theirs}'", f"'{ours}'")
    return list(ET.fromstring(f"<stream xmlns='{COMPONENT}'>{text}</stream>"))


def same(left: Element, right: Element) -> bool:
    """Whether two elements say the same; white space between elements apart."""
    return _canonical(left) == _canonical(right)


def _canonical(tree: Element) -> str:
    alone = copy.copy(tree)
    alone.tail = None
    return ET.canonicalize(ET.tostring(alone, "unicode"), strip_text=True)


async def send(desk: Desk, request: Element, way: str) -> list[Element]:
    """Send a request of Romeo's to himself; what came back to him, unwrapped."""
    request.attrib.update({"from": ORCHARD, "id": request.get("id", "x")})
    if way == "handed over":
        inner = ET.tostring(request, "unicode").replace(COMPONENT, "jabber:client")
        outer = ET.fromstring(
            f"<iq xmlns='{COMPONENT}' type='set' id='outer' from='montague.net' to='{VAULT}'>"
            "<delegation xmlns='urn:xmpp:delegation:2'><forwarded xmlns='urn:xmpp:forward:0'>"
            f"{inner}</forwarded></delegation></iq>"
        )
        *before, answer = await desk.hand(outer)
        result = answer[0][0][0]
        assert result.get("from") == ROMEO
        return [*before, result]
    request.set("to", VAULT if way == "directly" else f"romeo\\40montague.net@{VAULT}")
    return await desk.hand(request)


async def waiting_for_romeo(desk: Desk) -> dict[str, str]:
    """Leave what example 6 lists; the vault's node of each by the text's."""
    await desk.meet(ROMEO)
    items = example("0013", 6)[0][0]
    for item in items:
        desk.clock.now = datetime.fromisoformat(item.get("node", ""))
        text = "O Romeo, Romeo! wherefore art thou Romeo?"
        assert await desk.leave(text, sender=item.get("name", ""), to=ROMEO, type_=None) is None
    headers = await desk.headers(ORCHARD)
    return {theirs.get("node", ""): ours.get("node", "") for theirs, ours in zip(items, headers, strict=True)}


def check_message(sent: Element, expected: Element) -> None:
    """A message that was sent is the text's, but for the vault's way of addressing and its marks."""
    sender = expected.get("from", "")
    assert sent.get("from") == INSIDE.get(sender, sender)
    assert sent.get("to") == ORCHARD
    for child in expected:
        assert any(same(child, ours) for ours in sent), ET.tostring(child)


async def test_examples_0013_01_and_02_the_servers_features(desk: Desk) -> None:
    (wanted,) = example("0013", 2)[0].iter("{http://jabber.org/protocol/disco#info}feature")
    answer = await desk.ask(
        f"<query xmlns='http://jabber.org/protocol/disco#info' node='urn:xmpp:delegation:2::{OFFLINE}'/>",
        sender="montague.net",
    )
    assert any(same(wanted, ours) for ours in answer[0])


@pytest.mark.parametrize("way", WAYS)
async def test_examples_0013_03_and_04_the_number_of_messages(desk: Desk, way: str) -> None:
    await desk.meet(ROMEO)
    for _ in range(66):
        await desk.leave(to=ROMEO)
    (answer,) = await send(desk, example("0013", 3)[0], way)
    expected = example("0013", 4)[0]
    assert same(answer[0], expected[0])


@pytest.mark.parametrize("way", WAYS)
async def test_examples_0013_05_and_06_the_headers(desk: Desk, way: str) -> None:
    nodes = await waiting_for_romeo(desk)
    (answer,) = await send(desk, example("0013", 5)[0], way)
    assert same(answer[0], example("0013", 6, nodes)[0][0])


@pytest.mark.parametrize("way", WAYS)
async def test_examples_0013_07_and_08_a_view(desk: Desk, way: str) -> None:
    nodes = await waiting_for_romeo(desk)
    message, result = await send(desk, example("0013", 7, nodes)[0], way)
    check_message(message, example("0013", 8, nodes)[0])
    assert (result.get("type"), result.get("id"), len(result)) == ("result", "view1", 0)


@pytest.mark.parametrize("way", WAYS)
async def test_examples_0013_09_and_10_a_removal(desk: Desk, way: str) -> None:
    nodes = await waiting_for_romeo(desk)
    (result,) = await send(desk, example("0013", 9, nodes)[0], way)
    assert (result.get("type"), result.get("id"), len(result)) == ("result", "remove1", 0)
    assert [it.get("node") for it in await desk.headers(ORCHARD)] == list(nodes.values())[2:]


@pytest.mark.parametrize("way", WAYS)
async def test_examples_0013_11_and_12_a_fetch(desk: Desk, way: str) -> None:
    nodes = await waiting_for_romeo(desk)
    *messages, result = await send(desk, example("0013", 11)[0], way)
    assert len(messages) == 5
    check_message(messages[1], example("0013", 12, nodes)[0])
    assert (result.get("type"), result.get("id"), len(result)) == ("result", "fetch1", 0)


@pytest.mark.parametrize("way", WAYS)
async def test_examples_0013_13_and_14_a_purge(desk: Desk, way: str) -> None:
    await waiting_for_romeo(desk)
    (result,) = await send(desk, example("0013", 13)[0], way)
    assert (result.get("type"), result.get("id"), len(result)) == ("result", "purge1", 0)
    assert await desk.headers(ORCHARD) == []


async def test_examples_0160_01_to_03_a_message_waits_for_a_login(desk: Desk) -> None:
    await desk.meet("juliet@capulet.com")
    desk.clock.now = datetime(2002, 9, 10, 23, 8, 25, tzinfo=UTC)
    message = example("0160", 1)[0]
    message.set("to", f"juliet\\40capulet.com@{VAULT}")
    assert await desk.hand(message) == []
    juliet = desk.session("juliet@capulet.com/balcony")
    presence = example("0160", 2)[0]
    presence.set("to", VAULT)
    await desk.hand(presence)
    await desk.idle()
    (sent,) = juliet.received
    (expected,) = example("0160", 3)
    assert sent.get("from") == INSIDE[expected.get("from", "")]
    assert sent.get("to") == "juliet@capulet.com/balcony"
    delay = expected[1]
    delay.set("from", VAULT)  # the vault has the server's part
    assert same(sent[0], expected[0])
    assert same(sent[1], delay)


async def test_examples_0160_04_and_05_the_feature(desk: Desk) -> None:
    request = example("0160", 4)[0]
    request.attrib.update({"to": VAULT, "id": "x", "type": "get"})  # the text leaves them out
    (answer,) = await desk.hand(request)
    (wanted,) = example("0160", 5)[0].iter("{http://jabber.org/protocol/disco#info}feature")
    assert any(same(wanted, ours) for ours in answer[0])


@pytest.mark.parametrize("xep", ["0013", "0160"])
def test_every_example_is_a_file_with_an_expectation_and_a_test(xep: str) -> None:
    entries = index(xep)
    files = sorted(path.name for path in (TESTS / "data" / f"xep_{xep}").glob("*.xml"))
    assert files == [f"{entry['number']:02}.xml" for entry in entries]
    for entry in entries:
        assert entry["caption"]
        assert entry["expectation"]
        assert shown_by(xep, int(str(entry["number"])))


@pytest.mark.parametrize("xep", ["0013", "0160"])
def test_the_table_of_examples_is_current(xep: str) -> None:
    assert (DOCS / f"examples-{xep}.md").read_text("utf-8") == table(xep), f"write it: python {__file__}"


def shown_by(xep: str, number: int) -> str:
    """The name of the test that plays an example."""
    for name in globals():
        if not name.startswith(f"test_examples_{xep}_"):
            continue
        first, _, last = name.removeprefix(f"test_examples_{xep}_").split("_")[:3]
        if int(first) <= number <= int(last):
            return name
    raise LookupError(f"no test plays example {number} of XEP-{xep}")


def table(xep: str) -> str:
    """The document that tells what becomes of each example, and which test shows it."""
    lines = [
        f"# The examples of XEP-{xep}",
        "",
        f"Made from `tests/data/xep_{xep}/index.toml`; tests are in `tests/unit/offline/test_examples.py`.",
        "",
        "| example | expectation | test |",
        "| --- | --- | --- |",
    ]
    for entry in index(xep):
        number = int(str(entry["number"]))
        lines.append(f"| {number}. {entry['caption']} | {entry['expectation']} | `{shown_by(xep, number)}` |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for each in ("0013", "0160"):
        (DOCS / f"examples-{each}.md").write_text(table(each), "utf-8")
