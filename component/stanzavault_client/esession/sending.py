"""Sending in order: slixmpp gets the next stanza of a session when the one before it has left.

A stanza out of order ends an encrypted session, and slixmpp changes the order twice: a slow asynchronous
filter lets later stanzas overtake, and a resumed stream (XEP-0198) sends what was queued meanwhile before
what was never acknowledged.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Final
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP
from slixmpp.stanza import Iq, Message, Presence
from slixmpp.xmlstream import StanzaBase

_CLIENT: Final = "{jabber:client}"
_STANZAS: Final[dict[str, type[StanzaBase]]] = {"message": Message, "presence": Presence, "iq": Iq}


def as_stanza(client: ClientXMPP, element: ET.Element) -> Any:
    """An element of the `jabber:client` namespace as slixmpp's Message, Presence or Iq."""
    return _STANZAS[element.tag.rpartition("}")[2]](client, xml=element)


def as_element(stanza: StanzaBase | ET.Element | None, body: str | None) -> ET.Element:
    """What is to be sent: slixmpp's stanza, an element, or a chat message made of its text.

    Raises:
        ValueError: neither or both of them.
    """
    if (stanza is None) == (body is None):
        raise ValueError("send a stanza or a body")
    if isinstance(stanza, StanzaBase):
        xml: ET.Element = stanza.xml
        return xml
    if stanza is not None:
        return stanza
    element = ET.Element(f"{_CLIENT}message", {"type": "chat"})
    ET.SubElement(element, f"{_CLIENT}body").text = body
    return element


class Sender:
    """The stanzas of all sessions of a client, on their way out."""

    def __init__(self, client: ClientXMPP) -> None:
        self._client = client
        self._waiting: deque[StanzaBase] = deque()
        self._handed: StanzaBase | None = None
        self._open = client.is_connected() and client.session_bind_event.is_set()
        client.add_filter("out_sync", self._pass)
        client.add_event_handler("session_start", self._opened)
        client.add_event_handler("session_resumed", self._opened)
        client.add_event_handler("disconnected", self._closed)

    def close(self) -> None:
        """Send nothing more."""
        self.forget()
        self._client.del_event_handler("session_start", self._opened)
        self._client.del_event_handler("session_resumed", self._opened)
        self._client.del_event_handler("disconnected", self._closed)
        self._client.del_filter("out_sync", self._pass)

    def be_last(self) -> None:
        """Be the last of all filters, to see stanzas at the moment they leave."""
        self._client.del_filter("out_sync", self._pass)
        self._client.add_filter("out_sync", self._pass)

    def send(self, element: ET.Element) -> None:
        """Send a stanza behind all that were given before it; it waits while the stream is interrupted."""
        self._waiting.append(as_stanza(self._client, element))
        self._hand_over()

    def forget(self) -> None:
        """Drop what waits: the stream that it was for is gone."""
        self._waiting.clear()
        self._handed = None

    def _hand_over(self) -> None:
        if self._open and self._handed is None and self._waiting:
            self._handed = self._waiting.popleft()
            self._client.send(self._handed)

    def _pass(self, stanza: StanzaBase) -> StanzaBase | None:
        """Filter what leaves: slixmpp writes it to the stream as soon as this returns."""
        handed = self._handed
        if handed is None or stanza["id"] != handed["id"]:
            return stanza
        self._handed = None
        if not self._open:
            # Broken off on the way here: slixmpp would lose it, so it waits for the stream to be resumed.
            self._waiting.appendleft(handed)
            return None
        self._hand_over()
        return stanza

    def _opened(self, _event: object) -> None:
        self._open = True
        self._hand_over()

    def _closed(self, _event: object) -> None:
        self._open = False
