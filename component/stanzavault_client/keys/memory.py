"""What this client knows of an account's keys by itself, and what it learns and never forgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from esession.keys import RSAPublicKey
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import utc_now
from stanzavault.keys.model.public_key import RsaKey
from stanzavault_client.keys.judging import Known
from stanzavault_client.storage import RememberedKey, Store


def recall(store: Store, own_account: Address, account: Address, least_bits: int) -> Known:
    """What is known before anything is fetched."""
    remembered = [
        (RsaKey(each.key.modulus, each.key.exponent), each) for each in store.known_keys.of(str(account))
    ]
    own = store.own_keys.of(str(own_account))
    revoked = {key: each.revoked_at for key, each in remembered if each.revoked_at is not None}
    revoked |= {key.public.key: key.revoked_at for key in own if key.revoked_at is not None}
    confirmed = frozenset(key for key, each in remembered if each.confirmed)
    return Known(utc_now(), least_bits, own, confirmed, revoked)


def learn(store: Store, account: Address, known: Known, revoked: Mapping[RsaKey, datetime]) -> None:
    """Remember what was revoked: a vault that does not show it any more changes nothing.

    Of others' keys only those are remembered that its user confirmed: nobody fills the store with his.
    """
    for own in known.held:
        if own.revoked_at is None and own.public.key in revoked:
            store.own_keys.put(replace(own, revoked_at=revoked[own.public.key]))
    for each in store.known_keys.of(str(account)):
        key = RsaKey(each.key.modulus, each.key.exponent)
        if each.revoked_at is None and key in revoked:
            store.known_keys.put(replace(each, revoked_at=revoked[key]))


def confirm(store: Store, account: Address, key: RsaKey) -> None:
    """Remember that the user made sure of a key.

    Raises:
        MalformedError: it is no RSA key.
    """
    public = RSAPublicKey(key.modulus, key.exponent)
    for each in store.known_keys.of(str(account)):
        if each.key == public:
            store.known_keys.put(replace(each, confirmed=True))
            return
    store.known_keys.put(RememberedKey(str(account), public, utc_now(), confirmed=True))
