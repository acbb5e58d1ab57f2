"""Which keys, revocations and attestations are fit to be stored (docs/decisions/keys-verification.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import NotAcceptable
from stanzavault.keys.model.public_key import Attestation, PublicKey, Revocation, RsaKey, fingerprint_of
from stanzavault.keys.verification import is_signed_by
from stanzavault.wire.xep_0082 import render

MOST_BITS: Final = 8192
LEAST_EXPONENT: Final = 65537
MOST_EXPONENT_BITS: Final = 64
LONGEST: Final = timedelta(days=36525)
"""A key ends within a century: what ends later was given no end."""

SKEW: Final = timedelta(minutes=5)
"""How far a peer's clock may be ahead of the vault's."""


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that an account has published.

    Attributes:
        public_key: as published.
        revoked_at: when its revocation was published, None where it is not revoked.
    """

    public_key: PublicKey
    revoked_at: datetime | None = None


class Mark(Enum):
    """What the vault knows of an attestation."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    REFUTED = "refuted"


def check_public_key(key: PublicKey, account: Address, least_bits: int, now: datetime) -> None:
    """Refuse a key that `account` should not publish now.

    Raises:
        NotAcceptable: with every reason that there is.
    """
    _refuse("The key", [*_misdated(key, now), *_misplaced(key, account), *_weak(key.key, least_bits)])


def check_revocation(
    revocation: Revocation, revoked: KnownKey | None, signer: KnownKey | None, now: datetime
) -> None:
    """Refuse a revocation that does not hold.

    Args:
        revocation: what is published.
        revoked: the key of the publisher that has its `<keyprint/>`.
        signer: the key of the publisher that has its `<revocationprint/>`.
        now: the present.

    Raises:
        NotAcceptable: with the reason.
    """
    if revoked is None:
        raise NotAcceptable("You have published no key with the fingerprint in <keyprint/>.")
    if revoked.public_key.key != revocation.key:
        raise NotAcceptable("You published another key than this with the fingerprint in <keyprint/>.")
    if signer is None:
        raise NotAcceptable("You have published no key with the fingerprint in <revocationprint/>.")
    if revocation.time.instant > now + SKEW:
        raise NotAcceptable("The revocation is dated in the future.")
    if signer.public_key.key != revocation.key:
        if signer.revoked_at is not None:
            raise NotAcceptable("The key that signs the revocation is itself revoked.")
        if not signer.public_key.is_valid_at(now):
            raise NotAcceptable("The key that signs the revocation is not valid now.")
    if not is_signed_by(signer.public_key.key, revocation.signature, revocation.signed):
        raise NotAcceptable("The signature of the revocation does not verify.")


def check_attestation(
    attestation: Attestation, attested: KnownKey | None, signer: KnownKey | None, now: datetime
) -> KnownKey:
    """Refuse an attestation that is about nothing, or known to be false.

    Args:
        attestation: what is published.
        attested: the key of the publisher that has its `<keyprint/>`.
        signer: the signer's key that has its `<signerprint/>`, None where the vault does not know it.
        now: the present.

    Returns:
        The key that is vouched for.

    Raises:
        NotAcceptable: with the reason.
    """
    if attested is None:
        raise NotAcceptable("Publish the key first: none of yours has the fingerprint in <keyprint/>.")
    if attested.revoked_at is not None:
        raise NotAcceptable("The key that is vouched for is revoked.")
    if attestation.time.instant > now + SKEW:
        raise NotAcceptable("The attestation is dated in the future.")
    if mark(attestation, attested.public_key.key, signer) is Mark.REFUTED:
        raise NotAcceptable("The attestation does not verify under its signer's key.")
    return attested


def mark(attestation: Attestation, attested: RsaKey, signer: KnownKey | None) -> Mark:
    """What is known of an attestation of the key `attested`, given the signer's key where it is known."""
    if signer is None:
        return Mark.UNVERIFIED
    vouches = signer.revoked_at is None and signer.public_key.is_valid_at(attestation.time.instant)
    signed = attestation.signed(attested)
    holds = vouches and is_signed_by(signer.public_key.key, attestation.signature, signed)
    return Mark.VERIFIED if holds else Mark.REFUTED


def _misdated(key: PublicKey, now: datetime) -> Iterator[str]:
    if key.begin.instant >= key.end.instant:
        yield "it begins no earlier than it ends"
    if key.end.instant <= now:
        yield f"it ended {render(key.end.instant)}"
    if key.end.instant - now > LONGEST:
        yield "it ends more than a hundred years from now"


def _misplaced(key: PublicKey, account: Address) -> Iterator[str]:
    if key.owner.address != account:
        yield "its address is not the bare address of the account that publishes it"
    expected = fingerprint_of(key.begin, key.end, key.owner, key.key)
    if not expected.is_same(key.fingerprint):
        yield "its fingerprint is not the SHA-256 of its dates, address, modulus and exponent"


def _weak(key: RsaKey, least_bits: int) -> Iterator[str]:
    if not least_bits <= key.bits <= MOST_BITS:
        yield f"its modulus has {key.bits} bits, not {least_bits} to {MOST_BITS}"
    if not key.modulus & 1:
        yield "its modulus is even"
    is_bounded = key.exponent >= LEAST_EXPONENT and key.exponent.bit_length() <= MOST_EXPONENT_BITS
    if not is_bounded or not key.exponent & 1:
        yield f"its exponent is not an odd number from {LEAST_EXPONENT}, of {MOST_EXPONENT_BITS} bits at most"


def _refuse(what: str, reasons: list[str]) -> None:
    if reasons:
        raise NotAcceptable(f"{what} is refused: {'; '.join(reasons)}.")
