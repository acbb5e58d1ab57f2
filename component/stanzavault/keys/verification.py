"""Whether a signature was made with a published key (XEP-0189, sections 3 and 4)."""

from __future__ import annotations

import base64

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from stanzavault.keys.model.public_key import RsaKey


def is_signed_by(key: RsaKey, signature: str, signed: str) -> bool:
    """Whether `signature` is the Base64 of RSASSA-PKCS1-v1_5 with SHA-256 over `signed`, made with `key`."""
    try:
        public = RSAPublicNumbers(key.exponent, key.modulus).public_key()
        octets = base64.b64decode("".join(signature.split()), validate=True)
        public.verify(octets, signed.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
