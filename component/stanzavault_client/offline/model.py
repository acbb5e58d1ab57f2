"""Messages that were left for this client's account."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from xml.etree.ElementTree import Element

from slixmpp.xmlstream import StanzaBase

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import StanzaError
from stanzavault.offline.stanza.xep_0013 import NAMESPACE
from stanzavault.offline.stanza.xep_0160 import STANZA_IDS
from stanzavault.wire import xep_0082
from stanzavault.wire.xml import qualified

_DELAY = qualified("urn:xmpp:delay", "delay")
_STANZA_ID = qualified(STANZA_IDS, "stanza-id")
_MARK = f"{qualified(NAMESPACE, 'offline')}/{qualified(NAMESPACE, 'item')}"


@dataclass(frozen=True, slots=True)
class Header:
    """A message that waits, as the list of them tells it (XEP-0013, section 2.3).

    Attributes:
        node: what it is viewed and removed by.
        sender: who left it.
    """

    node: str
    sender: Address


@dataclass(frozen=True, slots=True)
class LeftMessage:
    """A message that the vault hands on.

    Attributes:
        id: its one id, however often it comes.
        sender: who left it, with the resource that it was sent from.
        at: when the vault received it.
        message: the whole stanza; its `from` is the sender's address inside the vault's.
        node: what it is removed by, where it was viewed or fetched; "" where it was delivered.
    """

    id: str
    sender: Address
    at: datetime
    message: StanzaBase = field(repr=False, compare=False)
    node: str = ""


def read_left(message: StanzaBase, vault: str) -> LeftMessage | None:
    """A message as the vault hands it on; None where it is something else, or not the vault's."""
    xml = message.xml
    try:
        sender = Address.parse(xml.get("from", ""))
        if sender.domain != vault or not sender.local:
            return None
        delay, stanza_id = _own(xml, _DELAY, "from", vault), _own(xml, _STANZA_ID, "by", vault)
        if delay is None or stanza_id is None:
            return None
        inside = sender.outside()
        at = xep_0082.parse(delay.get("stamp", ""))
    except StanzaError:
        return None
    mark = xml.find(_MARK)
    node = "" if mark is None else mark.get("node", "")
    left_by = Address(inside.local, inside.domain, sender.resource)
    return LeftMessage(stanza_id.get("id", ""), left_by, at, message, node)


def read_header(item: Element) -> Header | None:
    """An item of the list; None where it is none."""
    try:
        return Header(item.get("node", ""), Address.parse(item.get("name", "")))
    except StanzaError:
        return None


def _own(message: Element, tag: str, attribute: str, vault: str) -> Element | None:
    """The vault's own element: what others put in is no word of the vault's."""
    found = [child for child in message if child.tag == tag and child.get(attribute) == vault]
    return found[0] if found else None
