"""From the Diffie-Hellman value to the session's keys (XEP-0116 sections 4.5.3 and 4.7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from esession import crypto
from esession.groups import encode_integer
from esession.secret import Secret
from esession.suite import Suite

_SAS_DIGITS: Final = "acdefghikmopqruvwxy123456789"
_SAS_LETTERS: Final = 5


@dataclass(frozen=True, slots=True)
class RoleKeys:
    """The keys of what one party sends: KC, KM and KS."""

    cipher: Secret
    mac: Secret
    sigma: Secret

    def wipe(self) -> None:
        """Destroy all three."""
        for secret in (self.cipher, self.mac, self.sigma):
            secret.wipe()


def first_secret(suite: Suite, shared: int) -> Secret:
    """K = HASH(g^xy mod p)."""
    return Secret(crypto.digest(suite.hash, encode_integer(shared)))


def final_secret(suite: Suite, first: Secret, retained: Secret | None, other: bytes) -> Secret:
    """K = HASH(K | SRS | OSS).

    Args:
        suite: The negotiated hash.
        first: The first K.
        retained: The shared retained secret, if one was found.
        other: The other shared secret, empty if there is none.
    """
    parts = first.reveal() + (retained.reveal() if retained else b"") + other
    return Secret(crypto.digest(suite.hash, parts))


def role_keys(suite: Suite, secret: Secret, role: str) -> RoleKeys:
    """The three keys of what the `Initiator` or the `Responder` sends."""
    key = secret.reveal()

    def derive(purpose: str, octets: int) -> Secret:
        return Secret(crypto.mac(suite.hash, key, f"{role} {purpose} Key".encode())[-octets:])

    return RoleKeys(
        # A session that only signs has no cipher key; the octets derived here are never used.
        derive("Cipher", suite.cipher_key_octets or 16),
        derive("MAC", suite.mac_key_octets),
        derive("SIGMA", suite.mac_key_octets),
    )


def new_retained_secret(suite: Suite, final: Secret) -> Secret:
    """HMAC(HASH, K, "New Retained Secret")."""
    return Secret(crypto.mac(suite.hash, final.reveal(), b"New Retained Secret"))


def retained_hash(suite: Suite, nonce: bytes, retained: Secret) -> bytes:
    """How the initiator names a retained secret: HMAC with its session id as the key."""
    return crypto.mac(suite.hash, nonce, retained.reveal())


def shared_retained_hash(suite: Suite, retained: Secret) -> bytes:
    """How the responder names the retained secret that it found."""
    return crypto.mac(suite.hash, retained.reveal(), b"Shared Retained Secret")


def short_authentication_string(suite: Suite, mac: bytes, response: bytes) -> str:
    """The string of sas28x5 (XEP-0116 section 9).

    Args:
        suite: The negotiated hash and the profile.
        mac: M of the initiator.
        response: The normalized response form.
    """
    hashed = crypto.digest(suite.hash, mac + response + b"Short Authentication String")
    number = int.from_bytes(hashed[-3:], "big")
    letters = ""
    for _ in range(_SAS_LETTERS):
        number, digit = divmod(number, len(_SAS_DIGITS))
        letters = _SAS_DIGITS[digit] + letters
    if suite.profile.drops_leading_letters:
        letters = letters.lstrip(_SAS_DIGITS[0]) or _SAS_DIGITS[0]
    return letters
