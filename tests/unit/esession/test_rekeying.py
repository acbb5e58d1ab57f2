"""Key exchanges within a session (XEP-0200 sections 8, 9 and 10.4)."""

import base64
import random
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from esession import channel as channels
from esession import crypto
from esession.channel import Channel
from esession.errors import MisuseError
from esession.events import EndReason, Rekeyed, SessionEnded
from esession.policy import Policy
from esession.secret import Secret
from esession.state import State
from esession.wire import xep_0200
from esession.wire.xep_0200 import ENCRYPTION, C
from support.esession_peers import ALICE, BOB, START, Peer, connect, deliver, later

FAST = Policy(groups=(5,), rekey_after=None)


def pair(**options: object) -> tuple[Peer, Peer]:
    policy = replace(FAST, **options)
    return connect(Peer(ALICE, policy), Peer(BOB, policy))


def channel(peer: Peer) -> Channel:
    assert peer.session is not None
    assert peer.session._conversation is not None
    return peer.session._conversation.channel


def rekey(peer: Peer) -> ET.Element:
    assert peer.session is not None
    peer.take(peer.session.rekey(START))
    return peer.outbox[-1]


def content(stanza: ET.Element, name: str) -> list[str | None]:
    return [each.text for each in stanza.findall(f"{C}/{{{ENCRYPTION}}}{name}")]


def agree(alice: Peer, bob: Peer) -> None:
    """Both ends agree on every key and counter."""
    for one, other in ((channel(alice), channel(bob)), (channel(bob), channel(alice))):
        receive = other.sets[-1].receive
        assert (one.send.cipher, one.send.mac) == (receive.cipher, receive.mac)
        assert one.send_at == other.receive_at


def chat(alice: Peer, bob: Peer) -> None:
    for speaker, listener in ((alice, bob), (bob, alice), (alice, bob)):
        speaker.say("hello")
        deliver(alice, bob)
        assert listener.bodies()[-1] == "hello"


def test_xep_0200_either_side_can_rekey() -> None:
    alice, bob = pair()
    for initiator, acceptor in ((alice, bob), (bob, alice)):
        before = channel(initiator).send.cipher.reveal()
        stanza = rekey(initiator)
        assert len(content(stanza, "key")) == 1
        assert content(stanza, "data") == []
        deliver(alice, bob)
        assert channel(initiator).send.cipher.reveal() != before
        assert initiator.got(Rekeyed)[-1].by_us
        assert not acceptor.got(Rekeyed)[-1].by_us
        chat(alice, bob)
        agree(alice, bob)


def test_xep_0200_both_sides_can_rekey_at_once() -> None:
    alice, bob = pair()
    rekey(alice)
    rekey(bob)
    deliver(alice, bob)
    chat(alice, bob)
    agree(alice, bob)


def test_xep_0200_several_key_elements_may_be_on_their_way_each_way() -> None:
    alice, bob = pair()
    for _ in range(3):
        rekey(alice)
        alice.say("a")
        rekey(bob)
        bob.say("b")
    assert len(channel(alice).sets) == 4
    deliver(alice, bob)
    chat(alice, bob)
    assert len(channel(alice).sets) == len(channel(bob).sets) == 1
    agree(alice, bob)


def test_xep_0200_new_counts_the_key_elements_taken_since_the_last_stanza() -> None:
    alice, bob = pair()
    for _ in range(2):
        rekey(alice)
    deliver(alice, bob)
    bob.say("one")
    assert content(bob.outbox[-1], "new") == ["2"]
    bob.say("two")
    assert content(bob.outbox[-1], "new") == []
    deliver(alice, bob)
    assert alice.bodies() == ["one", "two"]


def test_xep_0200_the_old_receiving_keys_stay_until_the_peer_has_taken_the_new_ones() -> None:
    alice, bob = pair()
    bob.say("crossing")
    rekey(alice)
    crossing = bob.outbox.pop()
    alice.receive(crossing)
    assert alice.bodies() == ["crossing"]
    assert len(channel(alice).sets) == 2
    deliver(alice, bob)
    bob.say("under the new keys")
    deliver(alice, bob)
    assert len(channel(alice).sets) == 1


