"""The process dies at any step of keeping and delivering: what was acknowledged is there, under one id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from stanzavault.kernel.address import Address
from stanzavault.offline.model import Window
from stanzavault.storage.unit import Database
from support.offline_desk import Deployment, Desk

BALCONY = "juliet@example.org/balcony"
TEXTS = ["one", "two", "three", "four", "five"]


class KilledError(BaseException):
    """The process is gone: nothing after this runs."""


class MortalDatabase:
    """A database whose process may die before a unit runs, or after its commit and before anybody is told."""

    def __init__(self, database: Database, step: Callable[[], None]) -> None:
        self._database = database
        self._step = step

    async def read(self, account: Address, work: Any) -> Any:
        self._step()
        return await self._database.read(account, work)

    async def write(self, account: Address, work: Any, *, saves: bool = True) -> Any:
        self._step()
        result = await self._database.write(account, work, saves=saves)
        self._step()
        return result


class Fuse:
    """Counts steps and dies at one of them; a dead process takes no further step."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.steps = 0

    def __call__(self, _what: str = "") -> None:
        self.steps += 1
        if self.steps >= self.at:
            raise KilledError

    @property
    def blown(self) -> bool:
        return self.steps >= self.at


@pytest.fixture
def deployment() -> Deployment:
    return Deployment(window=Window(messages=2))


async def _live(desk: Desk, fuse: Fuse, deed: Callable[[], Awaitable[object]]) -> None:
    """Run a deed in a process that dies by the fuse, then start the next process."""
    whole = desk.database
    desk.database = MortalDatabase(whole, fuse)
    desk.wire.before = fuse
    desk.start()
    desk.login._finished = _buried(desk)  # type: ignore[method-assign]
    try:
        await deed()
        await desk.idle()
    except KilledError:
        pass
    finally:
        await desk.idle()
        await desk.login.close()
        desk.database = whole
        desk.wire.before = lambda _what: None
        desk.start()


def _buried(desk: Desk) -> Callable[[Address, asyncio.Task[None]], None]:
    login = desk.login

    def finished(account: Address, task: asyncio.Task[None]) -> None:
        del login._tasks[account]
        if not task.cancelled():
            task.exception()

    return finished


async def _until_no_fuse_blows(desk: Desk, kill_at: Callable[[int], Awaitable[Fuse]]) -> int:
    for at in range(1, 200):
        if not (await kill_at(at)).blown:
            return at
    raise AssertionError("it never came to an end")


async def test_a_save_is_whole_or_not_there_and_what_was_acknowledged_is_there(desk: Desk) -> None:
    await desk.meet()
    sent: list[str] = []
    acknowledged: list[str] = []

    async def kill_at(at: int) -> Fuse:
        fuse = Fuse(at)

        async def leave() -> None:
            for number in range(3):
                text = f"{at}-{number}"
                sent.append(text)
                assert await desk.leave(text) is None
                acknowledged.append(text)

        await _live(desk, fuse, leave)
        return fuse

    kills = await _until_no_fuse_blows(desk, kill_at)
    assert kills > 6
    assert desk.usage()[1] == len(desk.waiting())
    juliet = await desk.log_in()
    assert set(acknowledged) <= set(juliet.bodies) <= set(sent)
    assert juliet.bodies == [text for text in sent if text in set(juliet.bodies)]
    assert len(set(juliet.ids)) == len(juliet.ids)


async def test_a_delivery_loses_nothing_at_any_step_and_repeats_under_the_same_id(desk: Desk) -> None:
    await desk.meet()

    async def kill_at(at: int) -> Fuse:
        for text in TEXTS:
            await desk.leave(text)
        kept = desk.waiting()
        fuse = Fuse(at)
        first = desk.session(BALCONY)
        await _live(desk, fuse, lambda: desk.say_presence(BALCONY))
        second = desk.session(BALCONY)
        await desk.presence(BALCONY)
        received: dict[str, str] = {}
        for session in (first, second):
            assert session.bodies == sorted(session.bodies, key=TEXTS.index)
            for id_, text in zip(session.ids, session.bodies, strict=True):
                assert received.setdefault(id_, text) == text
        assert sorted(received.values()) == sorted(TEXTS)
        assert len(received) == len(kept)
        assert desk.waiting() == []
        assert desk.usage() == (0, 0)
        await desk.log_out(BALCONY)
        return fuse

    assert await _until_no_fuse_blows(desk, kill_at) > 15


async def test_a_message_sent_and_not_deleted_comes_again_a_message_deleted_does_not(desk: Desk) -> None:
    await desk.meet()
    await desk.leave("one")
    steps: list[str] = []

    def die_before_the_answer(what: str) -> None:
        steps.append(what)
        if what == "answer":
            raise KilledError

    desk.wire.before = die_before_the_answer
    desk.login._finished = _buried(desk)  # type: ignore[method-assign]
    first = desk.session(BALCONY)
    await desk.presence(BALCONY)
    assert steps == ["send", "request", "answer"]
    desk.wire.before = lambda _what: None
    desk.start()
    second = desk.session(BALCONY)
    await desk.presence(BALCONY)
    assert first.ids == second.ids != []
    await desk.log_out(BALCONY)
    third = await desk.log_in()
    assert third.received == []
