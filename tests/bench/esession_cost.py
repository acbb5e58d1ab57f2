"""What the session library costs beside what it can't avoid: `python tests/bench/esession_cost.py`.

The denominator is the bare calls with the same arguments (Diffie-Hellman, AES, HMAC, SHA-2) and ElementTree's
serializing and parsing of the same XML, measured in the same run, in CPU time. Ratios are printed; nothing
fails on time.
"""

import gc
import hashlib
import hmac
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Self
from xml.etree import ElementTree as ET

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "component")]

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402  the paths come first

warnings.simplefilter("ignore")
from cryptography.hazmat.primitives.asymmetric import dh  # noqa: E402

from esession import crypto  # noqa: E402
from esession.groups import GENERATOR  # noqa: E402
from esession.policy import Policy  # noqa: E402
from esession.session import Session  # noqa: E402
from esession.wire.xep_0200 import ENCRYPTION, C  # noqa: E402
from support.esession_peers import ALICE, BOB, START, Peer, connect, message  # noqa: E402

DATA = f"{C}/{{{ENCRYPTION}}}data"


def bare_exchange(chosen: object, exponent: int, base: int) -> None:
    parameters = dh.DHParameterNumbers(chosen.prime, GENERATOR)
    private = dh.DHPrivateNumbers(exponent, dh.DHPublicNumbers(GENERATOR, parameters)).private_key()
    private.exchange(dh.DHPublicNumbers(base, parameters).public_key())


def bare_stream(key: bytes, counter: bytes, data: bytes) -> None:
    Cipher(algorithms.AES(key), modes.CTR(counter)).encryptor().update(data)


class Recorder:
    """Notes every primitive that the library calls, so that the bare calls can be made again."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[..., object], tuple[object, ...]]] = []
        self.kept = {name: getattr(crypto, name) for name in ("_exchange", "key_stream", "mac", "digest")}

    def __enter__(self) -> Self:
        kept, calls = self.kept, self.calls

        def exchange(chosen, exponent, base):
            calls.append((bare_exchange, (chosen, exponent.number(), base)))
            return kept["_exchange"](chosen, exponent, base)

        def stream(key, counter, data):
            calls.append((bare_stream, (key, counter.to_bytes(16, "big"), data)))
            return kept["key_stream"](key, counter, data)

        def mac(name, key, data):
            calls.append((hmac.digest, (key, data, name)))
            return kept["mac"](name, key, data)

        def digest(name, data):
            calls.append((lambda data, name=name: hashlib.new(name, data).digest(), (data,)))
            return kept["digest"](name, data)

        for name, function in (
            ("_exchange", exchange),
            ("key_stream", stream),
            ("mac", mac),
            ("digest", digest),
        ):
            setattr(crypto, name, function)
        return self

    def __exit__(self, *_: object) -> None:
        for name, function in self.kept.items():
            setattr(crypto, name, function)

    def again(self) -> None:
        for function, arguments in self.calls:
            function(*arguments)


def report(name: str, library: float, bare: float, limit: float) -> None:
    figures = f"{library * 1e6:9.1f} us, unavoidable {bare * 1e6:9.1f} us: {library / bare:.2f}"
    print(f"{name:36} {figures} (wanted: at most {limit})")


def handshake(policy: Policy, seed: list[int]) -> list[ET.Element]:
    """Both sides of a negotiation of 4 messages, with every stanza serialized and parsed."""
    seed[0] += 1
    alice, bob = Peer(ALICE, policy, seed=seed[0]), Peer(BOB, policy, seed=seed[0])
    written: list[ET.Element] = []
    first, outcome = Session.open(alice.party, BOB, START)
    stanza = ET.fromstring(ET.tostring(outcome.stanzas[0]))
    second, _ = Session.asked(bob.party, stanza, START)
    outcome = second.accept(START)
    ends = [first, second]
    while outcome.stanzas:
        written.append(stanza)
        stanza = ET.fromstring(ET.tostring(outcome.stanzas[0]))
        outcome = ends[0].receive(stanza, START)
        ends.reverse()
    return [*written, stanza]


def time_handshake(name: str, policy: Policy, repeat: int) -> None:
    seed = [0]
    handshake(policy, seed)
    with Recorder() as recorder:
        stanzas = handshake(policy, seed)
    assert len(stanzas) == 4

    def bare() -> None:
        recorder.again()
        for stanza in stanzas:
            ET.fromstring(ET.tostring(stanza))

    pairs = []
    for _ in range(repeat):
        start = time.thread_time()
        handshake(policy, seed)
        middle = time.thread_time()
        bare()
        pairs.append((middle - start, time.thread_time() - middle))
    library, unavoidable = (statistics.median(each) for each in zip(*pairs, strict=True))
    report(f"handshake, {name}", library, unavoidable, 1.5)


def time_stanza(octets: int, repeat: int) -> None:
    alice, bob = connect(Peer(ALICE, Policy(groups=(5,), rekey_after=None)), Peer(BOB, Policy(groups=(5,))))
    body = message("x" * (octets - len(b"<message type='chat'><body></body></message>")))

    def both() -> ET.Element:
        sealed = alice.session.send(body, START).stanzas[0]
        bob.session.receive(sealed, START)
        return sealed

    with Recorder() as recorder:
        both()

    def bare() -> None:
        recorder.again()
        ET.fromstring(ET.tostring(body))

    pairs = []
    for _ in range(repeat):
        start = time.thread_time()
        both()
        middle = time.thread_time()
        bare()
        pairs.append((middle - start, time.thread_time() - middle))
    library, unavoidable = (statistics.median(each) for each in zip(*pairs, strict=True))
    report(f"{octets}-octet message, both ways", library, unavoidable, 2.0)


def main() -> None:
    gc.disable()
    time_handshake("default offer (14, 15, 16)", Policy(), 40)
    for number in (14, 15, 16):
        time_handshake(f"MODP {number} only", Policy(groups=(number,)), 40)
    for octets in (300, 3000):
        time_stanza(octets, 3000)


if __name__ == "__main__":
    main()
