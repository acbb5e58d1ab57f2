"""Every example of XEP-0189, published or asked as its text shows."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from stanzavault.kernel.limits import Limits
from stanzavault.keys.model.node import Policy
from stanzavault.keys.stanza.xep_0189 import parse_attestation, parse_public_key, parse_revocation
from support.key_desk import ATTEST, PUBKEY, REVOKE, VAULT, KeyDesk, reason, refusal, result
from support.published_keys import OwnKey
from support.service import inside

DATA = Path(__file__).parents[2] / "data" / "xep_0189"
DOCS = Path(__file__).parents[3] / "docs"
COMPONENT = "jabber:component:accept"
ALICE, PETER, MAINEBOY = "alice@example.com", "peter@jabber.org", "maineboy@jabber.org/bar"
HOSTS = ("example.com", "jabber.org")


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[KeyDesk]:
    async with inside(tmp_path, hosts=HOSTS) as service:
        desk = KeyDesk(service, Policy(), Limits(), HOSTS)
        desk.keys.start()
        yield desk
        await desk.keys.close()


def index() -> list[dict[str, object]]:
    """What is said of each example."""
    return tomllib.loads((DATA / "index.toml").read_text("utf-8"))["example"]  # type: ignore[no-any-return]


def example(number: int) -> Element:
    """The element or stanza of an example; a stanza in the namespace of components."""
    text = (DATA / f"{number:02}.xml").read_text("utf-8")
    return ET.fromstring(f"<stream xmlns='{COMPONENT}'>{text}</stream>")[0]


async def publish(desk: KeyDesk, number: int, node: str, element: Element, account: str) -> None:
    """Publish what an example shows: it is refused with every reason that the index tells."""
    answer = await desk.publish(node, ET.tostring(element, "unicode"), "current", sender=f"{account}/x")
    assert refusal(answer) == ("modify", "not-acceptable", "")
    (told,) = [one for one in index() if one["number"] == number]
    reasons = told["reasons"]
    assert isinstance(reasons, list)
    assert [because for because in reasons if because not in reason(answer)] == []
    assert refusal(await desk.fetch(node, about=account))[1] == "item-not-found"


async def test_example_0189_1_is_refused_with_every_reason(desk: KeyDesk) -> None:
    await publish(desk, 1, PUBKEY, example(1), ALICE)


async def test_example_0189_2_revokes_no_published_key(desk: KeyDesk) -> None:
    await publish(desk, 2, REVOKE, example(2), ALICE)


async def test_example_0189_2_shows_a_form_that_is_taken_where_it_holds(desk: KeyDesk) -> None:
    key, shown = OwnKey(ALICE), example(2)
    time = shown.findtext(f"{{{REVOKE}}}revocationtime", "")
    holding = ET.fromstring(key.revocation(time=time))
    for child in shown:
        child.text = f"\n    {holding.findtext(child.tag)}\n  "
    await desk.publish(PUBKEY, key.pubkey, "current", sender=ALICE)
    assert result(await desk.publish(REVOKE, ET.tostring(shown, "unicode"), "r", sender=ALICE))


async def test_example_0189_3_vouches_for_no_published_key(desk: KeyDesk) -> None:
    await publish(desk, 3, ATTEST, example(3), ALICE)


async def test_example_0189_3_is_kept_unverified_for_a_key_that_is_published(desk: KeyDesk) -> None:
    key, shown = OwnKey(ALICE), example(3)
    await desk.publish(PUBKEY, key.pubkey, "current", sender=ALICE)
    for child in shown.findall(f"{{{ATTEST}}}keyprint"):
        child.text = key.fingerprint
    assert result(await desk.publish(ATTEST, ET.tostring(shown, "unicode"), "a", sender=ALICE))
    (past,) = (await desk.items(ATTEST + "#history", about=ALICE)).values()
    assert past.get("attestation") == "unverified"
    assert parse_attestation(past[0]) == parse_attestation(shown)


@pytest.mark.parametrize("way", ["by account", "handed over"])
async def test_examples_0189_4_and_5_a_key_is_asked_for_directly(desk: KeyDesk, way: str) -> None:
    request, shown = example(4), example(5)
    assert (request.get("from"), request.get("to")) == (MAINEBOY, f"{PETER}/foo")
    await desk.publish(PUBKEY, OwnKey(PETER).pubkey, "current", sender=PETER)
    if way == "by account":
        request.set("to", f"peter\\40jabber.org@{VAULT}")
        (answer,) = await desk.hand(request)
    else:
        request.set("to", PETER)
        inner = ET.tostring(request, "unicode").replace(COMPONENT, "jabber:client")
        wrapper = (
            f"<iq xmlns='{COMPONENT}' type='set' id='outer' from='jabber.org' to='{VAULT}'>"
            "<delegation xmlns='urn:xmpp:delegation:2'><forwarded xmlns='urn:xmpp:forward:0'>"
            f"{inner}</forwarded></delegation></iq>"
        )
        (wrapped,) = await desk.hand(ET.fromstring(wrapper))
        answer = wrapped[0][0][0]
        assert answer.get("from") == PETER
    assert (answer.get("type"), answer.get("id"), answer.get("to")) == ("result", "hfgt654s", MAINEBOY)
    assert [child.tag for child in answer] == [child.tag for child in shown]
    assert ET.tostring(answer[0]) == ET.tostring(ET.fromstring(OwnKey(PETER).pubkey))


async def test_example_0189_5_shows_a_key_that_is_refused(desk: KeyDesk) -> None:
    await publish(desk, 5, PUBKEY, example(5)[0], PETER)


async def test_example_0189_6_publishes_nothing(desk: KeyDesk) -> None:
    message = example(6)
    assert parse_public_key(message[0]) == parse_public_key(example(5)[0])
    message.set("to", f"maineboy\\40jabber.org@{VAULT}")
    await desk.hand(message)
    for account in (PETER, "maineboy@jabber.org"):
        assert refusal(await desk.fetch(PUBKEY, about=account))[1] == "item-not-found"


@pytest.mark.parametrize("number", [7, 8])
async def test_examples_0189_7_and_8_are_not_answered(desk: KeyDesk, number: int) -> None:
    presence = example(number)
    presence.set("to", VAULT)
    assert await desk.hand(presence) == []
    assert refusal(await desk.fetch(PUBKEY, about=PETER))[1] == "item-not-found"


def test_what_is_signed_is_what_the_text_shows() -> None:
    key = parse_public_key(example(5)[0]).key
    time, signer = "2009-12-14T20:49:16Z", "becb78566783166f4a1a7c64e28dae288fe1a0f2825f6b593b336ce186c6b056"
    print_ = "13475c8e27399908b4447d7c52ab30822872832eba3a654f0d80e07fb4157673"
    revocation = parse_revocation(
        ET.fromstring(
            f"<revocation xmlns='{REVOKE}'><key>{key.text}</key><keyprint>{print_}</keyprint>"
            f"<signature>x</signature><revocationprint>{signer}</revocationprint>"
            f"<revocationtime>{time}</revocationtime></revocation>"
        )
    )
    assert revocation.signed == "".join((DATA / "signed_revocation.txt").read_text("ascii").split())
    attestation = parse_attestation(
        ET.fromstring(
            f"<attest xmlns='{ATTEST}'><keyprint>{print_}</keyprint><signature>x</signature>"
            f"<signerjid>stpeter@jabber.org</signerjid><signerprint>{signer}</signerprint>"
            "<signtime>2009-12-14T18:43:00Z</signtime></attest>"
        )
    )
    assert attestation.signed(key) == "".join((DATA / "signed_attestation.txt").read_text("ascii").split())


def test_the_page_of_examples_is_current() -> None:
    lines = [
        "# The examples of XEP-0189",
        "",
        "Made from `tests/data/xep_0189/index.toml`; tests: `tests/unit/keys/test_examples_xep_0189.py`.",
        "",
        "| example | expectation | test |",
        "| --- | --- | --- |",
    ]
    for told in index():
        number = told["number"]
        tests = [
            name for name in sorted(globals()) if name.startswith("test_example") and f"_{number}_" in name
        ]
        assert tests, f"no test plays example {number}"
        shown = ", ".join(f"`{name}`" for name in tests)
        expectation = str(told["expectation"]).replace("<", "&lt;")
        lines.append(f"| {number}. {told['caption']} | {expectation} | {shown} |")
    assert (DOCS / "examples-0189.md").read_text("utf-8") == "\n".join(lines) + "\n"
