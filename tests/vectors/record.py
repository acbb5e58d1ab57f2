"""Record tests/vectors/xep-esession.json from the library: `python tests/vectors/record.py`.

recompute.py, which shares no code with the library, checks every value that is written here.
"""

import json
import random
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "component")]

from esession import offline  # noqa: E402  the paths come first
from esession.crypto import SigningKey  # noqa: E402
from esession.groups import encode_integer, group  # noqa: E402
from esession.keys import bare  # noqa: E402
from esession.policy import Policy  # noqa: E402
from esession.secret import Secret  # noqa: E402
from esession.storage import RetainedSecret  # noqa: E402
from esession.wire.xep_0004 import DATA, decode_base64, encode_base64  # noqa: E402
from esession.wire.xep_0187 import Audience  # noqa: E402
from esession.wire.xep_0200 import ENCRYPTION, C  # noqa: E402
from support.esession_peers import ALICE, BOB, START, Peer, deliver, know, later, message  # noqa: E402

KEYED = {"init_pubkey": ("key",), "resp_pubkey": ("hash",)}
CASES = {
    "four-none": {"groups": (14,), "ciphers": ("aes128-ctr",)},
    "four-retained-and-other-secret": {"groups": (14,), "ciphers": ("aes256-ctr",)},
    "four-keys": {"groups": (5,), "ciphers": ("aes192-ctr",), **KEYED},
    "four-sha384": {"groups": (5,), "hashes": ("sha384",)},
    "four-signing-only": {"groups": (5,), "ciphers": ("none",)},
    "three-keys": {
        "groups": (5,),
        "ciphers": ("aes128-ctr",),
        "messages": 3,
        "accept_three_messages": True,
        **KEYED,
    },
    "subset": {"groups": (14,), "subset": True},
}


class Tape:
    """Entropy that remembers what it gave."""

    def __init__(self, name: str) -> None:
        self.source = random.Random(name)
        self.given: list[str] = []

    def __call__(self, octets: int) -> bytes:
        drawn = self.source.randbytes(octets)
        self.given.append(drawn.hex())
        return drawn


def peers(name: str, keys: dict[str, SigningKey]) -> tuple[Peer, Peer]:
    policy = Policy(**{"rekey_after": None, **CASES[name]})
    secret = b"opensesame" if "other-secret" in name else b""
    ends = []
    for jid, who in ((ALICE, "alice"), (BOB, "bob")):
        key = keys[who] if "keys" in name else None
        ends.append(Peer(jid, policy, key=key, entropy=Tape(f"{name} {who}"), other_secret=secret))
    alice, bob = ends
    if "keys" in name:
        know(alice, bob)
        know(bob, alice)
    if "retained" in name:
        value = random.Random("retained").randbytes(32)
        alice.secrets.kept = [RetainedSecret(bare(BOB), Secret(value), START, verified=True)]
        bob.secrets.kept = [RetainedSecret(bare(ALICE), Secret(value), START, verified=True)]
    return alice, bob


def negotiate(name: str, keys: dict[str, SigningKey]) -> dict[str, object]:
    alice, bob = peers(name, keys)
    retained = [each.value.reveal().hex() for each in alice.secrets.kept]
    alice.open(BOB, thread=f"thread-{name}")
    stanzas = []
    for sender, receiver in ((alice, bob), (bob, alice), (alice, bob), (bob, alice)):
        if sender.outbox:
            stanzas.append(ET.tostring(sender.outbox[0], "unicode"))
            receiver.receive(sender.outbox.pop(0))
    assert alice.session is not None
    assert bob.session is not None
    drawn = {"alice": alice.entropy, "bob": bob.entropy}
    return {
        "name": name,
        "policy": CASES[name],
        "retained": retained,
        "other_secret": alice.other_secret.hex(),
        "stanzas": stanzas,
        "sas": alice.session.sas,
        "new_retained_secret": alice.secrets.kept[0].value.reveal().hex() if alice.secrets.kept else None,
        "conversation": converse(alice, bob) if "subset" not in name else converse(alice, bob, rekeys=False),
        "entropy": {who: tape.given for who, tape in drawn.items()},
    }


