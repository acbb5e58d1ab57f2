"""Two honest peers over a channel that loses, doubles, reorders and damages stanzas.

At rest they agree on every key, or both know that the session has ended; nobody waits for ever, and nothing
is ever accepted that the other did not send.
"""

from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esession.errors import MalformedError, MisuseError
from esession.events import Outcome, StanzaReceived
from esession.policy import Policy
from esession.session import Session
from esession.state import State
from support.esession_peers import ALICE, BOB, CLIENT, START, Peer, know, signing_key

FOUR = Policy(groups=(5,), rekey_after=4)
THREE = replace(
    FOUR, messages=3, accept_three_messages=True, init_pubkey=("key",), resp_pubkey=("hash", "key")
)
SUBSET = Policy(groups=(5,), subset=True)
PLAIN = Policy(security=("c2s",))

CALLS = ("say", "say", "say", "rekey", "terminate", "move", "renegotiate", "answer", "tick", "wait")
FATES = ("deliver", "deliver", "deliver", "lose", "double", "reorder", "damage")
actions = st.lists(
    st.tuples(st.booleans(), st.sampled_from(CALLS + FATES * 2), st.integers(0, 1 << 30)), max_size=40
)


class Channel:
    """The two ends and what is on its way between them."""

    def __init__(self, policy: Policy) -> None:
        self.alice = Peer(ALICE, policy, key=signing_key("alice"))
        self.bob = Peer(BOB, policy, key=signing_key("bob"))
        know(self.alice, self.bob)
        know(self.bob, self.alice)
        self.now = START
        self.sent: dict[str, list[str]] = {ALICE: [], BOB: []}
        self.alice.open(BOB)

    def other(self, peer: Peer) -> Peer:
        return self.bob if peer is self.alice else self.alice

    def act(self, peer: Peer, action: str, number: int) -> None:
        if action in FATES:
            self.carry(peer, action, number)
        elif action == "wait":
            self.now += timedelta(seconds=number % 400)
        elif peer.session is not None:
            try:
                peer.take(self.call(peer, peer.session, action, number))
            except MisuseError:
                return

    def call(self, peer: Peer, session: Session, action: str, number: int) -> Outcome:
        now = self.now
        if action != "say":
            return {
                "rekey": lambda: session.rekey(now),
                "terminate": lambda: session.terminate(now),
                "move": lambda: session.move(f"resource{number}", now),
                "renegotiate": lambda: session.renegotiate({"logging": ("mustnot", "may")}, now),
                "answer": lambda: session.answer_renegotiation(now, accept=bool(number % 2)),
                "tick": lambda: session.tick(now),
            }[action]()
        body = f"{number} {len(self.sent[peer.jid])}"
        stanza = ET.Element(f"{CLIENT}message")
        ET.SubElement(stanza, f"{CLIENT}body").text = body
        outcome = session.send(stanza, now)
        self.sent[peer.jid].append(body)
        return outcome

    def carry(self, peer: Peer, fate: str, number: int) -> None:
        """Decide what becomes of the first stanza that this end has sent."""
        if not peer.outbox:
            return
        if fate == "reorder":
            peer.outbox.append(peer.outbox.pop(0))
            return
        stanza = peer.outbox.pop(0)
        if fate == "lose":
            return
        if fate == "double":
            self.arrive(self.other(peer), ET.fromstring(ET.tostring(stanza)))
        if fate == "damage":
            stanza = damaged(stanza, number)
        self.arrive(self.other(peer), stanza)

    def arrive(self, peer: Peer, stanza: ET.Element) -> None:
        try:
            if peer.session is not None or stanza.get("type") != "error":
                peer.receive(stanza, self.now)
        except MalformedError:
            assert peer.session is None, "only a request that can't be read is refused by an exception"

    def settle(self) -> None:
        """Carry everything honestly, and let all time pass that anybody waits for."""
        for _ in range(6):
            while self.alice.outbox or self.bob.outbox:
                for peer in (self.alice, self.bob):
                    while peer.outbox:
                        self.carry(peer, "deliver", 0)
            self.now += timedelta(hours=1)
            for peer in (self.alice, self.bob):
                if peer.session is not None:
                    peer.take(peer.session.tick(self.now))

    def probe(self) -> None:
        for peer in (self.alice, self.bob, self.alice, self.bob):
            self.act(peer, "say", 0)
            self.settle()


