"""SIGKILL in the middle of saves: after the restart everything acknowledged is there, once."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TypeVar

import pytest

from support import killed_at
from support.accounts import Account, new_account, register
from support.clients import StanzaRefusedError
from support.offline_clients import bodies, left_messages, until_empty, visitor
from support.process import ChildProcess
from support.published_keys import OwnKey
from support.resident import Resident, resident
from support.vaults import NewVault, ServerVault

IN_FLIGHT = 8
FLOWING = 20

Found = TypeVar("Found")


async def keep_in_flight(do: Callable[[], Awaitable[None]]) -> None:
    """Do something again and again, several times at once, until one is refused and the others have ended."""

    async def repeat() -> None:
        while not refused:
            try:
                await do()
            except StanzaRefusedError:
                refused.append(True)

    refused: list[bool] = []
    async with asyncio.TaskGroup() as group:
        for _ in range(IN_FLIGHT):
            group.create_task(repeat())


async def found(reading: Awaitable[Found], nothing: Found) -> Found:
    """What is read, `nothing` where not even its collection or node was made."""
    try:
        return await reading
    except StanzaRefusedError as refused:
        assert refused.condition == "item-not-found"  # noqa: PT017 - any other is a failure
        return nothing


@dataclass
class Ledger:
    """What an account asked to be kept: numbered messages, and keys under numbered items."""

    account: Account
    saved: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    published: dict[str, OwnKey] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a number of messages were acknowledged."""

    async def save(self, who: Resident) -> None:
        """Append one message after the other, several in flight at once, until one is refused."""

        async def append() -> None:
            text = str(len(self.saved))
            self.saved.append(text)
            await who.save(text)
            self.acknowledged.append(text)
            if len(self.acknowledged) == FLOWING:
                self.flows.set()

        await keep_in_flight(append)

    async def publish(self, who: Resident) -> None:
        """Publish one key after the other, several in flight at once, until one is refused."""
        keys = islice(who.keys(), len(self.published), None)

        async def publish() -> None:
            item = f"key-{len(self.published)}"
            self.published[item] = next(keys)
            await who.publish(item, self.published[item])
            self.known.add(item)

        await keep_in_flight(publish)

    async def check(self, who: Resident) -> None:
        """See that everything acknowledged is there once, in order, and the rest once at most."""
        archived = await found(who.archived(), [])
        twice = [text for text, number in Counter(archived).items() if number > 1]
        assert not twice, f"there more than once: {twice}"
        assert set(self.acknowledged) <= set(archived), sorted(set(self.acknowledged) - set(archived))
        assert archived == sorted(archived, key=int)
        assert set(archived) <= set(self.saved)
        published = await found(who.published(), {})
        assert self.known <= published.keys() <= self.published.keys()
        assert published == {item: self.published[item].fingerprint for item in published}


async def play(vault: ServerVault, kills: int, chance: random.Random) -> list[Ledger]:
    """Have accounts save and publish, kill the vault at a moment that is drawn, look at everything, go on."""
    async with AsyncExitStack() as stack:
        people = [await stack.enter_async_context(resident(vault, name)) for name in ("juliet", "romeo")]
        juliet, romeo = people
        hers, his = Ledger(juliet.account), Ledger(romeo.account)
        for _ in range(kills):
            work = [asyncio.create_task(hers.save(juliet)), asyncio.create_task(his.publish(romeo))]
            await asyncio.sleep(chance.uniform(0.02, 0.5))
            vault.kill()
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await vault.start_again()
            for ledger, person in ((hers, juliet), (his, romeo)):
                await ledger.check(person)
        return [hers, his]


async def test_a_few_kills_in_the_middle_of_saves_lose_and_double_nothing(
    database_vault: ServerVault,
) -> None:
    hers, his = await play(database_vault, 2, random.Random(1))
    assert hers.acknowledged
    assert his.known


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_many_kills_in_the_middle_of_saves_lose_and_double_nothing(database_vault: ServerVault) -> None:
    """200 kills on each database; new accounts for every ten, so that no quota ends the work."""
    chance = random.Random(2)
    ledgers = [ledger for _ in range(20) for ledger in await play(database_vault, 10, chance)]
    for what, asked, known in (
        ("messages", sum(len(it.saved) for it in ledgers), sum(len(it.acknowledged) for it in ledgers)),
        ("keys", sum(len(it.published) for it in ledgers), sum(len(it.known) for it in ledgers)),
    ):
        print(f"200 kills: {asked} {what} sent, {known} acknowledged, none lost, none twice")


COMMIT = "sqlalchemy.ext.asyncio.engine:AsyncTransaction.commit"
SEND = "stanzavault.runtime.stream.stream:Stream.send"
HANDLE = "stanzavault.runtime.boundary.boundary:Boundary.handle"

