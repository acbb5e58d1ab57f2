"""What to think of the keys that an account publishes: nothing is believed because a vault says it.

A key is its account's where this client holds the private half, where its user has compared the fingerprint,
or where such a key vouches for it. Everything else (dates, fingerprint, strength, revocations, signatures) is
recomputed, and what was once seen revoked stays revoked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import NotAcceptable
from stanzavault.keys.model.public_key import Attestation, PublicKey, Revocation, RsaKey
from stanzavault.keys.rules.soundness import SKEW, check_public_key
from stanzavault.keys.verification import is_signed_by
from stanzavault.wire.xep_0082 import render
from stanzavault_client.keys.model import SeenKey, Trust
from stanzavault_client.storage import OwnKey


@dataclass(frozen=True, slots=True)
class Known:
    """What this client knows by itself.

    Attributes:
        now: the present.
        least_bits: of a key that is used.
        held: keys of which it has the private half.
        confirmed: keys of the account whose fingerprint its user has compared.
        revoked: keys of the account that were seen revoked before, with the time.
    """

    now: datetime
    least_bits: int
    held: Sequence[OwnKey] = ()
    confirmed: frozenset[RsaKey] = frozenset()
    revoked: Mapping[RsaKey, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found out.

    Attributes:
        keys: every key that is published, in the order of publication.
        revoked: every key that is revoked, published or not, with the time.
    """

    keys: Sequence[SeenKey]
    revoked: Mapping[RsaKey, datetime]


def judge(
    account: Address,
    published: Sequence[PublicKey],
    revocations: Iterable[Revocation],
    attestations: Iterable[Attestation],
    known: Known,
) -> Judgement:
    """What is to be thought of the keys that an account publishes."""
    gone = {**_revoked(published, revocations, known), **known.revoked}
    said = list(attestations)
    vouching = [key.public for key in known.held if key.revoked_at is None]
    vouching += [key for key in published if key.key in known.confirmed and key.key not in gone]
    seen = []
    for key in published:
        problems = (*_problems(account, key, known), *_ended(gone.get(key.key)))
        vouchers = tuple(dict.fromkeys(_vouchers(key, said, vouching, known.now)))
        trust = _trust(key, vouchers, known)
        seen.append(SeenKey(account, key, trust, problems, gone.get(key.key), vouchers))
    return Judgement(seen, gone)


def _revoked(
    published: Sequence[PublicKey], revocations: Iterable[Revocation], known: Known
) -> dict[RsaKey, datetime]:
    """Keys with a revocation that verifies: under the key itself, or under another of its account's."""
    signers = {key.fingerprint.digest: key.key for key in (*published, *(own.public for own in known.held))}
    found: dict[RsaKey, datetime] = {}
    for revocation in revocations:
        itself = revocation.signer_fingerprint.is_same(revocation.fingerprint)
        signer = revocation.key if itself else signers.get(revocation.signer_fingerprint.digest)
        if signer is not None and is_signed_by(signer, revocation.signature, revocation.signed):
            found[revocation.key] = revocation.time.instant
    return found


def _trust(key: PublicKey, vouchers: Sequence[str], known: Known) -> Trust:
    if any(own.public.key == key.key for own in known.held):
        return Trust.OWN
    if key.key in known.confirmed:
        return Trust.CONFIRMED
    return Trust.VOUCHED if vouchers else Trust.NONE


def _problems(account: Address, key: PublicKey, known: Known) -> Iterable[str]:
    try:
        check_public_key(key, account, known.least_bits, known.now)
    except NotAcceptable as error:
        yield error.text.removeprefix("The key is refused: ").removesuffix(".")
    if key.begin.instant > known.now + SKEW:
        yield f"it begins {render(key.begin.instant)}"


def _ended(revoked_at: datetime | None) -> Iterable[str]:
    if revoked_at is not None:
        yield f"it was revoked {render(revoked_at)}"


def _vouchers(
    key: PublicKey, attestations: Iterable[Attestation], vouching: Sequence[PublicKey], now: datetime
) -> Iterable[str]:
    for attestation in attestations:
        signed_at = attestation.time.instant
        if not attestation.fingerprint.is_same(key.fingerprint) or signed_at > now + SKEW:
            continue
        signed = attestation.signed(key.key)
        for signer in vouching:
            if (
                signer.owner.address == attestation.signer.address.bare
                and signer.fingerprint.is_same(attestation.signer_fingerprint)
                and signer.key != key.key
                and signer.is_valid_at(signed_at)
                and is_signed_by(signer.key, attestation.signature, signed)
            ):
                yield str(signer.owner.address)
