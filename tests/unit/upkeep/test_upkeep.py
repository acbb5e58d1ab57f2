"""What an operator does besides running: schema, first key, rotation, backup and restore."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import inspect

from stanzavault import upkeep
from stanzavault.config import Settings, load_settings, read_master_key
from stanzavault.kernel.address import Address
from stanzavault.kernel.clock import utc_now
from stanzavault.kernel.errors import OperatorError
from stanzavault.runtime import schema
from stanzavault.runtime.database import GroupedDatabase
from stanzavault.runtime.engines import database_url
from stanzavault.runtime.sealing import MasterKey, MasterKeys
from stanzavault.storage.unit import Unit
from stanzavault.storage.usage import Store, charge, kept
from support.service import open_owners

ADDRESSES = [Address.parse(f"user{number}@example.org") for number in range(7)]


def settings_in(folder: Path, name: str = "vault.db") -> Settings:
    key = folder / "master.key"
    if not key.exists():
        upkeep.write_master_keys(key, MasterKey.new())
    file = folder / f"{name}.yaml"
    file.write_text(
        "component: {jid: vault.example.org, secret: s3cret}\n"
        "server: {hosts: [example.org]}\n"
        f"database: {{url: 'sqlite:///{folder / name}'}}\n"
        f"sealing: {{master_key_file: {key}}}\n"
    )
    file.chmod(0o600)
    return load_settings(file)


@pytest.fixture
async def settings(tmp_path: Path) -> Settings:
    made = settings_in(tmp_path)
    await upkeep.upgrade_database(made)
    await upkeep.initialise_keys(made)
    return made


def ignore(_done: int, _total: int) -> None:
    pass


def masters_of(settings: Settings) -> MasterKeys:
    return MasterKeys(lambda: read_master_key(settings.sealing))


async def opened(settings: Settings) -> GroupedDatabase:
    url = database_url(settings.database.url.get_secret_value())
    database = GroupedDatabase(url, await open_owners(url, masters_of(settings)), utc_now)
    database.start()
    return database


async def fill(settings: Settings, addresses: list[Address] = ADDRESSES) -> None:
    database = await opened(settings)

    def adding(address: Address) -> Any:
        async def add(unit: Unit) -> None:
            await charge(unit.connection, await unit.owner(address), Store.ARCHIVE, size=1, records=1)

        return add

    for address in addresses:
        await database.write(address, adding(address))
    await database.close()


async def keeping(settings: Settings) -> list[int]:
    """Records of each owner, its keys opened."""
    database = await opened(settings)

    def counting(address: Address) -> Any:
        async def count(unit: Unit) -> int:
            owner = await unit.find_owner(address)
            return (await kept(unit.connection, owner, Store.ARCHIVE))[1] if owner else 0

        return count

    counts = [await database.read(address, counting(address)) for address in ADDRESSES]
    await database.close()
    return counts


async def test_the_schema_goes_up_and_down_and_up_again(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    assert await upkeep.database_revision(settings) == (None, schema.known_revision())
    assert await upkeep.upgrade_database(settings) == schema.known_revision()
    assert await upkeep.upgrade_database(settings, "base") is None
    async with upkeep.opened(settings) as engine, engine.connect() as connection:
        left = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert left == ["alembic_version"]
    assert await upkeep.upgrade_database(settings) == schema.known_revision()


async def test_an_unknown_revision_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="no revision '9999'"):
        await upkeep.upgrade_database(settings_in(tmp_path), "9999")


@pytest.mark.parametrize(
    ("found", "message", "command"),
    [
        (None, "is empty", "stanzavault db upgrade"),
        ("0000", "this program needs", "stanzavault db upgrade"),
        ("9999", "newer", "Install the version"),
    ],
)
async def test_a_schema_that_is_not_known_is_refused_and_the_command_named(
    tmp_path: Path, found: str | None, message: str, command: str
) -> None:
    settings = settings_in(tmp_path)
    if found:
        await upkeep.upgrade_database(settings)
        with sqlite3.connect(tmp_path / "vault.db") as connection:
            connection.execute("UPDATE alembic_version SET version_num = ?", (found,))
        connection.close()
    async with upkeep.opened(settings) as engine:
        with pytest.raises(OperatorError, match=message) as refused:
            await schema.require_known(engine)
    assert command in refused.value.help


async def test_keys_init_refuses_a_database_that_has_data(settings: Settings) -> None:
    await fill(settings)
    with pytest.raises(OperatorError, match="holds a vault already") as refused:
        await upkeep.initialise_keys(settings)
    assert masters_of(settings).current.fingerprint.hex() in refused.value.message


async def test_a_wrong_master_key_names_both_fingerprints(settings: Settings, tmp_path: Path) -> None:
    right = masters_of(settings).current.fingerprint.hex()
    upkeep.write_master_keys(tmp_path / "master.key", MasterKey.new())
    wrong = masters_of(settings).current.fingerprint.hex()
    async with upkeep.opened(settings) as engine:
        with pytest.raises(OperatorError) as refused:
            await upkeep.open_keyring(engine, lambda: masters_of(settings))
    assert right in refused.value.message
    assert wrong in refused.value.message


async def test_a_database_that_is_no_vault_yet_names_the_command(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    await upkeep.upgrade_database(settings)
    async with upkeep.opened(settings) as engine:
        with pytest.raises(OperatorError) as refused:
            await upkeep.open_keyring(engine, lambda: masters_of(settings))
    assert "stanzavault keys init" in refused.value.help


async def test_the_master_key_is_rotated_and_the_old_one_opens_nothing(
    settings: Settings, tmp_path: Path
) -> None:
    await fill(settings)
    old = masters_of(settings).current
    shown: list[MasterKey] = []
    await upkeep.begin_rotation(settings, lambda key: not shown.append(key))
    new = await upkeep.rotate_master(settings, ignore)
    assert (tmp_path / "master.key").read_text().split() == [shown[0].text()]
    assert new == shown[0].fingerprint.hex()
    assert await keeping(settings) == [1] * len(ADDRESSES)
    upkeep.write_master_keys(tmp_path / "master.key", old)
    async with upkeep.opened(settings) as engine:
        with pytest.raises(OperatorError, match=new):
            await upkeep.open_keyring(engine, lambda: masters_of(settings))


async def test_a_rotation_that_was_not_confirmed_changes_nothing(settings: Settings, tmp_path: Path) -> None:
    before = (tmp_path / "master.key").read_text()
    with pytest.raises(OperatorError, match="nothing was changed"):
        await upkeep.begin_rotation(settings, lambda _key: False)
    assert (tmp_path / "master.key").read_text() == before


async def test_a_rotation_that_was_interrupted_goes_on_and_nothing_fails_meanwhile(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(settings, ADDRESSES[:6])
    monkeypatch.setattr(upkeep, "_REWRAPPED_AT_ONCE", 5)
    running = await opened(settings)
    await upkeep.begin_rotation(settings, lambda _key: True)
    new = masters_of(settings).current.fingerprint

    def interrupt(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await upkeep.rotate_master(settings, interrupt)
    assert len(masters_of(settings).fingerprints) == 2

    async def add(unit: Unit) -> None:
        await charge(unit.connection, await unit.owner(ADDRESSES[6]), Store.ARCHIVE, size=1, records=1)

    await running.write(ADDRESSES[6], add)  # a new owner, by a process that began before the rotation
    await running.close()
    assert await keeping(settings) == [1] * len(ADDRESSES)
    await upkeep.begin_rotation(settings, lambda _key: False)  # finds it begun and asks nothing
    assert await upkeep.rotate_master(settings, ignore) == new.hex()
    assert masters_of(settings).fingerprints == [new.hex()]
    assert await keeping(settings) == [1] * len(ADDRESSES)


async def test_a_backup_taken_while_writing_restores_and_holds_no_master_key(
    settings: Settings, tmp_path: Path
) -> None:
    await fill(settings)
    running = await opened(settings)
    seen: list[tuple[int, int]] = []
    copy = tmp_path / "copy.db"
    upkeep.backup(settings, copy, lambda done, total: seen.append((done, total)))
    await running.close()
    assert seen[-1][0] == seen[-1][1] > 0
    assert copy.stat().st_mode & 0o777 == 0o600
    assert masters_of(settings).current.key not in copy.read_bytes()
    assert not copy.with_name("copy.db-wal").exists()
    (tmp_path / "vault.db").unlink()
    await upkeep.restore(settings, copy, ignore)
    assert await keeping(settings) == [1] * len(ADDRESSES)


async def test_a_backup_overwrites_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_text("mine")
    with pytest.raises(OperatorError, match="exists already"):
        upkeep.backup(settings, tmp_path / "copy.db", ignore)
    with pytest.raises(OperatorError, match="exists already"):
        await upkeep.restore(settings, tmp_path / "vault.db", ignore)
    assert (tmp_path / "copy.db").read_text() == "mine"


async def test_a_backup_that_does_not_open_is_not_restored(settings: Settings, tmp_path: Path) -> None:
    upkeep.backup(settings, tmp_path / "copy.db", ignore)
    for wrong in (b"", b"SQLite format 3\x00" + b"\x00" * 100, b"no database at all" * 100):
        (tmp_path / "wrong.db").write_bytes(wrong)
        elsewhere = settings_in(tmp_path, "elsewhere.db")
        with pytest.raises(OperatorError):
            await upkeep.restore(elsewhere, tmp_path / "wrong.db", ignore)
        assert not list(tmp_path.glob("elsewhere.db*[!l]"))
    upkeep.write_master_keys(tmp_path / "master.key", MasterKey.new())
    with pytest.raises(OperatorError, match="sealed under"):
        await upkeep.restore(settings_in(tmp_path, "elsewhere.db"), tmp_path / "copy.db", ignore)
    assert not list(tmp_path.glob("elsewhere.db*[!l]"))


async def test_nothing_on_disk_holds_an_unwrapped_key(settings: Settings, tmp_path: Path) -> None:
    await fill(settings)
    url = database_url(settings.database.url.get_secret_value())
    opened_keys: list[bytes] = []
    masters = masters_of(settings)
    unwrap = masters.unwrap

    def spy(master: bytes, associated: bytes, wrapped: bytes) -> bytes:
        opened_keys.append(unwrap(master, associated, wrapped))
        return opened_keys[-1]

    masters.unwrap = spy  # type: ignore[method-assign]
    owners = await open_owners(url, masters)
    database = GroupedDatabase(url, owners, utc_now)
    database.start()
    for address in ADDRESSES:
        await database.read(address, lambda unit, address=address: unit.find_owner(address))
    on_disk = b"".join(file.read_bytes() for file in tmp_path.glob("vault.db*"))
    await database.close()
    assert len(opened_keys) == 2 * len(ADDRESSES) + 1
    for key in (*opened_keys, masters.current.key):
        assert key not in on_disk
        assert key.hex().encode() not in on_disk
