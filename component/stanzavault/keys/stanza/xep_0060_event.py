"""What subscribers are told (XEP-0060, sections 7 and 8): messages of type headline, which nothing stores."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Final
from xml.etree.ElementTree import Element

from stanzavault.kernel.address import Address
from stanzavault.kernel.ids import new_stanza_id
from stanzavault.wire.xml import add, element, qualified

EVENT: Final = "http://jabber.org/protocol/pubsub#event"
_MESSAGE = "{jabber:component:accept}message"


def published(node: str, item_id: str, payload: Element) -> Element:
    """An item was published."""
    items = _child("items", node)
    add(items, "item", {"id": item_id}).append(payload)
    return items


def retracted(node: str, item_ids: Sequence[str]) -> Element:
    """Items were retracted."""
    items = _child("items", node)
    for item_id in item_ids:
        add(items, "retract", {"id": item_id})
    return items


def purged(node: str) -> Element:
    """All items were deleted."""
    return _child("purge", node)


def deleted(node: str) -> Element:
    """The node was deleted."""
    return _child("delete", node)


def configured(node: str) -> Element:
    """The node's configuration changed."""
    return _child("configuration", node)


def message(event: Element, sender: Address, recipient: Address) -> Element:
    """The message that tells `recipient` of an event."""
    stanza = element(
        _MESSAGE, {"from": str(sender), "to": str(recipient), "type": "headline", "id": new_stanza_id()}
    )
    holder = element(qualified(EVENT, "event"))
    holder.append(deepcopy(event))
    stanza.append(holder)
    return stanza


def _child(name: str, node: str) -> Element:
    return element(qualified(EVENT, name), {"node": node})
