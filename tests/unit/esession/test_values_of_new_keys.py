"""A Diffie-Hellman value that comes within a session is checked as those of the negotiation (XEP-0200)."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from esession import crypto
from esession.events import EndReason, SessionEnded
from esession.groups import group
from esession.policy import Policy
from esession.wire import xep_0200
from support.esession_peers import ALICE, BOB, Peer, connect

PRIME = group(5).prime
VALUES = {"0": 0, "1": 1, "p-1": PRIME - 1, "p": PRIME, "p+2": PRIME + 2, "outside the subgroup": PRIME - 4}


@pytest.mark.parametrize("drop_damaged", [False, True])
@pytest.mark.parametrize("value", VALUES)
def test_a_key_element_out_of_range_or_outside_the_subgroup_changes_no_key(
    value: str, drop_damaged: bool
) -> None:
    policy = Policy(groups=(5,), rekey_after=None, drop_damaged=drop_damaged)
    alice, bob = connect(Peer(ALICE, policy), Peer(BOB, policy))
    assert alice.session is not None
    assert bob.session is not None
    made = alice.session._conversation.channel
    content = made.seal(b"<body>x</body>")[1]
    signed = xep_0200.normalized(content.data, VALUES[value], 0, ())
    position = made.send_at.counter.to_bytes(16, "big")
    tag = crypto.mac("sha256", made.send.mac.reveal(), signed + position)
    stanza = ET.Element("{jabber:client}message", {"from": ALICE, "to": BOB})
    stanza.append(xep_0200.write(replace(content, signed=signed, mac=tag, key=VALUES[value])))
    before = bob.session._conversation.channel
    bob.receive(stanza)
    assert bob.session._conversation.channel is before
    assert bob.bodies() == []
    assert drop_damaged or bob.got(SessionEnded)[0].reason is EndReason.DAMAGED
