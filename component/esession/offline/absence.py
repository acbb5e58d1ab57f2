"""Coming back: opening what was sent meanwhile, destroying what must not stay (XEP-0187 section 3.4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from xml.etree import ElementTree as ET

from esession.channel import KeyPair, Position
from esession.crypto import same
from esession.errors import DamagedError, MalformedError, RefusedError
from esession.events import (
    DestroyOfflineValues,
    Effect,
    EndReason,
    KeepOfflineValues,
    NegotiationFailed,
    Outcome,
    SessionEnded,
    StanzaIgnored,
)
from esession.lifecycle import require_aware
from esession.negotiation import initiator
from esession.negotiation.established import Established, Party, make_channel
from esession.negotiation.handshake import Step
from esession.offline.values import OfflineValues
from esession.secret import Secret
from esession.session import Session
from esession.state import Input
from esession.suite import NO_REKEYING
from esession.wire import xep_0155, xml
from esession.wire.xep_0155 import NegotiationMessage
from esession.wire.xep_0187 import Audience


class Absence:
    """The private values of the time we were away, in memory."""

    def __init__(self, party: Party, values: list[OfflineValues], key: bytes) -> None:
        self._party = party
        self._values = values
        self._key = Secret(key)

    @classmethod
    def ended(
        cls, party: Party, kept: Mapping[str, bytes], key: bytes, now: datetime
    ) -> tuple[Absence, Outcome]:
        """Come back online. First stop publishing options for subscribers: `wire.xep_0187.publish`.

        Args:
            party: Our side.
            kept: What the store keeps, by record name.
            key: The key under which it is wrapped.
            now: The present time.

        Returns:
            The absence, and the effects that destroy what must not stay: the values for subscribers,
            and all that have expired or can't be opened.
        """
        require_aware(now)
        values: list[OfflineValues] = []
        effects: list[Effect] = []
        for audience in Audience:
            wrapped = kept.get(audience.name.lower())
            if wrapped is None:
                continue
            try:
                each = OfflineValues.unwrap(wrapped, key, party.identity.jid, audience)
            except DamagedError:
                effects.append(DestroyOfflineValues(audience.name.lower()))
                continue
            if audience is Audience.SUBSCRIBERS or now >= each.expires:
                effects.append(DestroyOfflineValues(each.record))
            if now < each.expires:
                values.append(each)
            else:
                each.opening.wipe()
        return cls(party, values, key), Outcome(tuple(effects))

    def accept(self, stanza: ET.Element, now: datetime) -> tuple[Session | None, Outcome]:
        """Take a stanza that starts an offline session.

        Nothing is ever sent in answer, not even an error, since it would show presence.

        Args:
            stanza: As the server delivered it.
            now: The present time.

        Returns:
            The session, and what it brought; None if the stanza starts none.
        """
        require_aware(now)
        self._forget_expired(now)
        try:
            message = xep_0155.read_message(stanza)
            if message is None or not (message.init and message.sender) or message.form.kind != "submit":
                return None, _ignored("it starts no offline session")
            nonce = message.form.octets("nonce")
            found = next((each for each in self._values if same(each.opening.request.nonce, nonce)), None)
            if found is None:
                return None, _ignored("its options are not known, or have expired")
            return self._open(found, message, now)
        except MalformedError as error:
            return None, _ignored(str(error))
        except RefusedError as error:
            failed = NegotiationFailed(error.condition, error.fields, by_us=True, text=str(error))
            return None, Outcome(events=(failed, SessionEnded(EndReason.REFUSED, str(error))))

    def forget(self) -> None:
        """Destroy the values, once everything that was kept for us has been delivered."""
        for each in self._values:
            each.opening.wipe()
        self._values.clear()
        self._key.wipe()

    def _forget_expired(self, now: datetime) -> None:
        for each in self._values:
            if now >= each.expires:
                each.opening.wipe()
        self._values = [each for each in self._values if now < each.expires]

    def _open(
        self, found: OfflineValues, message: NegotiationMessage, now: datetime
    ) -> tuple[Session | None, Outcome]:
        party, opening = self._party, found.opening
        choice = initiator.read_choices(party, opening, message.form, offline=True)
        response = choice.response
        if found.has_taken(response.nonce, response.value):
            return None, _ignored("it repeats an offline session taken before")
        secret, ours = initiator.first_keys(choice)
        peer_key, theirs, after = initiator.check_responder(party, opening, choice, secret, message.sender)
        secret.wipe()
        silent = replace(choice.suite, rekey_freq=NO_REKEYING)
        at = Position(response.counter)
        channel = make_channel(silent, (ours, at), (theirs, after), KeyPair(Secret(b"\0"), 0), 0)
        namespace, _ = xml.split_tag(message.element.tag)
        session = Session(party, message.sender, message.thread, namespace=namespace)
        on = Input.OFFLINE_ONE_SHOT if response.terminate else Input.OFFLINE_REQUEST
        established = Established(channel, choice.terms, peer_key)
        outcome = session.take(Step(on, established=established, received=message.element), now)
        # The replay protection is kept before anything is shown.
        taken = found.taking(response.nonce, response.value)
        self._values = [taken if each is found else each for each in self._values]
        if found.audience is Audience.ALL:
            wrapped = taken.wrap(self._key.reveal(), party.entropy)
            outcome = Outcome((KeepOfflineValues(taken.record, wrapped),)) + outcome
        return session, outcome


def _ignored(text: str) -> Outcome:
    return Outcome(events=(StanzaIgnored(text),))
