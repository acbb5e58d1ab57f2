"""What sessions leave in the user's store."""

from datetime import UTC, datetime
from pathlib import Path

from esession import KnownKey, RetainedSecret, RSAPublicKey, Secret
from esession.events import (
    DestroyOfflineValues,
    DestroySecret,
    KeepOfflineValues,
    RememberKey,
    RetainSecret,
)
from stanzavault_client import SQLiteStore
from stanzavault_client.esession.memory import is_revoked, keep
from stanzavault_client.storage import RememberedKey
from support.esession_peers import signing_key
from support.vault_clients import PASSPHRASE, QUICK

EARLIER, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 14, tzinfo=UTC)
PEER = "alice@example.org"


def opened(folder: Path) -> SQLiteStore:
    return SQLiteStore.open(folder / "store.db", PASSPHRASE, cost=QUICK)


def test_offline_values_are_kept_sealed_and_destroyed_in_the_file_as_well(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        keep(store, KeepOfflineValues("subscribers", b"wrapped once"), NOW)
        keep(store, KeepOfflineValues("subscribers", b"wrapped twice"), NOW)
        keep(store, KeepOfflineValues("all", b"wrapped for all"), NOW)
        key = store.offline_values.key
        assert len(key) == 32
    with opened(tmp_path) as store:
        assert store.offline_values.all() == {"subscribers": b"wrapped twice", "all": b"wrapped for all"}
        assert store.offline_values.key == key
        keep(store, DestroyOfflineValues("subscribers"), NOW)
    with opened(tmp_path) as store:
        assert store.offline_values.all() == {"all": b"wrapped for all"}
    octets = (tmp_path / "store.db").read_bytes()
    assert not any(each in octets for each in (b"wrapped", b"subscribers", key))


def test_a_retained_secret_is_kept_and_destroyed(tmp_path: Path) -> None:
    secret = RetainedSecret(PEER, Secret(b"s" * 32), NOW, verified=False)
    with opened(tmp_path) as store:
        keep(store, RetainSecret(secret), NOW)
    with opened(tmp_path) as store:
        assert store.retained_secrets.of(PEER) == [secret]
        keep(store, DestroySecret(secret), NOW)
    with opened(tmp_path) as store:
        assert store.retained_secrets.of(PEER) == []


def test_a_key_is_remembered_when_it_first_comes_up(tmp_path: Path) -> None:
    key = RSAPublicKey.of(signing_key("alice"))
    with opened(tmp_path) as store:
        keep(store, RememberKey(KnownKey(PEER, key, petname="Juliet")), NOW)
        assert store.known_keys.of(PEER) == [RememberedKey(PEER, key, NOW, petname="Juliet")]


def test_what_was_known_of_a_key_is_not_forgotten(tmp_path: Path) -> None:
    key = RSAPublicKey.of(signing_key("alice"))
    known = RememberedKey(PEER, key, EARLIER, confirmed=True, revoked_at=EARLIER, petname="Juliet")
    with opened(tmp_path) as store:
        store.known_keys.put(known)
        keep(store, RememberKey(KnownKey(PEER, key)), NOW)
        assert store.known_keys.of(PEER) == [known]
        assert is_revoked(store, PEER, key)
        assert not is_revoked(store, "bob@example.com", key)


def test_a_confirmed_comparison_confirms_the_key(tmp_path: Path) -> None:
    key = RSAPublicKey.of(signing_key("alice"))
    with opened(tmp_path) as store:
        store.known_keys.put(RememberedKey(PEER, key, EARLIER))
        keep(store, RememberKey(KnownKey(PEER, key, verified=True)), NOW)
        assert store.known_keys.of(PEER) == [RememberedKey(PEER, key, EARLIER, confirmed=True)]
