"""The ten security requirements of XEP-0210 section 3, each with a test of its name."""

import base64
import random
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from esession import crypto
from esession.channel import Channel
from esession.events import (
    NegotiationFailed,
    RepetitionIgnored,
    SessionActive,
    SessionEnded,
    StanzaReceived,
    VerificationNeeded,
)
from esession.groups import decode_integer, group
from esession.keys import RSAPublicKey
from esession.policy import Policy
from esession.secret import Secret
from esession.wire import xep_0155, xep_0200
from esession.wire.xep_0004 import DATA
from esession.wire.xep_0200 import ENCRYPTION, C
from support.esession_peers import (
    ALICE,
    BOB,
    CLIENT,
    START,
    Peer,
    connect,
    deliver,
    know,
    later,
    signing_key,
)

FAST = Policy(groups=(5,), rekey_after=None)
KEYED = replace(FAST, init_pubkey=("key",), resp_pubkey=("key",))


def pair(policy: Policy = FAST) -> tuple[Peer, Peer]:
    return connect(Peer(ALICE, policy), Peer(BOB, policy))


def keyed_pair(policy: Policy = KEYED) -> tuple[Peer, Peer]:
    alice, bob = Peer(ALICE, policy, key=signing_key("alice")), Peer(BOB, policy, key=signing_key("bob"))
    know(alice, bob)
    know(bob, alice)
    return alice, bob


def channel(peer: Peer) -> Channel:
    assert peer.session is not None
    assert peer.session._conversation is not None
    return peer.session._conversation.channel


def overheard(alice: Peer, bob: Peer) -> Iterator[ET.Element]:
    """Carry everything, and let an eavesdropper see it."""
    while alice.outbox or bob.outbox:
        for sender, receiver in ((alice, bob), (bob, alice)):
            while sender.outbox:
                yield sender.outbox[0]
                receiver.receive(sender.outbox.pop(0))


def field(stanza: ET.Element, var: str) -> str:
    found = next(each for each in stanza.iter(f"{{{DATA}}}field") if each.get("var") == var)
    return found.findtext(f"{{{DATA}}}value", "")


@pytest.mark.parametrize("kind", ["message", "presence", "iq"])
def test_confidentiality(kind: str) -> None:
    """Whoever intercepts a stanza learns its routing and nothing of its content."""
    alice, bob = pair()
    stanza = ET.Element(f"{CLIENT}{kind}", {"type": "get"} if kind == "iq" else {})
    ET.SubElement(stanza, "{urn:example:secret}plan").text = "attack at dawn"
    assert alice.session is not None
    alice.take(alice.session.send(stanza, START))
    (seen,) = overheard(alice, bob)
    written = ET.tostring(seen)
    data = base64.b64decode(seen.findtext(f"{C}/{{{ENCRYPTION}}}data", ""))
    for secret in (b"attack", b"plan", b"urn:example:secret"):
        assert secret not in written
        assert secret not in data
    assert bob.got(StanzaReceived)[0].stanza.findtext("{urn:example:secret}plan") == "attack at dawn"


def test_integrity() -> None:
    """No stanza is changed, removed or inserted unnoticed."""
    for attack in ("change", "remove", "insert"):
        alice, bob = pair()
        alice.say("first")
        alice.say("second")
        first, second = alice.outbox
        alice.outbox.clear()
        if attack == "change":
            found = first.find(f"{C}/{{{ENCRYPTION}}}data")
            assert found is not None
            assert found.text is not None
            found.text = ("A" if found.text[0] != "A" else "B") + found.text[1:]
            bob.receive(first)
        elif attack == "remove":
            bob.receive(second)
        else:
            content = first.find(C)
            assert content is not None
            inserted = ET.fromstring(ET.tostring(second))
            bob.receive(inserted)
        assert bob.got(SessionEnded), attack
        assert bob.bodies() == [], attack


def test_replay_protection() -> None:
    """Copies of earlier stanzas and of whole sessions are identified and not taken."""
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    seen = list(overheard(alice, bob))
    alice.say("pay 100")
    seen += list(overheard(alice, bob))
    bob.receive(seen[-1])
    assert bob.bodies() == ["pay 100"]
    assert bob.got(RepetitionIgnored)
    # The whole session again: Bob draws another y, so the old proof fails.
    again = Peer(BOB, FAST, seed=2)
    again.receive(seen[0])
    again.receive(seen[2])
    assert again.got(NegotiationFailed)
    again.receive(seen[-1])
    assert again.bodies() == []
    # Another thread of the same peer doesn't take it either.
    _, other = connect(Peer(ALICE, FAST, seed=3), Peer(BOB, FAST, seed=3))
    other.receive(seen[-1])
    assert other.bodies() == []


