"""Whatever comes, however it is shaped: one answer to each IQ of type get or set, and never an exception."""

from __future__ import annotations

from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from hypothesis import event, given
from hypothesis import strategies as st

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import JidMalformed
from stanzavault.runtime.stream import to_wire
from support.desk import COMPONENT, Desk

_NOT_XML = "".join(map(chr, [*range(9), 11, 12, *range(14, 32)])) + "\ufffe\uffff"
_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=_NOT_XML), max_size=12)
_ADDRESSES = st.one_of(
    st.sampled_from([
        "vault.example.org", "vault.example.org/x", "juliet\\40example.org@vault.example.org",
        "@vault.example.org", "\\40@vault.example.org", "example.org", "example.net", "juliet@example.org",
        "juliet@example.org/balcony",
        "nurse@example.net/x", "romeo@montague.example/orchard", "rogue.example.org", "@", "",
    ]),
    _TEXT,
)  # fmt: skip
_NAMESPACES = st.sampled_from([
    COMPONENT, "jabber:client", "urn:example:echo", "urn:xmpp:delegation:1", "urn:xmpp:delegation:2",
    "urn:xmpp:delegation:3", "urn:xmpp:privilege:1", "urn:xmpp:privilege:2", "urn:xmpp:forward:0",
    "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "jabber:iq:version",
    "urn:xmpp:ping", "urn:example:nothing", "",
])  # fmt: skip
_NAMES = st.sampled_from([
    "iq", "message", "presence", "echo", "delegation", "delegated", "privilege", "perm", "forwarded", "query",
    "ping",
])  # fmt: skip
_TYPES = st.one_of(st.sampled_from(["get", "set", "result", "error", "chat", "unavailable"]), _TEXT)
_ATTRIBUTES = st.fixed_dictionaries(
    {},
    optional={
        "type": _TYPES, "id": _TEXT, "from": _ADDRESSES, "to": _ADDRESSES, "access": st.just("roster"),
        "node": st.sampled_from(["urn:example:node", "urn:xmpp:delegation:2::urn:example:echo", "nowhere"]),
    },
)  # fmt: skip


def _tree(tag: str, attributes: dict[str, str], text: str, children: list[Element]) -> Element:
    tree = ET.Element(tag, attributes)
    tree.text = text
    tree.extend(children)
    return tree


_TAGS = st.builds(
    lambda namespace, name: f"{{{namespace}}}{name}" if namespace else name, _NAMESPACES, _NAMES
)
_ELEMENTS = st.recursive(
    st.builds(_tree, _TAGS, _ATTRIBUTES, _TEXT, st.just([])),
    lambda inner: st.builds(_tree, _TAGS, _ATTRIBUTES, _TEXT, st.lists(inner, max_size=3)),
    max_leaves=8,
)
_INNER = st.builds(
    _tree,
    st.sampled_from(["{jabber:client}iq", f"{{{COMPONENT}}}iq", "{jabber:client}message"]),
    _ATTRIBUTES,
    st.just(""),
    st.lists(_ELEMENTS, max_size=2),
)
_WRAPPERS = st.builds(
    lambda version, forwarded: _tree(f"{{urn:xmpp:delegation:{version}}}delegation", {}, "", forwarded),
    st.integers(1, 3),
    st.lists(
        st.builds(
            lambda inner: _tree("{urn:xmpp:forward:0}forwarded", {}, "", inner), st.lists(_INNER, max_size=2)
        ),
        max_size=2,
    ),
)
_STANZAS = st.builds(
    _tree,
    st.sampled_from(
        [f"{{{COMPONENT}}}{kind}" for kind in ("iq", "iq", "iq", "message", "presence", "other")]
    ),
    _ATTRIBUTES,
    _TEXT,
    st.lists(st.one_of(_ELEMENTS, _WRAPPERS), max_size=3),
)


def _is_address(text: str) -> bool:
    try:
        Address.parse(text)
    except JidMalformed:
        return False
    return True


@given(_STANZAS)
async def test_each_iq_that_asks_gets_exactly_one_answer_and_nothing_raises(stanza: Element) -> None:
    desk = Desk()
    is_request = stanza.tag == f"{{{COMPONENT}}}iq" and stanza.get("type") not in {"result", "error"}
    sender = stanza.get("from", "")

    desk.boundary.queue_key(stanza)
    answer = await desk.hand(stanza)

    event(str(desk.outcomes))
    assert len(desk.outcomes) == 1
    if not _is_address(sender):
        assert answer is None
    elif is_request:
        assert answer is not None
        assert answer.get("type") in {"result", "error"}
        assert (answer.get("id"), answer.get("to")) == (stanza.get("id"), sender)
    if answer is not None:
        assert answer.tag == stanza.tag
        assert (
            ET.fromstring(b"<s xmlns='jabber:component:accept'>" + to_wire(answer) + b"</s>")[0].tag
            == stanza.tag
        )


@given(
    outer=_ADDRESSES,
    inner=_ADDRESSES,
    to=st.none() | _ADDRESSES,
    payload=st.builds(_tree, st.just("{urn:example:echo}echo"), st.just({}), _TEXT, st.just([])),
    version=st.integers(1, 2),
)
async def test_nobody_is_served_as_somebody_for_whom_the_server_did_not_vouch(
    outer: str, inner: str, to: str | None, payload: Element, version: int
) -> None:
    desk = Desk()
    wrapped = _tree("{jabber:client}iq", {"type": "get", "id": "2", "from": inner}, "", [payload])
    if to is not None:
        wrapped.set("to", to)
    forwarded = _tree("{urn:xmpp:forward:0}forwarded", {}, "", [wrapped])
    wrapper = _tree(f"{{urn:xmpp:delegation:{version}}}delegation", {}, "", [forwarded])
    head = {"type": "set", "id": "1", "from": outer, "to": "vault.example.org"}

    await desk.hand(_tree(f"{{{COMPONENT}}}iq", head, "", [wrapper]))

    for request in desk.asked:
        sender = Address.parse(inner)
        assert outer in {"example.org", "example.net"}
        assert request.principal.address == sender
        assert sender.local
        assert sender.domain == outer == request.account.domain
