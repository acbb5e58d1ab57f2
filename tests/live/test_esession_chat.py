"""The small chat of `stanzavault-client chat`, between two clients on real servers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from esession.events import EndReason
from stanzavault_client.cli.conversation import HONESTY, Conversation
from stanzavault_client.esession import SessionFailed
from support.inbox import WAIT
from support.session_clients import QUICK_GROUPS, Pair, SessionClient


class Terminal:
    """What one user types and sees."""

    def __init__(self, client: SessionClient) -> None:
        client.accepts = lambda _: False  # the chat itself decides
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()
        self._news = asyncio.Event()
        self.shown: list[str] = []
        self.conversation = Conversation(client, client.sessions, self._lines(), self._show)

    def _show(self, line: str) -> None:
        self.shown.append(line)
        self._news.set()

    async def _lines(self) -> AsyncIterator[str]:
        while (line := await self._typed.get()) is not None:
            yield line

    def type(self, *lines: str | None) -> None:
        """Type lines; None ends the input."""
        for line in lines:
            self._typed.put_nowait(line)

    async def sees(self, text: str) -> str:
        """The first line with this text, once it is shown."""
        async with asyncio.timeout(WAIT):
            while True:
                for line in self.shown:
                    if text in line:
                        return line
                self._news.clear()
                await self._news.wait()


async def test_two_users_compare_their_strings_talk_and_leave(pair: Pair) -> None:
    one, other = await pair()
    here, there = Terminal(one), Terminal(other)
    waiting = other.start(there.conversation.hold(one.boundjid.bare, wait=True))
    asking = one.start(here.conversation.hold(other.full_jid))
    strings = [await each.sees("Compare by voice") for each in (here, there)]
    assert strings[0] == strings[1]
    assert here.shown[0] == HONESTY
    here.type("yes", "Wherefore art thou?")
    there.type("yes")
    await there.sees(f"{one.full_jid}: Wherefore art thou?")
    there.type("Neither,\u202e fair saint", None)
    assert (await here.sees("fair saint")).endswith("Neither,\ufffd fair saint")
    assert await waiting is EndReason.TERMINATED
    assert await asking is EndReason.PEER_TERMINATED
    await here.sees("The session is over")
    (kept,) = one.store.retained_secrets.of(other.boundjid.bare)
    assert kept.verified


async def test_strings_that_differ_end_the_session(pair: Pair) -> None:
    one, other = await pair()
    here = Terminal(one)
    asking = one.start(here.conversation.hold(other.full_jid))
    other.start((await other.event_of("esession_requested")).session.accept())
    await here.sees("Compare by voice")
    here.type("no")
    assert await asking is EndReason.TERMINATED
    await here.sees("somebody sits between you")
    assert (await other.event_of("esession_end")).event.reason is EndReason.PEER_TERMINATED


async def test_a_failure_is_told_readably(pair: Pair) -> None:
    one, other = await pair(
        replace(QUICK_GROUPS, ciphers=("aes256-ctr",)), replace(QUICK_GROUPS, ciphers=("aes128-ctr",))
    )
    here = Terminal(one)
    asking = one.start(here.conversation.hold(other.full_jid))
    other.start((await other.event_of("esession_requested")).session.accept())
    with pytest.raises(SessionFailed):
        await asking
    await here.sees("! The negotiation failed: not-acceptable")


async def test_cleartext_beside_the_session_is_never_shown_as_a_part_of_it(pair: Pair) -> None:
    one, other = await pair()
    here = Terminal(one)
    asking = one.start(here.conversation.hold(other.full_jid))
    other.start((await other.event_of("esession_requested")).session.accept())
    await here.sees("Compare by voice")
    other.send_message(mto=one.full_jid, mbody="Believe me", mtype="chat")
    await here.sees("in clear beside this session")
    assert not any("Believe me" in line for line in here.shown)
    here.type("later", None)
    assert await asking is EndReason.TERMINATED


async def test_two_who_ask_each_other_at_once_talk_in_one_session(pair: Pair) -> None:
    one, other = await pair()
    here, there = Terminal(one), Terminal(other)
    asking = one.start(here.conversation.hold(other.full_jid))
    also = other.start(there.conversation.hold(one.full_jid))
    strings = [await each.sees("Compare by voice") for each in (here, there)]
    assert strings[0] == strings[1]
    here.type("later", "We both asked", None)
    await there.sees("We both asked")
    await asyncio.wait_for(asyncio.gather(asking, also), WAIT)