def test_perfect_forward_secrecy() -> None:
    """Long-lived keys, and all that is left in memory, open nothing of what was said."""
    alice, bob = keyed_pair()
    connect(alice, bob)
    first = channel(alice).secrets() + channel(bob).secrets()
    alice.say("under the first keys")
    deliver(alice, bob)
    assert alice.session is not None
    alice.take(alice.session.rekey(START))
    deliver(alice, bob)
    bob.say("under the second keys")
    deliver(alice, bob)
    keys_of_first_session = {secret.reveal() for secret in channel(alice).secrets()}
    # Within a long session the old keys are gone, on both sides, before it ends.
    current = {id(secret) for secret in channel(alice).secrets() + channel(bob).secrets()}
    gone = [secret for secret in first if id(secret) not in current]
    assert gone
    assert all(secret.wiped for secret in gone)
    ciphers = {id(each.receive.cipher) for end in (alice, bob) for each in channel(end).sets}
    assert not ciphers & {id(secret) for secret in first}
    # After it, nothing is left but what authenticates: signing keys and the hash of a secret.
    second = channel(alice).secrets() + channel(bob).secrets()
    alice.take(alice.session.terminate(START))
    deliver(alice, bob)
    assert all(secret.wiped for secret in first + second)
    assert alice.session._handshake._opening is None
    retained = alice.secrets.kept[0].value.reveal()
    assert retained not in keys_of_first_session, "what is retained is a hash of the keys' source"


def test_pki_independence() -> None:
    """A session needs no keys at all; where keys are known, they are used."""
    alice, bob = pair()
    assert alice.got(SessionActive)
    assert alice.got(VerificationNeeded)[0].sas == bob.got(VerificationNeeded)[0].sas
    alice, bob = connect(*keyed_pair())
    assert alice.session is not None
    assert alice.session.peer_key == RSAPublicKey.of(signing_key("bob"))
    assert not alice.got(VerificationNeeded), "a verified key needs no string"


def test_authentication() -> None:
    """A man in the middle shows: by the string, by the retained secret, by the other secret, by the key."""
    # By the string: Mallory sits between and runs a session with each.
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    to_alice, to_bob = Peer(BOB, FAST, seed=7), Peer(ALICE, FAST, seed=8)
    connect(alice, to_alice)
    connect(to_bob, bob)
    assert alice.session is not None
    assert bob.session is not None
    assert alice.session.sas != bob.session.sas
    # By the retained secret of an earlier session without Mallory.
    alice, bob = pair()
    alice.session = None
    connect(alice, Peer(BOB, FAST, seed=9))
    assert alice.got(VerificationNeeded)[-1].secret_lost
    # By the other secret, which Mallory doesn't know.
    alice = Peer(ALICE, FAST, other_secret=b"password")
    connect(alice, Peer(BOB, FAST, other_secret=b"guess"))
    assert not alice.got(SessionActive)
    # By the key: Mallory can't sign as Bob.
    alice, bob = keyed_pair(replace(KEYED, accept_unverified_keys=False))
    bob.key = signing_key("mallory")
    connect(alice, bob)
    assert not alice.got(SessionActive)


def test_the_hash_commitment_leaves_a_man_in_the_middle_one_guess() -> None:
    """The initiator's value is fixed before the responder's is known."""
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    bob.receive(alice.outbox.pop())
    alice.receive(bob.outbox.pop())
    completion = alice.outbox.pop()
    other = crypto.public_value(group(5), Secret(random.Random(1).randbytes(64)))
    found = next(each for each in completion.iter(f"{{{DATA}}}field") if each.get("var") == "dhkeys")
    value = found.find(f"{{{DATA}}}value")
    assert value is not None
    value.text = base64.b64encode(other.to_bytes(192, "big")).decode()
    bob.receive(completion)
    assert xep_0155.read_error(bob.outbox.pop()) == ("feature-not-implemented", ("dhkeys",))


def test_identity_protection() -> None:
    """Keys never show to who listens, nor the responder's to who asks; retained secrets link nothing."""
    alice, bob = keyed_pair()
    alice.open(BOB)
    seen = list(overheard(alice, bob))
    assert alice.got(SessionActive)
    written = b"".join(ET.tostring(stanza) for stanza in seen)
    identities = b"".join(
        base64.b64decode(field(stanza, "identity"))
        for stanza in seen
        if any(each.get("var") == "identity" for each in stanza.iter(f"{{{DATA}}}field"))
    )
    for name in ("alice", "bob"):
        key = RSAPublicKey.of(signing_key(name))
        for shown in (key.key_value, base64.b64encode(key.fingerprint()), key.fingerprint()):
            assert shown not in written
            assert shown not in identities
    # An active attacker who asks gets nothing of Bob's before it has proved itself (4 messages).
    mallory, bob = Peer("mallory@example.net/x", KEYED, key=signing_key("mallory")), keyed_pair()[1]
    mallory.open(BOB)
    bob.receive(mallory.outbox.pop())
    assert not any(each.get("var") == "identity" for each in bob.outbox[0].iter(f"{{{DATA}}}field"))
    # The same retained secret is named differently every time, among decoys.
    named: list[set[str]] = []
    for seed in (1, 2):
        alice, bob = Peer(ALICE, FAST, seed=seed), Peer(BOB, FAST, seed=seed)
        connect(alice, bob)
        alice.session = bob.session = None
        alice.open(BOB)
        stanzas = list(overheard(alice, bob))
        found = next(each for each in stanzas[2].iter(f"{{{DATA}}}field") if each.get("var") == "rshashes")
        named.append({value.text or "" for value in found})
        assert len(named[-1]) >= 3
    assert not named[0] & named[1]