def test_xep_0200_old_receiving_keys_are_destroyed_after_a_reasonable_time() -> None:
    alice, _ = pair()
    old = channel(alice).sets[0]
    rekey(alice)
    assert alice.session is not None
    assert alice.session.next_tick == START + FAST.keep_old_keys_for
    alice.take(alice.session.tick(later(seconds=299)))
    assert len(channel(alice).sets) == 2
    alice.take(alice.session.tick(later(seconds=300)))
    assert len(channel(alice).sets) == 1
    assert old.receive.cipher.wiped
    assert old.receive.mac.wiped
    assert old.exponent.wiped


def test_xep_0200_there_is_never_more_than_one_copy_of_our_own_sending_keys() -> None:
    alice, _ = pair()
    old = channel(alice).send
    rekey(alice)
    assert old.cipher.wiped
    assert not old.mac.wiped, "it waits to be published"


def test_xep_0200_old_mac_keys_are_published_only_when_nothing_on_its_way_may_use_them() -> None:
    alice, bob = pair()
    sending, receiving = channel(alice).send.mac.reveal(), channel(alice).sets[0].receive.mac.reveal()
    rekey(alice)
    alice.say("nothing yet")
    assert content(alice.outbox[-1], "old") == []
    deliver(alice, bob)
    alice.say("still nothing: Bob has not answered")
    assert content(alice.outbox[-1], "old") == []
    bob.say("under the new keys")
    deliver(alice, bob)
    alice.say("now")
    published = content(alice.outbox[-1], "old")
    assert {base64.b64decode(each or "") for each in published} == {sending, receiving}
    deliver(alice, bob)
    alice.say("only once")
    assert content(alice.outbox[-1], "old") == []


def test_xep_0200_a_mac_key_whose_last_stanza_is_unanswered_is_not_published() -> None:
    alice, bob = pair()
    first = channel(alice).send.mac.reveal()
    rekey(alice)
    second = channel(alice).send.mac.reveal()
    rekey(alice)
    bob.receive(alice.outbox.pop(0))
    bob.say("I have taken the first key")
    alice.receive(bob.outbox.pop())
    alice.say("x")
    published = [base64.b64decode(each or "") for each in content(alice.outbox[-1], "old")]
    assert first in published
    assert second not in published, "the second key element, under this key, is still on its way"
    deliver(alice, bob)
    chat(alice, bob)


def test_a_published_key_is_never_in_use() -> None:
    alice, bob = pair(rekey_after=3)
    source = random.Random(7)
    used: set[bytes] = set()
    for _ in range(60):
        peer = source.choice((alice, bob))
        peer.say("x")
        for each in content(peer.outbox[-1], "old"):
            used.add(base64.b64decode(each or ""))
        if source.random() < 0.6:
            deliver(alice, bob)
        for end in (alice, bob):
            in_use = [channel(end).send.mac, *(each.receive.mac for each in channel(end).sets[-1:])]
            assert not {secret.reveal() for secret in in_use} & used
    deliver(alice, bob)
    assert used
    chat(alice, bob)


def test_the_negotiated_limit_is_kept() -> None:
    alice, bob = pair(rekey_freq=3)
    assert alice.session is not None
    for _ in range(2):
        with pytest.raises(MisuseError):
            alice.session.rekey(START)
        alice.say("x")
    rekey(alice)
    deliver(alice, bob)
    chat(alice, bob)


def test_keys_are_exchanged_by_themselves_as_often_as_the_policy_says() -> None:
    alice, bob = pair(rekey_after=5)
    for _ in range(12):
        alice.say("x")
        deliver(alice, bob)
    assert len(alice.got(Rekeyed)) == 2
    chat(alice, bob)


def test_xep_0200_silence_leads_to_a_key_exchange_by_the_next_tick() -> None:
    alice, bob = pair(rekey_idle=timedelta(minutes=10))
    assert alice.session is not None
    assert alice.session.next_tick is None, "nothing has passed under these keys"
    alice.say("x")
    assert alice.session.next_tick == later(minutes=10)
    alice.take(alice.session.tick(later(minutes=9)))
    assert not alice.got(Rekeyed)
    alice.take(alice.session.tick(later(minutes=10)))
    assert alice.got(Rekeyed)
    deliver(alice, bob)
    chat(alice, bob)


