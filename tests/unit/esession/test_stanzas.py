"""Encrypted stanzas (XEP-0200): content, counters, repetitions, forgeries."""

from collections.abc import Callable
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from esession import conversation
from esession.channel import Channel
from esession.errors import MisuseError
from esession.events import (
    CleartextReceived,
    DeliveryFailed,
    EndReason,
    RepetitionIgnored,
    SessionEnded,
    StanzaDropped,
    StanzaReceived,
)
from esession.policy import Policy
from esession.state import State
from esession.wire import xep_0155, xep_0200
from esession.wire.xep_0200 import ENCRYPTION, C
from support.esession_peers import ALICE, BOB, CLIENT, START, Peer, connect, deliver, message

FAST = Policy(groups=(5,))
NS = "xmlns='jabber:client'"


def pair(**options: object) -> tuple[Peer, Peer]:
    policy = replace(FAST, **options)
    return connect(Peer(ALICE, policy), Peer(BOB, policy))


def send(peer: Peer, xml: str) -> ET.Element:
    assert peer.session is not None
    peer.take(peer.session.send(ET.fromstring(xml), START))
    return peer.outbox.pop()


def channel(peer: Peer) -> Channel:
    assert peer.session is not None
    assert peer.session._conversation is not None
    return peer.session._conversation.channel


def names(stanza: ET.Element) -> list[str]:
    return [child.tag.partition("}")[2] for child in stanza]


def same(one: ET.Element, other: ET.Element) -> bool:
    return ET.canonicalize(ET.tostring(one)) == ET.canonicalize(ET.tostring(other))


# --- what is encrypted --------------------------------------------------------------------------------


def test_xep_0200_a_message_s_content_is_encrypted_but_not_thread_and_amp() -> None:
    alice, bob = pair()
    rule = "<rule action='error' condition='match-resource' value='exact'/>"
    amp = f"<amp xmlns='http://jabber.org/protocol/amp'>{rule}</amp>"
    active = "<active xmlns='http://jabber.org/protocol/chatstates'/>"
    sent = send(alice, f"<message {NS} type='chat' id='m1'><body>Hello, Bob!</body>{amp}{active}</message>")
    assert names(sent) == ["thread", "c", "amp"]
    assert (sent.get("type"), sent.get("id"), sent.get("to")) == ("chat", "m1", BOB)
    assert b"Hello" not in ET.tostring(sent)
    bob.receive(sent)
    (event,) = bob.got(StanzaReceived)
    assert event.encrypted
    assert names(event.stanza) == ["thread", "body", "active"]


@pytest.mark.parametrize(
    "stanza",
    [
        f"<presence {NS}><show>dnd</show><c xmlns='http://jabber.org/protocol/caps' ver='v'/></presence>",
        f"<iq {NS} type='get' id='i1'><query xmlns='jabber:iq:version'/></iq>",
        f"<iq {NS} type='result' id='i1'/>",
        f"<presence {NS} type='unavailable'/>",
    ],
)
def test_xep_0200_presence_and_iq_are_encrypted_and_come_out_as_they_went_in(stanza: str) -> None:
    alice, bob = pair()
    sent = send(alice, stanza)
    assert names(sent) == ["c"]
    bob.receive(sent)
    original = ET.fromstring(stanza)
    original.set("from", ALICE)
    original.set("to", BOB)
    assert same(bob.got(StanzaReceived)[0].stanza, original)


def test_xep_0200_an_error_keeps_its_condition_readable_and_encrypts_the_rest() -> None:
    alice, bob = pair()
    stanza = (
        f"<iq {NS} type='error' id='p1'>"
        "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='n'/></pubsub>"
        "<error type='modify'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>too big</text>"
        "<payload-too-big xmlns='http://jabber.org/protocol/pubsub#errors'/></error></iq>"
    )
    sent = send(alice, stanza)
    assert names(sent) == ["c", "error"]
    error = sent.find(f"{CLIENT}error")
    assert error is not None
    assert names(error) == ["not-acceptable", "c"]
    bob.receive(sent)
    received = bob.got(StanzaReceived)[0].stanza
    assert names(received) == ["pubsub", "error"]
    error = received.find(f"{CLIENT}error")
    assert error is not None
    assert names(error) == ["not-acceptable", "text", "payload-too-big"]


