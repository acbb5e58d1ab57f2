"""Making what is published: keys, revocations and attestations, signed with one's own key (XEP-0189)."""

from __future__ import annotations

import base64
from datetime import datetime

from esession.crypto import SigningKey
from stanzavault.kernel.address import Address
from stanzavault.keys.model.public_key import (
    Attestation,
    Moment,
    PublicKey,
    Revocation,
    RsaKey,
    Written,
    fingerprint_of,
)
from stanzavault.wire.xep_0082 import render
from stanzavault_client.storage import OwnKey


def make_key(private: SigningKey, account: Address, begin: datetime, end: datetime) -> OwnKey:
    """A key with its dates, to the second, and its fingerprint (section 2)."""
    owner = Written(str(account), account)
    key = RsaKey(*private.public_numbers())
    begins, ends = _moment(begin), _moment(end)
    fingerprint = fingerprint_of(begins, ends, owner, key)
    return OwnKey(private, PublicKey(begins, ends, owner, key, fingerprint))


def make_revocation(revoked: OwnKey, now: datetime) -> Revocation:
    """A revocation of a key, signed by that key itself (section 3)."""
    public = revoked.public
    unsigned = Revocation(public.key, public.fingerprint, public.fingerprint, _moment(now), "")
    return Revocation(
        unsigned.key,
        unsigned.fingerprint,
        unsigned.signer_fingerprint,
        unsigned.time,
        _sign(revoked, unsigned.signed),
    )


def make_attestation(signer: OwnKey, attested: PublicKey, now: datetime) -> Attestation:
    """A statement that `attested` is its owner's (section 4)."""
    unsigned = Attestation(
        attested.fingerprint, signer.public.owner, signer.public.fingerprint, _moment(now), ""
    )
    return Attestation(
        unsigned.fingerprint,
        unsigned.signer,
        unsigned.signer_fingerprint,
        unsigned.time,
        _sign(signer, unsigned.signed(attested.key)),
    )


def _sign(key: OwnKey, text: str) -> str:
    return base64.b64encode(key.private.sign(text.encode())).decode()


def _moment(instant: datetime) -> Moment:
    whole = instant.replace(microsecond=0)
    return Moment(render(whole), whole)