def test_repudiability() -> None:
    """After the keys' life anybody could have written what was said, and nobody has signed it."""
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    negotiation = list(overheard(alice, bob))
    alice.say("I promise")
    (stanza,) = overheard(alice, bob)
    assert alice.session is not None
    alice.take(alice.session.rekey(START))
    list(overheard(alice, bob))
    bob.say("ok")
    list(overheard(alice, bob))
    alice.say("goodbye")
    (published,) = overheard(alice, bob)
    # All of this went over the wire. Two blocks of the counter were spent on Alice's identity.
    counter = decode_integer(base64.b64decode(field(negotiation[1], "counter"))) + 2
    position = (counter % (1 << 128)).to_bytes(16, "big")
    keys = [base64.b64decode(each.text or "") for each in published.iter(f"{{{ENCRYPTION}}}old")]
    content = xep_0200.read(stanza.find(C))
    (key,) = [each for each in keys if crypto.mac("sha256", each, content.signed + position) == content.mac]
    # So a third party that guesses the text can write another one, with a MAC that is as good.
    said, unsaid = b"<body>I promise</body>", b"<body>I refuse!</body>"
    assert content.data is not None
    stream = bytes(a ^ b for a, b in zip(content.data, said, strict=True))
    data = bytes(a ^ b for a, b in zip(stream, unsaid, strict=True))
    forged = xep_0200.normalized(data, None, 0, ())
    tag = crypto.mac("sha256", key, forged + position)
    same_moment, _ = connect_again(tag, forged, data)
    assert same_moment == ["I refuse!"], "Bob himself would have taken it"
    assert b"Signature" not in ET.tostring(stanza)


def connect_again(tag: bytes, signed: bytes, data: bytes) -> tuple[list[str | None], Peer]:
    """The same session up to the same moment, and then the forged stanza instead."""
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    connect(alice, bob)
    assert alice.session is not None
    stanza = ET.Element(f"{CLIENT}message", {"from": ALICE, "to": BOB})
    stanza.append(xep_0200.write(xep_0200.EncryptedContent(signed, tag, data)))
    bob.receive(stanza)
    return bob.bodies(), bob


def test_robustness() -> None:
    """Each secret that both sides have must be overcome: they all go into the key."""
    alice, bob = pair()
    first = alice.secrets.kept[0]
    for lost in ("retained secret", "other secret"):
        one, other = Peer(ALICE, FAST, seed=5), Peer(BOB, FAST, seed=6)
        one.secrets.kept = list(alice.secrets.kept)
        other.secrets.kept = list(bob.secrets.kept)
        one.other_secret = other.other_secret = b"password"
        connect(one, other, later(hours=1))
        with_all = one.secrets.kept[-1].value.reveal()
        one, other = Peer(ALICE, FAST, seed=5), Peer(BOB, FAST, seed=6)
        if lost == "retained secret":
            one.other_secret = other.other_secret = b"password"
        else:
            one.secrets.kept, other.secrets.kept = list(alice.secrets.kept), list(bob.secrets.kept)
        connect(one, other, later(hours=1))
        assert one.secrets.kept[-1].value.reveal() != with_all, lost
    assert first.value == bob.secrets.kept[0].value


def test_upgradability() -> None:
    """Versions are offered, one is chosen or the session refused, and nobody can change that on the way."""
    alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
    alice.open(BOB)
    request = alice.outbox.pop()
    found = next(each for each in request.iter(f"{{{DATA}}}field") if each.get("var") == "ver")
    (option,) = found
    assert option.findtext(f"{{{DATA}}}value") == "1.0"
    newer = ET.fromstring(ET.tostring(option))
    value = newer.find(f"{{{DATA}}}value")
    assert value is not None
    value.text = "2.0"
    found.insert(0, newer)
    both = ET.fromstring(ET.tostring(request))
    bob.receive(both)
    assert field(bob.outbox[0], "ver") == "1.0", "of several versions Bob takes the one that he knows"
    deliver(alice, bob)
    assert not bob.got(SessionActive), "an option added on the way is found out"
    found.remove(option)
    other = Peer(BOB, FAST)
    other.receive(request)
    assert xep_0155.read_error(other.outbox.pop()) == ("not-acceptable", ("ver",))


def test_keys_never_encrypt_after_their_life() -> None:
    """What the requirements rest on: a counter is never used twice under one key."""
    alice, _ = pair()
    used: set[tuple[bytes, int]] = set()
    for number in range(30):
        made = channel(alice)
        alice.say("x" * number)
        blocks = made.blocks_of(len(b"<body></body>") + number)
        positions = {(made.send.cipher.reveal(), made.send_at.counter + block) for block in range(blocks)}
        assert not positions & used
        used |= positions
