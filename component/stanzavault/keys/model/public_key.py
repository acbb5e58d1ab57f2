"""Public keys, revocations and attestations as values (XEP-0189).

What is hashed and signed is text as it was written. So a time keeps its text, and so does a fingerprint that
a signature covers: neither may be written again in another form.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime

from stanzavault.kernel.address import Address
from stanzavault.keys.model import spki

SHA_256 = "sha-256"
"""The only algorithm for fingerprints that is served (docs/decisions/keys-fingerprints.md)."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A time and how it was written.

    Attributes:
        text: the character data, without surrounding white space.
        instant: what it says, in UTC.
    """

    text: str
    instant: datetime = field(compare=False)


@dataclass(frozen=True, slots=True)
class Written:
    """An address and how it was written.

    Attributes:
        text: the character data, without surrounding white space.
        address: what it says.
    """

    text: str
    address: Address = field(compare=False)


@dataclass(frozen=True, slots=True)
class RsaKey:
    """An RSA public key, however weak: `stanzavault.keys.rules.soundness` judges it."""

    modulus: int
    exponent: int

    @property
    def bits(self) -> int:
        """The length of the modulus."""
        return self.modulus.bit_length()

    @property
    def text(self) -> str:
        """Base64 of its SubjectPublicKeyInfo: the public key in what is signed (sections 3 and 4)."""
        return base64.b64encode(spki.encode(self.modulus, self.exponent)).decode()


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A SHA-256 fingerprint and how it was written: in Base64 or in hexadecimal digits.

    Attributes:
        text: the character data, without white space.
        digest: 32 bytes.
    """

    text: str
    digest: bytes = field(compare=False)

    @staticmethod
    def of(digest: bytes) -> Fingerprint:
        """A digest as section 2 writes it, in Base64."""
        return Fingerprint(base64.b64encode(digest).decode(), digest)

    def is_same(self, other: Fingerprint) -> bool:
        """Whether both stand for one key, however they are written."""
        return hmac.compare_digest(self.digest, other.digest)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """`<pubkey/>` (section 2).

    Attributes:
        begin: before it, the key is not valid.
        end: from it on, the key is not valid.
        owner: the address that the key belongs to.
        key: its numbers.
        fingerprint: what its publisher says to be its fingerprint.
        uri: where the key can be had outside of XMPP, "" where it is not said.
    """

    begin: Moment
    end: Moment
    owner: Written
    key: RsaKey
    fingerprint: Fingerprint
    uri: str = ""

    def is_valid_at(self, instant: datetime) -> bool:
        """Whether the key's own dates let it be used."""
        return self.begin.instant <= instant < self.end.instant


def fingerprint_of(begin: Moment, end: Moment, owner: Written, key: RsaKey) -> Fingerprint:
    """The fingerprint that section 2 defines: SHA-256 over begin, end, address, modulus and exponent."""
    text = f"{begin.text}{end.text}{owner.text}{key.modulus}{key.exponent}"
    return Fingerprint.of(hashlib.sha256(text.encode()).digest())


@dataclass(frozen=True, slots=True)
class Revocation:
    """`<revocation/>` (section 3): its owner withdraws a key.

    Attributes:
        key: the key that is withdrawn.
        fingerprint: the withdrawn key's.
        signer_fingerprint: of the key that signs.
        time: when it is withdrawn.
        signature: Base64 of an RSASSA-PKCS1-v1_5 signature with SHA-256 over `signed`.
    """

    key: RsaKey
    fingerprint: Fingerprint
    signer_fingerprint: Fingerprint
    time: Moment
    signature: str

    @property
    def signed(self) -> str:
        """What is signed: the key, both fingerprints and the time, as they are written."""
        return self.key.text + self.fingerprint.text + self.signer_fingerprint.text + self.time.text


@dataclass(frozen=True, slots=True)
class Attestation:
    """`<attest/>` (section 4): somebody vouches for a key.

    Attributes:
        fingerprint: of the key that is vouched for.
        signer: who vouches.
        signer_fingerprint: of the key that signs, which need not be an RSA key.
        time: when it was signed.
        signature: text; where the signer's key is RSA, Base64 of an RSASSA-PKCS1-v1_5 signature with SHA-256
            over `signed`.
    """

    fingerprint: Fingerprint
    signer: Written
    signer_fingerprint: Fingerprint
    time: Moment
    signature: str

    def signed(self, key: RsaKey) -> str:
        """What is signed: `key`, which is vouched for, and the rest as it is written."""
        return (
            key.text
            + self.fingerprint.text
            + self.signer.text
            + self.signer_fingerprint.text
            + self.time.text
        )
