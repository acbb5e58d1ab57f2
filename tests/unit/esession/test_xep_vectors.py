"""Profile `xep` against tests/vectors/xep-esession.json, and these against a script that shares no code."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from esession import offline
from esession.crypto import SigningKey
from esession.errors import OptionsError
from esession.events import VerificationNeeded
from esession.keys import bare
from esession.policy import Policy
from esession.secret import Secret
from esession.state import State
from esession.storage import RetainedSecret
from esession.wire import xep_0155, xep_0187
from esession.wire.xep_0004 import Form
from support.esession_peers import ALICE, BOB, START, Peer, deliver, know, message

FOLDER = Path(__file__).parents[2] / "vectors"
DOCUMENT = json.loads((FOLDER / "xep-esession.json").read_text())
VECTORS = {vector["name"]: vector for vector in DOCUMENT["negotiations"]}
KEYS = {name: SigningKey.load(bytes.fromhex(der)) for name, der in DOCUMENT["keys"].items()}


class Tape:
    """Entropy that gives again what was recorded, and insists on the same draws."""

    def __init__(self, given: list[str]) -> None:
        self.given = [bytes.fromhex(each) for each in given]

    def __call__(self, octets: int) -> bytes:
        drawn = self.given.pop(0)
        assert len(drawn) == octets
        return drawn


def peers(vector: dict) -> tuple[Peer, Peer]:
    options = {
        name: tuple(each) if isinstance(each, list) else each for name, each in vector["policy"].items()
    }
    policy = Policy(rekey_after=None, **options)
    keyed = "init_pubkey" in vector["policy"]
    alice, bob = (
        Peer(
            jid,
            policy,
            key=KEYS[who] if keyed else None,
            entropy=Tape(vector["entropy"][who]),
            other_secret=bytes.fromhex(vector["other_secret"]),
        )
        for jid, who in ((ALICE, "alice"), (BOB, "bob"))
    )
    if keyed:
        know(alice, bob)
        know(bob, alice)
    for value in vector["retained"]:
        secret = Secret(bytes.fromhex(value))
        alice.secrets.kept = [RetainedSecret(bare(BOB), secret, START, verified=True)]
        bob.secrets.kept = [RetainedSecret(bare(ALICE), secret, START, verified=True)]
    return alice, bob


def canonical(stanza: ET.Element | str) -> str:
    return ET.canonicalize(stanza if isinstance(stanza, str) else ET.tostring(stanza, "unicode"))


def play(vector: dict, messages: int) -> tuple[Peer, Peer]:
    """Play so many messages of the negotiation; the next one waits in its sender's outbox."""
    alice, bob = peers(vector)
    alice.open(BOB, thread=f"thread-{vector['name']}")
    for index, recorded in enumerate(vector["stanzas"]):
        sender, receiver = (alice, bob) if index % 2 == 0 else (bob, alice)
        assert canonical(sender.outbox[0]) == canonical(recorded)
        if index == messages:
            break
        receiver.receive(sender.outbox.pop(0))
    return alice, bob


@pytest.mark.parametrize("name", VECTORS)
def test_negotiation_and_conversation_are_written_as_recorded(name: str) -> None:
    vector = VECTORS[name]
    alice, bob = play(vector, len(vector["stanzas"]))
    assert alice.session is not None
    assert bob.session is not None
    assert alice.session.sas == bob.session.sas == vector["sas"]
    expected = [vector["new_retained_secret"]] if vector["new_retained_secret"] else []
    assert [each.value.reveal().hex() for each in alice.secrets.kept] == expected
    for recorded in vector["conversation"]:
        peer = alice if recorded["from"] == "alice" else bob
        assert peer.session is not None
        if recorded["delivered_before"]:
            deliver(alice, bob)
        if recorded["plaintext"]:
            body = recorded["plaintext"].removeprefix("<body>").removesuffix("</body>")
            peer.take(peer.session.send(message(body), START))
        else:
            peer.take(peer.session.rekey(START))
        assert canonical(peer.outbox[-1]) == canonical(recorded["xml"])
    deliver(alice, bob)
    assert alice.session.state is bob.session.state is State.ACTIVE


def test_a_verified_chain_needs_no_further_comparison() -> None:
    vector = VECTORS["four-retained-and-other-secret"]
    alice, _ = play(vector, len(vector["stanzas"]))
    assert alice.got(VerificationNeeded) == []


@pytest.mark.parametrize("failure", DOCUMENT["failures"], ids=lambda each: f"{each['case']}, {each['name']}")
def test_expected_failures_are_refused_with_their_error(failure: dict) -> None:
    vector = VECTORS[failure["case"]]
    alice, bob = play(vector, failure["index"])
    receiver = alice if failure["index"] % 2 else bob
    alice.outbox.clear()
    bob.outbox.clear()
    receiver.receive(ET.fromstring(failure["xml"]))
    condition, fields = xep_0155.read_error(receiver.outbox.pop())
    assert (condition, list(fields)) == (failure["condition"], failure["fields"])
    assert receiver.session is not None
    assert receiver.session.state is State.ENDED
    assert receiver.bodies() == []


@pytest.mark.parametrize("options", DOCUMENT["options"], ids=lambda each: each["name"])
def test_published_options_are_accepted_or_refused_as_recorded(options: dict) -> None:
    alice, bob = Peer(ALICE, key=KEYS["alice"]), Peer(BOB, Policy(groups=(5,)), key=KEYS["bob"])
    know(bob, alice)
    form, now = Form(ET.fromstring(options["xml"])), xep_0187.read_date(options["now"])
    if options["accepted"]:
        assert offline.verify(bob.party, ALICE, form, now).expires > now
        return
    with pytest.raises(OptionsError):
        offline.verify(bob.party, ALICE, form, now)


def recompute(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(FOLDER / "recompute.py"), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_an_independent_script_computes_every_value_anew() -> None:
    result = recompute(FOLDER / "xep-esession.json")
    assert result.returncode == 0, result.stdout + result.stderr
    count = len(VECTORS) + len(DOCUMENT["failures"]) + len(DOCUMENT["options"])
    assert f"{count} of {count} agree" in result.stdout


def test_the_independent_script_shares_no_code_with_the_library() -> None:
    text = (FOLDER / "recompute.py").read_text()
    assert "esession" not in text.replace("xep-esession.json", "").replace("ESession", "")


@pytest.mark.parametrize("what", ["sas", "mac", "plaintext", "verdict"])
def test_the_independent_script_finds_a_wrong_value(what: str, tmp_path: Path) -> None:
    document = json.loads(json.dumps(DOCUMENT))
    vector = document["negotiations"][0]
    if what == "sas":
        vector["sas"] = "aaaaa"
    elif what == "mac":
        vector["conversation"][0]["xml"] = vector["conversation"][1]["xml"]
    elif what == "plaintext":
        vector["conversation"][0]["plaintext"] = "<body>Hello, Eve!</body>"
    else:
        document["failures"][0]["condition"] = "not-acceptable"
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document))
    result = recompute(path)
    assert result.returncode == 1, result.stdout
