"""SIGKILL in the middle of an operator's commands: the same command, run again, finishes."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from typing import Any

import pytest

from support import killed_at
from support.process import ChildProcess
from support.resident import resident
from support.server_side import ServerSide
from support.vault import Vault
from support.vaults import NewVault, ServerVault

CREATE = "alembic.ddl.impl:DefaultImpl.create_table"
STAMP = "alembic.runtime.migration:HeadMaintainer.update_to_step"
COMMIT = "sqlalchemy.engine.default:DefaultDialect.do_commit"
WRITE_KEYS = "stanzavault.upkeep:write_master_keys"
REWRAP = "stanzavault.upkeep:_rewrap_some"
REPLACE = "stanzavault.accounts.vault:replace"
FLUSH = "stanzavault.runtime.backup:_flush"
CHECK = "stanzavault.runtime.backup:_require_intact"

Point = tuple[str, str, int]

UPGRADE_POINTS: list[Point] = [
    ("after", CREATE, 5),
    ("before", COMMIT, 1),
]
MORE_UPGRADE_POINTS: list[Point] = [
    ("before", CREATE, 1),
    ("after", STAMP, 2),
    ("after", COMMIT, 1),
]
ROTATION_POINTS: list[Point] = [
    ("after", WRITE_KEYS, 1),
    ("after", REWRAP, 1),
    ("before", WRITE_KEYS, 2),
]
EVERY_ROTATION_POINT: list[Point] = [
    ("before", WRITE_KEYS, 1),
    ("after", REPLACE, 1),
    ("before", REWRAP, 1),
    *ROTATION_POINTS,
    ("after", WRITE_KEYS, 2),
]
BACKUP_POINTS: list[Point] = [("before", CHECK, 1), ("after", FLUSH, 1)]


async def killed(vault: Vault[Any], point: Point, *words: str) -> None:
    """Run a command that ends at a point."""
    when, target, number = point
    process = ChildProcess(
        "a command that is killed",
        [
            *(sys.executable, killed_at.__file__, when, target, str(number), vault.folder),
            *words,
            *("--config", vault.file),
        ],
        folder=vault.folder,
    )
    status = await asyncio.to_thread(process.wait, within=30)
    assert status == -9, process.log


@pytest.fixture
async def nowhere(database_url: str) -> AsyncIterator[Vault[ServerSide]]:
    """A vault that is never run, on an empty database."""
    async with ServerSide() as server:
        vault = Vault(server=server, database_url=database_url)
        yield vault
        vault.close()


def _points(usual: list[Point], more: list[Point]) -> list[Any]:
    """Parameters of a test: the usual ones, and those of the long run."""
    return [
        pytest.param(point, id=f"{point[0]} {point[1].rpartition('.')[2]} {point[2]}", marks=marks)
        for points, marks in ((usual, ()), (more, pytest.mark.long))
        for point in points
    ]


@pytest.mark.parametrize("point", _points(UPGRADE_POINTS, MORE_UPGRADE_POINTS))
async def test_db_upgrade_that_was_killed_is_finished_by_the_next(
    nowhere: Vault[ServerSide], point: Point
) -> None:
    await killed(nowhere, point, "db", "upgrade")
    await nowhere.prepare()


async def rotate_and_kill(vault: ServerVault, points: list[Point]) -> None:
    """Beside a running vault, which serves old accounts and takes new ones all the while."""
    first = vault.master_key_file.read_text()
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(resident(vault)) for _ in range(2)]
        for point in points:
            await killed(vault, point, "keys", "rotate-master", "--yes")
            people.append(await stack.enter_async_context(resident(vault)))
            for person in people:
                await person.save(point[1])
            if point != ("after", WRITE_KEYS, 2):  # then it was done but for its last words
                await vault.command("keys", "rotate-master", "--yes")
            assert len(vault.master_key_file.read_text().splitlines()) == 1
        assert vault.master_key_file.read_text() != first
        vault.kill()
        await vault.start_again()
        for person in people:
            assert await person.archived()


async def test_a_rotation_of_the_master_key_that_was_killed_is_finished_by_the_next(
    new_vault: NewVault,
) -> None:
    await rotate_and_kill(await new_vault("prosody-sqlite"), ROTATION_POINTS)


@pytest.mark.long
@pytest.mark.parametrize("combination", ["prosody-sqlite", "prosody-postgresql"])
async def test_a_rotation_that_was_killed_at_any_point_is_finished_by_the_next(
    new_vault: NewVault, combination: str
) -> None:
    await rotate_and_kill(await new_vault(combination), EVERY_ROTATION_POINT)


async def test_a_backup_that_was_killed_is_made_by_the_next(new_vault: NewVault) -> None:
    vault = await new_vault("prosody-sqlite")
    async with resident(vault) as juliet:
        await juliet.save("one")
        for number, point in enumerate(BACKUP_POINTS):
            file = vault.folder / f"backup-{number}"
            await killed(vault, point, "backup", str(file))
            assert not file.exists()
            await juliet.save(str(number))
            await vault.command("backup", str(file))
            with closing(sqlite3.connect(file)) as copy:
                assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
                assert copy.execute("SELECT count(*) FROM message").fetchall() == [(2 + number,)]
            assert not list(vault.folder.glob("*.part"))
