"""Which stanzas belong to encrypted sessions: they are taken before slixmpp's own handlers see them."""

from __future__ import annotations

import logging
from typing import Final, Protocol
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP
from slixmpp.stanza import Iq, Message, Presence
from slixmpp.xmlstream import StanzaBase

from esession import ESessionError, State
from esession.errors import NOT_ACCEPTABLE
from esession.wire import xep_0004, xep_0155
from esession.wire.xep_0155 import FEATURE, INIT, NegotiationMessage
from esession.wire.xep_0200 import C
from stanzavault_client.esession.sending import Sender
from stanzavault_client.esession.sessions import Sessions, thread_of

_log = logging.getLogger("stanzavault_client.esession")

_CLIENT: Final = "{jabber:client}"
_DELAY: Final = "{urn:xmpp:delay}delay"
_DISCOVERY: Final = "{http://jabber.org/protocol/disco#info}query"
_FIELD: Final = f"{{{xep_0004.DATA}}}x/{{{xep_0004.DATA}}}field"
_VALUE: Final = f"{{{xep_0004.DATA}}}value"


class Newcomers(Protocol):
    """Takes what begins a session."""

    def requested(self, stanza: ET.Element) -> None:
        """A peer asks for a session."""
        ...

    def started_offline(self, stanza: ET.Element) -> None:
        """A peer started a session while we were away (XEP-0187)."""
        ...

    def comes_early(self, stanza: ET.Element) -> bool:
        """Take what may belong behind stanzas that the server has kept and not delivered yet (XEP-0187)."""
        ...

    def came_online(self, jid: str) -> None:
        """A contact is available."""
        ...


class Router:
    """An incoming filter of slixmpp's: takes what is a session's, and lets everything else pass."""

    def __init__(self, client: ClientXMPP, sessions: Sessions, sender: Sender, newcomers: Newcomers) -> None:
        self._client = client
        self._sessions = sessions
        self._sender = sender
        self._newcomers = newcomers

    def take(self, stanza: StanzaBase) -> StanzaBase | None:
        """None if the stanza was taken.

        A stanza that can't be dealt with is not passed on either: it was meant for a session. Nothing is
        raised, since that would end the stream.
        """
        if not isinstance(stanza, (Message, Presence, Iq)):
            return stanza
        return None if self.take_element(stanza.xml) else stanza

    def take_element(self, stanza: ET.Element) -> bool:
        """The same for an element: whether it was taken."""
        try:
            return self._take(stanza)
        except ESessionError as error:
            _log.warning("a stanza of a session was not taken: %s", error)
            return True
        except Exception as error:  # noqa: BLE001 - a store's errors are its own; the session has ended by it
            _log.error("what a stanza brought could not be kept: %s", type(error).__name__)
            return True

    def _take(self, stanza: ET.Element) -> bool:
        if stanza.get("type") == "error":
            return self._take_error(stanza)
        if _is_session_form(stanza):
            self._take_form(stanza)
            return True
        if stanza.find(C) is not None:
            self._take_encrypted(stanza)
            return True
        return self._take_clear(stanza)

    def _take_error(self, stanza: ET.Element) -> bool:
        session = self._sessions.that_sent(stanza)
        if session is None:
            return stanza.find(C) is not None
        if stanza.tag == f"{_CLIENT}message" and not thread_of(stanza):
            # Servers drop it from their errors; the id has told whose stanza it is.
            ET.SubElement(stanza, f"{_CLIENT}thread").text = session.thread
        session.receive(stanza)
        return True

    def _take_form(self, stanza: ET.Element) -> None:
        session = self._sessions.by_thread(stanza.get("from", ""), thread_of(stanza))
        if session is not None:
            session.receive(stanza)
            return
        message = xep_0155.read_message(stanza)
        if message is not None and message.init and message.form.kind == "submit":
            self._newcomers.started_offline(stanza)
        elif message is not None and self._may_wait(message):
            self._newcomers.requested(stanza)

    def _may_wait(self, message: NegotiationMessage) -> bool:
        if message.init or message.form.kind != "form" or "accept" not in message.form:
            return False
        return self._sessions.has_room_for(message.sender)

    def _take_encrypted(self, stanza: ET.Element) -> None:
        session, delayed = self._sessions.of(stanza), stanza.find(_DELAY) is not None
        offline = session is None or session.state is State.RECEIVING
        if offline and not delayed and self._newcomers.comes_early(stanza):
            return
        if session is not None:
            session.receive(stanza)
        elif stanza.get("to") == self._client.boundjid.full and not delayed:
            # Of a session that this program no longer knows. Who writes to a resource knows that it is there,
            # so that the answer tells nothing; what was delivered late gets none (XEP-0187 section 3.4).
            self._sender.send(xep_0155.write_error(stanza, NOT_ACCEPTABLE))

    def _take_clear(self, stanza: ET.Element) -> bool:
        """Let a session know of a stanza beside it; it is taken only where the session is not encrypted.

        Not presence, which servers send by themselves, nor answers, nor discovery (XEP-0116 section 3).
        """
        sender = stanza.get("from", "")
        if stanza.tag == f"{_CLIENT}presence":
            if stanza.get("type") is None:
                self._newcomers.came_online(sender)
            return False
        if stanza.get("type") == "result" or stanza.find(_DISCOVERY) is not None:
            return False
        session = self._sessions.with_resource(sender)
        if session is None:
            return False
        if session.encrypted:
            session.receive(stanza)
            return False
        if thread_of(stanza) != session.thread:
            return False
        session.receive(stanza)
        return True


def _is_session_form(stanza: ET.Element) -> bool:
    """Whether a message negotiates a session: other uses of feature negotiation have another FORM_TYPE."""
    for wrapper in stanza.findall(FEATURE) + stanza.findall(INIT):
        for field in wrapper.iterfind(_FIELD):
            if field.get("var") == "FORM_TYPE" and field.findtext(_VALUE) == xep_0155.SSN:
                return stanza.tag == f"{_CLIENT}message" and bool(stanza.get("from"))
    return False
