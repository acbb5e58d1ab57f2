"""Two ends of an encrypted session for tests, each with its memory and its own entropy."""

import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, TypeVar
from xml.etree import ElementTree as ET

from esession.crypto import SigningKey
from esession.events import (
    DestroyOfflineValues,
    DestroySecret,
    Event,
    KeepOfflineValues,
    Outcome,
    RememberKey,
    RetainSecret,
    Send,
    StanzaReceived,
)
from esession.keys import Identity, RSAPublicKey, bare
from esession.negotiation.established import Party
from esession.policy import Policy
from esession.session import Session
from esession.storage import KnownKey, RetainedSecret

Kind = TypeVar("Kind")

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
ALICE, BOB = "alice@example.org/pda", "bob@example.com/laptop"
CLIENT = "{jabber:client}"


class Secrets:
    """Retained secrets in memory."""

    def __init__(self) -> None:
        self.kept: list[RetainedSecret] = []

    def of(self, peer: str) -> list[RetainedSecret]:
        return [each for each in self.kept if each.peer == peer]

    def others(self, peer: str) -> list[RetainedSecret]:
        return [each for each in self.kept if each.peer != peer]


class Keys:
    """Known keys in memory."""

    def __init__(self, kept: Iterable[KnownKey] = ()) -> None:
        self.kept = list(kept)

    def of(self, address: str) -> list[KnownKey]:
        return [each for each in self.kept if each.address == address]

    def all(self) -> list[KnownKey]:
        return list(self.kept)


class Peer:
    """One end: carries out effects, collects events."""

    def __init__(
        self,
        jid: str,
        policy: Policy | None = None,
        *,
        key: SigningKey | None = None,
        entropy: Callable[[int], bytes] | None = None,
        other_secret: bytes = b"",
        seed: int = 1,
    ) -> None:
        self.jid = jid
        self.secrets, self.keys = Secrets(), Keys()
        self.offline: dict[str, bytes] = {}
        self.policy = policy or Policy(groups=(14,))
        self.key = key
        self.entropy = entropy or random.Random(f"{jid} {seed}").randbytes
        self.other_secret = other_secret
        self.session: Session | None = None
        self.events: list[Event] = []
        self.outbox: list[ET.Element] = []

    @property
    def party(self) -> Party:
        identity = Identity(self.jid, (self.key,) if self.key else ())
        return Party(identity, self.policy, self.entropy, self.secrets, self.keys, self.other_secret)

    def take(self, outcome: Outcome) -> None:
        self.events += outcome.events
        for effect in outcome.effects:
            if isinstance(effect, Send):
                # What leaves is bytes: nothing of the sender's objects reaches the other end.
                self.outbox.append(ET.fromstring(ET.tostring(effect.stanza)))
            elif isinstance(effect, RetainSecret):
                same = [
                    each
                    for each in self.secrets.kept
                    if each.peer == effect.secret.peer and each.value == effect.secret.value
                ]
                for each in same:
                    self.secrets.kept.remove(each)
                self.secrets.kept.append(effect.secret)
            elif isinstance(effect, DestroySecret):
                self.secrets.kept = [each for each in self.secrets.kept if each is not effect.secret]
            elif isinstance(effect, RememberKey):
                known = effect.key
                self.keys.kept = [
                    each for each in self.keys.kept if (each.address, each.key) != (known.address, known.key)
                ]
                self.keys.kept.append(known)
            elif isinstance(effect, KeepOfflineValues):
                self.offline[effect.record] = effect.wrapped
            elif isinstance(effect, DestroyOfflineValues):
                self.offline.pop(effect.record, None)

    def open(self, peer: str, now: datetime = START, **options: Any) -> None:
        self.session, outcome = Session.open(self.party, peer, now, **options)
        self.take(outcome)

    def receive(self, stanza: ET.Element, now: datetime = START, *, accept: bool = True) -> None:
        if self.session is None:
            self.session, outcome = Session.asked(self.party, stanza, now)
            self.take(outcome)
            if accept:
                self.take(self.session.accept(now))
            return
        self.take(self.session.receive(stanza, now))

    def say(self, body: str, now: datetime = START) -> None:
        assert self.session is not None
        self.take(self.session.send(message(body), now))

    def got(self, kind: type[Kind]) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind)]

    def bodies(self) -> list[str | None]:
        return [event.stanza.findtext(f"{CLIENT}body") for event in self.got(StanzaReceived)]


def deliver(one: Peer, other: Peer, now: datetime = START) -> None:
    """Carry everything that waits, in order, until nothing waits."""
    while one.outbox or other.outbox:
        for sender, receiver in ((one, other), (other, one)):
            while sender.outbox:
                receiver.receive(sender.outbox.pop(0), now)


def message(body: str, kind: str = "chat") -> ET.Element:
    element = ET.Element(f"{CLIENT}message", {"type": kind})
    ET.SubElement(element, f"{CLIENT}body").text = body
    return element


def connect(
    alice: Peer | None = None, bob: Peer | None = None, now: datetime = START, **options: object
) -> tuple[Peer, Peer]:
    """A session between the two, negotiated."""
    alice, bob = alice or Peer(ALICE), bob or Peer(BOB)
    alice.open(bob.jid, now, **options)
    deliver(alice, bob, now)
    return alice, bob


def know(peer: Peer, other: Peer, *, verified: bool = True, petname: str | None = None) -> None:
    """Let one end know the other's key."""
    assert other.key is not None
    peer.keys.kept.append(KnownKey(bare(other.jid), RSAPublicKey.of(other.key), verified, petname))


@cache
def signing_key(name: str) -> SigningKey:
    """A key for a test, the same for the same name, so that few are generated."""
    return SigningKey.generate(2048) if name else SigningKey.generate()


def later(**difference: float) -> datetime:
    return START + timedelta(**difference)
