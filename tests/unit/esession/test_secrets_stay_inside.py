"""No secret that the library ever held shows in what it prints, raises, tells, or writes in clear."""

import base64
import pickle
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

import pytest

from esession.errors import ESessionError
from esession.policy import Policy
from esession.secret import Secret
from esession.session import Session
from esession.wire.xep_0200 import ENCRYPTION
from support.esession_peers import ALICE, BOB, START, Peer, connect, deliver, know, message, signing_key

FAST = Policy(groups=(5,), rekey_after=2)
KEYED = Policy(groups=(5,), rekey_after=2, init_pubkey=("key",), resp_pubkey=("hash",))


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[bytes]]:
    """The octets of every secret that is made meanwhile."""
    octets: set[bytes] = set()
    original = Secret.__init__

    def remember(self: Secret, given: bytes | bytearray | Secret) -> None:
        original(self, given)
        octets.add(bytes(self._octets))

    monkeypatch.setattr(Secret, "__init__", remember)
    yield octets
    assert len(octets) > 5, "the test has seen no secrets"


def shown_as(secret: bytes) -> tuple[str, ...]:
    """The forms in which it could show."""
    number = int.from_bytes(secret, "big")
    return (secret.hex(), base64.b64encode(secret).decode(), repr(secret)[2:-1], str(number), f"{number:x}")


def leaks(text: str, held: set[bytes]) -> list[str]:
    return [form for secret in held if len(secret) >= 16 for form in shown_as(secret) if form in text]


def printed(*peers: Peer) -> str:
    """Everything of the ends that has a repr, with what they keep and what they were told."""
    parts: list[object] = []
    for peer in peers:
        parts += [peer.party, peer.events, peer.secrets.kept, peer.keys.kept, peer.session]
        if peer.session is not None:
            slots = (name for kind in type(peer.session).__mro__ for name in getattr(kind, "__slots__", ()))
            names = {*slots, *getattr(peer.session, "__dict__", {})}
            parts += [getattr(peer.session, name, None) for name in sorted(names)]
    return " ".join(map(repr, parts))


@pytest.mark.parametrize("policy", [FAST, KEYED], ids=["no keys", "keys"])
def test_a_whole_session_prints_none_of_its_secrets(policy: Policy, held: set[bytes]) -> None:
    alice = Peer(ALICE, policy, key=signing_key("alice"), other_secret=b"open sesame, said the thief")
    bob = Peer(BOB, policy, key=signing_key("bob"), other_secret=b"open sesame, said the thief")
    know(alice, bob)
    know(bob, alice)
    seen = ""
    written: list[str] = []
    alice.open(BOB)
    for number in range(6):
        while alice.outbox or bob.outbox:
            for sender, receiver in ((alice, bob), (bob, alice)):
                written += [clear_part(stanza) for stanza in sender.outbox]
                while sender.outbox:
                    receiver.receive(sender.outbox.pop(0))
                    seen += printed(alice, bob)
        alice.say(f"hello {number}")
        bob.say(f"hello yourself {number}")
    assert bob.bodies()
    assert alice.session is not None
    alice.take(alice.session.terminate(START))
    deliver(alice, bob)
    seen += printed(alice, bob)
    assert leaks(seen, held) == []
    assert "open sesame" not in seen
    assert leaks("".join(written), held) == []


def clear_part(stanza: ET.Element) -> str:
    """What is readable on the way, without the MAC keys that are published on purpose."""
    copy = ET.fromstring(ET.tostring(stanza))
    for parent in list(copy.iter()):
        for child in parent.findall(f"{{{ENCRYPTION}}}old"):
            parent.remove(child)
    return ET.tostring(copy, "unicode")


def misuse() -> Iterator[Callable[[], object]]:
    """Calls and stanzas that fail in different depths of the library."""
    alice, _ = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    assert alice.session is not None
    yield lambda: Session.asked(alice.party, message("no request"), START)
    yield lambda: alice.session.accept(START)
    yield lambda: alice.session.send(ET.Element("{jabber:client}unknown"), START)
    yield lambda: alice.session.send(message("a\x08b"), START)
    yield lambda: alice.session.renegotiate({"modp": ("2",)}, START)
    yield lambda: alice.session.tick(START.replace(tzinfo=None))
    key = next(iter(alice.session._conversation.channel.secrets()))
    yield lambda: pickle.dumps(key)
    key.wipe()
    yield key.reveal


def test_no_exception_shows_a_secret(held: set[bytes]) -> None:
    texts = []
    for call in misuse():
        with pytest.raises((ESessionError, ValueError, TypeError)) as raised:
            call()
        chain: BaseException | None = raised.value
        while chain is not None:
            texts.append(f"{chain!r} {chain}")
            chain = chain.__cause__ or chain.__context__
    assert leaks(" ".join(texts), held) == []


def test_a_refusal_shows_no_secret_to_the_peer_or_the_user(held: set[bytes]) -> None:
    for var in ("mac", "identity"):
        alice, bob = Peer(ALICE, FAST), Peer(BOB, FAST)
        alice.open(BOB)
        bob.receive(alice.outbox.pop())
        alice.receive(bob.outbox.pop())
        completion = alice.outbox.pop()
        field = next(each for each in completion.iter("{jabber:x:data}field") if each.get("var") == var)
        value = field.find("{jabber:x:data}value")
        assert value is not None
        value.text = ("A" if (value.text or "")[0] != "A" else "B") + (value.text or "")[1:]
        bob.receive(completion)
        error = ET.tostring(bob.outbox.pop(), "unicode")
        assert leaks(error + printed(alice, bob), held) == []


def test_a_session_can_not_be_written_down(held: set[bytes]) -> None:
    """Sessions live in memory only: a restart ends them, so that no counter is ever used twice."""
    alice, _ = connect(Peer(ALICE, FAST), Peer(BOB, FAST))
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(alice.session._conversation)