def test_an_error_without_anything_to_encrypt_is_still_authenticated() -> None:
    alice, bob = pair()
    condition = "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    sent = send(alice, f"<iq {NS} type='error' id='p1'><error type='cancel'>{condition}</error></iq>")
    assert names(sent) == ["c", "error"]
    bob.receive(sent)
    assert names(bob.got(StanzaReceived)[0].stanza) == ["error"]


def test_kinds_that_were_not_agreed_on_are_neither_sent_nor_taken_for_encrypted() -> None:
    alice, bob = pair(stanzas=("message",))
    with pytest.raises(MisuseError):
        send(alice, f"<presence {NS}/>")
    presence = ET.fromstring(f"<presence {NS} from='{ALICE}' to='{BOB}'/>")
    bob.receive(presence)
    assert [event.agreed for event in bob.got(CleartextReceived)] == [False]


def test_what_was_added_outside_the_encryption_is_not_delivered() -> None:
    alice, bob = pair()
    sent = send(alice, f"<message {NS}><body>true</body></message>")
    ET.SubElement(sent, f"{CLIENT}body").text = "false"
    ET.SubElement(sent, "{urn:example}evil")
    bob.receive(sent)
    assert names(bob.got(StanzaReceived)[0].stanza) == ["thread", "body"]
    assert bob.bodies() == ["true"]


def test_cleartext_within_an_encrypted_session_is_told_and_not_mistaken() -> None:
    _, bob = pair()
    clear = message("in clear")
    clear.set("from", ALICE)
    bob.receive(clear)
    assert bob.bodies() == []
    assert [event.agreed for event in bob.got(CleartextReceived)] == [True]


def test_a_termination_in_clear_does_not_end_an_encrypted_session() -> None:
    alice, bob = pair()
    assert alice.session is not None
    form = xep_0155.control_form("submit", [xep_0155.Field("terminate", ("1",))], alice.policy.profile)
    bob.receive(xep_0155.write_message(BOB, ALICE, alice.session.thread, form))
    assert bob.got(CleartextReceived)
    assert not bob.got(SessionEnded)


def test_encrypted_content_is_not_encrypted_twice() -> None:
    alice, _ = pair()
    sent = send(alice, f"<message {NS}><body>x</body></message>")
    assert alice.session is not None
    with pytest.raises(MisuseError):
        alice.session.send(sent, START)


