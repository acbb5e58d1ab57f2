"""Negotiating an encrypted session (XEP-0116): variants, refusals, and what is remembered."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from xml.etree import ElementTree as ET

import pytest

from esession.crypto import SigningKey
from esession.errors import MalformedError, MisuseError
from esession.events import (
    DisclosurePossible,
    EndReason,
    IdentityPresented,
    KeyConcern,
    NegotiationFailed,
    ResponseReceived,
    SessionActive,
    SessionEnded,
    SessionRequested,
    SharedSecretElsewhere,
    StanzaReceived,
    VerificationNeeded,
)
from esession.groups import encode_integer, group
from esession.keys import RSAPublicKey, bare
from esession.negotiation.responder import Answered
from esession.policy import LoggingPreference, Policy
from esession.secret import Secret
from esession.session import Session
from esession.state import State
from esession.storage import KnownKey, RetainedSecret
from esession.suite import GAJIM
from esession.wire import xep_0155
from esession.wire.xep_0004 import DATA, encode_base64
from esession.wire.xep_0200 import C
from support.esession_peers import (
    ALICE,
    BOB,
    START,
    Peer,
    connect,
    deliver,
    know,
    later,
    message,
    signing_key,
)

FAST = Policy(groups=(5,))


def fields(stanza: ET.Element) -> dict[str, ET.Element]:
    found = stanza.find(f"*/{{{DATA}}}x")
    assert found is not None
    return {field.get("var", ""): field for field in found}


def change(stanza: ET.Element, var: str, *values: str) -> ET.Element:
    """Overwrite the values of a field, or its options if it has any."""
    field = fields(stanza)[var]
    options = field.findall(f"{{{DATA}}}option")
    for child in options or field.findall(f"{{{DATA}}}value"):
        field.remove(child)
    for value in values:
        parent = ET.SubElement(field, f"{{{DATA}}}option") if options else field
        ET.SubElement(parent, f"{{{DATA}}}value").text = value
    return stanza


def drop(stanza: ET.Element, var: str) -> ET.Element:
    x = stanza.find(f"*/{{{DATA}}}x")
    assert x is not None
    x.remove(fields(stanza)[var])
    return stanza


def talk(alice: Peer, bob: Peer) -> None:
    """Both ends can read each other."""
    alice.say("from alice")
    bob.say("from bob")
    deliver(alice, bob)
    assert alice.bodies()[-1] == "from bob"
    assert bob.bodies()[-1] == "from alice"


def refused(bob: Peer, stanza: ET.Element) -> tuple[str, tuple[str, ...]]:
    bob.receive(stanza)
    assert bob.session is not None
    assert bob.session.state is State.ENDED
    return xep_0155.read_error(bob.outbox.pop())


# --- what can be agreed on ----------------------------------------------------------------------------


def with_keys(**policy: object) -> tuple[Peer, Peer]:
    made = Policy(groups=(5,), **policy)
    alice, bob = Peer(ALICE, made, key=signing_key("alice")), Peer(BOB, made, key=signing_key("bob"))
    know(alice, bob)
    know(bob, alice)
    return alice, bob


@pytest.mark.parametrize("how_bob", ["key", "hash", "none"])
@pytest.mark.parametrize("how_alice", ["key", "hash", "none"])
def test_xep_0116_four_messages_with_every_pair_of_identifications(how_alice: str, how_bob: str) -> None:
    alice, bob = connect(*with_keys(init_pubkey=(how_alice,), resp_pubkey=(how_bob,)))
    assert alice.session is not None
    assert bob.session is not None
    assert alice.session.suite is not None
    assert (alice.session.suite.init_pubkey, alice.session.suite.resp_pubkey) == (how_alice, how_bob)
    expected = RSAPublicKey.of(signing_key("bob")) if how_bob != "none" else None
    assert alice.session.peer_key == expected
    assert bob.session.peer_key == (RSAPublicKey.of(signing_key("alice")) if how_alice != "none" else None)
    talk(alice, bob)


@pytest.mark.parametrize("how_bob", ["key", "hash"])
@pytest.mark.parametrize("how_alice", ["key", "hash"])
def test_xep_0116_three_messages_with_every_pair_of_identifications(how_alice: str, how_bob: str) -> None:
    alice, bob = with_keys(
        messages=3, accept_three_messages=True, init_pubkey=(how_alice,), resp_pubkey=(how_bob,)
    )
    alice.open(BOB)
    sent = []
    for sender, receiver in ((alice, bob), (bob, alice), (alice, bob)):
        sent.append(sender.outbox[0])
        receiver.receive(sender.outbox.pop(0))
    assert not alice.outbox
    assert not bob.outbox
    assert "dhkeys" in fields(sent[0])
    assert {"sas_algs", "dhhashes"}.isdisjoint(fields(sent[0]))
    assert "identity" in fields(sent[1])
    assert alice.session is not None
    assert alice.session.sas is None
    talk(alice, bob)


@pytest.mark.parametrize("number", [5, 14, 15, 16, 17, 18])
def test_each_modp_group_can_be_agreed_on(number: int) -> None:
    alice, bob = connect(Peer(ALICE, Policy(groups=(number,))), Peer(BOB, Policy(groups=(14, number))))
    assert alice.session is not None
    assert alice.session.suite is not None
    assert alice.session.suite.group == number
    talk(alice, bob)


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
@pytest.mark.parametrize("cipher", ["aes128-ctr", "aes192-ctr", "aes256-ctr", "none"])
def test_each_cipher_and_hash_can_be_agreed_on(cipher: str, hash_name: str) -> None:
    policy = Policy(groups=(5,), ciphers=(cipher,), hashes=(hash_name,))
    alice, bob = connect(Peer(ALICE, policy), Peer(BOB, policy))
    assert bob.session is not None
    assert bob.session.suite is not None
    assert (bob.session.suite.cipher, bob.session.suite.hash) == (cipher, hash_name)
    talk(alice, bob)


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": (1,)},
        {"groups": (2,)},
        {"ciphers": ("twofish256-ctr",)},
        {"hashes": ("whirlpool",)},
        {"hashes": ()},
        {"rekey_freq": 1 << 32},
        {"messages": 3},
    ],
)
def test_what_is_left_out_can_not_be_asked_for(wrong: dict[str, object]) -> None:
    with pytest.raises(MisuseError):
        Policy(**wrong)


def test_the_first_option_that_both_sides_like_is_chosen() -> None:
    alice = Peer(ALICE, Policy(groups=(15, 14, 5), ciphers=("aes256-ctr", "aes128-ctr")))
    bob = Peer(BOB, Policy(groups=(5, 14), ciphers=("aes128-ctr", "aes256-ctr")))
    connect(alice, bob)
    assert bob.session is not None
    assert bob.session.suite is not None
    assert (bob.session.suite.group, bob.session.suite.cipher) == (14, "aes256-ctr")


def test_rekey_freq_is_the_larger_of_both_wishes() -> None:
    alice = Peer(ALICE, Policy(groups=(5,), rekey_freq=10))
    connect(alice, bob := Peer(BOB, Policy(groups=(5,), rekey_freq=50)))
    for peer in (alice, bob):
        assert peer.session is not None
        assert peer.session.suite is not None
        assert peer.session.suite.rekey_freq == 50


def test_the_negotiated_parameters_of_xep_0155_are_told_to_both() -> None:
    extra = {"language": ("it", "en"), "http://jabber.org/protocol/chatstates": ("mustnot", "may")}
    alice = Peer(ALICE, Policy(groups=(5,), parameters=extra, multisession=True))
    bob = Peer(BOB, Policy(groups=(5,), parameters={"language": ("en",)}, multisession=True))
    connect(alice, bob)
    for peer in (alice, bob):
        terms = peer.got(SessionActive)[0].terms
        assert terms.parameters == {"language": "en"}
        assert terms.multisession
        assert (terms.logging, terms.disclosure, terms.security) == ("may", "never", "e2e")


def test_a_disclosure_other_than_never_is_told_at_once() -> None:
    policy = Policy(groups=(5,), disclosure=("enabled",))
    alice, bob = connect(Peer(ALICE, policy), Peer(BOB, policy))
    assert [event.value for event in alice.got(DisclosurePossible)] == ["enabled"]
    assert [event.value for event in bob.got(DisclosurePossible)] == ["enabled"]


def test_xep_0201_a_session_has_a_thread_of_its_own_that_may_branch_off_another() -> None:
    first, second = Peer(ALICE, FAST, seed=1), Peer(ALICE, FAST, seed=2)
    for peer in (first, second):
        peer.open(BOB)
    assert first.session is not None
    assert second.session is not None
    assert first.session.thread != second.session.thread
    alice, bob = connect(Peer(ALICE, FAST), Peer(BOB, FAST), parent="the older thread")
    assert bob.session is not None
    assert bob.session.parent == "the older thread"
    bob.say("x")
    thread = bob.outbox[0].find("{jabber:client}thread")
    assert thread is not None
    assert (thread.text, thread.get("parent")) == (bob.session.thread, "the older thread")
    deliver(alice, bob)
    assert alice.bodies() == ["x"]


def test_nothing_leaves_before_the_caller_has_accepted_a_request() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(bare(BOB))
    bob.receive(alice.outbox.pop(), accept=False)
    assert bob.outbox == []
    (event,) = bob.got(SessionRequested)
    assert event.encrypted
    assert event.offered["modp"] == ("5",)


def test_the_session_is_with_the_resource_that_answers() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(bare(BOB))
    deliver(alice, bob)
    assert alice.session is not None
    assert alice.session.peer == BOB


def test_a_second_resource_that_answers_is_told_that_it_comes_too_late() -> None:
    alice, bob, tablet = Peer(ALICE, FAST), Peer(BOB, FAST), Peer("bob@example.com/tablet", FAST)
    alice.open(bare(BOB))
    request = alice.outbox.pop()
    tablet.receive(request)
    bob.receive(request)
    alice.receive(bob.outbox.pop())
    alice.outbox.clear()
    alice.receive(tablet.outbox.pop())
    tablet.receive(alice.outbox.pop())
    assert tablet.got(SessionEnded)[0].reason is EndReason.CANCELLED


# --- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("var", "values"),
    [
        ("modp", ("2",)),
        ("crypt_algs", ("twofish256-ctr",)),
        ("hash_algs", ("whirlpool",)),
        ("compress", ("zlib",)),
        ("ver", ("1.3",)),
        ("stanzas", ("smoke-signals",)),
        ("sas_algs", ("sas99",)),
        ("disclosure", ("enabled",)),
        ("security", ("smime",)),
        ("init_pubkey", ("blood",)),
        ("resp_pubkey", ("blood",)),
        ("rekey_freq", ("4294967296",)),
        ("rekey_freq", ("0",)),
    ],
)
def test_xep_0116_unsupported_options_are_not_acceptable_and_named(var: str, values: tuple[str, ...]) -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    assert refused(bob, change(alice.outbox.pop(), var, *values)) == ("not-acceptable", (var,))


def test_all_unsupported_fields_are_named_together() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    request = change(change(alice.outbox.pop(), "modp", "2"), "ver", "1.3")
    assert refused(bob, request) == ("not-acceptable", ("modp", "ver"))


def test_xep_0116_a_request_of_three_messages_is_refused_naming_dhkeys_unless_the_policy_takes_it() -> None:
    alice, bob = with_keys(messages=3, init_pubkey=("key",), resp_pubkey=("key",))
    alice.open(BOB)
    assert refused(bob, alice.outbox[0]) == ("feature-not-implemented", ("dhkeys",))


def test_xep_0155_a_required_field_that_is_not_implemented_is_named() -> None:
    alice = Peer(ALICE, replace(FAST, parameters={"urn:example:mood": ("good",)}))
    bob = Peer(BOB, FAST)
    alice.open(BOB)
    request = alice.outbox.pop()
    ET.SubElement(fields(request)["urn:example:mood"], f"{{{DATA}}}required")
    assert refused(bob, request) == ("feature-not-implemented", ("urn:example:mood",))


def test_a_refusal_is_reported_to_the_initiator_with_its_fields() -> None:
    alice, bob = Peer(ALICE, Policy(groups=(14,))), Peer(BOB, FAST)
    connect(alice, bob)
    (failure,) = alice.got(NegotiationFailed)
    assert (failure.condition, failure.fields, failure.by_us) == ("not-acceptable", ("modp",), False)
    assert alice.got(SessionEnded)[0].reason is EndReason.REFUSED
    assert bob.got(NegotiationFailed)[0].by_us


def test_xep_0155_a_peer_without_support_ends_the_negotiation() -> None:
    alice = Peer(ALICE, FAST)
    alice.open(BOB)
    alice.receive(xep_0155.write_error(alice.outbox.pop(), "service-unavailable"))
    assert alice.got(NegotiationFailed)[0].condition == "service-unavailable"


def test_an_error_from_elsewhere_or_about_another_thread_changes_nothing() -> None:
    alice = Peer(ALICE, FAST)
    alice.open(BOB, thread="one")
    error = xep_0155.write_error(alice.outbox.pop(), "service-unavailable")
    mallory = ET.fromstring(ET.tostring(error))
    mallory.set("from", "mallory@example.net/x")
    alice.receive(mallory)
    thread = error.find("{jabber:client}thread")
    assert thread is not None
    thread.text = "another"
    alice.receive(error)
    assert alice.session is not None
    assert alice.session.state is State.REQUESTED


def respond(**options: object) -> tuple[Peer, Peer, ET.Element]:
    """A negotiation up to the response, which has not been delivered."""
    alice, bob = Peer(ALICE, replace(FAST, **options)), Peer(BOB, replace(FAST, **options))
    alice.open(BOB)
    bob.receive(alice.outbox.pop())
    return alice, bob, bob.outbox.pop()


@pytest.mark.parametrize(
    ("var", "value"),
    [
        ("modp", "14"),
        ("crypt_algs", "none"),
        ("hash_algs", "sha512"),
        ("compress", "zlib"),
        ("ver", "1.3"),
        ("init_pubkey", "key"),
        ("resp_pubkey", "key"),
        ("disclosure", "enabled"),
        ("logging", "maybe"),
        ("rekey_freq", "0"),
        ("nonce", "AAAA"),
    ],
)
def test_xep_0116_a_response_may_choose_only_what_was_offered(var: str, value: str) -> None:
    alice, bob, response = respond()
    alice.receive(change(response, var, value))
    error = alice.outbox.pop()
    assert xep_0155.read_error(error) == ("not-acceptable", (var,))
    bob.receive(error)
    assert bob.got(SessionEnded)[0].reason is EndReason.REFUSED


def test_a_smaller_rekey_freq_than_ours_is_not_acceptable() -> None:
    alice, _, response = respond(rekey_freq=10)
    alice.receive(change(response, "rekey_freq", "9"))
    assert xep_0155.read_error(alice.outbox.pop()) == ("not-acceptable", ("rekey_freq",))


@pytest.mark.parametrize("security", ["c2s", "none", "e3e"])
def test_a_response_can_not_lower_the_security_below_what_was_offered(security: str) -> None:
    alice, _, response = respond()
    alice.receive(change(response, "security", security))
    assert xep_0155.read_error(alice.outbox.pop()) == ("not-acceptable", ("security",))


def edges() -> list[int]:
    prime = group(5).prime
    return [0, 1, prime - 1, prime, prime + 2, prime - 4]


@pytest.mark.parametrize("value", edges(), ids=["0", "1", "p-1", "p", "p+2", "outside the subgroup"])
def test_xep_0116_a_response_with_a_bad_diffie_hellman_value_is_not_acceptable(value: int) -> None:
    assert not group(5).is_public_value(value)
    alice, _, response = respond()
    alice.receive(change(response, "dhkeys", encode_base64(encode_integer(value))))
    assert xep_0155.read_error(alice.outbox.pop()) == ("not-acceptable", ("dhkeys",))


def test_a_public_key_is_needed_where_the_policy_identifies_by_one() -> None:
    with pytest.raises(MisuseError):
        Peer(ALICE, Policy(groups=(5,), init_pubkey=("key",))).open(BOB)


# --- completions and proofs ---------------------------------------------------------------------------


def complete(alice: Peer, bob: Peer) -> ET.Element:
    """A negotiation up to the completion, which has not been delivered."""
    alice.open(BOB)
    bob.receive(alice.outbox.pop())
    alice.receive(bob.outbox.pop())
    return alice.outbox.pop()


def flip(stanza: ET.Element, var: str) -> ET.Element:
    value = fields(stanza)[var].find(f"{{{DATA}}}value")
    assert value is not None
    assert value.text is not None
    last = value.text[5]
    value.text = value.text[:5] + ("A" if last != "A" else "B") + value.text[6:]
    return stanza


@pytest.mark.parametrize(
    ("tamper", "field"),
    [
        (lambda stanza: flip(stanza, "dhkeys"), "dhkeys"),
        (lambda stanza: flip(stanza, "mac"), "mac"),
        (lambda stanza: flip(stanza, "identity"), "mac"),
        (lambda stanza: flip(stanza, "nonce"), "nonce"),
        (lambda stanza: flip(stanza, "rshashes"), "identity"),
        (lambda stanza: drop(stanza, "rshashes"), "identity"),
        (lambda stanza: drop(stanza, "mac"), "identity"),
        (lambda stanza: change(stanza, "mac", "AAAA"), "mac"),
    ],
    ids=["e", "mac", "identity", "nonce", "rshashes", "no rshashes", "no mac", "truncated mac"],
)
def test_xep_0116_a_tampered_completion_is_refused(
    tamper: Callable[[ET.Element], ET.Element], field: str
) -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    bob.receive(tamper(complete(alice, bob)))
    error = bob.outbox.pop()
    assert xep_0155.read_error(error) == ("feature-not-implemented", (field,))
    assert bob.secrets.kept == []
    alice.receive(error)
    for peer in (alice, bob):
        assert peer.session is not None
        assert peer.session.state is State.ENDED


@pytest.mark.parametrize("which", ["logging", "disclosure", "stanzas", "rekey_freq"])
def test_a_request_changed_on_its_way_is_found_out(which: str) -> None:
    changes = {
        "logging": ("mustnot",),
        "disclosure": ("never", "enabled"),
        "stanzas": ("message",),
        "rekey_freq": ("7",),
    }
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    bob.receive(change(alice.outbox.pop(), which, *changes[which]))
    deliver(alice, bob)
    for peer in (alice, bob):
        assert peer.session is not None
        assert peer.session.state is State.ENDED
        assert not peer.got(SessionActive)


@pytest.mark.parametrize("tamper", ["mac", "identity", "srshash", "nonce"])
def test_xep_0116_a_tampered_proof_of_the_responder_is_refused(tamper: str) -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    bob.receive(complete(alice, bob))
    alice.receive(flip(bob.outbox.pop(), tamper))
    assert alice.got(NegotiationFailed)[0].condition == "feature-not-implemented"
    assert alice.secrets.kept == []
    deliver(alice, bob)
    assert bob.got(SessionEnded)


class Forger(SigningKey):
    """Shows one key, and signs with another."""

    def sign(self, data: bytes) -> bytes:
        return signing_key("mallory").sign(data)


@pytest.mark.parametrize("how", ["key", "hash"])
def test_a_wrong_signature_is_refused(how: str) -> None:
    alice, bob = with_keys(init_pubkey=(how,), resp_pubkey=("none",))
    alice.key = Forger(signing_key("alice")._key)
    bob.receive(complete(alice, bob))
    assert xep_0155.read_error(bob.outbox.pop()) == ("feature-not-implemented", ("identity",))


def test_what_a_failed_negotiation_knew_is_destroyed_on_both_sides() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    completion = flip(complete(alice, bob), "mac")
    assert alice.session is not None
    assert bob.session is not None
    opening, proved = alice.session._handshake._opening, alice.session._handshake._proved
    answered = bob.session._handshake._answered
    assert opening is not None
    assert proved is not None
    assert isinstance(answered, Answered)
    bob.receive(completion)
    deliver(alice, bob)
    held = [
        *(pair.exponent for pair in opening.pairs),
        proved.secret,
        proved.sent.sigma,
        answered.pair.exponent,
    ]
    assert all(secret.wiped for secret in held)


def test_a_fingerprint_of_an_unknown_key_ends_the_negotiation() -> None:
    alice, bob = with_keys(init_pubkey=("none",), resp_pubkey=("hash",))
    alice.keys.kept = []
    connect(alice, bob)
    assert alice.got(NegotiationFailed)[0].fields == ("identity",)


def test_an_unverified_key_is_refused_where_the_policy_wishes_so() -> None:
    alice, bob = with_keys(init_pubkey=("key",), resp_pubkey=("key",), accept_unverified_keys=False)
    bob.keys.kept = [replace(each, verified=False) for each in bob.keys.kept]
    connect(alice, bob)
    assert bob.got(NegotiationFailed)[0].fields == ("identity",)
    assert not alice.got(SessionActive)


# --- secrets ------------------------------------------------------------------------------------------


def test_a_second_session_shares_the_retained_secret_and_replaces_it() -> None:
    alice, bob = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    (first,) = alice.secrets.kept
    assert first.value == bob.secrets.kept[0].value
    alice.session = bob.session = None
    connect(alice, bob, later(hours=1))
    (second,) = alice.secrets.kept
    assert second.value == bob.secrets.kept[0].value
    assert second.value != first.value
    assert len(bob.secrets.kept) == 1
    assert not alice.got(VerificationNeeded)[1].first_contact


def test_confirming_the_string_verifies_the_whole_chain_that_follows() -> None:
    alice, bob = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    assert alice.session is not None
    assert bob.session is not None
    assert alice.session.sas == bob.session.sas == alice.got(VerificationNeeded)[0].sas
    alice.take(alice.session.confirm_sas(START))
    assert [each.verified for each in alice.secrets.kept] == [True]
    alice.session = bob.session = None
    connect(alice, bob, later(hours=1))
    assert len(alice.got(VerificationNeeded)) == 1
    assert [each.verified for each in alice.secrets.kept] == [True]
    assert len(bob.got(VerificationNeeded)) == 2, "Bob never confirmed, and is reminded"


def test_a_lost_retained_secret_is_told() -> None:
    alice, bob = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    bob.secrets.kept.clear()
    alice.session = bob.session = None
    connect(alice, bob)
    assert alice.got(VerificationNeeded)[-1].secret_lost
    assert not bob.got(VerificationNeeded)[-1].secret_lost


def test_an_expired_secret_is_not_used_and_is_destroyed() -> None:
    policy = replace(FAST, retain_secrets_for=timedelta(days=1))
    alice, bob = connect(Peer(ALICE, policy), Peer(BOB, policy))
    (old,) = alice.secrets.kept
    alice.session = bob.session = None
    connect(alice, bob, later(days=1))
    assert alice.got(VerificationNeeded)[-1].first_contact
    assert not alice.got(VerificationNeeded)[-1].secret_lost
    assert all(each.value != old.value for each in alice.secrets.kept)


def test_a_shared_secret_is_found_under_another_address_and_told() -> None:
    alice, bob = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    other = Peer("nobody@example.net/pda", FAST)
    other.secrets = alice.secrets
    bob.session = None
    connect(other, bob)
    assert [event.address for event in bob.got(SharedSecretElsewhere)] == [bare(ALICE)]
    assert not other.got(VerificationNeeded)[-1].first_contact


def test_the_search_over_other_addresses_can_be_left_out() -> None:
    policy = replace(FAST, search_other_addresses=False)
    alice, bob = connect(Peer(ALICE, FAST), Peer(BOB, policy))
    other = Peer("nobody@example.net/pda", FAST)
    other.secrets = alice.secrets
    bob.session = None
    connect(other, bob)
    assert bob.got(SharedSecretElsewhere) == []


def test_decoys_hide_how_many_secrets_there_are() -> None:
    counts = set()
    for seed in range(8):
        alice, bob = Peer(ALICE, FAST, seed=seed), Peer(BOB, FAST)
        completion = complete(alice, bob)
        values = [value.text for value in fields(completion)["rshashes"]]
        counts.add(len(values))
        assert values == sorted(set(values), key=base64.b64decode)
    assert min(counts) >= 2
    assert len(counts) > 1


def test_the_responder_always_sends_an_srshash() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    bob.receive(complete(alice, bob))
    value = fields(bob.outbox[0])["srshash"].findtext(f"{{{DATA}}}value")
    assert value is not None
    assert len(value) == 44


def test_an_other_shared_secret_that_differs_ends_the_negotiation() -> None:
    alice, bob = Peer(ALICE, FAST, other_secret=b"opensesame"), Peer(BOB, FAST, other_secret=b"opensesame")
    connect(alice, bob)
    talk(alice, bob)
    mallory = Peer(BOB, FAST, other_secret=b"guess")
    alice = Peer(ALICE, FAST, other_secret=b"opensesame")
    connect(alice, mallory)
    assert not alice.got(SessionActive)
    assert alice.got(NegotiationFailed)[0].fields == ("mac",)


# --- key associations ---------------------------------------------------------------------------------


def presented(bob_knows: list[KnownKey], *, how: str = "key") -> IdentityPresented:
    alice, bob = with_keys(init_pubkey=(how,), resp_pubkey=("none",))
    bob.keys.kept = bob_knows
    connect(alice, bob)
    (event,) = bob.got(IdentityPresented)
    return event


def alices(address: str = "alice@example.org", **options: object) -> KnownKey:
    return KnownKey(address, RSAPublicKey.of(signing_key("alice")), **options)


def test_a_key_seen_for_the_first_time_is_remembered_unverified() -> None:
    alice, bob = with_keys(init_pubkey=("key",), resp_pubkey=("none",))
    bob.keys.kept = []
    connect(alice, bob)
    assert [(each.address, each.verified) for each in bob.keys.kept] == [("alice@example.org", False)]
    assert bob.got(IdentityPresented)[0].concerns == ()


def test_a_verified_key_shows_its_petname_and_no_concern() -> None:
    event = presented([alices(verified=True, petname="Al")])
    assert (event.petname, event.verified, event.concerns) == ("Al", True, ())


def test_a_key_that_another_address_presented_alerts_and_is_not_verified_by_it() -> None:
    event = presented([alices("mallory@example.net", verified=True, petname="Mal")])
    assert event.concerns == (KeyConcern.OTHER_ADDRESS,)
    assert event.other_addresses == ("mallory@example.net",)
    assert event.petname == "Mal"
    assert not event.verified


def test_another_key_than_before_alerts() -> None:
    other = KnownKey("alice@example.org", RSAPublicKey.of(signing_key("mallory")), verified=True)
    assert presented([other]).concerns == (KeyConcern.CHANGED,)


def test_no_key_where_there_was_one_alerts() -> None:
    assert presented([alices(verified=True)], how="none").concerns == (KeyConcern.MISSING,)


def test_confirming_the_string_verifies_the_peer_s_key() -> None:
    alice, bob = with_keys(init_pubkey=("key",), resp_pubkey=("none",))
    bob.keys.kept = []
    connect(alice, bob)
    assert bob.session is not None
    bob.take(bob.session.confirm_sas(START))
    assert [each.verified for each in bob.keys.kept] == [True]


# --- without encryption, rejection, review, one stanza ------------------------------------------------


@pytest.mark.parametrize("level", ["c2s", "none"])
def test_xep_0116_a_responder_may_fall_back_to_an_unencrypted_session_that_was_offered(level: str) -> None:
    alice = Peer(ALICE, replace(FAST, security=("e2e", level)))
    bob = Peer(BOB, replace(FAST, security=(level,)))
    alice.open(BOB)
    bob.receive(alice.outbox.pop(), accept=False)
    assert bob.session is not None
    bob.take(bob.session.accept_unencrypted(START))
    deliver(alice, bob)
    for peer in (alice, bob):
        (active,) = peer.got(SessionActive)
        assert (active.encrypted, active.terms.security) == (False, level)
    talk(alice, bob)
    assert not bob.got(StanzaReceived)[0].encrypted


def test_a_fall_back_that_was_not_offered_is_refused() -> None:
    bob = Peer(BOB, replace(FAST, security=("c2s",)))
    alice = Peer(ALICE, FAST)
    alice.open(BOB)
    bob.receive(alice.outbox.pop(), accept=False)
    assert bob.session is not None
    bob.take(bob.session.accept_unencrypted(START))
    assert xep_0155.read_error(bob.outbox.pop()) == ("not-acceptable", ("security",))


def test_xep_0155_a_plain_session_can_be_requested() -> None:
    policy = Policy(security=("c2s",), logging=LoggingPreference.PREFER)
    alice, bob = connect(Peer(ALICE, policy), Peer(BOB, policy))
    assert alice.session is not None
    assert alice.session.terms is not None
    assert alice.session.terms.logging == "mustnot"
    assert alice.session.suite is None
    talk(alice, bob)


def test_xep_0155_a_request_can_be_rejected_with_a_reason() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    bob.receive(alice.outbox.pop(), accept=False)
    assert bob.session is not None
    bob.take(bob.session.reject(START, "busy"))
    deliver(alice, bob)
    (ended,) = alice.got(SessionEnded)
    assert (ended.reason, ended.text) == (EndReason.REJECTED, "busy")


@pytest.mark.parametrize("go_on", [True, False])
def test_xep_0155_a_response_can_be_reviewed_then_completed_or_cancelled(go_on: bool) -> None:
    alice, bob = Peer(ALICE, replace(FAST, review=True)), Peer(BOB, FAST)
    connect(alice, bob)
    assert alice.session is not None
    assert alice.session.state is State.REVIEWING
    assert alice.got(ResponseReceived)[0].terms.logging == "may"
    alice.take(alice.session.complete(START) if go_on else alice.session.cancel(START, "changed my mind"))
    deliver(alice, bob)
    if go_on:
        talk(alice, bob)
    else:
        (ended,) = bob.got(SessionEnded)
        assert (ended.reason, ended.text) == (EndReason.CANCELLED, "changed my mind")


def test_xep_0116_one_stanza_in_isolation_ends_the_session_with_the_negotiation() -> None:
    alice, bob = with_keys(messages=3, accept_three_messages=True, init_pubkey=("key",), resp_pubkey=("key",))
    connect(alice, bob, one_shot=message("just this"))
    assert bob.bodies() == ["just this"]
    for peer in (alice, bob):
        assert peer.session is not None
        assert peer.session.state is State.ENDED
        assert peer.got(SessionEnded)[0].reason is EndReason.ONE_SHOT


def test_one_stanza_in_isolation_needs_three_messages() -> None:
    with pytest.raises(MisuseError):
        Session.open(Peer(ALICE, FAST).party, BOB, START, one_shot=message("x"))


def with_content(peer: Peer, stanza: ET.Element, body: str) -> ET.Element:
    """The last message of a negotiation, with encrypted content put into it as another client may do."""
    peer.say(body)
    content = peer.outbox.pop().find(C)
    assert content is not None
    stanza.append(content)
    return stanza


def test_xep_0116_content_that_comes_with_the_responder_s_proof_is_read() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    bob.receive(complete(alice, bob))
    alice.receive(with_content(bob, bob.outbox.pop(0), "at once"))
    assert alice.bodies() == ["at once"]
    talk(alice, bob)


def test_xep_0116_content_that_comes_with_the_initiator_s_proof_is_read() -> None:
    alice, bob = with_keys(messages=3, accept_three_messages=True, init_pubkey=("key",), resp_pubkey=("key",))
    stanza = with_content(alice, complete(alice, bob), "at once")
    bob.receive(stanza)
    assert bob.bodies() == ["at once"]
    talk(alice, bob)


def test_xep_0116_content_that_comes_with_a_proof_that_fails_is_not_read() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    bob.receive(complete(alice, bob))
    stanza = with_content(bob, bob.outbox.pop(0), "at once")
    alice.receive(flip(stanza, "identity"))
    assert alice.bodies() == []
    assert alice.got(SessionEnded)[0].reason is EndReason.REFUSED


def test_too_many_named_secrets_are_refused() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    values = [bytes([number % 256, number // 256] * 16) for number in range(300)]
    alice.secrets.kept = [RetainedSecret(bare(BOB), Secret(each), START, verified=False) for each in values]
    bob.receive(complete(alice, bob))
    assert xep_0155.read_error(bob.outbox.pop()) == ("feature-not-implemented", ("rshashes",))


# --- repetitions, time, profiles ----------------------------------------------------------------------


def test_repeated_messages_of_a_negotiation_change_nothing() -> None:
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    for _ in range(2):
        for sender, receiver in ((alice, bob), (bob, alice)):
            if sender.outbox:
                stanza = sender.outbox.pop(0)
                receiver.receive(stanza)
                receiver.receive(ET.fromstring(ET.tostring(stanza)))
    talk(alice, bob)
    assert len(alice.got(SessionActive)) == len(bob.got(SessionActive)) == 1


def test_a_negotiation_without_an_answer_times_out() -> None:
    alice = Peer(ALICE, FAST)
    alice.open(BOB)
    assert alice.session is not None
    assert alice.session.next_tick == START + FAST.negotiation_timeout
    alice.take(alice.session.tick(START + FAST.negotiation_timeout - timedelta(seconds=1)))
    assert alice.session.state is State.REQUESTED
    alice.take(alice.session.tick(START + FAST.negotiation_timeout))
    assert alice.got(SessionEnded)[0].reason is EndReason.TIMED_OUT


def test_a_response_that_comes_too_late_is_cancelled() -> None:
    alice, bob, response = respond()
    assert alice.session is not None
    alice.take(alice.session.tick(later(hours=1)))
    alice.receive(response)
    bob.receive(alice.outbox.pop())
    assert bob.got(SessionEnded)[0].reason is EndReason.CANCELLED


def test_a_time_without_a_zone_is_refused() -> None:
    alice, _ = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    assert alice.session is not None
    with pytest.raises(MisuseError, match="zone"):
        alice.session.tick(START.replace(tzinfo=None))


def test_what_requests_no_session_is_refused() -> None:
    for stanza in (message("hi"), ET.Element("{jabber:client}presence")):
        with pytest.raises(MalformedError):
            Session.asked(Peer(BOB, FAST).party, stanza, START)


def test_the_profiles_do_not_understand_each_other_and_nothing_switches() -> None:
    gajim = Policy(groups=(5,), profile=GAJIM, ciphers=("aes128-ctr",), stanzas=("message",))
    alice, bob = connect(Peer(ALICE, gajim), Peer(BOB, FAST))
    assert not alice.got(SessionActive)
    assert not bob.got(SessionActive)
    talk(*connect(Peer(ALICE, gajim), Peer(BOB, gajim)))


def test_public_keys_are_not_negotiated_in_profile_gajim() -> None:
    policy = Policy(groups=(5,), profile=GAJIM, ciphers=("aes128-ctr",), stanzas=("message",))
    alice, bob = Peer(ALICE, policy), Peer(BOB, policy, key=signing_key("bob"))
    alice.open(BOB)
    assert refused(bob, change(alice.outbox.pop(), "resp_pubkey", "key")) == (
        "not-acceptable",
        ("resp_pubkey",),
    )