POINTS = {
    "between receive and work": ("before", HANDLE, 1, False),
    "between work and commit": ("before", COMMIT, 2, False),  # the first is the unit's savepoint
    "between commit and answer": ("after", COMMIT, 2, True),
    "before the answer": ("before", SEND, 1, True),
    "behind the answer": ("after", SEND, 1, True),
}


def words_of(when: str, target: str, number: int, trigger: Path) -> list[str | Path]:
    return [sys.executable, killed_at.__file__, when, target, str(number), trigger]


async def saved(juliet: Resident, _: Account) -> bool:
    return await juliet.archived() == ["0", "1"]


async def published(juliet: Resident, _: Account) -> bool:
    return set(await juliet.published()) == {"0", "1"}


async def left(juliet: Resident, absent: Account) -> bool:
    async with visitor(juliet.vault, absent) as nurse:
        await until_empty(nurse, juliet.vault)
        await nurse.pass_through(juliet.vault.jid)
        return bodies(left_messages(nurse, juliet.vault)) == ["0", "1"]


async def leave(juliet: Resident, absent: Account, text: str) -> None:
    juliet.leave(absent, text)
    await juliet.client.pass_through(juliet.vault.jid)


DEEDS: dict[
    str, tuple[Callable[[Resident, Account, str], Awaitable[None]], Callable[..., Awaitable[bool]]]
] = {
    "save": (lambda juliet, _, text: juliet.save(text), saved),
    "publish": (lambda juliet, _, text: juliet.publish(text), published),
    "leave": (leave, left),
}


async def kill_at_a_point(vault: ServerVault, point: str, deed: str) -> None:
    do, is_there = DEEDS[deed]
    when, target, number, commits = POINTS[point]
    trigger = vault.folder / "trigger"
    trigger.unlink(missing_ok=True)
    assert await vault.stop() == 0
    words = words_of(when, target, number, trigger)
    vault.process = ChildProcess("stanzavault", [*words, "run", "--config", vault.file], folder=vault.folder)
    await vault.wait_until_ready()
    async with resident(vault) as juliet:
        async with resident(vault, "nurse") as nurse:
            absent = nurse.account
        await do(juliet, absent, "0")
        trigger.touch()
        doing = asyncio.create_task(do(juliet, absent, "1"))
        assert await asyncio.to_thread(vault.process.wait) == -9
        await vault.start_again()
        doing.cancel()
        (acknowledged,) = await asyncio.gather(doing, return_exceptions=True)
        assert acknowledged is not None or commits
        assert await is_there(juliet, absent) is commits


@pytest.mark.parametrize("point", ["between work and commit", "between commit and answer"])
async def test_a_save_is_there_exactly_if_it_was_committed(new_vault: NewVault, point: str) -> None:
    await kill_at_a_point(await new_vault("prosody-sqlite"), point, "save")


@pytest.mark.long
@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("point", POINTS)
async def test_whatever_was_asked_is_there_exactly_if_it_was_committed(
    database_vault: ServerVault, point: str, deed: str
) -> None:
    await kill_at_a_point(database_vault, point, deed)


async def test_sigterm_takes_no_more_finishes_what_is_in_flight_commits_and_leaves_in_time(
    database_vault: ServerVault,
) -> None:
    """Nothing is there of which its sender was not told, and everything of which it was."""
    vault = database_vault
    async with resident(vault) as juliet, resident(vault, "romeo") as romeo:
        people = {juliet: Ledger(juliet.account), romeo: Ledger(romeo.account)}
        work = [asyncio.create_task(ledger.save(who)) for who, ledger in people.items()]
        for ledger in people.values():
            await ledger.flows.wait()
        began = time.monotonic()
        assert await vault.stop() == 0
        assert time.monotonic() - began < 15  # component.stop_within
        for who in people:
            await who.client.pass_through()
        # What went to the server when the vault was gone, and no more, may have got no answer at all.
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await vault.start_again()
        for who, ledger in people.items():
            assert await who.archived() == ledger.acknowledged
            assert len(ledger.acknowledged) < len(ledger.saved)


@pytest.mark.parametrize("combination", ["prosody-sqlite", "ejabberd-sqlite"])
async def test_a_server_that_is_killed_in_the_middle_of_saves_costs_nothing_that_was_acknowledged(
    new_vault: NewVault, combination: str
) -> None:
    vault = await new_vault(combination)
    pid = vault.process.pid
    account = await new_account(vault.server)
    ledger = Ledger(account)
    async with resident(vault, account=account) as before:
        work = asyncio.create_task(ledger.save(before))
        await ledger.flows.wait()
        await asyncio.to_thread(vault.server.kill)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    await asyncio.to_thread(vault.server.start_again)
    if vault.server.kind == "ejabberd":
        await register(vault.server, account)  # it loses what it was told in its last minutes
    await vault.wait_until_ready()
    async with resident(vault, account=account) as after:
        await ledger.check(after)
        await after.save(str(len(ledger.saved)))
    assert vault.process.is_running
    assert vault.process.pid == pid