def converse(alice: Peer, bob: Peer, *, rekeys: bool = True) -> list[dict[str, object]]:
    """Messages both ways, key exchanges by each side and by both at once."""
    written: list[dict[str, object]] = []
    delivered = False

    def arrive() -> None:
        nonlocal delivered
        deliver(alice, bob)
        delivered = True

    def speak(peer: Peer, body: str | None = None, *, rekey: bool = False) -> None:
        nonlocal delivered
        assert peer.session is not None
        before = len(peer.entropy.given)
        peer.take(peer.session.rekey(START) if rekey else peer.session.send(message(body or ""), START))
        exponents = [each for each in peer.entropy.given[before:] if len(each) == 128]
        written.append(
            {
                "from": "alice" if peer is alice else "bob",
                "delivered_before": delivered,
                "plaintext": "" if rekey else f"<body>{body}</body>",
                "exponent": exponents[0] if exponents else None,
                "xml": ET.tostring(peer.outbox[-1], "unicode"),
            }
        )
        delivered = False

    speak(alice, "Hello, Bob!")
    speak(alice, "sixteen octets !")
    speak(bob, "Hello, Alice!")
    if rekeys:
        speak(alice, rekey=True)
        arrive()
        speak(bob, "under new keys")
        arrive()
        speak(alice, "with old keys published")
        speak(bob, rekey=True)
        speak(alice, rekey=True)
        speak(bob, "crossing")
        arrive()
        speak(alice, "after both at once")
        speak(bob, "here too")
        arrive()
        speak(bob, rekey=True)
    speak(alice, "last")
    arrive()
    assert len(alice.bodies()) + len(bob.bodies()) == sum(bool(each["plaintext"]) for each in written)
    return written


def change(xml: str, var: str, value: str) -> str:
    stanza = ET.fromstring(xml)
    field = next(each for each in stanza.iter(f"{{{DATA}}}field") if each.get("var") == var)
    found = field.find(f"{{{DATA}}}value")
    assert found is not None
    found.text = value
    return ET.tostring(stanza, "unicode")


def flip(xml: str, var: str) -> str:
    stanza = ET.fromstring(xml)
    field = next(each for each in stanza.iter(f"{{{DATA}}}field") if each.get("var") == var)
    octets = bytearray(decode_base64(field.findtext(f"{{{DATA}}}value", "")))
    octets[-1] ^= 1
    return change(xml, var, encode_base64(bytes(octets)))


def change_content(xml: str, name: str, *, cut: int = 0) -> str:
    stanza = ET.fromstring(xml)
    found = stanza.find(f"{C}/{{{ENCRYPTION}}}{name}")
    assert found is not None
    octets = bytearray(decode_base64(found.text or ""))
    if cut:
        del octets[-cut:]
    else:
        octets[0] ^= 0x80
    found.text = encode_base64(bytes(octets))
    return ET.tostring(stanza, "unicode")


def failures(made: dict[str, dict], earlier: tuple[str, str]) -> list[dict[str, object]]:
    """What must be refused, with the error that answers it: by a negotiation, and the message it replaces."""
    listed: list[dict[str, object]] = []

    def fail(name: str, case: str, index: int, xml: str, condition: str, field: str | None = None) -> None:  # noqa: PLR0917  a row of a table
        fields = [field] if field else []
        listed.append(
            {"name": name, "case": case, "index": index, "xml": xml, "condition": condition, "fields": fields}
        )

    prime = group(5).prime
    bad = {"0": 0, "1": 1, "p-1": prime - 1, "p": prime, "outside the subgroup": prime - 4}
    for label, value in bad.items():
        encoded = encode_base64(encode_integer(value))
        request, response, *_ = made["three-keys"]["stanzas"]
        wrong = change(request, "dhkeys", encoded)
        fail(f"e = {label}", "three-keys", 0, wrong, "feature-not-implemented", "dhkeys")
        fail(f"d = {label}", "three-keys", 1, change(response, "dhkeys", encoded), "not-acceptable", "dhkeys")
    for case, index in (("four-none", 2), ("four-keys", 2), ("four-none", 3), ("three-keys", 2)):
        xml = made[case]["stanzas"][index]
        for var in ("identity", "mac"):
            fail(f"flipped {var}", case, index, flip(xml, var), "feature-not-implemented", "mac")
    completion = made["four-none"]["stanzas"][2]
    octets = decode_base64(change_value(completion, "mac"))[:16]
    cut = change(completion, "mac", encode_base64(octets))
    fail("truncated mac", "four-none", 2, cut, "feature-not-implemented", "mac")
    fail(
        "another e than committed",
        "four-none",
        2,
        flip(completion, "dhkeys"),
        "feature-not-implemented",
        "dhkeys",
    )
    fail(
        "changed rshashes",
        "four-none",
        2,
        flip(completion, "rshashes"),
        "feature-not-implemented",
        "identity",
    )
    final = made["four-none"]["stanzas"][3]
    fail("changed srshash", "four-none", 3, flip(final, "srshash"), "feature-not-implemented", "identity")
    forged = made["four-keys"]["forged"]
    fail("wrong signature", "four-keys", 2, forged, "feature-not-implemented", "identity")
    first, second = (each["xml"] for each in made["four-none"]["conversation"][:2])
    fail("flipped data", "four-none", 4, change_content(first, "data"), "not-acceptable")
    fail("flipped stanza mac", "four-none", 4, change_content(first, "mac"), "not-acceptable")
    fail("truncated stanza mac", "four-none", 4, change_content(first, "mac", cut=16), "not-acceptable")
    fail("wrong order", "four-none", 4, second, "not-acceptable")
    completion, said = earlier
    fail("replayed completion", "four-none", 2, completion, "feature-not-implemented", "nonce")
    fail("replayed stanza of an earlier session", "four-none", 4, said, "not-acceptable")
    return listed


