"""What arrives from the peer, and what time brings (XEP-0155, XEP-0116, XEP-0200 section 7)."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from esession import control
from esession.control import ControlKind
from esession.conversation import RepeatedError
from esession.errors import NOT_ACCEPTABLE, DamagedError, MalformedError, RefusedError
from esession.events import (
    CleartextReceived,
    DeliveryFailed,
    EndReason,
    NegotiationFailed,
    Outcome,
    RenegotiationEnded,
    RenegotiationRequested,
    RepetitionIgnored,
    ResponseReceived,
    Send,
    SessionMoved,
    StanzaDropped,
    StanzaIgnored,
    StanzaReceived,
)
from esession.keys import bare
from esession.lifecycle import TALKING, Lifecycle, require_aware
from esession.state import Input, State
from esession.wire import xep_0155, xep_0200, xml
from esession.wire.xep_0004 import Form
from esession.wire.xep_0155 import NegotiationMessage

_NEGOTIATING: Final = frozenset(
    {State.REQUESTED, State.REVIEWING, State.PROVED, State.ASKED, State.RESPONDED}
)
_CONTROL_INPUTS: Final = {
    ControlKind.TERMINATION: Input.TERMINATION,
    ControlKind.ACKNOWLEDGEMENT: Input.ACKNOWLEDGEMENT,
    ControlKind.RENEGOTIATION: Input.PEER_CONTROL,
    ControlKind.RENEGOTIATION_ANSWER: Input.PEER_CONTROL,
    ControlKind.MOVE: Input.PEER_CONTROL,
    ControlKind.MOVE_ANSWER: Input.MOVE_ANSWER,
}


class Receiver(Lifecycle):
    """The receiving half of a session."""

    _taken_forms: frozenset[Hashable] = frozenset()

    def receive(self, stanza: ET.Element, now: datetime) -> Outcome:  # noqa: PLR0911  a case a return
        """Take a stanza from the peer.

        Args:
            stanza: As it arrived, with the `from` that the server vouches for.
            now: The present time.
        """
        require_aware(now)
        sender = stanza.get("from", "")
        message, fault = _read_negotiation(stanza)
        thread = _thread_of(stanza)
        if thread and thread != self._thread:
            return _ignored("it belongs to another thread")
        # A peer has no resource before it answers, and what is sent to the absent comes back from anywhere.
        unbound = self._state in {State.REQUESTED, State.SENDING}
        if sender != self._peer and not (unbound and bare(sender) == bare(self._peer)):
            return self._receive_from_elsewhere(message, sender)
        if stanza.get("type") == "error":
            return self._receive_error(stanza)
        if fault is not None:
            return _ignored(fault)
        if message is not None:
            return self._receive_form(message, now)
        if stanza.find(xep_0200.C) is not None:
            return self._receive_encrypted(stanza, now)
        return self._receive_clear(stanza)

    def authenticates(self, stanza: ET.Element) -> bool:
        """Whether an encrypted stanza is the next one, or has passed before; nothing changes.

        For a client whose server may have changed the order: what is not the next one yet can be held back
        for a moment, where `receive` would end the session.
        """
        return self._conversation is not None and self._conversation.authenticates(stanza)

    def tick(self, now: datetime) -> Outcome:
        """Let time pass: call it when `next_tick` says, or at any time."""
        require_aware(now)
        conversation = self._conversation
        if self._deadline and now >= self._deadline:
            return self._end(Input.TIMEOUT, EndReason.TIMED_OUT)
        if conversation is None or self._state not in TALKING:
            return Outcome()
        if self._state is not State.TERMINATING:
            conversation.forget_old_keys(now)
        due = self._idle_rekey_due()
        if due is not None and now >= due:
            sealed = self._seal(self._addressed(self._empty_message()), now, rekey=True)
            return Outcome((Send(sealed),), self._key_events())
        return Outcome()

    @property
    def next_tick(self) -> datetime | None:
        """When `tick` is wanted; None if nothing waits for time to pass."""
        times = [self._deadline, self._idle_rekey_due()]
        if self._conversation and self._state in TALKING:
            wait = self._party.policy.keep_old_keys_for
            times += [each.made + wait for each in self._conversation.channel.sets[1:] if each.made]
        return min((each for each in times if each is not None), default=None)

    def _idle_rekey_due(self) -> datetime | None:
        """When silence calls for a key exchange (XEP-0200 section 10.4)."""
        idle, last = self._party.policy.rekey_idle, self._last_stanza
        if idle is None or last is None or self._conversation is None or self._state is not State.ACTIVE:
            return None
        channel = self._conversation.channel
        return last + idle if channel.stanzas and self._conversation.can_rekey() else None

    # --- negotiation ----------------------------------------------------------------------------------

    def _receive_from_elsewhere(self, message: NegotiationMessage | None, sender: str) -> Outcome:
        """Another resource that answers our request is told that it comes too late."""
        accepts = message is not None and message.form.kind == "submit" and "my_nonce" in message.form
        if accepts and bare(sender) == bare(self._peer) and message and message.thread == self._thread:
            form = self._handshake.refusal("result", None)
            return Outcome((Send(self._negotiation(form, to=sender)),), _ignored("another answers").events)
        return _ignored("it comes from another address")

    def _receive_form(self, message: NegotiationMessage, now: datetime) -> Outcome:
        if self._state in TALKING and self._encrypts_control:
            # Within an encrypted session nothing is negotiated in clear (XEP-0116 section 4.8.2).
            return Outcome(events=(CleartextReceived(message.element, agreed=True),))
        mark = _mark(message)
        if mark in self._taken_forms:
            return Outcome(events=(RepetitionIgnored(),))
        if message.thread != self._thread:
            return _ignored("it belongs to no thread")
        try:
            outcome = self._negotiate(message, now)
        except RefusedError as error:
            outcome = self._refuse(message.element, error)
        except MalformedError as error:
            if self._state not in _NEGOTIATING:
                return _ignored(str(error))
            outcome = self._refuse(message.element, RefusedError(NOT_ACCEPTABLE, (), str(error)))
        self._taken_forms |= {mark}
        return outcome

    def _negotiate(self, message: NegotiationMessage, now: datetime) -> Outcome:  # noqa: PLR0911  a case a return
        form, state = message.form, self._state
        accepts = form.boolean("accept")
        if state is State.REQUESTED and form.kind == "submit" and accepts is not None:
            return self._take_response(message, now, accepts=accepts)
        if state in {State.ASKED, State.RESPONDED} and form.kind == "result" and accepts is False:
            return self._end(Input.CANCELLATION, EndReason.CANCELLED, form.optional("reason") or "")
        if state is State.RESPONDED and form.kind == "result" and accepts:
            step = self._handshake.take_completion(form, now)
            return self.take(replace(step, received=message.element), now)
        if state is State.PROVED and message.init and form.kind == "result":
            step = self._handshake.take_final(form)
            return self.take(replace(step, received=message.element), now)
        if state in TALKING:
            return self._receive_control(form, now)
        if state is State.ENDED:
            return self._answer_late_form(message, accepts=accepts)
        return _ignored(f"no such form is waited for: {state.value}")

    def _take_response(self, message: NegotiationMessage, now: datetime, *, accepts: bool) -> Outcome:
        form = message.form
        if not accepts:
            return self._end(Input.REJECTION, EndReason.REJECTED, form.optional("reason") or "")
        self._peer = message.sender
        terms = self._handshake.take_response(form, message.sender)
        self._step(Input.RESPONSE)
        self._asked_by = message.element
        if self._party.policy.review:
            return Outcome(events=(ResponseReceived(self._peer, terms),))
        return self.take(self._handshake.complete(now), now)

    def _answer_late_form(self, message: NegotiationMessage, *, accepts: bool | None) -> Outcome:
        """Let a peer that still negotiates know that this negotiation is over."""
        if message.form.kind == "submit" and accepts:
            form = self._handshake.refusal("result", None)
            return Outcome((Send(self._negotiation(form, to=message.sender)),), _ignored("it is over").events)
        if message.form.kind == "result" and (accepts or message.init):
            return Outcome(
                (Send(xep_0155.write_error(message.element, NOT_ACCEPTABLE)),), _ignored("it is over").events
            )
        return _ignored("it is over")

    # --- errors ---------------------------------------------------------------------------------------

    def _receive_error(self, stanza: ET.Element) -> Outcome:  # noqa: PLR0911  a case a return
        condition, fields = xep_0155.read_error(stanza)
        is_message = xml.split_tag(stanza.tag)[1] == "message"
        concerns = _thread_of(stanza) == self._thread
        if self._state in _NEGOTIATING:
            if not (is_message and concerns):
                return _ignored("an error about something else")
            failed = NegotiationFailed(condition, fields, by_us=False)
            return Outcome(events=(failed,)) + self._end(Input.ERROR, EndReason.REFUSED)
        if self._state not in TALKING:
            return _ignored("it is over")
        if self._conversation is not None:
            if self._conversation.has_sent(stanza):
                failure = DeliveryFailed(stanza, condition)
                return Outcome(events=(failure,)) + self._end(Input.ERROR, EndReason.UNDELIVERED)
            opened = self._open_error(stanza)
            if opened is not None:
                return opened
        if is_message and concerns:
            failure = DeliveryFailed(stanza, condition)
            return Outcome(events=(failure,)) + self._end(Input.ERROR, EndReason.REPORTED, condition)
        return Outcome(events=(DeliveryFailed(stanza, condition),))

    def _open_error(self, stanza: ET.Element) -> Outcome | None:
        """An error stanza whose content is encrypted is a stanza of the session; None if it isn't one."""
        if self._conversation is None or not self._allows(Input.STANZA):
            return None
        try:
            opened = self._conversation.open(stanza)
        except RepeatedError:
            return Outcome(events=(RepetitionIgnored(),))
        except (DamagedError, MalformedError):
            return None
        return Outcome(events=(StanzaReceived(opened, encrypted=True), *self._key_events()))

    # --- within an active session ---------------------------------------------------------------------

    def _receive_clear(self, stanza: ET.Element) -> Outcome:
        if self._state not in TALKING:
            return _ignored("there is no session yet, or no more")
        if self._conversation is not None:
            agreed = xml.split_tag(stanza.tag)[1] in self._conversation.channel.suite.stanzas
            return Outcome(events=(CleartextReceived(stanza, agreed=agreed),))
        if not self._allows(Input.STANZA):
            return _ignored("nothing is waited for")
        return Outcome(events=(StanzaReceived(stanza, encrypted=False),))

    def _receive_encrypted(self, stanza: ET.Element, now: datetime) -> Outcome:  # noqa: PLR0911  a case a return
        conversation = self._conversation
        if conversation is None or self._state not in TALKING:
            return self._receive_untimely(stanza)
        if not self._allows(Input.STANZA):
            # One who was absent sends nothing within an offline session (XEP-0187 section 4).
            return _ignored("nothing is received within this session")
        try:
            opened = conversation.open(stanza)
        except RepeatedError:
            return Outcome(events=(RepetitionIgnored(),))
        except DamagedError as error:
            if self._party.policy.drop_damaged:
                return Outcome(events=(StanzaDropped(str(error)),))
            return self._damaged(stanza, str(error))
        except MalformedError as error:
            # Authentic, but unreadable: the text allows no other answer (XEP-0200 section 7).
            return self._damaged(stanza, str(error))
        self._last_stanza = now
        keys = Outcome(events=self._key_events())
        try:
            return keys + self._receive_opened(opened, now)
        except (MalformedError, RefusedError) as error:
            return keys + self._damaged(stanza, str(error))

    def _receive_opened(self, opened: ET.Element, now: datetime) -> Outcome:
        """Take a stanza that has been decrypted."""
        form = xep_0155.read_message(opened)
        if form is not None and self._encrypts_control:
            return self._receive_control(form.form, now)
        is_empty = all(xml.split_tag(child.tag)[1] == "thread" for child in opened)
        if is_empty and xml.split_tag(opened.tag)[1] == "message":
            return Outcome()  # it only carried keys; an empty IQ or presence has a meaning of its own
        return Outcome(events=(StanzaReceived(opened, encrypted=True),))

    def _receive_untimely(self, stanza: ET.Element) -> Outcome:
        """Encrypted content before there is a session, or after its end."""
        if self._conversation is not None and self._conversation.has_passed(stanza):
            return Outcome(events=(RepetitionIgnored(),))
        if self._state in {State.PROVED, State.RESPONDED} and not self._party.policy.drop_damaged:
            # The stanza that would have established the session has been lost on the way.
            return self._damaged(stanza, "encrypted content came before the session was established")
        if self._state is State.ENDED:
            error = xep_0155.write_error(stanza, NOT_ACCEPTABLE)
            return Outcome((Send(error),), _ignored("it is over").events)
        return _ignored("there is no session yet")

    def _damaged(self, stanza: ET.Element, text: str) -> Outcome:
        """End the session, and let the peer know (XEP-0200 section 7)."""
        effects: tuple[Send, ...] = ()
        if self._state is not State.RECEIVING:
            effects = (Send(xep_0155.write_error(stanza, NOT_ACCEPTABLE)),)
        return Outcome(effects) + self._end(Input.REFUSE, EndReason.DAMAGED, text)

    def _receive_control(self, form: Form, now: datetime) -> Outcome:  # noqa: PLR0911  a case a return
        kind = control.read_kind(form)
        if not self._allows(_CONTROL_INPUTS[kind]):
            return _ignored(f"not expected now: {kind.value}")
        profile = self._party.policy.profile
        if kind is ControlKind.TERMINATION:
            return self._receive_termination(now)
        if kind is ControlKind.ACKNOWLEDGEMENT:
            return self._end(Input.ACKNOWLEDGEMENT, EndReason.TERMINATED)
        if kind is ControlKind.RENEGOTIATION:
            self._peer_wish = form
            return Outcome(events=(RenegotiationRequested(control.offered(form)),))
        if kind is ControlKind.RENEGOTIATION_ANSWER:
            return self._receive_renegotiation_answer(form)
        resource = form.value("continue")
        if kind is ControlKind.MOVE:
            effects: tuple[Send, ...] = ()
            if self._state is not State.TERMINATING:
                effects = (self._send_control(control.move_answer(resource, profile), now),)
            self._peer = f"{bare(self._peer)}/{resource}"
            return Outcome(effects, (SessionMoved(ours=False, jid=self._peer),))
        if resource != self._target:
            return _ignored("another resource was asked for")
        self._step(Input.MOVE_ANSWER)
        self._own_jid, self._target = f"{bare(self._own_jid)}/{resource}", None
        if self._state is State.ACTIVE:
            self._deadline = None
        return Outcome(events=(SessionMoved(ours=True, jid=self._own_jid),))

    def _receive_termination(self, now: datetime) -> Outcome:
        """Acknowledge a termination, unless we may send no more (XEP-0116 section 5)."""
        effects: tuple[Send, ...] = ()
        if self._encrypts_control and self._state in {State.ACTIVE, State.MOVING}:
            form = control.acknowledgement(self._party.policy.profile)
            effects = (self._send_control(form, now),)
        ours = self._state is State.TERMINATING
        reason = EndReason.TERMINATED if ours else EndReason.PEER_TERMINATED
        return Outcome(effects) + self._end(Input.TERMINATION, reason)

    def _receive_renegotiation_answer(self, form: Form) -> Outcome:
        asked, terms = self._own_wish, self._terms
        if asked is None or terms is None:
            return _ignored("no renegotiation of ours is open")
        self._own_wish = None
        chosen = control.read_answer(self._party.policy, asked, form, terms)
        self._terms = chosen or terms
        return Outcome(events=(RenegotiationEnded(accepted=chosen is not None, terms=self._terms),))


def _read_negotiation(stanza: ET.Element) -> tuple[NegotiationMessage | None, str | None]:
    try:
        return xep_0155.read_message(stanza), None
    except MalformedError as error:
        return None, str(error)


def _thread_of(stanza: ET.Element) -> str:
    namespace, _ = xml.split_tag(stanza.tag)
    return stanza.findtext(f"{{{namespace}}}thread" if namespace else "thread", "").strip()


def _mark(message: NegotiationMessage) -> Hashable:
    """What tells an exact repetition of a form from another one."""
    return message.form.kind, message.init, tuple(message.form.fields.values())


def _ignored(text: str) -> Outcome:
    return Outcome(events=(StanzaIgnored(text),))
