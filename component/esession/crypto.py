"""The primitives: the only file of this library that imports `cryptography`.

Finite-field Diffie-Hellman is marked deprecated there, which is a fact about the protocol and not about this
code: the warning is silenced here, once, and named in docs/esession/security.md. OpenSSL blinds RSA private
operations and pads OAEP with randomness of its own: the one exception to the purity of this library.
"""

from __future__ import annotations

import hashlib
import hmac
import warnings
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.utils import CryptographyDeprecationWarning

from esession.errors import DamagedError, MalformedError, MisuseError
from esession.groups import GENERATOR, Group
from esession.secret import Secret

with warnings.catch_warnings():
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    from cryptography.hazmat.primitives.asymmetric.dh import (
        DHParameterNumbers,
        DHPrivateNumbers,
        DHPublicNumbers,
    )

Entropy = Callable[[int], bytes]
"""Gives so many octets from a cryptographically strong source."""

RSA_EXPONENT: Final = 65537
_LEAST_EXPONENT_BITS: Final = 256
_SHORT_EXPONENT_BITS: Final = 512
_GCM_NONCE_OCTETS: Final = 12
_OAEP_HASHES: Final = {"sha256": hashes.SHA256, "sha1": hashes.SHA1}


def random_octets(entropy: Entropy, count: int) -> bytes:
    """So many octets from the caller's source.

    Raises:
        MisuseError: The source gave another number of octets.
    """
    octets = entropy(count)
    if len(octets) != count:
        raise MisuseError("the source of entropy gave another number of octets than was asked for")
    return octets


def digest(name: str, data: bytes) -> bytes:
    """The hash of `data` by the algorithm's negotiated name."""
    return hashlib.new(name, data).digest()


def mac(name: str, key: bytes, data: bytes) -> bytes:
    """HMAC with the hash of that negotiated name."""
    return hmac.digest(key, data, name)


def same(one: bytes, other: bytes) -> bool:
    """Whether two values are equal, in constant time."""
    return hmac.compare_digest(one, other)


def key_stream(key: bytes, counter: int, data: bytes) -> bytes:
    """AES in counter mode from this counter; the same call encrypts and decrypts.

    Args:
        key: 16, 24 or 32 octets.
        counter: The first block's counter, below 2^128.
        data: What to encrypt or decrypt.
    """
    stream = Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16, "big"))).encryptor()
    return stream.update(data)


def private_exponent(group: Group, entropy: Entropy, *, whole_range: bool) -> Secret:
    """Draw x with 2^2n < x < p - 1 (XEP-0116 section 4.3, n = 128).

    Args:
        group: The group in which x will be used.
        entropy: The caller's source.
        whole_range: Draw up to p - 1; otherwise up to 2^512, which is twice any strength negotiated here.
    """
    limit = group.prime - 1 if whole_range else 1 << _SHORT_EXPONENT_BITS
    octets = (limit.bit_length() + 7) // 8 if whole_range else _SHORT_EXPONENT_BITS // 8
    while True:
        number = int.from_bytes(random_octets(entropy, octets), "big")
        if 1 << _LEAST_EXPONENT_BITS < number < limit:
            return Secret.of_number(number)


def public_value(group: Group, exponent: Secret) -> int:
    """g^x mod p."""
    return _exchange(group, exponent, GENERATOR)


def shared_value(group: Group, exponent: Secret, other: int) -> int:
    """The other's public value to the power of our private exponent, mod p.

    Raises:
        MalformedError: The other's value is outside the range or the subgroup.
    """
    if not group.is_public_value(other):
        raise MalformedError("a Diffie-Hellman value is out of range")
    return _exchange(group, exponent, other)


def _exchange(group: Group, exponent: Secret, base: int) -> int:
    parameters = DHParameterNumbers(group.prime, GENERATOR)
    # OpenSSL wants a public half beside the private one, and never uses it for the exchange.
    own = DHPrivateNumbers(exponent.number(), DHPublicNumbers(GENERATOR, parameters)).private_key()
    return int.from_bytes(own.exchange(DHPublicNumbers(base, parameters).public_key()), "big")


