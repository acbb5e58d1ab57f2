"""What sessions leave behind in the user's store."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from esession.events import (
    DestroyOfflineValues,
    DestroySecret,
    Effect,
    KeepOfflineValues,
    RememberKey,
    RetainSecret,
)
from esession.keys import RSAPublicKey
from esession.storage import KnownKey
from stanzavault_client.storage import RememberedKey, Store


def keep(store: Store, effect: Effect, now: datetime) -> None:
    """Carry out an effect that changes the store; durable when it returns.

    Args:
        store: the user's.
        effect: any but `Send`.
        now: the present.
    """
    match effect:
        case RetainSecret(secret):
            store.retained_secrets.put(secret)
        case DestroySecret(secret):
            store.retained_secrets.destroy(secret)
        case RememberKey(key):
            _remember(store, key, now)
        case KeepOfflineValues(record, wrapped):
            store.offline_values.put(record, wrapped)
        case DestroyOfflineValues(record):
            store.offline_values.destroy(record)


def is_revoked(store: Store, account: str, key: RSAPublicKey) -> bool:
    """Whether this key of an account was ever seen revoked: sessions don't know of revocations."""
    return any(each.key == key and each.revoked_at is not None for each in store.known_keys.of(account))


def _remember(store: Store, key: KnownKey, now: datetime) -> None:
    """Remember a key without forgetting what is known of it besides: when it came up, or was revoked."""
    known = next((each for each in store.known_keys.of(key.address) if each.key == key.key), None)
    known = known or RememberedKey(key.address, key.key, now)
    confirmed = known.confirmed or key.verified
    store.known_keys.put(replace(known, confirmed=confirmed, petname=key.petname or known.petname))
