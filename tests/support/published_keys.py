"""Private keys of accounts, and the elements of XEP-0189 that they make: without any of the vault's code."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

BEGIN = "2026-01-01T00:00:00Z"
END = "2031-01-01T00:00:00Z"
NOW = "2026-03-01T11:00:00Z"


@cache
def _private(name: str, bits: int) -> RSAPrivateKey:
    return generate_private_key(65537, bits)


@dataclass(frozen=True)
class OwnKey:
    """A key pair of an account, with the dates that it publishes for it."""

    jid: str
    name: str = "first"
    bits: int = 2048
    begin: str = BEGIN
    end: str = END

    @property
    def private(self) -> RSAPrivateKey:
        return _private(self.jid + self.name, self.bits)

    @property
    def modulus(self) -> int:
        return self.private.public_key().public_numbers().n

    @property
    def base64(self) -> str:
        der = self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(der).decode()

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(f"{self.begin}{self.end}{self.jid}{self.modulus}65537".encode()).digest()

    @property
    def fingerprint(self) -> str:
        return base64.b64encode(self.digest).decode()

    @property
    def pubkey(self) -> str:
        """`<pubkey/>`, in the form of the schema."""
        return (
            f"<pubkey xmlns='urn:xmpp:pubkey:2'><begin>{self.begin}</begin><end>{self.end}</end>"
            f"<jid>{escape(self.jid)}</jid><rsakey><modulus>{self.modulus}</modulus>"
            f"<publicExponent>65537</publicExponent><print algo='sha-256'>{self.fingerprint}</print>"
            "</rsakey></pubkey>"
        )

    def sign(self, text: str) -> str:
        return base64.b64encode(self.private.sign(text.encode(), PKCS1v15(), SHA256())).decode()

    def revocation(self, revoked: OwnKey | None = None, *, time: str = NOW) -> str:
        """`<revocation/>` of a key, of this one by default, signed by this one."""
        gone = revoked or self
        signature = self.sign(gone.base64 + gone.fingerprint + self.fingerprint + time)
        return (
            f"<revocation xmlns='urn:xmpp:revoke:2'><key>{gone.base64}</key>"
            f"<keyprint>{gone.fingerprint}</keyprint><signature>{signature}</signature>"
            f"<revocationprint>{self.fingerprint}</revocationprint>"
            f"<revocationtime>{time}</revocationtime></revocation>"
        )

    def attestation(self, attested: OwnKey, *, time: str = NOW) -> str:
        """`<attest/>`: this key's owner vouches for another key."""
        signature = self.sign(attested.base64 + attested.fingerprint + self.jid + self.fingerprint + time)
        return (
            f"<attest xmlns='urn:xmpp:attest:2'><keyprint>{attested.fingerprint}</keyprint>"
            f"<signature>{signature}</signature><signerjid>{self.jid}</signerjid>"
            f"<signerprint>{self.fingerprint}</signerprint><signtime>{time}</signtime></attest>"
        )