# --- counters -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("octets", [0, 1, 15, 16, 17, 160])
def test_xep_0200_the_counter_goes_up_by_one_for_each_block_or_partial_block(octets: int) -> None:
    alice, bob = pair()
    before = channel(alice).send_at.counter
    overhead = len(b"<body></body>")
    alice.say("x" * octets)
    expected = max(1, -(-((overhead + octets) if octets else len(b"<body/>")) // 16))
    assert (channel(alice).send_at.counter - before) % (1 << 128) == expected
    deliver(alice, bob)
    assert channel(bob).receive_at == channel(alice).send_at


def test_xep_0200_with_cipher_none_the_counter_goes_up_by_one_and_content_is_base64() -> None:
    alice, bob = pair(ciphers=("none",))
    before = channel(alice).send_at.counter
    sent = send(alice, f"<message {NS}><body>{'x' * 100}</body></message>")
    assert channel(alice).send_at.counter == (before + 1) % (1 << 128)
    data = sent.findtext(f"{C}/{{{ENCRYPTION}}}data")
    assert data is not None
    assert xep_0200.decode_base64(data).startswith(b"<body>xxx")
    bob.receive(sent)
    assert bob.bodies() == ["x" * 100]


def test_the_counters_of_both_directions_start_half_the_range_apart() -> None:
    alice, bob = pair()
    difference = (channel(alice).send_at.counter ^ channel(alice).receive_at.counter) >> 120
    assert difference == 0x80
    assert channel(alice).send_at == channel(bob).receive_at


# --- repetitions, order, forgeries --------------------------------------------------------------------


def test_an_exact_repetition_is_recognized_and_silently_ignored_however_late() -> None:
    alice, bob = pair()
    first = send(alice, f"<message {NS}><body>1</body></message>")
    bob.receive(first)
    for number in range(5):
        bob.receive(send(alice, f"<message {NS}><body>{number}</body></message>"))
    bob.receive(first)
    assert len(bob.got(StanzaReceived)) == 6
    assert len(bob.got(RepetitionIgnored)) == 1
    assert bob.outbox == []
    bob.receive(send(alice, f"<message {NS}><body>still here</body></message>"))
    assert bob.bodies()[-1] == "still here"


def test_a_repetition_is_recognized_after_the_session_has_ended() -> None:
    alice, bob = pair()
    first = send(alice, f"<message {NS}><body>1</body></message>")
    bob.receive(first)
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    deliver(alice, bob)
    bob.receive(first)
    assert bob.got(RepetitionIgnored)
    assert bob.outbox == []


def test_the_memory_of_repetitions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "REMEMBERED_STANZAS", 3)
    alice, bob = pair()
    for number in range(9):
        alice.say(str(number))
    deliver(alice, bob)
    assert bob.session is not None
    assert bob.session._conversation is not None
    assert len(bob.session._conversation._taken) == 3


def test_our_own_stanza_reflected_to_us_is_ignored() -> None:
    alice, _ = pair()
    sent = send(alice, f"<message {NS}><body>1</body></message>")
    sent.set("from", BOB)
    sent.set("to", ALICE)
    alice.receive(sent)
    assert alice.got(RepetitionIgnored)
    assert not alice.got(StanzaReceived)


def flip(stanza: ET.Element, name: str) -> ET.Element:
    found = stanza.find(f"{C}/{{{ENCRYPTION}}}{name}")
    assert found is not None
    assert found.text is not None
    found.text = ("A" if found.text[0] != "A" else "B") + found.text[1:]
    return stanza


def remove(stanza: ET.Element, name: str) -> ET.Element:
    content = stanza.find(C)
    assert content is not None
    for child in content.findall(f"{{{ENCRYPTION}}}{name}"):
        content.remove(child)
    return stanza


def add(stanza: ET.Element, name: str, text: str) -> ET.Element:
    content = stanza.find(C)
    assert content is not None
    ET.SubElement(content, f"{{{ENCRYPTION}}}{name}").text = text
    return stanza


FORGERIES: dict[str, Callable[[ET.Element], ET.Element]] = {
    "flipped data": lambda stanza: flip(stanza, "data"),
    "flipped mac": lambda stanza: flip(stanza, "mac"),
    "no mac": lambda stanza: remove(stanza, "mac"),
    "no data": lambda stanza: remove(stanza, "data"),
    "a key added": lambda stanza: add(stanza, "key", "AAAA"),
    "a count added": lambda stanza: add(stanza, "new", "1"),
    "a bad count": lambda stanza: add(stanza, "new", "-1"),
    "an old key added": lambda stanza: add(stanza, "old", "AAAA"),
    "data twice": lambda stanza: add(stanza, "data", "AAAA"),
    "something unknown": lambda stanza: add(stanza, "other", "AAAA"),
    "not base64": lambda stanza: add(remove(stanza, "data"), "data", "***"),
    "two encrypted elements": lambda stanza: (stanza.append(ET.Element(C)), stanza)[1],
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_xep_0200_a_forged_or_damaged_stanza_changes_no_key_and_ends_the_session(forgery: str) -> None:
    alice, bob = pair()
    before = channel(bob)
    bob.receive(FORGERIES[forgery](send(alice, f"<message {NS}><body>hello</body></message>")))
    assert channel(bob) is before
    assert bob.got(SessionEnded)[0].reason is EndReason.DAMAGED
    assert bob.bodies() == []
    error = bob.outbox[0]
    assert xep_0155.read_error(error)[0] == "not-acceptable"
    deliver(alice, bob)
    assert alice.got(SessionEnded)


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_stanza_is_dropped_instead_where_the_caller_chose_so(forgery: str) -> None:
    alice, bob = pair(drop_damaged=True)
    before = channel(bob)
    good = send(alice, f"<message {NS}><body>hello</body></message>")
    bob.receive(FORGERIES[forgery](ET.fromstring(ET.tostring(good))))
    assert channel(bob) is before
    assert len(bob.got(StanzaDropped)) == 1
    bob.receive(good)
    assert bob.bodies() == ["hello"]


def test_stanzas_out_of_order_end_the_session() -> None:
    alice, bob = pair()
    _, second = (send(alice, f"<message {NS}><body>{number}</body></message>") for number in (1, 2))
    bob.receive(second)
    assert bob.got(SessionEnded)[0].reason is EndReason.DAMAGED


def test_a_stanza_from_another_address_or_thread_is_not_taken() -> None:
    alice, bob = pair()
    sent = send(alice, f"<message {NS}><body>x</body></message>")
    for address in ("mallory@example.net/x", "alice@example.org/other", ""):
        sent.set("from", address)
        bob.receive(sent)
    sent.set("from", ALICE)
    thread = sent.find(f"{CLIENT}thread")
    assert thread is not None
    thread.text = "another"
    bob.receive(sent)
    assert bob.bodies() == []
    assert bob.session is not None
    assert bob.session.state is State.ACTIVE


@pytest.mark.parametrize(
    "content", ["<body>", "</message><message>", "<body>x</body>loose", "<thread>t</thread>"]
)
def test_xep_0200_authentic_content_that_is_not_well_formed_ends_the_session_even_where_damage_is_dropped(
    content: str,
) -> None:
    alice, bob = pair(drop_damaged=True)
    sealed = channel(alice).seal(content.encode())[1]
    stanza = ET.Element(f"{CLIENT}message", {"from": ALICE, "to": BOB})
    stanza.append(xep_0200.write(sealed))
    bob.receive(stanza)
    assert bob.got(SessionEnded)[0].reason is EndReason.DAMAGED


def test_a_stanza_that_came_back_undelivered_ends_the_session() -> None:
    alice, _ = pair()
    sent = send(alice, f"<message {NS}><body>x</body></message>")
    bounce = xep_0155.write_error(sent, "recipient-unavailable")
    alice.receive(bounce)
    assert alice.got(DeliveryFailed)[0].condition == "recipient-unavailable"
    assert alice.got(SessionEnded)[0].reason is EndReason.UNDELIVERED


def test_an_iq_error_in_clear_is_told_and_ends_nothing() -> None:
    alice, _ = pair()
    error = ET.fromstring(
        f"<iq {NS} type='error' id='i1' from='{BOB}'><error type='cancel'>"
        "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )
    alice.receive(error)
    assert alice.got(DeliveryFailed)[0].condition == "service-unavailable"
    assert alice.session is not None
    assert alice.session.state is State.ACTIVE


def test_encrypted_content_for_a_session_that_is_over_is_answered_by_an_error() -> None:
    alice, bob = pair()
    stanza = send(alice, f"<message {NS}><body>x</body></message>")
    bob.receive(flip(ET.fromstring(ET.tostring(stanza)), "mac"))
    bob.outbox.clear()
    bob.receive(stanza)
    assert xep_0155.read_error(bob.outbox[0])[0] == "not-acceptable"


def test_nothing_can_be_sent_before_or_after_a_session() -> None:
    alice = Peer(ALICE, FAST)
    alice.open(BOB)
    with pytest.raises(MisuseError):
        alice.say("too early")
    alice, bob = pair()
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    with pytest.raises(MisuseError):
        alice.say("too late")
    deliver(alice, bob)


def test_no_secret_shows_in_what_a_session_prints() -> None:
    alice, _ = pair()
    assert alice.session is not None
    shown = (
        repr(alice.session)
        + repr(alice.party)
        + repr(channel(alice))
        + repr(alice.secrets.kept)
        + repr(alice.events)
    )
    for secret in channel(alice).secrets():
        assert secret.reveal().hex() not in shown
        assert repr(secret.reveal()) not in shown
    assert str(channel(alice).send_at.counter) not in shown
