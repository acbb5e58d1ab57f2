"""The user's keys in a file that is sealed under a passphrase (Argon2id)."""

import dataclasses
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from esession.keys import RSAPublicKey
from esession.secret import Secret
from esession.storage import RetainedSecret
from stanzavault_client import SQLiteStore, StoreInUse, StoreUnreadable, WrongPassphrase
from stanzavault_client.storage import OwnKey, RememberedKey
from stanzavault_client.storage.passphrase import Cost
from support.files import search
from support.vault_clients import PASSPHRASE, QUICK

from .conftest import JULIET, NOW, ROMEO


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "client.db"


def opened(path: Path, passphrase: str = PASSPHRASE) -> SQLiteStore:
    return SQLiteStore.open(path, passphrase, cost=QUICK)


def remembered(key: OwnKey) -> RememberedKey:
    public = RSAPublicKey(key.public.key.modulus, key.public.key.exponent)
    return RememberedKey(str(JULIET), public, NOW, petname="Julie")


def test_what_was_kept_is_there_when_it_is_opened_again(path: Path, phone: OwnKey, laptop: OwnKey) -> None:
    secret = RetainedSecret(str(JULIET), Secret(b"s" * 32), NOW, verified=True)
    with opened(path) as store:
        store.own_keys.put(phone)
        store.own_keys.put(laptop)
        store.own_keys.put(dataclasses.replace(phone, item_id="current", revoked_at=NOW))
        store.known_keys.put(remembered(laptop))
        store.retained_secrets.put(secret)
    with opened(path) as store:
        first, second = store.own_keys.of(str(ROMEO))
        assert (first, second) == (dataclasses.replace(phone, item_id="current", revoked_at=NOW), laptop)
        assert first.private.sign(b"text") == phone.private.sign(b"text")
        assert store.own_keys.of(str(JULIET)) == []
        assert store.known_keys.of(str(JULIET)) == [remembered(laptop)]
        assert [key.petname for key in store.known_keys.for_sessions.of(str(JULIET))] == ["Julie"]
        assert store.retained_secrets.of(str(JULIET)) == [secret]
        assert store.retained_secrets.of(str(ROMEO)) == []
        assert store.retained_secrets.others(str(ROMEO)) == [secret]
        store.retained_secrets.destroy(secret)
    with opened(path) as store:
        assert store.retained_secrets.of(str(JULIET)) == []


def test_a_revoked_key_is_not_known_to_sessions(path: Path, laptop: OwnKey) -> None:
    with opened(path) as store:
        store.known_keys.put(dataclasses.replace(remembered(laptop), revoked_at=NOW + timedelta(days=1)))
        assert store.known_keys.for_sessions.of(str(JULIET)) == []
        assert list(store.known_keys.for_sessions.all()) == []


def test_nothing_in_the_file_is_readable(path: Path, phone: OwnKey, laptop: OwnKey) -> None:
    with opened(path) as store:
        store.own_keys.put(phone)
        store.known_keys.put(remembered(laptop))
        store.retained_secrets.put(
            RetainedSecret(str(JULIET), Secret(b"the shared secret"), NOW, verified=True)
        )
    texts = [str(ROMEO), str(JULIET), "the shared secret", phone.fingerprint, str(laptop.public.key.modulus)]
    assert search([path], *texts) == []
    assert phone.private.dump().reveal()[100:160] not in path.read_bytes()
    assert path.stat().st_mode & 0o077 == 0


def test_another_passphrase_does_not_open_it(path: Path) -> None:
    opened(path).close()
    with pytest.raises(WrongPassphrase):
        opened(path, PASSPHRASE + "!")


def test_a_passphrase_opens_it_however_its_letters_were_composed(path: Path) -> None:
    opened(path, "caf\u00e9 au lait").close()
    opened(path, "cafe\u0301 au lait").close()


def test_two_programs_never_have_it_open_at_once(path: Path) -> None:
    with opened(path), pytest.raises(StoreInUse, match="end it first"):
        opened(path)
    opened(path).close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE record SET sealed = zeroblob(length(sealed))",
        "UPDATE record SET id = randomblob(16)",
        "UPDATE file SET id = randomblob(16)",
        "UPDATE file SET salt = randomblob(16)",
        "UPDATE file SET rounds = 2",
        "UPDATE file SET kibibytes = 1000000000",
        "UPDATE file SET rounds = 0",
        "DELETE FROM file",
        "DROP TABLE record",
        "PRAGMA user_version = 2",
    ],
)
def test_a_file_that_was_tampered_with_does_not_open(path: Path, phone: OwnKey, damage: str) -> None:
    with opened(path) as store:
        store.own_keys.put(phone)
    with sqlite3.connect(path) as connection:
        connection.execute(damage)
    connection.close()
    with pytest.raises((StoreUnreadable, WrongPassphrase)):
        opened(path)


def test_a_record_does_not_open_in_the_place_of_another(path: Path, phone: OwnKey, laptop: OwnKey) -> None:
    with opened(path) as store:
        store.own_keys.put(phone)
        store.own_keys.put(laptop)
    with sqlite3.connect(path) as connection:
        (one,), (other,) = connection.execute("SELECT id FROM record").fetchall()
        connection.execute("UPDATE record SET id = x'00' WHERE id = ?", (one,))
        connection.execute("UPDATE record SET id = ? WHERE id = ?", (one, other))
        connection.execute("UPDATE record SET id = ? WHERE id = x'00'", (other,))
    connection.close()
    with pytest.raises(StoreUnreadable):
        opened(path)


def test_a_file_of_something_else_is_refused_and_left_as_it_is(path: Path) -> None:
    path.write_text("my diary\n" * 500)
    with pytest.raises(StoreUnreadable):
        opened(path)
    assert path.read_text() == "my diary\n" * 500
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE diary (entry TEXT)")
    connection.close()
    with pytest.raises(StoreUnreadable):
        opened(path)


def test_a_file_where_none_can_be_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        opened(tmp_path / "nowhere" / "client.db")


@pytest.mark.parametrize("cost", [(0, 64, 1), (3, 4, 1), (3, 2**30, 1), (3, 64, 0), (1000, 64, 1)])
def test_costs_beyond_reason_are_refused_before_they_are_paid(cost: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="beyond reason"):
        Cost(*cost)


def test_the_default_costs_are_those_of_rfc_9106() -> None:
    assert (Cost().rounds, Cost().kibibytes, Cost().lanes) == (3, 65536, 4)