def change_value(xml: str, var: str) -> str:
    stanza = ET.fromstring(xml)
    field = next(each for each in stanza.iter(f"{{{DATA}}}field") if each.get("var") == var)
    return field.findtext(f"{{{DATA}}}value", "")


def forge(keys: dict[str, SigningKey]) -> str:
    """A completion that shows Alice's key, and is signed with Mallory's."""

    class Mallory(SigningKey):
        __slots__ = ()

        def sign(self, data: bytes) -> bytes:
            return keys["mallory"].sign(data)

    alice, bob = peers("four-keys", keys)
    alice.key = Mallory(keys["alice"]._key)
    alice.open(BOB, thread="thread-four-keys")
    bob.receive(alice.outbox.pop())
    alice.receive(bob.outbox.pop())
    return ET.tostring(alice.outbox.pop(), "unicode")


def earlier_session(keys: dict[str, SigningKey]) -> tuple[str, str]:
    """An earlier session after the same request, when Bob drew other values: its completion, and a stanza."""
    alice, bob = peers("four-none", keys)
    bob.entropy = Tape("four-none bob, earlier")
    alice.open(BOB, thread="thread-four-none")
    bob.receive(alice.outbox.pop())
    alice.receive(bob.outbox.pop())
    completion = ET.tostring(alice.outbox[0], "unicode")
    deliver(alice, bob)
    alice.say("Hello, Bob!")
    return completion, ET.tostring(alice.outbox[0], "unicode")


def publish(keys: dict[str, SigningKey]) -> list[dict[str, object]]:
    alice = Peer(ALICE, Policy(groups=(5,)), key=keys["alice"], entropy=Tape("offline"))
    made = offline.publish(alice.party, Audience.ALL, START, expires=later(hours=8), key=b"k" * 32)
    good = ET.tostring(made.pubsub[0][0][0], "unicode")
    prefix = good.replace(":x ", ":x ", 1)
    late = prefix.replace("2026-01-01T20:00:00Z", "2026-01-02T20:00:00Z")
    signs = change_value(good, "signs")
    other = encode_base64(keys["mallory"].sign(b"other"))
    return [
        {"name": "good", "xml": good, "now": "2026-01-01T12:00:00Z", "accepted": True},
        {"name": "expired", "xml": good, "now": "2026-01-01T20:00:00Z", "accepted": False},
        {"name": "later expiry", "xml": late, "now": "2026-01-01T12:00:00Z", "accepted": False},
        {
            "name": "wrong signature",
            "xml": good.replace(signs, other),
            "now": "2026-01-01T12:00:00Z",
            "accepted": False,
        },
    ]


def main() -> None:
    path = HERE / "xep-esession.json"
    kept = json.loads(path.read_text())["keys"] if path.exists() else {}
    names = ("alice", "bob", "mallory")
    keys = {
        name: SigningKey.load(bytes.fromhex(kept[name])) if name in kept else SigningKey.generate(2048)
        for name in names
    }
    made = {name: negotiate(name, keys) for name in CASES}
    made["four-keys"]["forged"] = forge(keys)
    document = {
        "format": "ESession vectors, profile xep; written by record.py, checked by recompute.py",
        "keys": {name: key.dump().reveal().hex() for name, key in keys.items()},
        "negotiations": list(made.values()),
        "failures": failures(made, earlier_session(keys)),
        "options": publish(keys),
    }
    path.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
