"""Compute every value of the ESession vectors anew, from XEP-0116, 0187, 0200 and 0217.

This script shares no code with the library: it has its own primes, normalization, counters and key sets.
It prints what disagrees, and exits with 1 then.
"""

import base64
import hashlib
import hmac
import json
import sys
from decimal import Decimal, getcontext
from pathlib import Path
from xml.dom import minidom

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PRIME_TAIL = {  # the last 64-bit steps of RFC 2409 and 3526: the prime is found from its definition
    5: (1536, 741804),
    14: (2048, 124476),
}
CIPHERS = {"aes128-ctr": 16, "aes192-ctr": 24, "aes256-ctr": 32, "none": 0}
ROLES = ("Initiator", "Responder")


def prime(number):
    """p = 2^n - 2^(n-64) - 1 + 2^64 * (floor(2^(n-130) pi) + k), with pi from Gauss-Legendre in decimals."""
    bits, k = PRIME_TAIL[number]
    getcontext().prec = bits
    a, b, t, p = Decimal(1), 1 / Decimal(2).sqrt(), Decimal("0.25"), Decimal(1)
    for _ in range(14):
        following = (a + b) / 2
        b, t, a, p = (a * b).sqrt(), t - p * (a - following) ** 2, following, 2 * p
    pi = (a + b) ** 2 / (4 * t)
    return 2**bits - 2 ** (bits - 64) - 1 + 2**64 * (int(pi * 2 ** (bits - 130)) + k)


PRIMES = {number: prime(number) for number in PRIME_TAIL}


class Refused(Exception):
    """The verdict on a message: the stanza error's condition and fields."""

    def __init__(self, condition, *fields):
        super().__init__(condition, *fields)
        self.verdict = (condition, list(fields))


# --- XML ----------------------------------------------------------------------------------------------


def find(node, name):
    return [each for each in node.getElementsByTagName("*") if each.localName == name]


def text(node):
    return "".join(child.data for child in node.childNodes if child.nodeType == node.TEXT_NODE)


def escape(value):
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def write(node):
    """Canonical XML without namespaces; text only where there are no child elements."""
    names = sorted(n for n in node.attributes.keys() if not n.startswith("xmlns"))  # noqa: SIM118  no dict
    attributes = "".join(f' {n}="{escape(node.getAttribute(n))}"' for n in names)
    elements = [child for child in node.childNodes if child.nodeType == node.ELEMENT_NODE]
    inner = "".join(map(write, elements)) if elements else escape(text(node))
    return f"<{node.localName}{attributes}>{inner}</{node.localName}>"


class Form:
    """The form in a stanza, or a form by itself."""

    def __init__(self, xml):
        self.document = minidom.parseString(xml)
        self.fields = {}
        for field in find(self.document, "field"):
            values = [text(each) for each in find(field, "value")]
            self.fields[field.getAttribute("var")] = values

    def one(self, var):
        return self.fields[var][0]

    def octets(self, var):
        return base64.b64decode(self.one(var))

    def number(self, var):
        return int.from_bytes(self.octets(var), "big")

    def content(self, *without):
        (x,) = find(self.document, "x") or [self.document.documentElement]
        kept = [each for each in x.childNodes if each.nodeType == each.ELEMENT_NODE]
        return "".join(write(each) for each in kept if each.getAttribute("var") not in without).encode()


# --- primitives ---------------------------------------------------------------------------------------


def mpi(number):
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


