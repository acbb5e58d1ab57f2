"""What every part of a session shares: its state, its ending, and the stanzas that it writes."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from xml.etree import ElementTree as ET

from esession import verification
from esession.conversation import Conversation
from esession.errors import NOT_ACCEPTABLE, DamagedError, MalformedError, MisuseError, RefusedError
from esession.events import (
    Effect,
    EndReason,
    Event,
    NegotiationFailed,
    Outcome,
    Rekeyed,
    Send,
    SessionActive,
    SessionEnded,
    StanzaDropped,
    StanzaReceived,
)
from esession.keys import RSAPublicKey
from esession.negotiation.established import Party
from esession.negotiation.handshake import Handshake, Step
from esession.negotiation.terms import Terms
from esession.state import TRANSITIONS, Input, State
from esession.storage import RetainedSecret
from esession.wire import xep_0155, xep_0187, xep_0200, xml
from esession.wire.xep_0004 import Form

TALKING: Final = frozenset({State.ACTIVE, State.MOVING, State.TERMINATING, State.SENDING, State.RECEIVING})
_ONE_SHOTS: Final = frozenset(
    {Input.COMPLETE_ONE_SHOT, Input.COMPLETION_ONE_SHOT, Input.OPEN_ONE_SHOT, Input.OFFLINE_ONE_SHOT}
)


class Lifecycle:
    """A session's state and values; see `esession.session.Session` for what callers use."""

    def __init__(
        self,
        party: Party,
        peer: str,
        thread: str,
        *,
        namespace: str = "jabber:client",
        one_shot: ET.Element | None = None,
        rule: ET.Element | None = None,
        parent: str | None = None,
    ) -> None:
        self._party = party
        self._peer = peer
        self._thread = thread
        self._namespace = namespace
        self._own_jid = party.identity.jid
        self._state = State.NEW
        self._handshake = Handshake(party, peer, one_shot)
        self._asked_by: ET.Element | None = None
        self._conversation: Conversation | None = None
        self._terms: Terms | None = None
        self._sas: str | None = None
        self._peer_key: RSAPublicKey | None = None
        self._retained: RetainedSecret | None = None
        self._own_wish: Form | None = None
        self._peer_wish: Form | None = None
        self._target: str | None = None
        self._rule = rule
        self._parent = parent
        self._offline = False
        self._deadline: datetime | None = None
        self._last_stanza: datetime | None = None

    # --- transitions ----------------------------------------------------------------------------------

    def _allows(self, on: Input) -> bool:
        return on in TRANSITIONS[self._state]

    def _require(self, on: Input) -> None:
        if not self._allows(on):
            raise MisuseError(f"not possible now ({on.value}): {self._state.value}")

    def _step(self, on: Input) -> None:
        self._require(on)
        self._state = TRANSITIONS[self._state][on]

    def _end(self, on: Input, reason: EndReason, text: str = "") -> Outcome:
        """End the session and destroy its keys."""
        self._step(on)
        return self._over(reason, text)

    def _over(self, reason: EndReason, text: str = "") -> Outcome:
        self._handshake.abandon()
        if self._conversation is not None:
            self._conversation.wipe()
        self._deadline = self._asked_by = self._own_wish = self._peer_wish = None
        return Outcome(events=(SessionEnded(reason, text),))

    def _refuse(self, stanza: ET.Element | None, error: RefusedError) -> Outcome:
        """End a negotiation by a fault that we found, and report it."""
        ended = self._end(Input.REFUSE, EndReason.REFUSED, str(error))
        failed = NegotiationFailed(error.condition, error.fields, by_us=True, text=str(error))
        effects: tuple[Effect, ...] = ()
        if stanza is not None:
            effects = (Send(xep_0155.write_error(stanza, error.condition, error.fields)),)
        return Outcome(effects, (failed,)) + ended

    # --- negotiation ----------------------------------------------------------------------------------

    def take(self, step: Step, now: datetime) -> Outcome:
        """Carry out a step of a negotiation: the state first, then what depends on it.

        For this library's own modules.

        Raises:
            RefusedError: The peer's key isn't acceptable.
        """
        outcome = Outcome()
        content: ET.Element | None = None
        if step.established is not None:
            outcome = self._establish(step, now)
            if step.content is not None:
                content = self._seal(self._addressed(step.content), now).find(xep_0200.C)
        else:
            self._step(step.on)
            if step.terms is not None:
                self._terms, self._deadline = step.terms, None
                outcome = Outcome(events=(SessionActive(self._peer, step.terms, encrypted=False),))
            else:
                self._deadline = now + self._party.policy.negotiation_timeout
        if step.form is not None:
            sent = self._negotiation(step.form, init=step.init, content=content)
            if step.content is not None and "type" in step.content.attrib:
                sent.set("type", step.content.attrib["type"])
            outcome = Outcome((*outcome.effects, Send(sent)), outcome.events)
        if step.received is not None and step.received.find(xep_0200.C) is not None:
            outcome += self._open_along(step.received)
        if step.on in _ONE_SHOTS:
            outcome += self._over(EndReason.ONE_SHOT)
        return outcome

    def _open_along(self, stanza: ET.Element) -> Outcome:
        """Open encrypted content that came with the stanza which established the session."""
        if self._conversation is None:
            return Outcome()
        try:
            opened = self._conversation.open(stanza)
        except (DamagedError, MalformedError) as error:
            if self._party.policy.drop_damaged and isinstance(error, DamagedError):
                return Outcome(events=(StanzaDropped(str(error)),))
            if not self._allows(Input.REFUSE):
                return self._over(EndReason.DAMAGED, str(error))
            answer: tuple[Effect, ...] = ()
            if self._state is State.ACTIVE:
                answer = (Send(xep_0155.write_error(stanza, NOT_ACCEPTABLE)),)
            return Outcome(answer) + self._end(Input.REFUSE, EndReason.DAMAGED, str(error))
        return Outcome(events=(StanzaReceived(opened, encrypted=True),))

    def _establish(self, step: Step, now: datetime) -> Outcome:
        established = step.established
        if established is None:
            raise MisuseError("nothing has been established")
        presented = verification.assess_key(self._party, self._peer, established.peer_key)
        verification.require_acceptable(self._party, presented)
        effects, events, self._retained = verification.outcome_of(
            self._party, self._peer, established, presented, now
        )
        self._step(step.on)
        self._offline = step.on in {Input.OPEN_OFFLINE, Input.OPEN_ONE_SHOT}
        self._conversation = Conversation(established.channel, self._party.policy, self._party.entropy)
        self._terms, self._sas, self._peer_key = established.terms, established.sas, established.peer_key
        self._last_stanza, self._deadline = now, None
        self._handshake.finish()
        active = SessionActive(self._peer, established.terms, encrypted=True)
        return Outcome(tuple(effects), (active, *events))

    # --- stanzas --------------------------------------------------------------------------------------

    @property
    def _encrypts_control(self) -> bool:
        return self._conversation is not None and self._party.policy.profile.encrypts_control

    def _negotiation(
        self,
        form: Form,
        *,
        init: bool = False,
        content: ET.Element | None = None,
        only_online: bool = False,
        to: str | None = None,
    ) -> ET.Element:
        message = xep_0155.write_message(
            to or self._peer,
            self._own_jid,
            self._thread,
            form,
            parent=self._parent,
            init=init,
            content=content,
            only_online=only_online,
            namespace=self._namespace,
        )
        if self._rule is not None:
            message.append(xml.copy_element(self._rule))
        return message

    def _addressed(self, stanza: ET.Element) -> ET.Element:
        """A copy with the session's addresses and, for a message, its thread."""
        namespace, name = xml.split_tag(stanza.tag)
        copied = ET.Element(stanza.tag, dict(stanza.attrib))
        copied.set("to", self._peer)
        copied.set("from", self._own_jid)
        thread = f"{{{namespace}}}thread" if namespace else "thread"
        if name == "message":
            copied.append(xep_0155.write_thread(self._thread, self._parent, namespace))
        copied.extend(child for child in stanza if child.tag != thread)
        if self._rule is not None:
            copied.append(xml.copy_element(self._rule))
        return copied

    def _empty_message(self) -> ET.Element:
        return ET.Element(f"{{{self._namespace}}}message" if self._namespace else "message")

    def _seal(self, stanza: ET.Element, now: datetime, *, rekey: bool = False) -> ET.Element:
        if self._conversation is None:
            return stanza
        self._last_stanza = now
        may_rekey = self._state is State.ACTIVE
        if self._offline and xep_0187.read_created(stanza) is None:
            stanza.append(xep_0187.created_header(now))
        return self._conversation.seal(stanza, now, rekey=rekey, may_rekey=may_rekey)

    def _send_control(self, form: Form, now: datetime, to: str | None = None) -> Send:
        """Send a control form, encrypted where the session and its profile say so."""
        message = self._negotiation(form, to=to)
        if not self._encrypts_control or self._conversation is None:
            return Send(message)
        self._last_stanza = now
        # What ends a session must fit into what its keys may still encrypt, so it never re-keys.
        return Send(self._conversation.seal(message, now, may_rekey=False))

    def _key_events(self) -> tuple[Event, ...]:
        """The key exchanges since the last call."""
        conversation = self._conversation
        if conversation is None:
            return ()
        events: list[Event] = []
        if conversation.rekeyed_by_us:
            events.append(Rekeyed(by_us=True))
        if conversation.rekeyed_by_peer:
            events.append(Rekeyed(by_us=False))
        conversation.rekeyed_by_us = conversation.rekeyed_by_peer = False
        return tuple(events)


def require_aware(now: datetime) -> None:
    """Refuse a time without a zone.

    Raises:
        MisuseError: It has none.
    """
    if now.utcoffset() is None:
        raise MisuseError("times are aware of their zone")
