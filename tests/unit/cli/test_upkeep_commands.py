"""`db`, `keys`, `backup` and `restore` on a real SQLite file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest


def test_the_schema_goes_up_and_down_and_tells_where_it_is(stanzavault, config: Path) -> None:
    assert "at revision none; this program knows 0" in stanzavault("db", "current", "--config", config).out
    assert "stanzavault db upgrade" in stanzavault("db", "current", "--config", config).out
    assert "at revision 0" in stanzavault("db", "upgrade", "--config", config).out
    assert "stanzavault db upgrade" not in stanzavault("db", "current", "--config", config).out
    assert stanzavault("db", "downgrade", "base", "--config", config, typed="n\n").status == 2
    assert "at revision 0" in stanzavault("db", "current", "--config", config).out
    outcome = stanzavault("db", "downgrade", "base", "--yes", "--config", config)
    assert (outcome.status, outcome.out) == (0, "The database is at revision none.\n")


def test_a_revision_that_there_is_not_is_told(stanzavault, config: Path) -> None:
    outcome = stanzavault("db", "upgrade", "9999", "--config", config)
    assert outcome.status == 2
    assert "There is no revision '9999'" in outcome.err


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all/vault.db",
        "postgresql://vault:s3cret@127.0.0.1:1/vault",
        "sqlite:////proc/version",
    ],
)
def test_a_database_that_can_not_be_used_is_told_without_its_password(
    stanzavault, config: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("STANZAVAULT_DATABASE__URL", url)
    outcome = stanzavault("db", "upgrade", "--config", config)
    assert outcome.status == 2
    assert outcome.err.startswith("stanzavault: The database can't be used: ")
    assert "database.url" in outcome.err
    assert "s3cret" not in outcome.err


def test_keys_init_prints_a_recovery_copy_and_asks_to_confirm_it(stanzavault, migrated: Path) -> None:
    key = migrated.with_name("master.key").read_text().strip()
    refused = stanzavault("keys", "init", "--config", migrated, typed="wrong\n")
    assert refused.status == 2
    assert key in refused.out
    assert "not confirmed" in refused.err
    assert migrated.with_name("master.key").exists()
    confirmed = stanzavault("keys", "init", "--config", migrated, typed=f"{key[-8:]}\n")
    assert confirmed.status == 0
    assert "is a vault under master key" in confirmed.out


def test_keys_init_makes_a_master_key_where_its_file_is_missing(stanzavault, migrated: Path) -> None:
    file = migrated.with_name("master.key")
    file.unlink()
    assert stanzavault("keys", "init", "--config", migrated, typed="wrong\n").status == 2
    assert not file.exists()
    outcome = stanzavault("keys", "init", "--yes", "--config", migrated)
    assert outcome.status == 0
    assert file.read_text().strip() in outcome.out
    assert file.stat().st_mode & 0o777 == 0o600


def test_keys_init_refuses_a_vault(stanzavault, vault: Path) -> None:
    outcome = stanzavault("keys", "init", "--yes", "--config", vault)
    assert outcome.status == 2
    assert "holds a vault already" in outcome.err


def test_keys_init_needs_the_schema_and_names_the_command(stanzavault, config: Path) -> None:
    outcome = stanzavault("keys", "init", "--yes", "--config", config)
    assert outcome.status == 2
    assert "stanzavault db upgrade" in outcome.err


def test_rotating_the_master_key_puts_a_new_one_in_its_place(stanzavault, vault: Path) -> None:
    file = vault.with_name("master.key")
    old = file.read_text()
    assert stanzavault("keys", "rotate-master", "--config", vault, typed="wrong\n").status == 2
    assert file.read_text() == old
    outcome = stanzavault("keys", "rotate-master", "--yes", "--config", vault)
    assert outcome.status == 0, outcome.err
    assert file.read_text() != old
    assert file.read_text().strip() in outcome.out
    assert "keep its recovery copy" in outcome.out


def test_a_backup_is_a_consistent_copy_without_the_master_key_and_can_be_restored(
    stanzavault, vault: Path
) -> None:
    database, copy = vault.with_name("vault.db"), vault.with_name("copy.db")
    outcome = stanzavault("backup", copy, "--config", vault)
    assert outcome.status == 0, outcome.err
    assert "Copying pages" in outcome.err
    key = vault.with_name("master.key").read_text().strip().encode()
    assert key not in copy.read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o600
    again = stanzavault("backup", copy, "--config", vault)
    assert (again.status, "exists already" in again.err) == (2, True)
    refused = stanzavault("restore", copy, "--config", vault)
    assert (refused.status, "exists already" in refused.err) == (2, True)
    for end in ("", "-wal", "-shm"):
        database.with_name(database.name + end).unlink(missing_ok=True)
    restored = stanzavault("restore", copy, "--config", vault)
    assert restored.status == 0, restored.err
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()
    vault.with_name("master.key").unlink()
    database.unlink()
    outcome = stanzavault("restore", copy, "--config", vault)
    assert outcome.status == 2
    assert "master.key can't be read" in outcome.err
    assert not database.exists()
