"""What is weaker is taken only where the caller allows it, however a peer asks for it (XEP-0116)."""

from dataclasses import replace

import pytest

from esession.policy import Policy
from esession.state import State
from esession.wire import xep_0155
from support.esession_peers import ALICE, BOB, Peer, connect

FAST = Policy(groups=(5,))
ASKS = {
    "modp": Policy(groups=(5,)),
    "crypt_algs": Policy(groups=(14,), ciphers=("none",)),
    "security": Policy(security=("c2s",)),
}


@pytest.mark.parametrize("field", ASKS)
def test_the_default_policy_takes_neither_group_5_nor_no_cipher_nor_no_encryption(field: str) -> None:
    alice, bob = Peer(ALICE, ASKS[field]), Peer(BOB, Policy())
    alice.open(BOB)
    bob.receive(alice.outbox.pop())
    assert xep_0155.read_error(bob.outbox.pop()) == ("not-acceptable", (field,))
    assert bob.session is not None
    assert bob.session.state is State.ENDED


def test_the_default_policy_offers_none_of_them() -> None:
    alice = Peer(ALICE, Policy())
    alice.open(BOB)
    found = xep_0155.read_message(alice.outbox[0])
    assert found is not None
    assert "5" not in found.form.fields["modp"].options
    assert "none" not in found.form.fields["crypt_algs"].options
    assert found.form.fields["security"].options in {(), ("e2e",)}
    assert set(found.form.fields["compress"].options or found.form.fields["compress"].values) == {"none"}


@pytest.mark.parametrize("longer", ["sha384", "sha512"])
def test_the_longer_hashes_are_used_where_both_list_them_and_else_sha256(longer: str) -> None:
    both = replace(FAST, hashes=(longer, "sha256"))
    for ours, theirs, expected in ((both, both, longer), (both, FAST, "sha256"), (FAST, both, "sha256")):
        alice, _ = connect(Peer(ALICE, ours), Peer(BOB, theirs))
        assert alice.session is not None
        assert alice.session.suite is not None
        assert alice.session.suite.hash == expected