def wear_out(peer: Peer, blocks: int) -> None:
    assert peer.session is not None
    assert peer.session._conversation is not None
    made = peer.session._conversation
    made._channel = replace(made.channel, blocks=blocks)


def test_xep_0200_keys_are_exchanged_before_2_to_the_32_blocks() -> None:
    alice, bob = pair()
    wear_out(alice, channels.BLOCK_LIMIT - (1 << 20))
    alice.say("x")
    assert len(content(alice.outbox[-1], "key")) == 1
    deliver(alice, bob)
    assert channel(alice).blocks == 0
    chat(alice, bob)


def test_xep_0200_worn_out_keys_that_can_not_be_exchanged_encrypt_only_the_termination() -> None:
    alice, bob = pair(rekey_freq=1000)
    for peer in (alice, bob):
        wear_out(peer, channels.BLOCK_LIMIT - 200)
    with pytest.raises(MisuseError, match="terminate"):
        alice.say("x")
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    deliver(alice, bob)
    assert bob.got(SessionEnded)[0].reason is EndReason.PEER_TERMINATED


def test_a_peer_that_uses_its_keys_beyond_their_life_ends_the_session() -> None:
    alice, bob = pair()
    wear_out(bob, channels.BLOCK_LIMIT)
    alice.say("x")
    deliver(alice, bob)
    assert bob.got(SessionEnded)[0].reason is EndReason.DAMAGED


def test_a_silent_peer_can_not_make_us_keep_ever_more_keys() -> None:
    alice, _ = pair(rekey_after=1)
    for _ in range(40):
        alice.say("x")
    assert len(channel(alice).sets) == 16


@pytest.mark.parametrize("value", [0, 1], ids=["0", "1"])
def test_xep_0200_a_key_element_out_of_range_is_refused(value: int) -> None:
    alice, bob = pair()
    made = channel(alice)
    content_ = made.seal(b"<body>x</body>")[1]
    signed = xep_0200.normalized(content_.data, value, 0, ())
    tag = crypto.mac("sha256", made.send.mac.reveal(), signed + made.send_at.counter.to_bytes(16, "big"))
    stanza = ET.Element("{jabber:client}message", {"from": ALICE, "to": BOB})
    stanza.append(xep_0200.write(replace(content_, signed=signed, mac=tag, key=value)))
    before = channel(bob)
    bob.receive(stanza)
    assert channel(bob) is before
    assert bob.got(SessionEnded)[0].reason is EndReason.DAMAGED


def test_every_key_is_destroyed_when_the_session_ends() -> None:
    alice, bob = pair()
    rekey(alice)
    bob.say("crossing")
    held: list[Secret] = channel(alice).secrets() + channel(bob).secrets()
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    assert channel(alice).send.cipher.wiped, "nothing more is sent after a termination"
    deliver(alice, bob)
    assert alice.session.state is State.ENDED
    assert all(secret.wiped for secret in held)


@pytest.mark.parametrize("seed", range(6))
def test_key_exchanges_at_random_never_break_a_session(seed: int) -> None:
    alice, bob = pair()
    source = random.Random(seed)
    sent: dict[str, list[str]] = {ALICE: [], BOB: []}
    for number in range(80):
        peer = source.choice((alice, bob))
        if source.random() < 0.3:
            rekey(peer)
        else:
            peer.say(str(number))
            sent[peer.jid].append(str(number))
        for sender, receiver in ((alice, bob), (bob, alice)):
            for _ in range(source.randrange(4)):
                if sender.outbox:
                    receiver.receive(sender.outbox.pop(0))
        if len(channel(alice).sets) >= 14 or len(channel(bob).sets) >= 14:
            deliver(alice, bob)
    deliver(alice, bob)
    chat(alice, bob)
    assert bob.bodies()[:-2] == sent[ALICE]
    assert alice.bodies()[:-1] == sent[BOB]
    agree(alice, bob)
