"""What an operator does to a vault besides running it: schema, first key, rotation of the master key."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncEngine

from stanzavault.accounts import vault
from stanzavault.config import Settings, read_master_key
from stanzavault.kernel.clock import utc_now
from stanzavault.kernel.errors import NotOpened, OperatorError
from stanzavault.runtime import schema
from stanzavault.runtime.backup import copy_database
from stanzavault.runtime.engines import database_url, sqlite_file, writing_engine
from stanzavault.runtime.sealing import (
    MasterKey,
    MasterKeys,
    VaultKeyring,
    new_index_key,
    open_index_key,
    rewrap_index_key,
)

Progress = Callable[[int, int], None]
"""Told what is done, and of how much."""

_REWRAPPED_AT_ONCE = 500


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[AsyncEngine]:
    """The configured database, for one task of upkeep."""
    engine = writing_engine(database_url(settings.database.url.get_secret_value()), 1)
    try:
        yield engine
    finally:
        await engine.dispose()


async def upgrade_database(settings: Settings, revision: str = "head") -> str | None:
    """Bring the schema to a revision, up or down: the revision that it then has.

    Raises:
        OperatorError: there is no such revision.
    """
    async with opened(settings) as engine:
        await schema.migrate(engine, revision)
        return await schema.revision(engine)


async def database_revision(settings: Settings) -> tuple[str | None, str]:
    """The revision that the database has, and the one that this program knows."""
    async with opened(settings) as engine:
        return await schema.revision(engine), schema.known_revision()


def master_keys(settings: Settings) -> MasterKeys:
    """The configured master keys.

    Raises:
        OperatorError: they can't be read.
    """
    return MasterKeys(lambda: read_master_key(settings.sealing))


def write_master_keys(file: Path, *keys: MasterKey) -> None:
    """Put master keys into a file that only its owner reads, in one step and durably."""
    draft = file.with_name(file.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as lines:
        lines.writelines(key.text() + "\n" for key in keys)
        lines.flush()
        os.fsync(lines.fileno())
    draft.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def initialise_keys(settings: Settings) -> str:
    """Make the configured, migrated database a vault under the configured master key: its fingerprint.

    Raises:
        OperatorError: the database is a vault already, or holds accounts, or lacks its schema.
    """
    masters = master_keys(settings)
    async with opened(settings) as engine:
        await schema.require_known(engine)
        async with engine.begin() as connection:
            row = await vault.load(connection)
            if row is not None or await vault.count_accounts(connection):
                under = f" It is sealed under master key {row.master.hex()}." if row else ""
                raise OperatorError(
                    f"The database holds a vault already.{under}",
                    "To change its master key, run: stanzavault keys rotate-master",
                )
            await vault.create(connection, vault.VaultRow(*new_index_key(masters)), utc_now())
    return masters.current.fingerprint.hex()


async def open_keyring(engine: AsyncEngine, read: Callable[[], MasterKeys]) -> VaultKeyring:
    """The keyring of the vault in this database.

    Args:
        engine: of the database.
        read: gives the master keys at hand, and raises `OperatorError` where there are none.

    Raises:
        OperatorError: it is no vault yet, or the master key that it is sealed under, which is named by its
            fingerprint, is not at hand.
    """
    async with engine.begin() as connection:
        row = await vault.load(connection)
    if row is None:
        raise OperatorError("The database is not a vault yet.", "Run: stanzavault keys init")
    try:
        masters = read()
    except OperatorError as error:
        raise OperatorError(
            f"The vault is sealed under master key {row.master.hex()}, and none is at hand: {error.message}",
            error.help,
        ) from error
    try:
        return VaultKeyring(masters, open_index_key(masters, row.master, row.index_key))
    except NotOpened as error:
        raise OperatorError(
            f"The vault is sealed under master key {row.master.hex()}; "
            f"at hand is {', '.join(masters.fingerprints)}.",
            "Put that master key, or its recovery copy, where the setting under 'sealing' points.",
        ) from error


async def begin_rotation(settings: Settings, confirm: Callable[[MasterKey], bool]) -> None:
    """Have a new master key stand first, and the present one behind it, where the settings point.

    A rotation that was interrupted is found begun, and nothing is done.

    Args:
        settings: with `sealing.master_key_file`; a variable or command has to give both lines already.
        confirm: shows the new key's recovery copy; False stops.

    Raises:
        OperatorError: the key is not in a file and its source gives one line only, or it was not confirmed.
    """
    masters = master_keys(settings)
    if len(masters.fingerprints) > 1:
        return
    file = settings.sealing.master_key_file
    if file is None:
        raise OperatorError(
            "The master key is not in a file, so it can't be changed from here.",
            "Have its source give two lines, the new key first and the present one second; run this again.",
        )
    new = MasterKey.new()
    if not confirm(new):
        raise OperatorError("The recovery copy was not confirmed: nothing was changed.")
    write_master_keys(file, new, masters.current)


async def rotate_master(settings: Settings, progress: Progress) -> str:
    """Rewrap every key under the first of two master keys, beside a running vault; the new fingerprint.

    Interrupted, it goes on where it stopped when it is run again. When nothing is left under the old key, a
    key file keeps the new one alone. Backups made before need the old one for as long as they are kept.

    Raises:
        OperatorError: the vault is sealed under a master key that is not at hand.
    """
    masters = master_keys(settings)
    current = masters.current
    async with opened(settings) as engine:
        await schema.require_known(engine)
        keyring = await open_keyring(engine, lambda: masters)
        async with engine.begin() as connection:
            row = await vault.hold(connection)
            if row is not None and row.master != current.fingerprint:
                await vault.replace(
                    connection, vault.VaultRow(*rewrap_index_key(masters, row.master, row.index_key))
                )
            total = await vault.count_keys_not_under(connection, current.fingerprint)
        done = 0
        for old in masters.fingerprints[1:]:
            while rewrapped := await _rewrap_some(engine, keyring, bytes.fromhex(old)):
                done += rewrapped
                progress(done, max(done, total))
        async with engine.begin() as connection:
            left = await vault.count_keys_not_under(connection, current.fingerprint)
    if left:
        raise OperatorError(
            f"{left} keys are wrapped under master keys that are not at hand; the others are rotated.",
            "Add the missing master key as a further line and run this again.",
        )
    if settings.sealing.master_key_file is not None:
        write_master_keys(settings.sealing.master_key_file, current)
    return current.fingerprint.hex()


async def _rewrap_some(engine: AsyncEngine, keyring: VaultKeyring, old: bytes) -> int:
    async with engine.begin() as connection:
        keys = await vault.keys_under(connection, old, _REWRAPPED_AT_ONCE)
        for owner_id, lookup, key in keys:
            await vault.replace_key(connection, owner_id, key, keyring.rewrap(lookup, key))
    return len(keys)


def backup(settings: Settings, target: Path, progress: Progress) -> None:
    """Copy an embedded database, while the vault runs or not, into a new file.

    Raises:
        OperatorError: it is not embedded (the help is PostgreSQL's own command), or it can't be copied.
    """
    copy_database(_embedded(settings, f"pg_dump --format=custom --file={target} DATABASE"), target, progress)


async def restore(settings: Settings, source: Path, progress: Progress) -> None:
    """Put a backup in the place of an embedded database that is not there, and see that its vault opens.

    Raises:
        OperatorError: there is a database already, the backup is damaged, of an unknown schema, or sealed
            under a master key that is not at hand; then nothing is left behind.
    """
    target = _embedded(settings, f"pg_restore --dbname=DATABASE {source}")
    copy_database(source, target, progress)
    try:
        async with opened(settings) as engine:
            await schema.require_known(engine)
            await open_keyring(engine, lambda: master_keys(settings))
    except OperatorError:
        for file in (target, *(target.with_name(target.name + end) for end in ("-wal", "-shm"))):
            file.unlink(missing_ok=True)
        raise


def _embedded(settings: Settings, instead: str) -> Path:
    file = sqlite_file(database_url(settings.database.url.get_secret_value()))
    if file is None:
        raise OperatorError(
            "The database is PostgreSQL, which has its own command for this.", f"Run: {instead}"
        )
    return file
