"""Terminating, moving and renegotiating a session (XEP-0155 sections 5 to 7, XEP-0116 section 5)."""

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from esession.errors import MalformedError, MisuseError
from esession.events import (
    DeliveryFailed,
    EndReason,
    RenegotiationEnded,
    RenegotiationRequested,
    SessionEnded,
    SessionMoved,
    StanzaReceived,
)
from esession.policy import LoggingPreference, Policy
from esession.state import State
from esession.wire.xep_0155 import FEATURE
from support.esession_peers import ALICE, BOB, START, Peer, connect, deliver, later

FAST = Policy(groups=(5,))
PLAIN = Policy(security=("c2s",))


def pair(policy: Policy = FAST, theirs: Policy | None = None) -> tuple[Peer, Peer]:
    return connect(Peer(ALICE, policy), Peer(BOB, theirs or policy))


def ended(peer: Peer) -> EndReason:
    (event,) = peer.got(SessionEnded)
    return event.reason


# --- terminating --------------------------------------------------------------------------------------


def test_xep_0116_a_termination_is_encrypted_and_acknowledged() -> None:
    alice, bob = pair()
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    assert alice.session.state is State.TERMINATING
    assert alice.outbox[0].find(FEATURE) is None
    bob.receive(alice.outbox.pop())
    assert bob.outbox[0].find(FEATURE) is None
    alice.receive(bob.outbox.pop())
    assert (ended(alice), ended(bob)) == (EndReason.TERMINATED, EndReason.PEER_TERMINATED)


def test_xep_0116_what_the_peer_sent_before_the_termination_is_still_read() -> None:
    alice, bob = pair()
    bob.say("crossing")
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    deliver(alice, bob)
    assert alice.bodies() == ["crossing"]
    assert ended(alice) is EndReason.TERMINATED


def test_both_sides_may_terminate_at_once_and_nobody_acknowledges() -> None:
    alice, bob = pair()
    for peer in (alice, bob):
        assert peer.session is not None
        peer.take(peer.session.terminate(START))
    one, other = alice.outbox.pop(), bob.outbox.pop()
    alice.receive(other)
    bob.receive(one)
    assert alice.outbox == bob.outbox == []
    assert ended(alice) is ended(bob) is EndReason.TERMINATED


def test_a_termination_without_acknowledgement_ends_after_a_while() -> None:
    alice, _ = pair()
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    assert alice.session.next_tick == START + FAST.termination_timeout
    alice.take(alice.session.tick(later(seconds=60)))
    assert ended(alice) is EndReason.TIMED_OUT


def test_xep_0155_a_plain_session_ends_at_once_on_both_sides() -> None:
    alice, bob = pair(PLAIN)
    assert bob.session is not None
    bob.take(bob.session.terminate(START))
    assert bob.outbox[0].find(FEATURE) is not None
    deliver(alice, bob)
    assert (ended(alice), ended(bob)) == (EndReason.PEER_TERMINATED, EndReason.TERMINATED)


# --- moving -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [FAST, PLAIN], ids=["encrypted", "plain"])
def test_xep_0155_a_session_goes_on_with_another_resource(policy: Policy) -> None:
    alice, bob = pair(policy)
    assert alice.session is not None
    assert bob.session is not None
    alice.take(alice.session.move("tablet", START))
    with pytest.raises(MisuseError):
        alice.say("not before it is accepted")
    bob.say("crossing")
    deliver(alice, bob)
    assert alice.bodies() == ["crossing"]
    assert alice.got(SessionMoved) == [SessionMoved(ours=True, jid="alice@example.org/tablet")]
    assert bob.got(SessionMoved) == [SessionMoved(ours=False, jid="alice@example.org/tablet")]
    assert bob.session.peer == "alice@example.org/tablet"
    alice.say("from the tablet")
    assert alice.outbox[0].get("from") == "alice@example.org/tablet"
    deliver(alice, bob)
    bob.say("to the tablet")
    assert bob.outbox[0].get("to") == "alice@example.org/tablet"
    deliver(alice, bob)
    assert bob.bodies() == ["from the tablet"]
    assert alice.bodies() == ["crossing", "to the tablet"]


def test_the_old_resource_is_no_longer_listened_to() -> None:
    alice, bob = pair()
    assert alice.session is not None
    alice.take(alice.session.move("tablet", START))
    deliver(alice, bob)
    alice.say("x")
    stanza = alice.outbox.pop()
    stanza.set("from", ALICE)
    bob.receive(stanza)
    assert bob.bodies() == []


