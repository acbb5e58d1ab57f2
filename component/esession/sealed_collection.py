"""Sealing a collection of an archive to its owner's public keys, and opening it (XEP-0241 section 2)."""

from __future__ import annotations

from typing import Final

from esession import crypto
from esession.crypto import Entropy, SigningKey
from esession.errors import DamagedError
from esession.keys import RSAPublicKey
from esession.secret import Secret
from esession.wire.xep_0241 import (
    AES256_GCM,
    MGF1_SHA1,
    MGF1_SHA256,
    RSA_OAEP,
    RSA_OAEP_MGF1P,
    SHA1,
    SHA256,
    EncryptedData,
    EncryptedKey,
)

_KEY_OCTETS: Final = 32
_DIGESTS: Final = {SHA1: "sha1", SHA256: "sha256", None: "sha1"}
_MASKS: Final = {MGF1_SHA1: "sha1", MGF1_SHA256: "sha256", None: "sha1"}


class CollectionKey:
    """A symmetric key that one collection is sealed under; forget it when the collection is closed."""

    __slots__ = ("_key", "name")

    def __init__(self, name: str, key: Secret) -> None:
        self._key = key
        self.name = name

    @classmethod
    def generate(cls, entropy: Entropy) -> CollectionKey:
        """Make a new key with a random name."""
        return cls(
            crypto.random_octets(entropy, 16).hex(), Secret(crypto.random_octets(entropy, _KEY_OCTETS))
        )

    @classmethod
    def open(cls, wrapped: EncryptedKey, private: SigningKey) -> CollectionKey:
        """Unwrap a key with one's private key.

        Raises:
            DamagedError: It was wrapped otherwise, for another key, or is damaged.
        """
        digest, mask = _DIGESTS.get(wrapped.digest), _MASKS.get(wrapped.mask)
        if wrapped.algorithm not in {RSA_OAEP, RSA_OAEP_MGF1P} or digest is None or mask is None:
            raise DamagedError(f"keys wrapped by {wrapped.algorithm} are not opened")
        key = private.unwrap(wrapped.cipher, digest, mask if wrapped.algorithm == RSA_OAEP else "sha1")
        if len(key.reveal()) != _KEY_OCTETS:
            raise DamagedError("an unwrapped key has another length")
        return cls(wrapped.carried_name, key)

    def wrap_for(self, public: RSAPublicKey, recipient: str) -> EncryptedKey:
        """Wrap the key for a public key that has been confirmed to be its owner's.

        Args:
            public: The public key.
            recipient: Its name, such as the fingerprint under which it is published.
        """
        wrapped = crypto.wrap(public.modulus, public.exponent, self._key.reveal())
        return EncryptedKey(self.name, recipient, wrapped)

    def seal(self, content: bytes, entropy: Entropy) -> EncryptedData:
        """Encrypt a sequence of `<to/>`, `<from/>` and `<note/>` elements, written as UTF-8."""
        return EncryptedData(self.name, crypto.seal(self._key.reveal(), content, b"", entropy))

    def unseal(self, data: EncryptedData) -> bytes:
        """Decrypt what `seal` encrypted.

        Raises:
            DamagedError: Another key or algorithm, or damaged.
        """
        if data.algorithm != AES256_GCM:
            raise DamagedError(f"data encrypted by {data.algorithm} is not opened")
        return crypto.unseal(self._key.reveal(), data.cipher, b"")

    def wipe(self) -> None:
        """Destroy the key (XEP-0241 section 3)."""
        self._key.wipe()

    def __repr__(self) -> str:
        return f"CollectionKey({self.name!r})"