def stream(key, counter, data):
    """Counter mode, block by block."""
    ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    out = b""
    for offset in range(0, len(data), 16):
        block = ecb.update(((counter + offset // 16) % 2**128).to_bytes(16, "big"))
        out += bytes(a ^ b for a, b in zip(data[offset : offset + 16], block, strict=False))
    return out


def blocks(data):
    return max(1, (len(data) + 15) // 16)


def is_public(value, p):
    return 1 < value < p - 1 and pow(value, (p - 1) // 2, p) == 1


def sas(hashed):
    number, digits, out = int.from_bytes(hashed[-3:], "big"), "acdefghikmopqruvwxy123456789", ""
    for _ in range(5):
        out, number = digits[number % 28] + out, number // 28
    return out


def key_value(private):
    numbers = private.public_key().public_numbers()
    modulus, exponent = (base64.b64encode(mpi(n)).decode() for n in (numbers.n, numbers.e))
    return (
        f"<KeyValue><RSAKeyValue><Modulus>{modulus}</Modulus>"
        f"<Exponent>{exponent}</Exponent></RSAKeyValue></KeyValue>"
    ).encode()


def verifies(private, signature, data):
    try:
        private.public_key().verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


# --- negotiation --------------------------------------------------------------------------------------


class Negotiation:
    """One negotiation, judged message by message."""

    def __init__(self, vector, keys):
        self.vector, self.keys = vector, keys
        drawn = vector["entropy"]
        self.x = int(next(each for each in drawn["alice"] if len(each) == 128), 16)
        self.y = int(next(each for each in drawn["bob"] if len(each) == 128), 16)
        self.retained = bytes.fromhex(vector["retained"][0]) if vector["retained"] else b""
        self.other = bytes.fromhex(vector["other_secret"])
        self.four = "dhhashes" in Form(vector["stanzas"][0]).fields
        self.sas = None
        self.used = set()  # MAC keys that have been in use

    def derive(self, key, label, octets):
        return hmac.digest(key, label.encode(), self.hash)[-octets:]

    def keys_of(self, secret, role):
        wide = 16 if self.subset else hashlib.new(self.hash).digest_size
        return (
            self.derive(secret, f"{role} Cipher Key", self.key_octets or 16),
            self.derive(secret, f"{role} MAC Key", wide),
            self.derive(secret, f"{role} SIGMA Key", wide),
        )

    def crypt(self, key, counter, data):
        if self.cipher == "none":
            return data, counter + 1
        return stream(key, counter, data), (counter + blocks(data)) % 2**128

    def run(self, stanzas):
        """Judge the stanzas in turn; each may be refused."""
        for index, xml in enumerate(stanzas):
            getattr(self, f"message_{index}")(Form(xml))

    def message_0(self, form):
        self.form_a = form
        if not self.four:
            p = PRIMES[int(form.one("modp"))]
            if not is_public(form.number("dhkeys"), p):
                raise Refused("feature-not-implemented", "dhkeys")

    def message_1(self, form):
        self.form_b = form
        self.p = PRIMES[int(form.one("modp"))]
        self.hash, self.cipher = form.one("hash_algs"), form.one("crypt_algs")
        self.key_octets = CIPHERS[self.cipher]
        plain = (form.one("init_pubkey"), form.one("resp_pubkey")) == ("none", "none")
        fixed = form.one("rekey_freq") == "4294967295" and (self.cipher, self.hash) == (
            "aes128-ctr",
            "sha256",
        )
        self.subset = fixed and plain
        self.e, self.d = pow(2, self.x, self.p), form.number("dhkeys")
        if not is_public(self.d, self.p):
            raise Refused("not-acceptable", "dhkeys")
        assert self.d == pow(2, self.y, self.p), "d"
        assert form.octets("nonce") == self.form_a.octets("my_nonce"), "nonce"
        self.n_a, self.n_b = self.form_a.octets("my_nonce"), form.octets("my_nonce")
        self.c_a = form.number("counter")
        self.c_b = self.c_a ^ 2**127
        self.k = hashlib.new(self.hash, mpi(pow(self.d, self.x, self.p))).digest()
        if not self.four:
            self.c_b = self.prove(
                form,
                "Responder",
                self.k,
                self.c_b,
                self.n_a + self.n_b,
                self.d,
                form.content("identity", "mac"),
            )

    def message_2(self, form):
        if form.octets("nonce") != self.n_b:
            raise Refused("feature-not-implemented", "nonce")
        if self.four:
            value = form.octets("dhkeys")
            if hashlib.sha256(value).digest() != self.form_a.octets("dhhashes"):
                raise Refused("feature-not-implemented", "dhkeys")
            assert int.from_bytes(value, "big") == self.e, "e"
        forms = self.form_a.content() + form.content("identity", "mac")
        self.c_a = self.prove(form, "Initiator", self.k, self.c_a, self.n_b + self.n_a, self.e, forms)
        if self.four:
            if self.retained:
                named = base64.b64encode(hmac.digest(self.n_a, self.retained, self.hash)).decode()
                assert named in form.fields["rshashes"], "rshashes"
            data = (
                form.octets("mac") + self.form_b.content("identity", "mac") + b"Short Authentication String"
            )
            self.sas = sas(hashlib.new(self.hash, data).digest())
            self.k = hashlib.new(self.hash, self.k + self.retained + self.other).digest()

    def message_3(self, form):
        if form.octets("nonce") != self.n_a:
            raise Refused("feature-not-implemented", "nonce")
        forms = self.form_b.content() + form.content("identity", "mac")
        self.c_b = self.prove(form, "Responder", self.k, self.c_b, self.n_a + self.n_b, self.d, forms)
        if self.retained:
            named = hmac.digest(self.retained, b"Shared Retained Secret", self.hash)
            assert form.octets("srshash") == named, "srshash"

    def prove(self, form, role, secret, counter, nonces, value, forms):  # noqa: PLR0917  the formula's terms
        cipher, integrity, sigma = self.keys_of(secret, role)
        identity = form.octets("identity")
        expected = hmac.digest(integrity, counter.to_bytes(16, "big") + identity, self.hash)
        if form.octets("mac") != expected:
            raise Refused("feature-not-implemented", "mac")
        plain, after = self.crypt(cipher, counter, identity)
        how = self.form_b.one("init_pubkey" if role == "Initiator" else "resp_pubkey")
        private = self.keys["alice" if role == "Initiator" else "bob"]
        shown = b"" if how == "none" else key_value(private)
        mac = hmac.digest(sigma, nonces + mpi(value) + shown + forms, self.hash)
        if how == "none":
            good = plain == mac
        else:
            if how == "hash":
                print_ = base64.b64encode(hashlib.new(self.hash, shown).digest())
                shown = b"<fingerprint>" + print_ + b"</fingerprint>"
            head, _, signed = plain.partition(b"<SignatureValue>")
            signature = base64.b64decode(signed.removesuffix(b"</SignatureValue>"))
            good = head == shown and verifies(private, signature, mac)
        if not good:
            raise Refused("feature-not-implemented", "identity")
        return after


# --- conversation -------------------------------------------------------------------------------------


class End:
    """One end's keys, in the words of XEP-0200: KC, KM, C, and the sets {x, KC, KM} of what it receives."""

    def __init__(self, send, receive, counter, exponent, peer_value):
        self.send, self.counter = send, counter
        self.sets = [(exponent, receive)]
        self.value = peer_value
        self.unanswered = 0


def converse(negotiation):
    """Check every stanza of a conversation, and what the sender's and the receiver's keys become."""
    n = negotiation
    keys = {role: n.keys_of(n.k, role)[:2] for role in ROLES}
    alice = End(keys["Initiator"], keys["Responder"], n.c_a, n.x, n.d)
    bob = End(keys["Responder"], keys["Initiator"], n.c_b, n.y, n.e)
    waiting = {"alice": [], "bob": []}
    ends = {"alice": alice, "bob": bob}
    for stanza in n.vector["conversation"]:
        who = stanza["from"]
        document = minidom.parseString(stanza["xml"])
        while stanza["delivered_before"] and (waiting["alice"] or waiting["bob"]):
            for sender, receiver in (("alice", "bob"), ("bob", "alice")):
                while waiting[sender]:
                    take(n, ends[receiver], *waiting[sender].pop(0))
        waiting[who].append(emit(n, ends[who], stanza, document))


def emit(n, end, stanza, document):
    """Check a stanza as its sender would make it."""
    (c,) = find(document, "c")
    parts = {each.localName: text(each) for each in c.childNodes if each.nodeType == each.ELEMENT_NODE}
    signed = "".join(
        f"<{each.localName}>{text(each)}</{each.localName}>"
        for each in c.childNodes
        if each.nodeType == each.ELEMENT_NODE and each.localName != "mac"
    )
    cipher, integrity = end.send
    mac = hmac.digest(integrity, signed.encode() + end.counter.to_bytes(16, "big"), n.hash)
    assert base64.b64decode(parts["mac"]) == mac, "stanza mac"
    data = base64.b64decode(parts.get("data", ""))
    plain, following = n.crypt(cipher, end.counter, data) if data else (b"", end.counter + 1)
    assert plain.decode() == stanza["plaintext"], "plaintext"
    if "new" in parts:
        assert int(parts["new"]) == end.unanswered, "new"
    for old in (base64.b64decode(text(each)) for each in find(document, "old")):
        current = {end.send[1], *(keys[1] for _, keys in end.sets)}
        assert old in n.used - current, "old"
    n.used.add(integrity)
    end.unanswered = 0
    end.counter = following % 2**128
    if stanza["exponent"]:
        x = int(stanza["exponent"], 16)
        assert int.from_bytes(base64.b64decode(parts["key"]), "big") == pow(2, x, n.p), "key"
        initiator, acceptor = rekey(n, pow(end.value, x, n.p))
        end.send = initiator
        end.sets.append((x, acceptor))
    return parts, integrity


def take(n, end, parts, integrity):
    """Follow a stanza at its receiver."""
    taken = int(parts.get("new", 0))
    n.used |= {keys[1] for _, keys in end.sets[:taken]}
    del end.sets[:taken]
    assert end.sets[0][1][1] == integrity, "the receiver's key"
    if "key" in parts:
        end.value = int.from_bytes(base64.b64decode(parts["key"]), "big")
        initiator, acceptor = rekey(n, pow(end.value, end.sets[0][0], n.p))
        n.used |= {keys[1] for _, keys in end.sets}
        end.sets = [(x, initiator) for x, _ in end.sets]
        if len(end.sets) == 1:
            end.send = acceptor
        end.unanswered += 1


def rekey(n, shared):
    wide = hashlib.new(n.hash).digest_size
    return tuple(
        (
            n.derive(mpi(shared), f"Rekey {role} Crypt", n.key_octets or 16),
            n.derive(mpi(shared), f"Rekey {role} MAC", wide),
        )
        for role in ("Initiator", "Acceptor")
    )


# --- everything ---------------------------------------------------------------------------------------


def judge_stanza(negotiation, xml):
    """Whether the first stanza of a conversation is the one to come."""
    document = minidom.parseString(xml)
    stanza = {"plaintext": negotiation.vector["conversation"][0]["plaintext"], "exponent": None}
    end = End(negotiation.keys_of(negotiation.k, "Initiator")[:2], (b"", b""), negotiation.c_a, 0, 0)
    try:
        emit(negotiation, end, stanza, document)
    except AssertionError:
        raise Refused("not-acceptable") from None


def check_options(options, keys):
    form = Form(options["xml"])
    signed = verifies(keys["alice"], form.octets("signs"), form.content("signs"))
    accepted = signed and options["now"] < form.one("expires")
    assert accepted is options["accepted"], "options"


def main(path):
    document = json.loads(Path(path).read_text())
    keys = {
        name: serialization.load_der_private_key(bytes.fromhex(der), None)
        for name, der in document["keys"].items()
    }
    vectors = {vector["name"]: vector for vector in document["negotiations"]}
    wrong = []

    def check(name, judge):
        try:
            judge()
        except (AssertionError, Refused, KeyError, ValueError) as error:
            wrong.append(f"{name}: {error!r}")

    for name, vector in vectors.items():

        def whole(vector=vector):
            made = Negotiation(vector, keys)
            made.run(vector["stanzas"])
            assert made.sas == vector["sas"], "sas"
            new = made.derive(made.k, "New Retained Secret", 64).hex() if made.four else None
            assert new == vector["new_retained_secret"], "new retained secret"
            converse(made)

        check(name, whole)
    for failure in document["failures"]:

        def refused(failure=failure):
            vector = vectors[failure["case"]]
            made = Negotiation(vector, keys)
            made.run(vector["stanzas"][: failure["index"]])
            try:
                if failure["index"] == 4:
                    judge_stanza(made, failure["xml"])
                else:
                    getattr(made, f"message_{failure['index']}")(Form(failure["xml"]))
            except Refused as verdict:
                judged = verdict.verdict
            else:
                judged = "accepted"
            assert judged == (failure["condition"], failure["fields"]), judged

        check(f"{failure['case']}, {failure['name']}", refused)
    for options in document["options"]:
        check(f"options, {options['name']}", lambda options=options: check_options(options, keys))
    for line in wrong:
        print(line)
    count = len(vectors) + len(document["failures"]) + len(document["options"])
    print(f"{count - len(wrong)} of {count} agree")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("xep-esession.json")))
