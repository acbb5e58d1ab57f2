"""The vault's inside without a server: a database over a temporary file, with real sealing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import URL

from stanzavault.accounts import vault
from stanzavault.accounts.owners import Owners
from stanzavault.runtime.database import GroupedDatabase
from stanzavault.runtime.engines import database_url, writing_engine
from stanzavault.runtime.schema import every_table
from stanzavault.runtime.sealing import MasterKey, MasterKeys, VaultKeyring, new_index_key, open_index_key

HOST = "example.org"


class HandClock:
    """A clock that moves when it is told to."""

    def __init__(self, now: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def move(self, step: timedelta) -> None:
        self.now += step


@dataclass(slots=True)
class Inside:
    """A database with its parts."""

    database: GroupedDatabase
    owners: Owners
    clock: HandClock
    masters: MasterKeys
    url: URL


async def make_tables(url: URL, masters: MasterKeys, now: datetime) -> None:
    """Create every table and a new vault."""
    engine = writing_engine(url, 1)
    async with engine.begin() as connection:
        await connection.run_sync(every_table().create_all)
        await vault.create(connection, vault.VaultRow(*new_index_key(masters)), now)
    await engine.dispose()


async def _vault_row(url: URL) -> vault.VaultRow:
    engine = writing_engine(url, 1)
    async with engine.begin() as connection:
        row = await vault.load(connection)
    await engine.dispose()
    assert row is not None
    return row


async def open_owners(url: URL, masters: MasterKeys, hosts: tuple[str, ...] = (HOST,)) -> Owners:
    """The owners of an existing vault."""
    row = await _vault_row(url)
    return Owners(VaultKeyring(masters, open_index_key(masters, row.master, row.index_key)), hosts)


@dataclass(frozen=True, slots=True)
class _Template:
    """A vault that nobody has used, to be copied: making one takes ten times as long."""

    content: bytes
    masters: MasterKeys
    index_key: bytes = field(repr=False)


_template: list[_Template] = []


async def _copied(file: Path, hosts: tuple[str, ...], now: datetime) -> tuple[MasterKeys, Owners]:
    """Put a new vault into a file: its master key, and its owners of whom there are none."""
    if not _template:
        _template.append(await _made(now))
    (template,) = _template
    file.touch(mode=0o600)
    file.write_bytes(template.content)
    return template.masters, Owners(VaultKeyring(template.masters, template.index_key), hosts)


async def _made(now: datetime) -> _Template:
    line = MasterKey.new().text()
    masters = MasterKeys(lambda: line)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "vault.db"
        url = database_url(f"sqlite:///{file}")
        await make_tables(url, masters, now)
        row = await _vault_row(url)
        return _Template(file.read_bytes(), masters, open_index_key(masters, row.master, row.index_key))


@asynccontextmanager
async def inside(
    url: str | Path, *, hosts: tuple[str, ...] = (HOST,), key: Callable[[], str] | None = None
) -> AsyncIterator[Inside]:
    """A fresh vault at a database URL, or in a file named vault.db of a folder; closed at the end."""
    clock = HandClock()
    if isinstance(url, Path) and key is None:
        parsed = database_url(f"sqlite:///{url / 'vault.db'}")
        masters, owners = await _copied(url / "vault.db", hosts, clock.now)
    else:
        parsed = database_url(f"sqlite:///{url / 'vault.db'}" if isinstance(url, Path) else url)
        line = MasterKey.new().text()
        masters = MasterKeys(key or (lambda: line))
        await make_tables(parsed, masters, clock.now)
        owners = await open_owners(parsed, masters, hosts)
    database = GroupedDatabase(parsed, owners, clock, connections=4)
    database.start()
    try:
        yield Inside(database, owners, clock, masters, parsed)
    finally:
        await database.close()