class SigningKey:
    """A private RSA key, which signs (rsa-sha256) and opens what was sealed to its public half."""

    __slots__ = ("_key",)

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        self._key = key

    @classmethod
    def generate(cls, bits: int = 3072) -> SigningKey:
        """Make a new key, with OpenSSL's own randomness."""
        return cls(rsa.generate_private_key(public_exponent=RSA_EXPONENT, key_size=bits))

    @classmethod
    def load(cls, der: bytes) -> SigningKey:
        """Read an unencrypted PKCS#8 key.

        Raises:
            MalformedError: These octets hold no RSA private key.
        """
        try:
            key = serialization.load_der_private_key(der, password=None)
        except (ValueError, TypeError):
            raise MalformedError("no private key can be read here") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise MalformedError("this private key is not an RSA key")
        return cls(key)

    def dump(self) -> Secret:
        """The key as unencrypted PKCS#8, for a store that seals it."""
        return Secret(
            self._key.private_bytes(
                serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def public_numbers(self) -> tuple[int, int]:
        """Modulus and public exponent."""
        numbers = self._key.public_key().public_numbers()
        return numbers.n, numbers.e

    def sign(self, data: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256 over `data`."""
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def unwrap(self, wrapped: bytes, digest_name: str, mask_name: str) -> Secret:
        """Open what was wrapped by RSA-OAEP for this key.

        Args:
            wrapped: The wrapped key.
            digest_name: The hash: `sha256` or `sha1`.
            mask_name: The hash of the mask generation function.

        Raises:
            DamagedError: It was not wrapped for this key, or it is damaged.
        """
        try:
            return Secret(self._key.decrypt(wrapped, _oaep(digest_name, mask_name)))
        except ValueError:
            raise DamagedError("a wrapped key can't be opened with this private key") from None

    def __repr__(self) -> str:
        return "SigningKey(…)"


def verify(modulus: int, exponent: int, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is rsa-sha256 over `data` by the key with these numbers."""
    try:
        _public_key(modulus, exponent).verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def wrap(modulus: int, exponent: int, key: bytes) -> bytes:
    """Wrap a key by RSA-OAEP with SHA-256 for the owner of the public key with these numbers."""
    return _public_key(modulus, exponent).encrypt(key, _oaep("sha256", "sha256"))


def subject_public_key_info(modulus: int, exponent: int) -> bytes:
    """The public key as DER SubjectPublicKeyInfo."""
    return _public_key(modulus, exponent).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_subject_public_key_info(der: bytes) -> tuple[int, int]:
    """Modulus and public exponent of a DER SubjectPublicKeyInfo.

    Raises:
        MalformedError: These octets hold no RSA public key.
    """
    try:
        key = serialization.load_der_public_key(der)
    except (ValueError, TypeError):
        raise MalformedError("no public key can be read here") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise MalformedError("this public key is not an RSA key")
    numbers = key.public_numbers()
    return numbers.n, numbers.e


def seal(key: bytes, data: bytes, bound: bytes, entropy: Entropy) -> bytes:
    """Encrypt and authenticate with AES-GCM: a random 96-bit nonce, the ciphertext, the 128-bit tag.

    Args:
        key: 16, 24 or 32 octets.
        data: What to keep secret.
        bound: What must be the same again when it is opened.
        entropy: The caller's source.
    """
    nonce = random_octets(entropy, _GCM_NONCE_OCTETS)
    return nonce + AESGCM(key).encrypt(nonce, data, bound)


def unseal(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    """Open what `seal` made.

    Raises:
        DamagedError: Another key, another `bound`, or damaged.
    """
    try:
        return AESGCM(key).decrypt(sealed[:_GCM_NONCE_OCTETS], sealed[_GCM_NONCE_OCTETS:], bound)
    except (InvalidTag, ValueError):
        raise DamagedError("a sealed value can't be opened with this key") from None


def _public_key(modulus: int, exponent: int) -> rsa.RSAPublicKey:
    try:
        return rsa.RSAPublicNumbers(exponent, modulus).public_key()
    except ValueError:
        raise MalformedError("these numbers are no RSA public key") from None


def _oaep(digest_name: str, mask_name: str) -> padding.OAEP:
    mask = padding.MGF1(_OAEP_HASHES[mask_name]())
    return padding.OAEP(mask, _OAEP_HASHES[digest_name](), label=None)