def damaged(stanza: ET.Element, number: int) -> ET.Element:
    """The stanza with one character changed, somewhere but in its addresses."""
    leaves = [element for element in stanza.iter() if element.text and element.text.strip()]
    if not leaves:
        return stanza
    leaf = leaves[number % len(leaves)]
    text = leaf.text or ""
    index = (number >> 8) % len(text)
    leaf.text = text[:index] + ("A" if text[index] != "A" else "B") + text[index + 1 :]
    return stanza


def accepted(peer: Peer) -> list[str]:
    stanzas = [event.stanza for event in peer.got(StanzaReceived)]
    return [stanza.findtext(f"{CLIENT}body") for stanza in stanzas if stanza.get("type") != "error"]


WAITING = {State.REQUESTED, State.PROVED, State.ASKED, State.RESPONDED, State.MOVING, State.TERMINATING}


def check_nothing_foreign(channel: Channel) -> None:
    for peer in (channel.alice, channel.bob):
        sent = channel.sent[channel.other(peer).jid]
        taken = accepted(peer)
        assert taken == [body for body in sent if body in taken], "in order, once, and as it was sent"


def check_agreement(channel: Channel) -> None:
    sessions = [peer.session for peer in (channel.alice, channel.bob)]
    states = {session.state for session in sessions if session is not None}
    assert states <= {State.ACTIVE} or states <= {State.ENDED}, states
    if states == {State.ACTIVE}:
        ends = [session._conversation for session in sessions if session is not None]
        for one, other in ((ends[0], ends[1]), (ends[1], ends[0])):
            if one is None or other is None:
                assert one is other is None
                continue
            receive = other.channel.sets[-1].receive
            assert (one.channel.send.cipher, one.channel.send.mac) == (receive.cipher, receive.mac)
            assert one.channel.send_at == other.channel.receive_at


@pytest.mark.parametrize("policy", [FOUR, THREE, SUBSET], ids=["four", "three", "subset"])
@given(actions=actions)
def test_peers_at_rest_agree_on_every_key_or_both_know_that_it_ended(
    policy: Policy, actions: list[tuple[bool, str, int]]
) -> None:
    channel = Channel(policy)
    for from_alice, action, number in actions:
        channel.act(channel.alice if from_alice else channel.bob, action, number)
        check_nothing_foreign(channel)
    channel.settle()
    channel.probe()
    check_nothing_foreign(channel)
    check_agreement(channel)


@given(actions=actions)
def test_an_established_session_survives_or_ends_on_both_sides(
    actions: list[tuple[bool, str, int]],
) -> None:
    channel = Channel(FOUR)
    channel.settle()
    for from_alice, action, number in actions:
        channel.act(channel.alice if from_alice else channel.bob, action, number)
        check_nothing_foreign(channel)
    channel.settle()
    channel.probe()
    check_nothing_foreign(channel)
    check_agreement(channel)


@given(actions=actions)
def test_dropping_damaged_stanzas_never_accepts_a_foreign_one(actions: list[tuple[bool, str, int]]) -> None:
    channel = Channel(replace(FOUR, drop_damaged=True))
    for from_alice, action, number in actions:
        channel.act(channel.alice if from_alice else channel.bob, action, number)
        check_nothing_foreign(channel)
    channel.settle()
    for peer in (channel.alice, channel.bob):
        waiting = {
            State.REQUESTED,
            State.PROVED,
            State.ASKED,
            State.RESPONDED,
            State.MOVING,
            State.TERMINATING,
        }
        assert peer.session is None or peer.session.state not in waiting


@given(actions=actions)
def test_plain_sessions_never_hang(actions: list[tuple[bool, str, int]]) -> None:
    channel = Channel(PLAIN)
    for from_alice, action, number in actions:
        channel.act(channel.alice if from_alice else channel.bob, action, number)
    channel.settle()
    for peer in (channel.alice, channel.bob):
        assert peer.session is None or peer.session.state in {State.ACTIVE, State.ENDED}


@given(seed=st.integers(0, 1 << 30))
def test_a_stanza_damaged_anywhere_is_taken_only_if_its_content_is_what_was_sent(seed: int) -> None:
    channel = Channel(FOUR)
    channel.settle()
    channel.act(channel.alice, "say", 0)
    stanza = channel.alice.outbox.pop()
    for shift in range(0, 24, 8):
        stanza = damaged(stanza, seed >> shift)
    channel.arrive(channel.bob, stanza)
    assert accepted(channel.bob) in ([], channel.sent[ALICE])
