"""A session: what the caller asks for and what arrives goes in, effects and events come out.

Threads are those of XEP-0201, negotiation that of XEP-0155 and XEP-0116. Nothing here reads a clock, draws
randomness of its own or keeps anything: a session that is dropped is gone, with its keys and counters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree as ET

from esession import control
from esession.errors import NOT_ACCEPTABLE, MalformedError, MisuseError, RefusedError
from esession.events import (
    Effect,
    EndReason,
    Outcome,
    RememberKey,
    RenegotiationEnded,
    RetainSecret,
    Send,
)
from esession.keys import RSAPublicKey, bare
from esession.lifecycle import require_aware
from esession.negotiation.established import Party
from esession.negotiation.handshake import Step
from esession.negotiation.terms import Terms
from esession.receiving import Receiver
from esession.state import Input, State
from esession.storage import KnownKey
from esession.suite import Suite
from esession.wire import xep_0155, xml


class Session(Receiver):
    """One session with one peer. Make one by `open`, by `asked`, or with `esession.offline`."""

    # --- making one -----------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        party: Party,
        peer: str,
        now: datetime,
        *,
        thread: str | None = None,
        parent: str | None = None,
        one_shot: ET.Element | None = None,
        namespace: str = "jabber:client",
    ) -> tuple[Session, Outcome]:
        """Request a session (XEP-0155 section 4.1, XEP-0116 section 4.3).

        Args:
            party: Our side.
            peer: The peer's JID, bare or full.
            now: The present time, aware of its zone.
            thread: The thread; drawn if None.
            parent: The thread that this one branches off (XEP-0201).
            one_shot: A message to send in isolation, by a negotiation of 3 messages whose last one carries
                it and ends the session (XEP-0116 section 4.6.4).
            namespace: That of the stanzas to send.

        Raises:
            MisuseError: The policy can't be offered.
        """
        require_aware(now)
        if one_shot is not None and party.policy.messages != 3:
            raise MisuseError("only a negotiation of 3 messages can end with one stanza")
        thread = thread or party.random(16).hex()
        session = cls(party, peer, thread, namespace=namespace, one_shot=one_shot, parent=parent)
        form = session._handshake.request()
        session._step(Input.OPEN)
        session._deadline = now + party.policy.negotiation_timeout
        return session, Outcome((Send(session._negotiation(form, only_online=True)),))

    @classmethod
    def asked(cls, party: Party, stanza: ET.Element, now: datetime) -> tuple[Session, Outcome]:
        """Take a request without answering it, since an answer shows presence (XEP-0155 section 11.1).

        Args:
            party: Our side.
            stanza: The message with the request.
            now: The present time.

        Raises:
            MalformedError: The stanza holds no well-formed request.
        """
        require_aware(now)
        message = xep_0155.read_message(stanza)
        if message is None or message.init or message.form.kind != "form" or "accept" not in message.form:
            raise MalformedError("this stanza requests no session")
        if not message.thread or not message.sender:
            raise MalformedError("a request needs a thread and a sender")
        namespace, _ = xml.split_tag(stanza.tag)
        session = cls(party, message.sender, message.thread, namespace=namespace, parent=message.parent)
        event = session._handshake.take_request(message)
        session._step(Input.REQUEST)
        session._asked_by = stanza
        session._deadline = now + party.policy.negotiation_timeout
        return session, Outcome(events=(event,))

    # --- what it is -----------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the session stands."""
        return self._state

    @property
    def peer(self) -> str:
        """The peer's JID; full once it has answered."""
        return self._peer

    @property
    def thread(self) -> str:
        """The session's thread (XEP-0201)."""
        return self._thread

    @property
    def parent(self) -> str | None:
        """The thread that the session's own branched off, if it did."""
        return self._parent

    @property
    def terms(self) -> Terms | None:
        """What was agreed, once it is."""
        return self._terms

    @property
    def suite(self) -> Suite | None:
        """The negotiated algorithms; None as long as, or if, the session isn't encrypted."""
        return self._conversation.channel.suite if self._conversation else None

    @property
    def sas(self) -> str | None:
        """The short authentication string, which may be compared out of band at any time."""
        return self._sas

    @property
    def peer_key(self) -> RSAPublicKey | None:
        """The public key that the peer has proved to hold."""
        return self._peer_key

    def __repr__(self) -> str:
        return f"Session({self._peer!r}, {self._state.name})"

    # --- negotiating ----------------------------------------------------------------------------------

    def accept(self, now: datetime) -> Outcome:
        """Accept a request: encrypted if it asks for that."""
        self._require(Input.ACCEPT)
        return self._proceed(self._handshake.accept, now)

    def accept_unencrypted(self, now: datetime) -> Outcome:
        """Accept a request as a session without encryption, where both it and our policy allow one."""
        self._require(Input.ACCEPT_UNENCRYPTED)
        return self._proceed(self._handshake.accept_unencrypted, now)

    def complete(self, now: datetime) -> Outcome:
        """Go on with a response that was held for review (XEP-0155 section 4.4)."""
        if self._state is not State.REVIEWING:
            raise MisuseError("there is no response to complete")
        return self._proceed(lambda: self._handshake.complete(now), now)

    def reject(self, now: datetime, reason: str | None = None) -> Outcome:
        """Decline a request (XEP-0155 section 4.3). To stay hidden, drop the session instead."""
        require_aware(now)
        self._require(Input.REJECT)
        sent = Send(self._negotiation(self._handshake.refusal("submit", reason)))
        return Outcome((sent,)) + self._end(Input.REJECT, EndReason.REJECTED)

    def cancel(self, now: datetime, reason: str | None = None) -> Outcome:
        """Call off a request of ours (XEP-0155 section 4.4)."""
        require_aware(now)
        self._require(Input.CANCEL)
        effects: tuple[Effect, ...] = ()
        if self._state is State.REVIEWING:
            effects = (Send(self._negotiation(self._handshake.refusal("result", reason))),)
        return Outcome(effects) + self._end(Input.CANCEL, EndReason.CANCELLED)

    def confirm_sas(self, now: datetime) -> Outcome:
        """Remember that the user compared the strings, and that they match (XEP-0116 section 7.3)."""
        require_aware(now)
        if self._sas is None:
            raise MisuseError("this session has no short authentication string")
        effects: list[Effect] = []
        if self._retained is not None:
            self._retained = replace(self._retained, verified=True)
            effects.append(RetainSecret(self._retained))
        if self._peer_key is not None:
            known = self._party.known.of(bare(self._peer))
            petname = next((each.petname for each in known if each.key == self._peer_key), None)
            key = KnownKey(bare(self._peer), self._peer_key, verified=True, petname=petname)
            effects.append(RememberKey(key))
        return Outcome(tuple(effects))

    # --- talking --------------------------------------------------------------------------------------

    def send(self, stanza: ET.Element, now: datetime) -> Outcome:
        """Send a message, presence or IQ within the session; its addresses and thread are filled in.

        Raises:
            MisuseError: The state forbids it, its kind was not agreed on, or the keys are worn out.
            MalformedError: Its content can't be written as XML.
        """
        require_aware(now)
        self._require(Input.SEND)
        suite = self.suite
        if suite is not None and xml.split_tag(stanza.tag)[1] not in suite.stanzas:
            raise MisuseError("stanzas of this kind were not agreed to be encrypted")
        sealed = self._seal(self._addressed(stanza), now)
        return Outcome((Send(sealed),), self._key_events())

    def rekey(self, now: datetime) -> Outcome:
        """Exchange new keys now, with an empty message (XEP-0200 section 8).

        Raises:
            MisuseError: The session has none, or the negotiated limit allows no exchange yet.
        """
        require_aware(now)
        self._require(Input.SEND)
        if self._conversation is None or self._state is not State.ACTIVE:
            raise MisuseError("this session exchanges no keys")
        sealed = self._seal(self._addressed(self._empty_message()), now, rekey=True)
        return Outcome((Send(sealed),), self._key_events())

    def terminate(self, now: datetime) -> Outcome:
        """End the session (XEP-0155 section 7, XEP-0116 section 5)."""
        require_aware(now)
        acknowledged = self._encrypts_control and self._state in {State.ACTIVE, State.MOVING}
        on = Input.TERMINATE if acknowledged else Input.TERMINATE_UNACKNOWLEDGED
        self._require(on)
        effects: tuple[Effect, ...] = ()
        if self._state is not State.RECEIVING:
            # One who was absent sends nothing within an offline session (XEP-0187 section 4).
            effects = (self._send_control(control.termination(self._party.policy.profile), now),)
        if not acknowledged:
            return Outcome(effects) + self._end(on, EndReason.TERMINATED)
        self._step(on)
        if self._conversation is not None:
            self._conversation.wipe_sending()
        self._deadline = now + self._party.policy.termination_timeout
        return Outcome(effects)

    def lose(self) -> Outcome:
        """Give the session up, and destroy its keys: the stream is gone for good. Nothing is sent."""
        if self._state is State.ENDED:
            return Outcome()
        return self._end(Input.LOSE, EndReason.LOST)

    def move(self, resource: str, now: datetime) -> Outcome:
        """Ask to go on from another resource of ours (XEP-0155 section 5)."""
        require_aware(now)
        self._require(Input.MOVE)
        effect = self._send_control(control.move(resource, self._party.policy.profile), now)
        self._step(Input.MOVE)
        self._target = resource
        self._deadline = now + self._party.policy.negotiation_timeout
        return Outcome((effect,))

    def renegotiate(self, fields: Mapping[str, tuple[str, ...]], now: datetime) -> Outcome:
        """Ask for other terms (XEP-0155 section 6).

        Args:
            fields: By name, the acceptable values in order of preference; `logging` takes `may` and
                `mustnot`.
            now: The present time.
        """
        require_aware(now)
        self._require(Input.CONTROL)
        form = control.renegotiation(fields, self._agreed(), self._party.policy.profile)
        effect = self._send_control(form, now)
        self._own_wish = form
        return Outcome((effect,))

    def answer_renegotiation(self, now: datetime, *, accept: bool) -> Outcome:
        """Accept the peer's wish for other terms, as our policy chooses among them, or reject it."""
        require_aware(now)
        self._require(Input.CONTROL)
        wish, terms, policy = self._peer_wish, self._agreed(), self._party.policy
        if wish is None:
            raise MisuseError("the peer has not asked for other terms")
        self._peer_wish = None
        if not accept:
            effect = self._send_control(control.rejection(terms, policy.profile), now)
            return Outcome((effect,), (RenegotiationEnded(accepted=False, terms=terms),))
        try:
            self._terms, form = control.choose(policy, wish, terms)
        except (RefusedError, MalformedError) as fault:
            error = fault if isinstance(fault, RefusedError) else RefusedError(NOT_ACCEPTABLE, (), str(fault))
            asked = self._negotiation(wish, to=self._own_jid)
            asked.set("from", self._peer)
            answer = xep_0155.write_error(asked, error.condition, error.fields)
            answer.set("to", self._peer)
            sealed = self._seal(answer, now) if self._encrypts_control else answer
            return Outcome((Send(sealed),), (RenegotiationEnded(accepted=False, terms=terms),))
        effect = self._send_control(form, now)
        return Outcome((effect,), (RenegotiationEnded(accepted=True, terms=self._terms),))

    # --- within ---------------------------------------------------------------------------------------

    def _proceed(self, step: Callable[[], Step], now: datetime) -> Outcome:
        require_aware(now)
        asked_by = self._asked_by
        try:
            return self.take(step(), now)
        except RefusedError as error:
            return self._refuse(asked_by, error)
        except MalformedError as error:
            return self._refuse(asked_by, RefusedError(NOT_ACCEPTABLE, (), str(error)))

    def _agreed(self) -> Terms:
        if self._terms is None:
            raise MisuseError("nothing has been agreed yet")
        return self._terms
