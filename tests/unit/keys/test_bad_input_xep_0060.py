"""Requests that are wrong get a precise error, and store nothing (XEP-0060)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stanzavault.kernel.errors import StanzaError
from stanzavault.kernel.limits import Limits
from stanzavault.keys.stanza import xep_0060, xep_0060_owner
from support.key_desk import JULIET, PUBKEY, ROMEO, KeyDesk, as_owner, pubsub, reason, refusal
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
RSM = "<set xmlns='http://jabber.org/protocol/rsm'>{}</set>"
BAD = ("modify", "bad-request", "")
EMPTY_FORM = "<x xmlns='jabber:x:data' type='submit'/>"
ITEM = f"<item id='x'>{KEY.pubkey}</item>"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", BAD),
        (f"<items node='{PUBKEY}'/><items node='{PUBKEY}'/>", BAD),
        ("<items/>", ("modify", "bad-request", "nodeid-required")),
        (f"<items node='{PUBKEY}' a='b'/>", BAD),
        (f"<items node='{PUBKEY}' max_items='-1'/>", BAD),
        (f"<items node='{PUBKEY}' max_items='x'/>", BAD),
        (f"<items node='{PUBKEY}'><item/></items>", BAD),
        (f"<items node='{PUBKEY}'><item id='a&#10;b'/></items>", BAD),
        (f"<items node='{PUBKEY}'/>" + RSM.format("<max>-1</max>"), BAD),
        (f"<items node='{PUBKEY}'/>" + RSM.format("<max>x</max>"), BAD),
        (f"<items node='{PUBKEY}'/>" + RSM.format("<after>a</after><index>1</index>"), BAD),
        (f"<items node='{PUBKEY}'/>" + RSM.format("") * 2, BAD),
        (f"<items node='{'n' * 2000}'/>", BAD),
        ("<items node='&#x202e;' />", ("cancel", "item-not-found", "")),
        ("<unknown/>", BAD),
        ("<options node='x' jid='y'/>", ("cancel", "feature-not-implemented", "unsupported")),
        ("<default/>", ("cancel", "feature-not-implemented", "unsupported")),
    ],
)
async def test_a_wrong_reading_is_refused(desk: KeyDesk, asked: str, expected: tuple[str, str, str]) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    answer = await desk.ask(pubsub(asked), sender=ROMEO, about=JULIET, type_="get")
    assert refusal(answer) == expected
    assert reason(answer)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", BAD),
        (f"<publish node='{PUBKEY}'/>", ("modify", "bad-request", "item-required")),
        (f"<publish node='{PUBKEY}'><item/></publish>", ("modify", "bad-request", "payload-required")),
        (
            f"<publish node='{PUBKEY}'><item>{KEY.pubkey}{KEY.pubkey}</item></publish>",
            ("modify", "bad-request", "invalid-payload"),
        ),
        (
            f"<publish node='{PUBKEY}'>{ITEM}{ITEM}</publish>",
            ("modify", "not-acceptable", "max-items-exceeded"),
        ),
        (f"<publish>{ITEM}</publish>", ("modify", "bad-request", "nodeid-required")),
        (f"<publish node='{PUBKEY}'><item id='{'x' * 256}'>{KEY.pubkey}</item></publish>", BAD),
        (f"<publish node='{PUBKEY}'><item id=''>{KEY.pubkey}</item></publish>", BAD),
        (f"<publish node='{PUBKEY}'>{ITEM}</publish><configure/>", BAD),
        (
            f"<publish node='{PUBKEY}'>{ITEM}</publish><publish-options/>",
            ("modify", "bad-request", "invalid-options"),
        ),
        (
            f"<publish node='{PUBKEY}'>{ITEM}</publish><publish-options>{EMPTY_FORM}</publish-options>",
            ("modify", "bad-request", "invalid-options"),
        ),
        (f"<retract node='{PUBKEY}'/>", ("modify", "bad-request", "item-required")),
        (f"<retract node='{PUBKEY}'><item/></retract>", ("modify", "bad-request", "item-required")),
        (f"<retract node='{PUBKEY}' notify='maybe'><item id='x'/></retract>", BAD),
        (
            f"<retract node='{PUBKEY}'><item id='x'/><item id='y'/></retract>",
            ("modify", "not-acceptable", "max-items-exceeded"),
        ),
        (f"<retract node='{PUBKEY}'><item id='x'/></retract>", ("cancel", "item-not-found", "")),
        ("<create/>", ("modify", "bad-request", "nodeid-required")),
        ("<create node='urn:example:none'/>", ("cancel", "not-allowed", "")),
        (f"<subscribe node='{PUBKEY}'/>", ("modify", "bad-request", "jid-required")),
        (f"<subscribe node='{PUBKEY}' jid='a@@b'/>", ("modify", "jid-malformed", "")),
        (f"<subscribe node='{PUBKEY}' jid='{JULIET}'/>", ("cancel", "item-not-found", "")),
        (f"<unsubscribe node='{PUBKEY}' jid='{JULIET}'/>", ("cancel", "item-not-found", "")),
        (
            f"<subscribe node='{PUBKEY}' jid='{JULIET}'/><options/>",
            ("cancel", "feature-not-implemented", "unsupported"),
        ),
        ("<items node='x'/>", BAD),
    ],
)
async def test_a_wrong_change_is_refused_and_stores_nothing(
    desk: KeyDesk, tmp_path: Path, asked: str, expected: tuple[str, str, str]
) -> None:
    answer = await desk.ask(pubsub(asked), sender=JULIET)
    assert refusal(answer) == expected
    assert reason(answer)
    assert refusal(await desk.fetch(PUBKEY))[1] == "item-not-found"


@pytest.mark.parametrize(
    ("type_", "asked", "expected"),
    [
        ("get", "", BAD),
        ("get", "<default type='collection'/>", ("cancel", "feature-not-implemented", "unsupported")),
        ("get", f"<subscriptions node='{PUBKEY}'/>", ("cancel", "feature-not-implemented", "unsupported")),
        ("get", f"<configure node='{PUBKEY}'/>", ("cancel", "item-not-found", "")),
        ("get", "<configure/>", ("modify", "bad-request", "nodeid-required")),
        ("get", "<unknown/>", BAD),
        ("set", f"<configure node='{PUBKEY}'/>", ("modify", "bad-request", "invalid-options")),
        ("set", f"<purge node='{PUBKEY}'/>", ("cancel", "item-not-found", "")),
        ("set", f"<subscriptions node='{PUBKEY}'/>", ("cancel", "feature-not-implemented", "unsupported")),
        ("set", f"<affiliations node='{PUBKEY}'/>", ("cancel", "item-not-found", "")),
        ("set", "<unknown/>", BAD),
    ],
)
async def test_a_wrong_request_of_an_owner_is_refused(
    desk: KeyDesk, type_: str, asked: str, expected: tuple[str, str, str]
) -> None:
    answer = await desk.ask(as_owner(asked), sender=JULIET, type_=type_)
    assert refusal(answer) == expected


_names = st.sampled_from(
    ["items", "item", "publish", "retract", "create", "configure", "subscribe", "unsubscribe", "affiliations",
     "affiliation", "subscriptions", "options", "default", "purge", "delete", "publish-options", "x", "set"]
)  # fmt: skip
_namespaces = st.sampled_from(
    [xep_0060.PUBSUB, xep_0060_owner.OWNER, "jabber:x:data", "http://jabber.org/protocol/rsm", ""]
)
_attributes = st.dictionaries(
    st.sampled_from(["node", "id", "jid", "notify", "max_items", "affiliation", "type", "x"]),
    st.one_of(st.text(max_size=8), st.sampled_from([PUBKEY, JULIET, "1", "member"])),
    max_size=3,
)


@st.composite
def _trees(draw: st.DrawFn, depth: int = 3) -> ET.Element:
    namespace, name = draw(_namespaces), draw(_names)
    tree = ET.Element(f"{{{namespace}}}{name}" if namespace else name, draw(_attributes))
    tree.text = draw(st.text(max_size=5))
    if depth:
        tree.extend(draw(st.lists(_trees(depth - 1), max_size=3)))
    return tree


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(_trees(), max_size=3))
def test_no_element_breaks_the_reading_of_requests(children: list[ET.Element]) -> None:
    for tag, parse in (
        (xep_0060.PUBSUB_TAG, lambda tree: xep_0060.parse_get(tree, Limits())),
        (xep_0060.PUBSUB_TAG, lambda tree: xep_0060.parse_set(tree, Limits())),
        (xep_0060_owner.OWNER_TAG, xep_0060_owner.parse_get),
        (xep_0060_owner.OWNER_TAG, lambda tree: xep_0060_owner.parse_set(tree, Limits())),
    ):
        tree = ET.Element(tag)
        tree.extend(children)
        with suppress(StanzaError):
            parse(tree)
