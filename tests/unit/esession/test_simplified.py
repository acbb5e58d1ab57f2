"""The subset of XEP-0217: served, and played."""

from dataclasses import replace

import pytest

from esession.errors import MisuseError
from esession.events import SessionActive
from esession.policy import Policy
from esession.suite import NO_REKEYING, XEP, Suite
from esession.wire import xep_0155
from esession.wire.xep_0004 import Form
from esession.wire.xep_0217 import FIXED
from support.esession_peers import ALICE, BOB, START, Peer, connect, deliver, signing_key

FULL = Policy(
    groups=(5,),
    ciphers=("aes256-ctr", "aes128-ctr"),
    init_pubkey=("key", "none"),
    resp_pubkey=("key", "none"),
)
SUBSET = Policy(groups=(5,), subset=True, logging=FULL.logging)


def form_of(stanza: object) -> Form:
    found = xep_0155.read_message(stanza)
    assert found is not None
    return found.form


def test_xep_0217_the_request_holds_the_fixed_values_hidden_and_no_sign_algs() -> None:
    alice = Peer(ALICE, SUBSET)
    alice.open(BOB)
    form = form_of(alice.outbox[0])
    for var, value in FIXED.items():
        assert (form.fields[var].kind, form.fields[var].values) == ("hidden", (value,))
    assert "sign_algs" not in form
    assert "logging" not in form
    assert form.fields["otr"].options == ("false", "true")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(SUBSET, FULL), (FULL, SUBSET), (SUBSET, SUBSET)],
    ids=["initiator", "responder", "both"],
)
def test_xep_0217_a_peer_of_the_subset_is_served(ours: Policy, theirs: Policy) -> None:
    alice = Peer(ALICE, ours, key=None if ours.subset else signing_key("alice"))
    bob = Peer(BOB, theirs, key=None if theirs.subset else signing_key("bob"))
    connect(alice, bob)
    assert alice.session is not None
    assert alice.session.suite is not None
    assert alice.session.suite.is_subset
    assert alice.session.suite.rekey_freq == NO_REKEYING
    assert alice.session.sas == (bob.session.sas if bob.session else None)
    assert alice.got(SessionActive)[0].terms.logging == "may"
    alice.say("hello")
    bob.say("hello too")
    deliver(alice, bob)
    assert alice.bodies() == ["hello too"]
    assert bob.bodies() == ["hello"]


def test_xep_0217_keys_have_128_bits_there_and_the_hash_s_length_elsewhere() -> None:
    subset = Suite(XEP, 14, cipher="aes128-ctr", rekey_freq=NO_REKEYING)
    assert (subset.cipher_key_octets, subset.mac_key_octets) == (16, 16)
    full = replace(subset, rekey_freq=1)
    assert (full.cipher_key_octets, full.mac_key_octets) == (16, 32)


def test_xep_0217_there_is_no_rekeying() -> None:
    alice, _ = connect(Peer(ALICE, SUBSET), Peer(BOB, SUBSET))
    assert alice.session is not None
    with pytest.raises(MisuseError):
        alice.session.rekey(START)


@pytest.mark.parametrize("var", ["crypt_algs", "hash_algs", "init_pubkey"])
def test_xep_0217_anything_but_the_fixed_values_is_not_acceptable(var: str) -> None:
    policy = {
        "crypt_algs": replace(FULL, ciphers=("aes256-ctr",)),
        "hash_algs": replace(FULL, hashes=("sha512",)),
        "init_pubkey": replace(FULL, init_pubkey=("key",)),
    }[var]
    alice, bob = Peer(ALICE, policy, key=signing_key("alice")), Peer(BOB, SUBSET)
    alice.open(BOB)
    bob.receive(alice.outbox.pop())
    assert xep_0155.read_error(bob.outbox.pop()) == ("not-acceptable", (var,))


def test_the_subset_is_of_four_messages_and_profile_xep() -> None:
    with pytest.raises(MisuseError):
        Policy(subset=True, messages=3, init_pubkey=("key",), resp_pubkey=("key",))
