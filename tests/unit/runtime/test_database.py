"""Units of work: committed in groups, undone alone, in order, and never told before they are durable."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from stanzavault.accounts import store
from stanzavault.accounts.owners import _RESERVED_AT_ONCE, MOST_SEALS
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import Forbidden, ResourceConstraint
from stanzavault.runtime.database import GroupedDatabase
from stanzavault.storage.unit import Unit
from stanzavault.storage.usage import Store, charge, kept
from support.service import Inside, inside, open_owners

ROMEO = Address.parse("romeo@example.org")
JULIET = Address.parse("juliet@example.org")


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path) as made:
        yield made


async def add_one(unit: Unit, address: Address = ROMEO) -> int:
    owner = await unit.owner(address)
    return (await charge(unit.connection, owner, Store.ARCHIVE, size=1, records=1))[1]


async def count(unit: Unit, address: Address = ROMEO) -> int:
    owner = await unit.find_owner(address)
    return (await kept(unit.connection, owner, Store.ARCHIVE))[1] if owner else 0


async def test_a_write_is_in_the_file_when_it_is_told(vault: Inside, tmp_path: Path) -> None:
    await vault.database.write(ROMEO, add_one)
    with sqlite3.connect(f"file:{tmp_path / 'vault.db'}?mode=ro", uri=True) as other:
        assert other.execute("SELECT records FROM usage").fetchall() == [(1,)]
    other.close()


async def test_units_of_one_account_run_in_order(vault: Inside) -> None:
    assert await asyncio.gather(*(vault.database.write(ROMEO, add_one) for _ in range(300))) == list(
        range(1, 301)
    )


async def test_a_unit_that_fails_is_undone_alone(vault: Inside) -> None:
    async def fail(unit: Unit) -> None:
        await add_one(unit)
        raise Forbidden("not you")

    works = [vault.database.write(ROMEO, fail if turn % 3 == 0 else add_one) for turn in range(30)]
    outcomes = await asyncio.gather(*works, return_exceptions=True)
    assert sum(isinstance(outcome, Forbidden) for outcome in outcomes) == 10
    assert await vault.database.read(ROMEO, count) == 20


async def test_a_statement_that_fails_does_not_fail_its_neighbours(vault: Inside) -> None:
    async def twice(unit: Unit) -> None:
        for _ in range(2):
            await unit.connection.execute(store.account.insert().values(lookup=b"same", created_at=0))

    outcomes = await asyncio.gather(
        vault.database.write(ROMEO, add_one),
        vault.database.write(ROMEO, twice),
        vault.database.write(ROMEO, add_one),
        return_exceptions=True,
    )
    assert outcomes[0] == 1
    assert isinstance(outcomes[1], IntegrityError)
    assert outcomes[2] == 2


async def test_a_read_sees_what_was_asked_to_be_written_before_it(vault: Inside) -> None:
    writing = [asyncio.create_task(vault.database.write(ROMEO, add_one)) for _ in range(50)]
    await asyncio.sleep(0)  # lets each task ask
    assert await vault.database.read(ROMEO, count) == 50
    await asyncio.gather(*writing)


async def test_a_caller_that_gives_up_does_not_stop_its_unit(vault: Inside) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(unit: Unit) -> int:
        begun.set()
        await go.wait()
        return await add_one(unit)

    task = asyncio.create_task(vault.database.write(ROMEO, slow))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    assert await vault.database.read(ROMEO, count) == 1


async def test_an_effect_runs_after_the_commit_and_not_for_a_unit_that_fails(
    vault: Inside, tmp_path: Path
) -> None:
    seen: list[str] = []
    ran = asyncio.Event()

    async def look() -> None:
        with sqlite3.connect(f"file:{tmp_path / 'vault.db'}?mode=ro", uri=True) as other:
            seen.append(str(other.execute("SELECT records FROM usage").fetchone()))
        other.close()
        ran.set()

    async def failing(unit: Unit) -> None:
        unit.after_commit(look)
        raise Forbidden("not you")

    async def good(unit: Unit) -> None:
        await add_one(unit)
        unit.after_commit(look)

    with pytest.raises(Forbidden):
        await vault.database.write(ROMEO, failing)
    await vault.database.write(ROMEO, good)
    await asyncio.wait_for(ran.wait(), 5)
    assert seen == ["(1,)"]


async def test_a_failed_effect_stops_no_other(vault: Inside) -> None:
    ran = asyncio.Event()

    async def fail() -> None:
        raise RuntimeError("the stream is gone")

    async def succeed() -> None:
        ran.set()

    async def work(unit: Unit) -> None:
        unit.after_commit(fail)
        unit.after_commit(succeed)

    await vault.database.write(ROMEO, work)
    await asyncio.wait_for(ran.wait(), 5)


async def test_close_finishes_the_writes_that_were_taken(tmp_path: Path) -> None:
    async with inside(tmp_path) as vault:
        writing = [asyncio.create_task(vault.database.write(ROMEO, add_one)) for _ in range(40)]
        await asyncio.sleep(0)
    assert sorted(await asyncio.gather(*writing)) == list(range(1, 41))


async def test_a_full_disk_refuses_saves_and_lets_removals_and_reads_through(vault: Inside) -> None:
    await vault.database.write(ROMEO, add_one)
    full = GroupedDatabase(vault.url, vault.owners, vault.clock, min_free=2**62)
    full.start()
    try:
        with pytest.raises(ResourceConstraint, match="nearly full"):
            await full.write(ROMEO, add_one)
        assert await full.read(ROMEO, count) == 1
        assert await full.write(ROMEO, add_one, saves=False) == 2
    finally:
        await full.close()


async def test_a_database_that_is_gone_is_never_an_empty_answer(tmp_path: Path) -> None:
    async with inside(tmp_path) as vault:
        await vault.database.write(ROMEO, add_one)
        async with vault.database._writing.begin() as connection:
            await connection.execute(text("ALTER TABLE usage RENAME TO hidden"))
        with pytest.raises(ResourceConstraint):
            await vault.database.read(ROMEO, count)
        with pytest.raises(ResourceConstraint):
            await vault.database.write(ROMEO, add_one)
        async with vault.database._writing.begin() as connection:
            await connection.execute(text("ALTER TABLE hidden RENAME TO usage"))
        assert await vault.database.write(ROMEO, add_one) == 2


async def test_only_accounts_of_the_configured_hosts_become_owners(vault: Inside) -> None:
    for stranger in ("tybalt@example.net", "example.org"):
        address = Address.parse(stranger)
        with pytest.raises(Forbidden):
            await vault.database.write(address, lambda unit, address=address: unit.owner(address))
        assert (
            await vault.database.read(address, lambda unit, address=address: unit.find_owner(address)) is None
        )


async def test_a_unit_that_reads_makes_no_owner(vault: Inside) -> None:
    with pytest.raises(RuntimeError, match="reads"):
        await vault.database.read(ROMEO, lambda unit: unit.owner(ROMEO))


async def test_an_owner_of_an_undone_unit_is_forgotten(vault: Inside) -> None:
    async def fail(unit: Unit) -> None:
        await unit.owner(ROMEO)
        raise Forbidden("not you")

    with pytest.raises(Forbidden):
        await vault.database.write(ROMEO, fail)
    assert await vault.database.read(ROMEO, lambda unit: unit.find_owner(ROMEO)) is None
    assert await vault.database.write(ROMEO, add_one) == 1


async def test_a_data_key_that_has_sealed_enough_gives_way_to_a_new_one(vault: Inside) -> None:
    await vault.database.write(ROMEO, add_one)

    async def use_up(unit: Unit) -> None:
        owner = await unit.owner(ROMEO)
        await store.reserve_seals(unit.connection, owner, MOST_SEALS - 2 * _RESERVED_AT_ONCE)

    async def use_once(unit: Unit) -> int:
        return (await unit.owner(ROMEO)).sealer.key_id

    await vault.database.write(ROMEO, use_up)
    vault.owners.forget(ROMEO)
    assert await vault.database.write(ROMEO, use_once) == 1
    vault.owners.forget(ROMEO)
    assert await vault.database.write(ROMEO, use_once) == 2
    assert await vault.database.write(ROMEO, use_once) == 2
    again = await open_owners(vault.url, vault.masters)
    async with vault.database._reading.begin() as connection:
        owner = await again.find(connection, ROMEO)
    assert owner is not None
    assert owner.sealer.key_id == 2


async def test_the_database_file_is_closed_to_others(vault: Inside, tmp_path: Path) -> None:
    await vault.database.write(ROMEO, add_one)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("vault.db*")} == {0o600}


async def test_accounts_of_one_lane_share_commits(tmp_path: Path) -> None:
    groups: list[int] = []
    async with inside(tmp_path) as vault:
        grouped = GroupedDatabase(vault.url, vault.owners, vault.clock, committed=groups.append)
        grouped.start()
        await asyncio.gather(*(grouped.write(JULIET, lambda unit: add_one(unit, JULIET)) for _ in range(100)))
        await grouped.close()
    assert sum(groups) == 100
    assert len(groups) < 20
