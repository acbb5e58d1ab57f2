"""The library carries stanzas of any stream: a component's has another namespace than a client's."""

from xml.etree import ElementTree as ET

from esession.events import SessionActive, StanzaReceived
from esession.policy import Policy
from support.esession_peers import ALICE, BOB, START, Peer, deliver

COMPONENT = "{jabber:component:accept}"
FAST = Policy(groups=(5,), rekey_after=1)


def test_a_session_stays_in_the_namespace_of_its_stream() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB, namespace="jabber:component:accept")
    assert alice.outbox[0].tag == f"{COMPONENT}message"
    bob.receive(alice.outbox.pop())
    assert bob.outbox[0].tag == f"{COMPONENT}message"
    deliver(alice, bob)
    assert alice.got(SessionActive)
    for body in ("one", "two", "three"):
        stanza = ET.Element(f"{COMPONENT}message")
        ET.SubElement(stanza, f"{COMPONENT}body").text = body
        for peer in (alice, bob):
            assert peer.session is not None
            peer.take(peer.session.send(stanza, START))
            assert peer.outbox[0].find(f"{COMPONENT}body") is None
        deliver(alice, bob)
    for peer in (alice, bob):
        bodies = [each.stanza.findtext(f"{COMPONENT}body") for each in peer.got(StanzaReceived)]
        assert bodies == ["one", "two", "three"]
