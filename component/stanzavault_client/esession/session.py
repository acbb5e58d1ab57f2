"""One encrypted session, as a slixmpp client uses it.

Every call, every stanza that arrives and every tick is one step on the event loop, from the library through
the store to the queue of what is sent: nothing comes between, so stanzas leave in their counters' order.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final
from xml.etree import ElementTree as ET

from slixmpp.stanza import Iq
from slixmpp.xmlstream import StanzaBase

from esession import Outcome, RSAPublicKey, Session, State
from esession.events import (
    CleartextReceived,
    DeliveryFailed,
    EndReason,
    Event,
    IdentityPresented,
    NegotiationFailed,
    Send,
    SessionActive,
    SessionEnded,
    StanzaReceived,
)
from esession.negotiation.terms import Terms
from esession.suite import Suite
from stanzavault_client.errors import ClientError
from stanzavault_client.esession.desk import Desk
from stanzavault_client.esession.disorder import Disorder
from stanzavault_client.esession.happenings import Happening, name_of
from stanzavault_client.esession.memory import is_revoked, keep
from stanzavault_client.esession.requests import Requests
from stanzavault_client.esession.sending import as_element, as_stanza
from stanzavault_client.esession.transcript import Transcript

_CLIENT: Final = "{jabber:client}"
_REMEMBERED_IDS: Final = 4096
_TALKING: Final = frozenset({State.ACTIVE, State.MOVING, State.SENDING, State.RECEIVING})
_NOT_KEPT: Final = "the store could not keep what has to be kept"
_REVOKED: Final = "the peer's key has been revoked"


class SessionFailed(ClientError):
    """No session came about, or it ended while something was waited for.

    Attributes:
        reason: why, in the library's terms.
        condition: the stanza error that was reported, "" where there was none.
    """

    def __init__(self, peer: str, ended: SessionEnded, failed: NegotiationFailed | None = None) -> None:
        told = next((text for text in (ended.text, failed.text if failed else "") if text), "")
        super().__init__(f"The session with {peer} is over: {ended.reason.value}{told and f' ({told})'}.")
        self.reason = ended.reason
        self.condition = failed.condition if failed else ""


class EncryptedSession:
    """A session with one peer: get one from the plugin's `open`, or from the event `esession_requested`."""

    def __init__(self, session: Session, desk: Desk, transcript: Transcript | None) -> None:
        self._session = session
        self._desk = desk
        self._requests = Requests()
        self._disorder = Disorder(session, self._receive)
        self._sent_ids: OrderedDict[str, None] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._failed: NegotiationFailed | None = None
        self._ended: SessionEnded | None = None
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self.transcript = transcript

    # --- what it is -----------------------------------------------------------------------------------

    @property
    def peer(self) -> str:
        """The peer's JID; full once it has answered."""
        return self._session.peer

    @property
    def thread(self) -> str:
        """The thread of its messages (XEP-0201)."""
        return self._session.thread

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._session.state

    @property
    def is_talking(self) -> bool:
        """Whether stanzas can be exchanged, in one direction at least."""
        return self.state in _TALKING

    @property
    def encrypted(self) -> bool:
        """Whether it is encrypted: not where `c2s` or `none` was chosen, which a client must show."""
        return self.suite is not None

    @property
    def sas(self) -> str | None:
        """The short authentication string, to be compared with the peer's by another way than this one."""
        return self._session.sas

    @property
    def suite(self) -> Suite | None:
        """The algorithms; None as long as, or if, it is not encrypted."""
        return self._session.suite

    @property
    def terms(self) -> Terms | None:
        """What else was agreed on, once it is."""
        return self._session.terms

    @property
    def peer_key(self) -> RSAPublicKey | None:
        """The public key that the peer has proved to hold."""
        return self._session.peer_key

    def __repr__(self) -> str:
        return f"EncryptedSession({self.peer!r}, {self.state.name})"

    # --- negotiating ----------------------------------------------------------------------------------

    async def accept(self, *, unencrypted: bool = False) -> None:
        """Accept a request of the peer, and wait until the session stands.

        Args:
            unencrypted: do without encryption, where both the request and our policy allow that.

        Raises:
            SessionFailed: it did not come about.
        """
        session = self._session
        self.apply((session.accept_unencrypted if unencrypted else session.accept)(self._desk.now()))
        await self.until_active()

    async def reject(self, reason: str | None = None) -> None:
        """Decline a request of the peer, which shows presence; to stay hidden, do nothing instead."""
        self.apply(self._session.reject(self._desk.now(), reason))

    async def complete(self) -> None:
        """Go on with a response that was held for review (`Policy.review`)."""
        self.apply(self._session.complete(self._desk.now()))
        await self.until_active()

    async def cancel(self, reason: str | None = None) -> None:
        """Call off a request of ours."""
        self.apply(self._session.cancel(self._desk.now(), reason))

    async def until_active(self) -> None:
        """Wait until stanzas can be exchanged.

        Raises:
            SessionFailed: that will never be.
        """
        await self._settled.wait()
        if self._ended is not None and self._ended.reason is not EndReason.ONE_SHOT:
            raise SessionFailed(self.peer, self._ended, self._failed)

    async def until_over(self) -> SessionEnded:
        """Wait until the session has ended; why it did."""
        await self._over.wait()
        if self._ended is None:
            raise AssertionError("a session that is over says why")
        return self._ended

    async def confirm_sas(self) -> None:
        """Remember that the user compared the short authentication strings, and that they match."""
        self.apply(self._session.confirm_sas(self._desk.now()))

    # --- talking --------------------------------------------------------------------------------------

    async def send(self, stanza: StanzaBase | ET.Element | None = None, *, body: str | None = None) -> str:
        """Send a message, presence or answer to an IQ; its addresses and thread are filled in.

        Args:
            stanza: slixmpp's, or an element of the `jabber:client` namespace.
            body: the text of a message, where no stanza is given.

        Returns:
            The stanza's id.

        Raises:
            MisuseError: the session doesn't stand, or stanzas of this kind were not agreed on.
        """
        element = as_element(stanza, body)
        if element.tag == f"{_CLIENT}iq" and element.get("type") in {"get", "set"}:
            raise ValueError("a request waits for its answer: `request` sends it")
        return self._send(element)

    async def request(self, iq: Iq, *, timeout: float | None = None) -> Iq:  # noqa: ASYNC109 - as slixmpp's
        """Send an IQ of type get or set within the session, and wait for the result.

        Args:
            iq: the request; its addresses are filled in.
            timeout: seconds; the policy's `answer_within` by default.

        Raises:
            IqError: it was refused.
            IqTimeout: nobody answered in time.
            SessionFailed: the session ended meanwhile.
        """
        iq["id"] = iq["id"] or self._desk.client.new_id()
        return await self._requests.ask(iq, self._send, timeout or self._desk.answer_within)

    async def rekey(self) -> None:
        """Exchange new keys now (XEP-0200 section 8)."""
        self.apply(self._session.rekey(self._desk.now()))

    async def renegotiate(self, fields: Mapping[str, tuple[str, ...]]) -> None:
        """Ask for other terms; the event `esession_renegotiated` tells the answer."""
        self.apply(self._session.renegotiate(fields, self._desk.now()))

    async def answer_renegotiation(self, *, accept: bool) -> None:
        """Accept the peer's wish for other terms, as our policy chooses among them, or reject it."""
        self.apply(self._session.answer_renegotiation(self._desk.now(), accept=accept))

    async def move(self, resource: str) -> None:
        """Ask to go on from another resource of ours (XEP-0155 section 5)."""
        self.apply(self._session.move(resource, self._desk.now()))

    async def end(self) -> SessionEnded:
        """Terminate the session, and wait for the acknowledgement as long as the policy says."""
        if self._ended is None and self.state is not State.TERMINATING:
            self.terminate()
        return await self.until_over()

    # --- what the plugin calls ------------------------------------------------------------------------

    def terminate(self) -> None:
        """Terminate it, or give up a negotiation, without waiting."""
        now, state = self._desk.now(), self.state
        if state in _TALKING:
            self.apply(self._session.terminate(now))
        elif state in {State.REQUESTED, State.REVIEWING}:
            self.apply(self._session.cancel(now))
        elif state is not State.TERMINATING:
            self.lose()

    def lose(self) -> None:
        """Give it up without a word: the stream is gone, and won't be resumed."""
        self.apply(self._session.lose())

    def receive(self, element: ET.Element) -> None:
        """Take a stanza of the peer, or what a server says of one of ours."""
        self._disorder.receive(element)

    def resumed(self) -> None:
        """The stream was resumed, so that the order of stanzas may be disturbed."""
        if self.encrypted:
            self._disorder.expect()

    def has_sent(self, id_: str) -> bool:
        """Whether a stanza of this session had this id."""
        return id_ in self._sent_ids

    def apply(self, outcome: Outcome) -> None:
        """Carry out the effects, each durable before the next, and then tell the events.

        Raises:
            Exception: the store failed. Nothing was sent, and the session is over, since the counters of the
                two sides no longer agree.
        """
        now = self._desk.now()
        presented = next((each for each in outcome.events if isinstance(each, IdentityPresented)), None)
        revoked = bool(
            presented and presented.key and is_revoked(self._desk.store, presented.address, presented.key)
        )
        try:
            for effect in outcome.effects:
                if isinstance(effect, Send):
                    self._desk.sender.send(self._with_id(effect.stanza))
                else:
                    keep(self._desk.store, effect, now)
        except BaseException:
            self._session.lose()
            self._tell(SessionEnded(EndReason.LOST, _NOT_KEPT))
            raise
        if revoked and self._ended is None:
            self._refuse_revoked_key()
        else:
            self._tell_all(outcome.events)
        self._set_timer()

    # --- within ---------------------------------------------------------------------------------------

    def _receive(self, element: ET.Element) -> None:
        self.apply(self._session.receive(element, self._desk.now()))

    def _send(self, element: ET.Element) -> str:
        outcome = self._session.send(element, self._desk.now())
        if self.transcript is not None:
            self.transcript.add(element, self._session.terms, self._desk.now(), incoming=False)
        self.apply(outcome)
        return outcome.stanzas[-1].get("id", "")

    def _with_id(self, stanza: ET.Element) -> ET.Element:
        """A stanza with an id, by which an error that a server makes of it is recognized."""
        if not stanza.get("id"):
            stanza.set("id", self._desk.client.new_id())
        self._sent_ids[stanza.attrib["id"]] = None
        if len(self._sent_ids) > _REMEMBERED_IDS:
            self._sent_ids.popitem(last=False)
        return stanza

    def _refuse_revoked_key(self) -> None:
        """End a session before anybody is told that it stands: sessions know nothing of revocations."""
        now = self._desk.now()
        if self._session.state in _TALKING:
            for effect in self._session.terminate(now).effects:
                if isinstance(effect, Send):
                    self._desk.sender.send(self._with_id(effect.stanza))
        self._session.lose()
        self._tell_all((SessionEnded(EndReason.REFUSED, _REVOKED),))

    def _tell_all(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        client, stanza = self._desk.client, None
        match event:
            case StanzaReceived(element, _):
                stanza = as_stanza(client, element)
                if self._requests.take(stanza):
                    return
                if self.transcript is not None:
                    self.transcript.add(element, self._session.terms, self._desk.now(), incoming=True)
            case SessionActive():
                self._settled.set()
                self._desk.stands(self)
            case NegotiationFailed():
                self._failed = event
            case CleartextReceived(element, _):
                stanza = as_stanza(client, element)
            case DeliveryFailed(element, _):
                stanza = as_stanza(client, element)
                self._requests.take(stanza)
            case SessionEnded():
                self._ended = event
                self._settled.set()
                self._over.set()
                self._requests.fail(SessionFailed(self.peer, event))
                self._disorder.forget()
                self._desk.ended(self)
        name = name_of(event)
        if name == "esession_iq" and not client.event_handled(name):
            self._refuse(stanza)
        client.event(name, Happening(self, event, stanza))

    def _refuse(self, iq: Any) -> None:
        """Answer a request that nobody here understands."""
        if iq["type"] in {"get", "set"}:
            answer = iq.reply()
            answer["error"]["type"] = "cancel"
            answer["error"]["condition"] = "feature-not-implemented"
            self._send(answer.xml)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._session.next_tick if self._ended is None else None
        self._timer = None
        if due is not None:
            wait = max(0.0, (due - self._desk.now()).total_seconds())
            self._timer = asyncio.get_running_loop().call_later(wait, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self.apply(self._session.tick(self._desk.now()))
