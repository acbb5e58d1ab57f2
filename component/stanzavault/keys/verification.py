"""Whether a signature was made with a published key (XEP-0189, sections 3 and 4)."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256

from stanzavault.keys.model.public_key import RsaKey

_LONGEST_SIGNATURE = 4096  # characters, well above those of the largest key that is served


def is_signed_by(key: RsaKey, signature: str, signed: str) -> bool:
    """Whether `signature` is the Base64 of RSASSA-PKCS1-v1_5 with SHA-256 over `signed`, made with `key`."""
    dense = "".join(signature.split())
    return len(dense) <= _LONGEST_SIGNATURE and _verifies(key, dense, signed)


# Each costs milliseconds, and anybody may ask for a page of a hundred again and again.
@lru_cache(maxsize=2048)
def _verifies(key: RsaKey, signature: str, signed: str) -> bool:
    try:
        public = RSAPublicNumbers(key.exponent, key.modulus).public_key()
        octets = base64.b64decode(signature, validate=True)
        public.verify(octets, signed.encode(), PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
