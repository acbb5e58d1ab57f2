"""PostgreSQL that takes long, or ends one transaction in favour of another: nobody else suffers from it."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import ResourceConstraint
from stanzavault.runtime import database
from stanzavault.storage.unit import Unit, Work
from stanzavault.storage.usage import Store, charge
from support.service import inside

ROMEO = Address.parse("romeo@example.org")
PARIS = Address.parse("paris@example.org")


async def add_one(unit: Unit, address: Address = ROMEO) -> int:
    owner = await unit.owner(address)
    return (await charge(unit.connection, owner, Store.ARCHIVE, size=1, records=1))[1]


async def test_a_statement_that_takes_too_long_is_ended_and_fails_its_unit_alone(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "STATEMENT_WITHIN", 0.5)

    async def slow(unit: Unit) -> None:
        await unit.connection.execute(text("SELECT pg_sleep(60)"))

    async with inside(postgresql_url) as vault, asyncio.timeout(20):
        writing = [vault.database.write(ROMEO, work) for work in (add_one, slow, add_one)]
        first, second, third = await asyncio.gather(*writing, return_exceptions=True)
        assert (first, third) == (1, 2)
        assert isinstance(second, ResourceConstraint)


async def test_a_unit_that_another_was_preferred_to_is_done_again(postgresql_url: str) -> None:
    both = asyncio.Barrier(2)
    met = False

    def crossing(own: Address, others: Address) -> Work[int]:
        async def work(unit: Unit) -> int:
            nonlocal met
            first = await add_one(unit, own)
            if not met:
                await both.wait()
                met = True
            return first + await add_one(unit, others)

        return work

    async with inside(postgresql_url) as vault, asyncio.timeout(20):
        for address in (ROMEO, PARIS):
            await vault.database.write(address, lambda unit, address=address: add_one(unit, address))
        lanes = {vault.database._lane(address) for address in (ROMEO, PARIS)}
        assert len(lanes) == 2
        results = await asyncio.gather(
            vault.database.write(ROMEO, crossing(ROMEO, PARIS)),
            vault.database.write(PARIS, crossing(PARIS, ROMEO)),
        )
        assert sorted(results) == [4, 6]


async def test_commits_are_durable_where_the_database_was_set_not_to_wait(postgresql_url: str) -> None:
    async with inside(postgresql_url) as vault:
        name = postgresql_url.rpartition("/")[2]

        async def loosen(unit: Unit) -> None:
            await unit.connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit = off"))

        async def told(unit: Unit) -> str:
            return str((await unit.connection.execute(text("SHOW synchronous_commit"))).scalar_one())

        await vault.database.write(ROMEO, loosen)
        await vault.database._writing.dispose()
        assert await vault.database.write(ROMEO, told) == "on"
