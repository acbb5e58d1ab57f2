"""Whatever arrives in whatever state, nothing but an event or an answer comes of it."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esession import offline
from esession.errors import MalformedError
from esession.events import CleartextReceived, SessionEnded, StanzaReceived
from esession.keys import RSAPublicKey
from esession.policy import Policy
from esession.session import Session
from esession.state import State
from esession.wire.xep_0004 import DATA, Form, encode_base64
from esession.wire.xep_0155 import FEATURE, INIT, SSN
from esession.wire.xep_0187 import Audience
from esession.wire.xep_0200 import ENCRYPTION, C
from support.esession_peers import ALICE, BOB, CLIENT, START, Peer, connect, know, later, message, signing_key

FAST = Policy(groups=(5,))
VARS = (
    *("FORM_TYPE", "accept", "logging", "otr", "disclosure", "security", "modp", "crypt_algs", "hash_algs"),
    *("sign_algs", "compress", "stanzas", "init_pubkey", "resp_pubkey", "ver", "rekey_freq", "my_nonce"),
    *("sas_algs", "dhhashes", "dhkeys", "nonce", "counter", "identity", "mac", "rshashes", "srshash"),
    *("terminate", "renegotiate", "continue", "reason", "multisession", "expires", "signs", "unknown"),
)
WORDS = ("1", "0", "true", "false", "maybe", "e2e", "c2s", "none", "5", "message", SSN, "", "*", "may")
VALUES = st.one_of(
    st.sampled_from(WORDS),
    st.binary(max_size=40).map(encode_base64),
    st.text(alphabet="ab1 <&\"'\n", max_size=6),
)


@st.composite
def forms(draw: st.DrawFn) -> ET.Element:
    x = ET.Element(f"{{{DATA}}}x", {"type": draw(st.sampled_from(["form", "submit", "result", "cancel"]))})
    chosen = draw(st.lists(st.sampled_from(VARS), max_size=12, unique=draw(st.booleans())))
    for var in ["FORM_TYPE", *chosen]:
        field = ET.SubElement(x, f"{{{DATA}}}field", {"var": var})
        values = [SSN] if var == "FORM_TYPE" else draw(st.lists(VALUES, max_size=3))
        for value in values:
            is_option = len(values) > 1 and draw(st.booleans())
            parent = ET.SubElement(field, f"{{{DATA}}}option") if is_option else field
            ET.SubElement(parent, f"{{{DATA}}}value").text = value
    return x


@st.composite
def stanzas(draw: st.DrawFn, thread: str, sender: str) -> ET.Element:
    kind = draw(st.sampled_from(["message", "message", "message", "presence", "iq"]))
    stanza = ET.Element(f"{CLIENT}{kind}", {"from": sender, "to": "us@example.org/here"})
    if draw(st.integers(0, 3)) == 0:
        stanza.set("type", draw(st.sampled_from(["error", "chat", "get", "result"])))
    if draw(st.integers(0, 5)):
        ET.SubElement(stanza, f"{CLIENT}thread").text = thread
    if draw(st.integers(0, 3)):
        wrapper = ET.SubElement(stanza, draw(st.sampled_from([FEATURE, INIT])))
        for _ in range(draw(st.sampled_from([1, 1, 1, 0, 2]))):
            wrapper.append(draw(forms()))
    if draw(st.booleans()):
        content = ET.SubElement(stanza, C)
        for name in draw(st.lists(st.sampled_from(["data", "key", "new", "old", "mac", "x"]), max_size=5)):
            ET.SubElement(content, f"{{{ENCRYPTION}}}{name}").text = draw(VALUES)
    if stanza.get("type") == "error":
        error = ET.SubElement(stanza, f"{CLIENT}error")
        ET.SubElement(error, "{urn:ietf:params:xml:ns:xmpp-stanzas}not-acceptable")
    return stanza


def session_in(state: State) -> tuple[Peer, str]:
    """A peer whose session is in this state, and who is at the other end."""
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    if state in {State.SENDING, State.RECEIVING}:
        return offline_in(state)
    if state is State.REVIEWING:
        alice.policy = replace(FAST, review=True)
    if state in {State.ACTIVE, State.MOVING, State.TERMINATING, State.ENDED}:
        connect(alice, bob)
        assert alice.session is not None
        if state is State.MOVING:
            alice.session.move("tablet", START)
        if state is not State.ACTIVE and state is not State.MOVING:
            alice.session.terminate(START)
        if state is State.ENDED:
            alice.session.tick(later(hours=1))
        return alice, BOB
    alice.open(BOB)
    if state is State.REQUESTED:
        return alice, BOB
    bob.receive(alice.outbox.pop(), accept=state is not State.ASKED)
    if state in {State.ASKED, State.RESPONDED}:
        return bob, ALICE
    alice.receive(bob.outbox.pop())
    return alice, BOB


def offline_in(state: State) -> tuple[Peer, str]:
    alice = Peer(ALICE, FAST, key=signing_key("alice"))
    bob = Peer(BOB, FAST, key=signing_key("bob"))
    know(alice, bob)
    know(bob, alice)
    made = offline.publish(alice.party, Audience.ALL, START, expires=later(hours=1), key=b"k" * 32)
    options = offline.verify(bob.party, ALICE, Form(made.pubsub[0][0][0]), START)
    bob.session, outcome = offline.start(bob.party, ALICE, options, START, content=message("x"))
    if state is State.SENDING:
        return bob, ALICE
    absence, _ = offline.Absence.ended(alice.party, {"all": made.keep.wrapped}, b"k" * 32, START)
    alice.session, _ = absence.accept(outcome.stanzas[0], START)
    return alice, BOB


@pytest.mark.parametrize("state", set(State) - {State.NEW}, ids=lambda state: state.name)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_no_stanza_breaks_a_session_or_is_taken_for_the_peer_s(state: State, data: st.DataObject) -> None:
    peer, other = session_in(state)
    assert peer.session is not None
    assert peer.session.state is state
    for _ in range(3):
        stanza = data.draw(stanzas(peer.session.thread, other))
        outcome = peer.session.receive(ET.fromstring(ET.tostring(stanza)), START)
        assert not any(isinstance(event, StanzaReceived) for event in outcome.events)
        peer.session.tick(START)


@settings(max_examples=100, deadline=None)
@given(stanza=stanzas("thread", ALICE))
def test_no_request_breaks_who_is_asked(stanza: ET.Element) -> None:
    bob = Peer(BOB, FAST, key=signing_key("bob"))
    try:
        session, _ = Session.asked(bob.party, ET.fromstring(ET.tostring(stanza)), START)
    except MalformedError:
        return
    session.accept(START)
    assert session.state in {State.ENDED, State.RESPONDED}


@settings(max_examples=60, deadline=None)
@given(stanza=stanzas("thread", BOB))
def test_no_stanza_breaks_a_return(stanza: ET.Element) -> None:
    alice = Peer(ALICE, FAST, key=signing_key("alice"))
    made = offline.publish(alice.party, Audience.ALL, START, expires=later(hours=1), key=b"k" * 32)
    absence, _ = offline.Absence.ended(alice.party, {"all": made.keep.wrapped}, b"k" * 32, START)
    session, _ = absence.accept(stanza, START)
    assert session is None


def test_a_malformed_form_in_clear_changes_nothing_in_an_encrypted_session() -> None:
    alice, bob = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    assert alice.session is not None
    stanza = ET.fromstring(
        f"<message xmlns='jabber:client' from='{ALICE}'><thread>{alice.session.thread}</thread>"
        "<feature xmlns='http://jabber.org/protocol/feature-neg'><x xmlns='jabber:x:data' type='submit'>"
        f"<field var='FORM_TYPE'><value>{SSN}</value></field>"
        "<field var='accept'><value>perhaps</value></field></x></feature></message>"
    )
    bob.receive(stanza)
    assert bob.got(CleartextReceived)
    assert not bob.got(SessionEnded)


def test_a_key_with_an_unusual_exponent_verifies_nothing_and_raises_nothing() -> None:
    modulus = RSAPublicKey.of(signing_key("alice")).modulus
    for exponent in (3, (1 << 65) + 1, modulus - 2):
        assert not RSAPublicKey(modulus, exponent).verifies(b"data", b"s" * 256)
