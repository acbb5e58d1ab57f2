"""Flexible offline message retrieval: what is asked, and the lists that answer it (XEP-0013)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import BadRequest, Forbidden, ItemNotFound, NotAcceptable
from stanzavault.kernel.ids import id_bytes, id_text
from stanzavault.offline.model import Place
from stanzavault.wire import xep_0004
from stanzavault.wire.xml import element, only_known, qualified, required

NAMESPACE = "http://jabber.org/protocol/offline"
OFFLINE = qualified(NAMESPACE, "offline")

_INFO = "http://jabber.org/protocol/disco#info"
_ITEM = qualified("http://jabber.org/protocol/disco#items", "item")
_MOST_ITEMS = 1000
_NODE = re.compile(r"([0-9a-f]{15})-([a-z2-7]{26})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Some:
    """View or remove these messages: at least one, each once."""

    places: tuple[Place, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Fetch or purge every message."""


Command = Some | All


def parse(offline: Element, type_: str, account: Address) -> Command:
    """Read `<offline/>` of an IQ of type "get" (view, fetch) or "set" (remove, purge).

    Raises:
        BadRequest: it is not of its schema, or asks for what the IQ's type does not do.
        Forbidden: an item is of another account.
        ItemNotFound: an item's node is none of ours.
        NotAcceptable: there are too many items.
    """
    action, whole = ("view", "fetch") if type_ == "get" else ("remove", "purge")
    item_tag, whole_tag = qualified(NAMESPACE, "item"), qualified(NAMESPACE, whole)
    only_known(offline, children=(item_tag, whole_tag))
    if not len(offline):
        raise BadRequest(f"<offline/> of type {type_} holds <{whole}/> or items to {action}.")
    wholes = offline.findall(whole_tag)
    if wholes:
        only_known(wholes[0])
        if len(offline) > 1:
            raise BadRequest(f"<{whole}/> stands alone.")
        return All()
    if len(offline) > _MOST_ITEMS:
        raise NotAcceptable(f"No more than {_MOST_ITEMS} items are named at once.")
    places = [_parse_item(item, action, account) for item in offline]
    return Some(tuple(dict.fromkeys(places)))


def render_node(place: Place) -> str:
    """The node of a message: opaque, and in the order of the messages when sorted as text (section 2.3)."""
    return f"{place.position:015x}-{id_text(place.id)}"


def parse_node(text: str) -> Place:
    """The place that a node names.

    Raises:
        ItemNotFound: it is no node that the vault ever gave.
    """
    match = _NODE.fullmatch(text)
    id_ = id_bytes(match[2]) if match else None
    if match is None or id_ is None or id_text(id_) != match[2]:
        raise ItemNotFound("No message waits under this node.")
    return Place(int(match[1], 16), id_)


def render_number(number: int) -> Sequence[Element]:
    """The children of disco#info that tell the number of messages (section 2.2)."""
    form = xep_0004.Form("result", NAMESPACE, {"number_of_messages": (str(number),)})
    return (
        element(qualified(_INFO, "identity"), {"category": "automation", "type": "message-list"}),
        element(qualified(_INFO, "feature"), {"var": NAMESPACE}),
        xep_0004.render(form),
    )


def render_header(account: Address, place: Place, sender: Address) -> Element:
    """The item of disco#items that heads a message: `name` is its sender (section 2.3)."""
    return element(_ITEM, {"jid": str(account), "node": render_node(place), "name": str(sender)})


def _parse_item(item: Element, action: str, account: Address) -> Place:
    only_known(item, attributes=("action", "jid", "node"))
    if required(item, "action") != action:
        raise BadRequest(f"The action of an item is '{action}' here.")
    jid = item.get("jid")
    if jid is not None and Address.parse(jid) != account:
        raise Forbidden("The item is of another account.")
    return parse_node(required(item, "node"))
