"""Profile `gajim` against two recorded sessions of the one client that shipped the protocol.

tests/vectors/gajim-esession.json was recorded from Gajim's own code; its first lines name the commits.
"""

import json
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from esession import crypto
from esession.events import EndReason, RetainSecret, SessionEnded, StanzaReceived, VerificationNeeded
from esession.groups import encode_integer, group
from esession.negotiation import derivation
from esession.policy import Policy
from esession.session import Session
from esession.state import State
from esession.suite import GAJIM, Suite
from esession.wire import xep_0200
from esession.wire.xep_0155 import FEATURE, INIT
from support.esession_peers import ALICE, BOB, CLIENT, START, Peer

RECORDED = json.loads((Path(__file__).parents[2] / "vectors/gajim-esession.json").read_text())
VECTORS = [pytest.param(vector, id=vector["name"]) for vector in RECORDED["vectors"]]


class Recorded:
    """Entropy that gives the recorded values back, in the order in which they were drawn."""

    def __init__(self, *values: bytes) -> None:
        self.values = list(values)

    def __call__(self, octets: int) -> bytes:
        chosen = next(value for value in self.values if len(value) == octets)
        self.values.remove(chosen)
        return chosen


class Operations:
    """Every hash, HMAC and encryption that the library makes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: Counter[tuple[str, str, str, str]] = Counter()
        digest, mac, key_stream = crypto.digest, crypto.mac, crypto.key_stream

        def note(operation: str, key: bytes, data: bytes, out: bytes) -> bytes:
            self.made[operation, key.hex(), data.hex(), out.hex()] += 1
            return out

        monkeypatch.setattr(crypto, "digest", lambda name, data: note(name, b"", data, digest(name, data)))
        monkeypatch.setattr(
            crypto, "mac", lambda name, key, data: note(f"hmac-{name}", key, data, mac(name, key, data))
        )
        monkeypatch.setattr(
            crypto,
            "key_stream",
            lambda key, counter, data: note(
                "stream", key + counter.to_bytes(16, "big"), data, key_stream(key, counter, data)
            ),
        )

    def of(self, recorded: dict[str, str]) -> int:
        """How often a recorded operation has been made."""
        key = recorded.get("key", "")
        name = recorded["op"]
        if name in {"encrypt", "decrypt"}:
            first = int(recorded["counter_before"], 16) + 1
            name, key = "stream", recorded["aes_key"] + first.to_bytes(16, "big").hex()
        return self.made[name, key, recorded["data"], recorded["out"]]


def octets(value: str, length: int | None = None) -> bytes:
    return bytes.fromhex(value).rjust(length or 0, b"\0")


def policy(vector: dict) -> Policy:
    return Policy(
        profile=GAJIM,
        groups=tuple(map(int, vector["modp_offered"].split(","))),
        ciphers=("aes128-ctr",),
        stanzas=("message",),
    )


def alice(vector: dict) -> Peer:
    dh = vector["dh"]
    private = dh["all_x"] if "all_x" in dh else {str(vector["modp"]): dh["x"]}
    exponents = [octets(value, group(int(number)).octets) for number, value in private.items()]
    return Peer(
        ALICE,
        policy(vector),
        entropy=Recorded(octets(vector["N_A"]), *exponents, octets(vector["rshashes"][0])),
    )


def bob(vector: dict) -> Peer:
    entropy = Recorded(
        octets(vector["N_B"]),
        octets(vector["C_A_initial"], 16),
        octets(vector["dh"]["y"], group(vector["modp"]).octets),
        octets(vector["srshash"]),
    )
    return Peer(BOB, policy(vector), entropy=entropy)


def stanza(recorded: dict[str, str]) -> ET.Element:
    return ET.fromstring(recorded["xml"])


def form(element: ET.Element) -> str:
    wrapper = element.find(FEATURE) if element.find(FEATURE) is not None else element.find(INIT)
    assert wrapper is not None
    return ET.canonicalize(ET.tostring(wrapper))


def encrypted(element: ET.Element) -> str:
    found = element.find(xep_0200.C)
    assert found is not None
    return ET.canonicalize(ET.tostring(found))


def data_of(element: ET.Element) -> str | None:
    return element.findtext(f"{xep_0200.C}/{{{xep_0200.ENCRYPTION}}}data")


def as_alice(vector: dict) -> Peer:
    """Play the initiator against the recording; what leaves must be what was recorded."""
    peer = alice(vector)
    request, response, completion, final = map(stanza, vector["negotiation"])
    peer.open(BOB, thread=vector["thread"])
    assert form(peer.outbox.pop()) == form(request)
    peer.receive(response)
    assert form(peer.outbox.pop()) == form(completion)
    peer.receive(final)
    return peer


def as_bob(vector: dict) -> Peer:
    """Play the responder against the recording; what leaves must be what was recorded."""
    peer = bob(vector)
    request, response, completion, final = map(stanza, vector["negotiation"])
    peer.receive(request)
    assert form(peer.outbox.pop()) == form(response)
    peer.receive(completion)
    assert form(peer.outbox.pop()) == form(final)
    return peer


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("role", ["alice", "bob"])
def test_a_negotiation_is_reproduced_byte_for_byte_in_both_roles(
    vector: dict, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = Operations(monkeypatch)
    peer = as_alice(vector) if role == "alice" else as_bob(vector)
    assert peer.session is not None
    assert peer.session.state is State.ACTIVE
    assert [event.sas for event in peer.got(VerificationNeeded)] == [vector["sas"]]
    assert [each.value.reveal().hex() for each in peer.secrets.kept] == [vector["new_retained_secret"]]
    missing = [
        each for each in vector["negotiation_operations"] if each["by"] == role and not operations.of(each)
    ]
    assert missing == []


@pytest.mark.parametrize("vector", VECTORS)
def test_every_intermediate_value_is_derived(vector: dict) -> None:
    dh, suite = vector["dh"], Suite(GAJIM, vector["modp"])
    chosen = group(vector["modp"])
    x, y = crypto.Secret(octets(dh["x"])), crypto.Secret(octets(dh["y"]))
    assert chosen.prime == int(dh["p"], 16)
    assert crypto.public_value(chosen, x) == int(dh["e"], 16)
    assert crypto.public_value(chosen, y) == int(dh["d"], 16)
    shared = crypto.shared_value(chosen, x, int(dh["d"], 16))
    assert shared == crypto.shared_value(chosen, y, int(dh["e"], 16)) == int(dh["shared"], 16)
    first = derivation.first_secret(suite, shared)
    assert first.reveal().hex() == vector["K_provisory"]
    final = derivation.final_secret(suite, first, None, b"")
    assert final.reveal().hex() == vector["K_final"]
    for secret, expected in ((first, vector["keys_provisory"]), (final, vector["keys_final"])):
        for role, letter in (("Initiator", "A"), ("Responder", "B")):
            if f"KC_{letter}" not in expected:
                continue
            keys = derivation.role_keys(suite, secret, role)
            assert keys.cipher.reveal().hex() == expected[f"KC_{letter}"]
            assert keys.mac.reveal().hex() == expected[f"KM_{letter}"]
            assert keys.sigma.reveal().hex() == expected[f"KS_{letter}"]


@pytest.mark.parametrize(("number", "octets_"), RECORDED["unit"]["encode_mpi"])
def test_integers_are_encoded_as_recorded(number: str, octets_: str) -> None:
    assert encode_integer(int(number, 16)).hex() == octets_


@pytest.mark.parametrize(("number", "letters"), RECORDED["unit"]["base28"])
def test_base_28_is_written_as_recorded(number: int, letters: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crypto, "digest", lambda _name, _data: int(number).to_bytes(32, "big"))
    assert derivation.short_authentication_string(Suite(GAJIM, 14), b"", b"") == letters


@pytest.mark.parametrize("vector", VECTORS)
@pytest.mark.parametrize("role", ["alice", "bob"])
def test_messages_are_read_and_written_as_recorded(
    vector: dict, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = as_alice(vector) if role == "alice" else as_bob(vector)
    operations = Operations(monkeypatch)
    assert peer.session is not None
    for recorded in vector["messages"]:
        if recorded["from"] != role:
            peer.receive(stanza(recorded))
            received = peer.got(StanzaReceived)[-1].stanza
            assert received.findtext(f"{CLIENT}body") == recorded["body"]
            continue
        content = ET.fromstring(
            f"<message xmlns='jabber:client' type='chat'>{recorded['plaintext']}</message>"
        )
        peer.take(peer.session.send(content, START))
        sent = peer.outbox.pop()
        assert sent.findtext(f"{CLIENT}body") == stanza(recorded).findtext(f"{CLIENT}body")
        made = {(key, data, out) for name, key, data, out in operations.made if name == "hmac-sha256"}
        if len(recorded["counter_before"]) == 32:
            assert encrypted(sent) == encrypted(stanza(recorded))
            assert (recorded["mac_key"], recorded["mac_input"], recorded["mac"]) in made
        else:
            # Gajim's sender strips the counter where its own receiver doesn't: we send all 16 octets.
            assert data_of(sent) == data_of(stanza(recorded))
            data = recorded["mac_input"].removesuffix(recorded["counter_before"])
            data += recorded["counter_before"].rjust(32, "0")
            assert (recorded["mac_key"], data) in {(key, each) for key, each, _ in made}


def test_gajim_ends_a_session_in_clear_and_unacknowledged() -> None:
    vector = RECORDED["vectors"][0]
    peer = as_bob(vector)
    peer.receive(stanza(vector["termination"][0]))
    assert peer.got(SessionEnded)[0].reason is EndReason.PEER_TERMINATED
    assert peer.outbox == []


def test_we_end_a_session_with_gajim_as_it_does() -> None:
    vector = RECORDED["vectors"][0]
    peer = as_alice(vector)
    assert peer.session is not None
    peer.take(peer.session.terminate(START))
    assert form(peer.outbox.pop()) == form(stanza(vector["termination"][0]))
    assert peer.session.state is State.ENDED


def test_an_old_message_with_stripped_counter_is_still_recognized_as_a_repetition() -> None:
    vector = RECORDED["vectors"][1]
    peer = as_bob(vector)
    first = next(each for each in vector["messages"] if each["from"] == "alice")
    peer.receive(stanza(first))
    peer.receive(stanza(first))
    assert len(peer.got(StanzaReceived)) == 1
    assert peer.session is not None
    assert peer.session.state is State.ACTIVE


def test_a_secret_is_retained_before_the_stanza_that_depends_on_it_leaves() -> None:
    vector = RECORDED["vectors"][0]
    peer = bob(vector)
    request, _, completion, _ = map(stanza, vector["negotiation"])
    peer.receive(request)
    assert isinstance(peer.session, Session)
    outcome = peer.session.receive(completion, START)
    assert isinstance(outcome.effects[0], RetainSecret)
    assert len(outcome.stanzas) == 1
