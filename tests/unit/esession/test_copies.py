"""Copies of a stanza that was taken already: a resend, a carbon, one from an archive (XEP-0200)."""

from xml.etree import ElementTree as ET

import pytest

from esession.events import RepetitionIgnored, SessionEnded
from esession.policy import Policy
from support.esession_peers import ALICE, BOB, Peer, connect

POLICIES = {
    "end at damage": Policy(groups=(5,)),
    "drop damage": Policy(groups=(5,), drop_damaged=True),
}

DELAY = "<delay xmlns='urn:xmpp:delay' from='example.com' stamp='2026-01-01T12:00:00Z'/>"
STAMP = "<stanza-id xmlns='urn:xmpp:sid:0' by='bob@example.com' id='28482-98726-73623'/>"
CARBONS = "<private xmlns='urn:xmpp:carbons:2'/>"


@pytest.mark.parametrize(
    "added",
    ["", DELAY, STAMP, DELAY + STAMP, CARBONS],
    ids=["resend", "late", "stamped", "archive", "carbon"],
)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_copy_with_what_its_way_added_is_ignored_and_the_session_goes_on(added: str, policy: str) -> None:
    alice, bob = connect(Peer(ALICE, POLICIES[policy]), Peer(BOB, POLICIES[policy]))
    alice.say("once")
    written = ET.tostring(alice.outbox[0], "unicode")
    bob.receive(alice.outbox.pop())
    copy = ET.fromstring(written)
    copy.extend(ET.fromstring(f"<added>{added}</added>"))
    bob.receive(copy)
    assert bob.bodies() == ["once"]
    assert len(bob.got(RepetitionIgnored)) == 1
    assert not bob.outbox
    alice.say("twice")
    bob.receive(alice.outbox.pop())
    assert bob.bodies() == ["once", "twice"]
    assert not bob.got(SessionEnded)
