"""A database that fails at every step: who is told what, what is tried again, and what is not."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncTransaction

from stanzavault.accounts import store
from stanzavault.accounts.owners import _RESERVED_AT_ONCE, MOST_SEALS
from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import ResourceConstraint
from stanzavault.kernel.ports import Owner
from stanzavault.runtime import database, engines
from stanzavault.storage.unit import Unit
from stanzavault.storage.usage import Store, charge, kept
from support.service import Inside, inside

ROMEO = Address.parse("romeo@example.org")
JULIET = Address.parse("juliet@example.org")


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Inside]:
    async with inside(tmp_path) as made:
        yield made


async def add_one(unit: Unit) -> int:
    owner = await unit.owner(ROMEO)
    return (await charge(unit.connection, owner, Store.ARCHIVE, size=1, records=1))[1]


async def count(unit: Unit) -> int:
    owner = await unit.find_owner(ROMEO)
    return (await kept(unit.connection, owner, Store.ARCHIVE))[1] if owner else 0


async def reserved_so_far(unit: Unit) -> int:
    most: int = (await unit.connection.execute(select(func.max(store.owner_key.c.seals)))).scalar_one()
    return most


class Conflict(Exception):
    """What PostgreSQL says to one of two that wait for each other."""

    sqlstate = "40P01"


def outcomes(results: list[Any]) -> list[object]:
    return [type(one) if isinstance(one, Exception) else one for one in results]


async def test_a_database_that_is_locked_is_tried_once_for_a_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_PRAGMAS", (*engines._PRAGMAS, "busy_timeout=1"))
    async with inside(tmp_path) as vault:
        assert await vault.database.write(ROMEO, add_one) == 1
        tries: list[object] = []
        event.listen(vault.database._writing.sync_engine, "begin", tries.append, insert=True)
        other = sqlite3.connect(tmp_path / "vault.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        writing = [vault.database.write(ROMEO, add_one) for _ in range(20)]
        results = await asyncio.gather(*writing, return_exceptions=True)
        assert outcomes(results) == [ResourceConstraint] * 20
        assert len(tries) <= 2
        other.execute("ROLLBACK")
        other.close()
        assert await vault.database.write(ROMEO, add_one) == 2


async def test_a_unit_whose_statement_takes_too_long_is_told_to_wait(vault: Inside) -> None:
    async def slow(_unit: Unit) -> None:
        raise TimeoutError  # as the driver has it

    results = await asyncio.gather(
        vault.database.write(ROMEO, add_one),
        vault.database.write(ROMEO, slow),
        vault.database.write(ROMEO, add_one),
        return_exceptions=True,
    )
    assert outcomes(results) == [1, ResourceConstraint, 2]


async def test_a_connection_that_answers_no_more_is_not_waited_for_again_with_each_unit(
    vault: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = 0

    async def frozen(_connection: AsyncConnection) -> None:
        nonlocal waits
        waits += 1
        raise TimeoutError

    async def work(unit: Unit) -> int:
        monkeypatch.setattr(AsyncConnection, "begin_nested", frozen)
        return await add_one(unit)

    writing = [vault.database.write(ROMEO, work) for _ in range(10)]
    results = await asyncio.gather(*writing, return_exceptions=True)
    assert outcomes(results) == [ResourceConstraint] * 10
    assert waits == 1
    monkeypatch.undo()
    assert await vault.database.read(ROMEO, count) == 0
    assert await vault.database.write(ROMEO, add_one) == 1


async def test_units_that_wait_for_each_other_are_done_again_in_their_order(vault: Inside) -> None:
    tries = 0

    async def meets_another(unit: Unit) -> int:
        nonlocal tries
        tries += 1
        if tries < 2:
            raise OperationalError("UPDATE", None, Conflict())
        return await add_one(unit)

    writing = [vault.database.write(ROMEO, work) for work in (add_one, meets_another, add_one)]
    assert await asyncio.gather(*writing) == [1, 2, 3]
    tries = -100
    with pytest.raises(ResourceConstraint):
        await vault.database.write(ROMEO, meets_another)
    assert tries > -110


async def test_a_commit_that_is_not_confirmed_is_not_tried_again(
    vault: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = AsyncTransaction.commit
    runs = 0

    async def unconfirmed(transaction: AsyncTransaction) -> None:
        await commit(transaction)
        if not transaction.nested:
            raise ConnectionResetError

    async def work(unit: Unit) -> int:
        nonlocal runs
        runs += 1
        return await add_one(unit)

    monkeypatch.setattr(AsyncTransaction, "commit", unconfirmed)
    results = await asyncio.gather(
        *(vault.database.write(ROMEO, work) for _ in range(3)), return_exceptions=True
    )
    monkeypatch.undo()
    assert outcomes(results) == [ResourceConstraint] * 3
    assert runs == 3
    assert await vault.database.read(ROMEO, count) == 3


async def test_a_server_that_takes_connections_and_says_nothing_is_not_waited_for_long(
    vault: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "_CONNECT_WITHIN", 0.1)
    taken: list[asyncio.StreamWriter] = []
    silent = await asyncio.start_server(lambda _reader, writer: taken.append(writer), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    url = engines.database_url(f"postgresql://vault@127.0.0.1:{port}/vault?ssl=disable")
    stalled = database.GroupedDatabase(url, vault.owners, vault.clock)
    stalled.start()
    async with asyncio.timeout(5):
        asked = [stalled.write(ROMEO, add_one), stalled.write(ROMEO, add_one), stalled.read(JULIET, count)]
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert outcomes(results) == [ResourceConstraint] * 3
        assert not await stalled.reachable()
        await stalled.close()
    silent.close()
    for writer in taken:
        writer.close()
        await writer.wait_closed()


async def test_a_write_after_the_end_is_refused_and_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with inside(tmp_path) as vault:
        pass
    with pytest.raises(ResourceConstraint):
        await asyncio.wait_for(vault.database.write(ROMEO, add_one), 5)


async def test_no_more_than_so_many_units_wait(vault: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_MOST_WAITING", 3)
    begun, go = asyncio.Event(), asyncio.Event()

    async def slow(_unit: Unit) -> None:
        begun.set()
        await go.wait()

    writing = [asyncio.create_task(vault.database.write(ROMEO, slow))]
    await begun.wait()
    writing += [asyncio.create_task(vault.database.write(ROMEO, add_one)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(ResourceConstraint):
        await vault.database.write(ROMEO, add_one)
    go.set()
    assert await asyncio.gather(*writing) == [None, 1, 2, 3]


class TestOwnersThatChangeDuringARead:
    """A read may have begun before its owner was erased or got another key."""

    async def test_one_that_is_gone_is_not_put_back(self, vault: Inside) -> None:
        await vault.database.write(ROMEO, add_one)
        vault.owners.forget(ROMEO)

        async def erase(unit: Unit) -> None:
            await unit.connection.execute(delete(store.account))

        async def look(unit: Unit) -> Owner | None:
            found = await unit.find_owner(ROMEO)
            await vault.database.write(JULIET, erase)
            vault.owners.forget(ROMEO)
            return found

        assert await vault.database.read(ROMEO, look) is not None
        assert await vault.database.read(ROMEO, lambda unit: unit.find_owner(ROMEO)) is None
        assert await vault.database.write(ROMEO, add_one) == 1

    async def test_one_with_a_new_key_is_not_replaced_by_the_old(self, vault: Inside) -> None:
        async def use_up(unit: Unit) -> None:
            owner = await unit.owner(ROMEO)
            await store.reserve_seals(unit.connection, owner, MOST_SEALS - _RESERVED_AT_ONCE)

        async def renew(unit: Unit) -> int:
            return (await unit.owner(ROMEO)).sealer.key_id

        await vault.database.write(ROMEO, use_up)
        vault.owners.forget(ROMEO)

        async def look(unit: Unit) -> None:
            await unit.find_owner(ROMEO)
            assert await vault.database.write(ROMEO, renew) == 2

        await vault.database.read(ROMEO, look)
        assert await vault.database.write(ROMEO, renew) == 2

    async def test_one_with_a_new_key_replaces_what_a_read_found_meanwhile(self, vault: Inside) -> None:
        async def use_up(unit: Unit) -> None:
            owner = await unit.owner(ROMEO)
            await store.reserve_seals(unit.connection, owner, MOST_SEALS - _RESERVED_AT_ONCE)

        async def renew(unit: Unit) -> int:
            renewed = await unit.owner(ROMEO)
            assert await vault.database.read(JULIET, lambda unit: unit.find_owner(ROMEO)) is not None
            return renewed.sealer.key_id

        await vault.database.write(ROMEO, use_up)
        vault.owners.forget(ROMEO)
        assert await vault.database.write(ROMEO, renew) == 2
        found = await vault.database.read(ROMEO, lambda unit: unit.find_owner(ROMEO))
        assert found is not None
        assert found.sealer.key_id == 2

    async def test_units_of_one_group_reserve_seals_once(self, vault: Inside) -> None:
        await vault.database.write(ROMEO, add_one)
        vault.owners.forget(ROMEO)

        async def reserved(unit: Unit) -> int:
            await unit.owner(ROMEO)
            await unit.owner(ROMEO)
            return await reserved_so_far(unit)

        before = await vault.database.read(ROMEO, reserved_so_far)
        await asyncio.gather(*(vault.database.write(ROMEO, reserved) for _ in range(20)))
        assert await vault.database.read(ROMEO, reserved_so_far) == before + _RESERVED_AT_ONCE

    async def test_the_keys_of_a_busy_owner_are_not_dropped_for_a_read(self, vault: Inside) -> None:
        async def budget(unit: Unit) -> int:
            return (await unit.owner(ROMEO)).sealer.budget

        await vault.database.write(ROMEO, add_one)
        vault.owners.forget(ROMEO)
        left = []

        async def look(unit: Unit) -> None:
            await unit.find_owner(ROMEO)
            left.append(await vault.database.write(ROMEO, budget))

        await vault.database.read(ROMEO, look)
        assert await vault.database.write(ROMEO, budget) == left[0]