def test_a_move_without_an_answer_ends_the_session_after_a_while() -> None:
    alice, _ = pair()
    assert alice.session is not None
    alice.take(alice.session.move("tablet", START))
    alice.take(alice.session.tick(START + FAST.negotiation_timeout))
    assert ended(alice) is EndReason.TIMED_OUT


# --- renegotiating ------------------------------------------------------------------------------------


def renegotiate(alice: Peer, bob: Peer, wish: dict[str, tuple[str, ...]], *, accept: bool = True) -> None:
    assert alice.session is not None
    assert bob.session is not None
    alice.take(alice.session.renegotiate(wish, START))
    alice.say("sent while waiting")
    deliver(alice, bob)
    bob.take(bob.session.answer_renegotiation(START, accept=accept))
    deliver(alice, bob)


@pytest.mark.parametrize("policy", [FAST, PLAIN], ids=["encrypted", "plain"])
def test_xep_0155_other_terms_can_be_agreed_on(policy: Policy) -> None:
    alice, bob = pair(replace(policy, parameters={"language": ("en", "it")}))
    renegotiate(alice, bob, {"logging": ("mustnot",)})
    assert bob.got(RenegotiationRequested)[0].offered == {"logging": ("mustnot",)}
    for peer in (alice, bob):
        (event,) = peer.got(RenegotiationEnded)
        assert event.accepted
        assert event.terms.logging == "mustnot"
        assert event.terms.disclosure == "never", "what was not renegotiated stays"
        assert event.terms.parameters == {"language": "en"}
        assert peer.session is not None
        assert peer.session.terms == event.terms
    assert bob.bodies() == ["sent while waiting"]


def test_xep_0155_other_terms_can_be_rejected_and_the_old_ones_stay() -> None:
    alice, bob = pair()
    renegotiate(alice, bob, {"logging": ("mustnot",)}, accept=False)
    for peer in (alice, bob):
        (event,) = peer.got(RenegotiationEnded)
        assert not event.accepted
        assert event.terms.logging == "may"


def test_xep_0155_terms_that_are_not_acceptable_are_answered_by_an_encrypted_error() -> None:
    alice, bob = pair(FAST, replace(FAST, logging=LoggingPreference.FORBID))
    renegotiate(alice, bob, {"logging": ("mustnot",)})
    received = [event.stanza for event in alice.got(StanzaReceived)]
    assert [stanza.get("type") for stanza in received] == ["error"]
    assert not alice.got(DeliveryFailed)
    assert alice.session is not None
    assert alice.session.state is State.ACTIVE
    assert alice.session.terms is not None
    assert alice.session.terms.logging == "may"


def test_the_cryptography_is_not_renegotiated() -> None:
    alice, _ = pair()
    assert alice.session is not None
    for var in ("security", "crypt_algs", "modp"):
        with pytest.raises(MalformedError):
            alice.session.renegotiate({var: ("none",)}, START)


def test_an_answer_that_chooses_what_was_not_offered_ends_the_session() -> None:
    alice, bob = pair(PLAIN)
    assert alice.session is not None
    alice.take(alice.session.renegotiate({"logging": ("mustnot",)}, START))
    deliver(alice, bob)
    assert bob.session is not None
    bob.take(bob.session.answer_renegotiation(START, accept=True))
    answer = ET.fromstring(ET.tostring(bob.outbox.pop()).replace(b">mustnot<", b">may<"))
    alice.receive(answer)
    assert ended(alice) is EndReason.REFUSED


def test_there_is_nothing_to_answer_unless_the_peer_asked() -> None:
    alice, _ = pair()
    assert alice.session is not None
    with pytest.raises(MisuseError):
        alice.session.answer_renegotiation(START, accept=True)


def test_controls_and_key_exchanges_mix() -> None:
    alice, bob = pair(replace(FAST, rekey_after=2))
    for number in range(6):
        alice.say(str(number))
        deliver(alice, bob)
    renegotiate(alice, bob, {"logging": ("mustnot",)})
    assert bob.session is not None
    bob.take(bob.session.move("desktop", START))
    deliver(alice, bob)
    bob.say("moved")
    deliver(alice, bob)
    assert alice.bodies()[-1] == "moved"
    assert alice.session is not None
    alice.take(alice.session.terminate(START + timedelta(hours=1)))
    deliver(alice, bob)
    assert ended(alice) is EndReason.TERMINATED
