"""A session over streams that fail: lost for good, or with stanzas out of order."""

from esession.events import EndReason, SessionEnded
from esession.state import State
from support.esession_peers import BOB, Peer, connect


def test_a_lost_stream_ends_a_session_destroys_its_keys_and_sends_nothing() -> None:
    alice, _ = connect()
    keys = list(alice.session._conversation.channel.secrets())
    alice.take(alice.session.lose())
    assert alice.session.state is State.ENDED
    assert all(key.wiped for key in keys)
    assert alice.got(SessionEnded) == [SessionEnded(EndReason.LOST)]
    assert not alice.outbox


def test_a_lost_stream_ends_a_negotiation_once() -> None:
    alice = Peer("alice@example.org/pda")
    alice.open(BOB)
    alice.take(alice.session.lose())
    alice.take(alice.session.lose())
    assert len(alice.got(SessionEnded)) == 1


def test_asking_whether_a_stanza_comes_next_changes_nothing() -> None:
    alice, bob = connect()
    for body in ("one", "two"):
        alice.say(body)
    one, two = alice.outbox
    assert not bob.session.authenticates(two)
    assert bob.session.authenticates(one)
    bob.receive(one)
    assert bob.session.authenticates(one)
    bob.receive(two)
    assert bob.bodies() == ["one", "two"]
