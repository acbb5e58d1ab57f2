"""A database that is down, locked or full: errors, not empty pages; nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import resource
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from support.accounts import Account
from support.archive_stanzas import request
from support.clients import StanzaRefusedError
from support.files import sqlite_files
from support.key_desk import PUBKEY, pubsub
from support.offline_clients import bodies, left_messages, node_query, receive, until_empty, visitor
from support.process import run
from support.resident import Resident, resident
from support.stoppable_postgresql import StoppablePostgreSQL
from support.vaults import NewVault, ServerVault, Vaults

ANSWER_WITHIN = 2.0
STOP_WITHIN = 6.0
LATE = 1.5
"""Seconds that an answer may be late on a busy machine before a test complains."""
DOWN = {"resource-constraint", "internal-server-error"}
BENVOLIO = "benvolio@montague.example"
OTHER, BIG = "2026-02-02T10:00:00Z", "2026-02-03T10:00:00Z"


@pytest.fixture(scope="module")
def own_cluster() -> Iterator[StoppablePostgreSQL]:
    """A PostgreSQL that only the tests of this file break."""
    cluster = StoppablePostgreSQL()
    cluster.start()
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def own_vaults(own_cluster: StoppablePostgreSQL) -> Iterator[Vaults]:
    vaults = Vaults(own_cluster)
    yield vaults
    vaults.close()


@pytest.fixture(scope="module")
def broken_often() -> list[ServerVault]:
    """The one vault that every kind of outage happens to, once it was started."""
    return []


@pytest.fixture
async def vault_on_postgresql(own_vaults: Vaults, broken_often: list[ServerVault]) -> ServerVault:
    if not broken_often:
        settings = {
            "component": {"answer_within": f"{ANSWER_WITHIN:.0f}s", "stop_within": f"{STOP_WITHIN:.0f}s"}
        }
        broken_often.append(await own_vaults.new("prosody-postgresql", settings=settings))
    return broken_often[0]


def database_of(vault: ServerVault) -> str:
    return str(vault.database_url).rpartition("/")[2]


async def answered(asking: Awaitable[object]) -> tuple[str, float]:
    """The condition with which a request was refused, "" where it was not, and the seconds that it took."""
    started = time.monotonic()
    try:
        await asking
    except StanzaRefusedError as refused:
        return refused.condition, time.monotonic() - started
    return "", time.monotonic() - started


def reads(who: Resident) -> list[Awaitable[object]]:
    """Everything that can be read, of all three stores; none of it is empty."""
    return [
        who.get(request("list")),
        who.archived(),
        who.get(request("modified", start="2026-01-01T00:00:00Z")),
        who.get(pubsub(f"<items node='{PUBKEY}'/>")),
        who.get(f"<pubkey xmlns='{PUBKEY}'/>", to=who.address),
        who.waiting(),
        who.client.iq_get(node_query("items"), to=who.vault.jid),
    ]


async def leave_and_hear(who: Resident, to: Account, text: str) -> None:
    """Leave a message and wait for its refusal."""
    who.leave(to, text)
    error = await who.client.wait_for(lambda it: it.tag.endswith("}message") and it.get("type") == "error")
    raise StanzaRefusedError(error)


@dataclass
class Household:
    """Accounts that have something in each store, every bit of it acknowledged; the nurse is absent."""

    juliet: Resident
    romeo: Resident
    nurse: Account

    async def fill(self) -> None:
        await self.juliet.save("one", "two")
        await self.juliet.save("zero", start=OTHER)
        await self.juliet.publish()
        self.romeo.leave(self.nurse, "three")
        await self.romeo.client.pass_through(self.romeo.vault.jid)

    async def check(self, *, perhaps: tuple[str, ...] = ()) -> None:
        """See that what was acknowledged is there, once; what was answered as late is there once or not."""
        archived = await self.juliet.archived()
        assert archived[:2] == ["one", "two"]
        assert archived[2:] in ([], *([text] for text in perhaps))
        published = await self.juliet.published()
        assert published.pop("current") == self.juliet.key.fingerprint
        assert set(published) <= set(perhaps)
        async with visitor(self.juliet.vault, self.nurse) as nurse:
            await until_empty(nurse, self.juliet.vault)
            await nurse.pass_through(self.juliet.vault.jid)
            left = bodies(left_messages(nurse, self.juliet.vault))
        assert left[:1] == ["three"]
        assert left[1:] in ([], *([text] for text in perhaps))


@asynccontextmanager
async def household(vault: ServerVault) -> AsyncIterator[Household]:
    async with resident(vault, "juliet") as juliet, resident(vault, "romeo") as romeo:
        async with resident(vault, "nurse") as nurse:
            absent = nurse.account
        people = Household(juliet, romeo, absent)
        await people.fill()
        yield people


LONG = pytest.mark.long


@pytest.mark.parametrize("outage", [pytest.param("stopped", marks=LONG), "killed", "frozen", "closed"])
async def test_a_postgresql_that_is_down_gives_errors_in_time_and_comes_back_by_itself(
    outage: str, own_cluster: StoppablePostgreSQL, vault_on_postgresql: ServerVault
) -> None:
    vault = vault_on_postgresql
    pid = vault.process.pid
    async with household(vault) as people:
        juliet, romeo = people.juliet, people.romeo
        async with own_cluster.down(outage, database_of(vault)):
            asked = [
                *reads(juliet),
                juliet.save("late"),
                juliet.publish("late", next(juliet.keys())),
                juliet.set(request("remove", with_=BENVOLIO, start=OTHER)),
                romeo.published(juliet),
                leave_and_hear(romeo, people.nurse, "late"),
            ]
            outcomes = await asyncio.gather(*map(answered, asked))
            assert {condition for condition, _ in outcomes} <= DOWN
            assert max(seconds for _, seconds in outcomes) < ANSWER_WITHIN + LATE
            status, told = await vault.http("/health")
            assert (status, '"database": "down"' in told, '"stream": "up"' in told) == (503, True, True)
        await vault.wait_until_ready()
        # A frozen database goes on with what it had been given, as its sender was told.
        await people.check(perhaps=("late",) if outage == "frozen" else ())
        await juliet.save("after", start=OTHER)
        assert await juliet.archived(OTHER) in (["zero", "after"], ["after"] if outage == "frozen" else None)
    assert vault.process.is_running
    assert vault.process.pid == pid


@pytest.mark.parametrize(
    "outage", [pytest.param("stopped", marks=LONG), "killed", pytest.param("closed", marks=LONG)]
)
async def test_a_postgresql_that_ends_in_the_middle_of_saves_loses_and_doubles_nothing(
    outage: str, own_cluster: StoppablePostgreSQL, vault_on_postgresql: ServerVault
) -> None:
    vault = vault_on_postgresql
    people = 4
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(resident(vault)) for _ in range(people)]
        acknowledged: list[list[str]] = [[] for _ in writers]
        flowing = asyncio.Event()
        refused = asyncio.Event()

        async def write(number: int) -> None:
            for text in count():
                condition, _ = await answered(writers[number].save(str(text)))
                if condition:
                    assert condition in DOWN
                    refused.set()
                    return
                acknowledged[number].append(str(text))
                if text == 20:
                    flowing.set()

        writing = [asyncio.create_task(write(number)) for number in range(people)]
        await flowing.wait()
        async with own_cluster.down(outage, database_of(vault)):
            await refused.wait()
            await asyncio.gather(*writing)
        await vault.wait_until_ready()
        for writer, texts in zip(writers, acknowledged, strict=True):
            # The one whose commit was sent and not confirmed may be there, or not.
            assert await writer.archived() in (texts, [*texts, str(len(texts))])
            await writer.save("again")
            assert (await writer.archived())[-1] == "again"


async def test_sigterm_is_obeyed_in_time_even_where_the_database_does_not_answer(
    own_cluster: StoppablePostgreSQL, vault_on_postgresql: ServerVault
) -> None:
    vault = vault_on_postgresql
    async with household(vault) as people:
        async with own_cluster.down("frozen", database_of(vault)):
            assert (await answered(people.juliet.save("late")))[0] in DOWN
            began = time.monotonic()
            assert await vault.stop() == 0
            assert time.monotonic() - began < STOP_WITHIN + LATE
        await vault.start_again()
        await people.check(perhaps=("late",))


async def test_an_sqlite_file_that_another_process_locks_refuses_saves_and_serves_reads(
    new_vault: NewVault,
) -> None:
    """Longer than the vault waits for the lock (5 s)."""
    vault = await new_vault("prosody-sqlite", settings={"component": {"answer_within": "7s"}})
    async with household(vault) as people:
        juliet, romeo = people.juliet, people.romeo
        with closing(sqlite3.connect(vault.folder / "vault.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            outcome = asyncio.create_task(answered(juliet.save("lost")))
            assert await romeo.published(juliet) == {"current": juliet.key.fingerprint}
            condition, seconds = await outcome
            assert condition in DOWN
            assert seconds < 7 + LATE
            assert await juliet.archived() == ["one", "two"]
            other.execute("ROLLBACK")
        await juliet.save("after", start=OTHER)
        assert await juliet.archived(OTHER) == ["zero", "after"]
        await people.check()


async def test_an_sqlite_file_that_is_moved_away_is_not_made_anew(new_vault: NewVault) -> None:
    vault = await new_vault("prosody-sqlite", settings={"component": {"answer_within": "2s"}})
    file = vault.folder / "vault.db"
    async with household(vault) as people, AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(resident(vault)) for _ in range(12)]
        away = file.rename(file.with_name("elsewhere"))
        # More at once than there are connections, so that new ones have to be opened.
        outcomes = await asyncio.gather(*(answered(reader.published(people.juliet)) for reader in readers))
        assert {condition for condition, _ in outcomes} <= {"", *DOWN}
        assert not file.exists()
        away.rename(file)
        await vault.wait_until_ready()
        await people.juliet.save("after", start=OTHER)
        vault.kill()
        await vault.start_again()
        await people.check()
        assert await people.juliet.archived(OTHER) == ["zero", "after"]


LARGER_THAN_ANY_DISK = {"database": {"min_free": "1000000TiB"}}


async def test_a_disk_below_min_free_refuses_saves_while_reads_and_removals_still_work(
    new_vault: NewVault,
) -> None:
    vault = await new_vault("prosody-sqlite")
    async with household(vault) as people:
        accounts = people.juliet.account, people.romeo.account
    vault.settings = LARGER_THAN_ANY_DISK
    vault.write_settings()
    assert await vault.stop() == 0
    await vault.start_again()
    async with (
        resident(vault, account=accounts[0]) as juliet,
        resident(vault, account=accounts[1]) as romeo,
    ):
        for saving in (
            juliet.save("lost"),
            juliet.publish("lost", next(juliet.keys())),
            leave_and_hear(romeo, people.nurse, "lost"),
        ):
            with pytest.raises(StanzaRefusedError, match="disk is nearly full") as refused:
                await saving
            assert (refused.value.condition, refused.value.type) == ("resource-constraint", "wait")
        for reading in reads(juliet):
            await reading
        assert await juliet.archived() == ["one", "two"]
        assert set(await romeo.published(juliet)) == {"current"}
        await juliet.set(request("remove", with_=BENVOLIO, start=OTHER))
        with pytest.raises(StanzaRefusedError, match="no collection"):
            await juliet.archived(OTHER)
        await juliet.set(pubsub(f"<retract node='{PUBKEY}'><item id='current'/></retract>"))
        assert await juliet.published() == {}
        async with visitor(vault, people.nurse) as nurse:
            (message,) = await receive(nurse, vault, 1)
            assert bodies([message]) == ["three"]
            await until_empty(nurse, vault)


async def test_a_disk_below_min_free_still_has_expired_messages_purged(new_vault: NewVault) -> None:
    vault = await new_vault("prosody-sqlite", settings={"offline": {"retention": "1s"}})
    async with household(vault):
        pass
    vault.settings = LARGER_THAN_ANY_DISK
    vault.write_settings()
    assert await vault.stop() == 0
    await vault.start_again()
    await asyncio.to_thread(vault.process.wait_for_line, "expired messages were removed.*count=1")


async def fill_up(people: Household, make_room: Callable[[], object]) -> None:
    """Save until the disk is full, look at everything, make room, and go on."""
    juliet, romeo = people.juliet, people.romeo
    kept: list[str] = []
    conditions: set[str] = set()
    for number in range(60):
        text = f"{number}:".ljust(20_000, "x")
        condition, _ = await answered(juliet.save(text, start=BIG))
        conditions.add(condition)
        kept += [] if condition else [text]
    assert kept
    assert conditions == {"", "resource-constraint"}
    assert await juliet.archived(BIG) == kept
    assert await juliet.archived() == ["one", "two"]
    assert set(await romeo.published(juliet)) == {"current"}
    make_room()
    await juliet.save("there is room", start=BIG)
    assert await juliet.archived(BIG) == [*kept, "there is room"]
    await people.check()


def is_intact(file: Path) -> bool:
    with closing(sqlite3.connect(file)) as database:
        return bool(database.execute("PRAGMA integrity_check").fetchall() == [("ok",)])


async def test_a_disk_that_is_full_refuses_saves_keeps_no_half_and_works_when_there_is_room(
    new_vault: NewVault,
) -> None:
    """No file of the vault's may grow past what it has: to the process, that is a disk without room."""
    vault = await new_vault("prosody-sqlite")
    file = vault.folder / "vault.db"
    pid = vault.process.pid
    async with household(vault) as people:
        largest = max(one.stat().st_size for one in sqlite_files(file))
        _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (largest + 200_000, hard))
        await fill_up(people, lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard)))
    vault.kill()
    assert is_intact(file)


@pytest.mark.long
async def test_a_file_system_that_is_full_is_no_different(new_vault: NewVault) -> None:
    """A small one in memory, which only root may mount."""
    vault = await new_vault("prosody-sqlite")
    assert await vault.stop() == 0
    small = vault.folder / "small"
    small.mkdir()
    run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small])
    try:
        for one in sqlite_files(vault.folder / "vault.db"):
            shutil.move(one, small)
        vault.settings = {"database": {"url": f"sqlite:///{small}/vault.db", "min_free": "1B"}}
        vault.write_settings()
        await vault.start_again()
        async with household(vault) as people:
            await fill_up(people, lambda: run(["mount", "-o", "remount,size=20m", small]))
        vault.kill()
        assert is_intact(small / "vault.db")
    finally:
        vault.kill()
        run(["umount", small])
