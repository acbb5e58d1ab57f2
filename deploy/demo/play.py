"""Plays the main job beside a private Prosody, then stays up for a client of yours until Ctrl-C.

With ONCE=1 in the environment it ends by itself, with exit status 0 only if every step held.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

from processes import LOOPBACK, ProgramFailed
from prosody import HOST, UNSEALED, VAULT, Account, Prosody
from searching import find
from slixmpp.exceptions import XMPPError
from story import Search, Story
from telling import StepFailed, Teller
from vaults import UnsealedVault, Vault

from stanzavault.kernel.errors import OperatorError
from stanzavault_client import ClientError

_FAILURES = (StepFailed, ProgramFailed, ClientError, OperatorError, XMPPError, OSError, ValueError)
_INTERRUPTED = 130  # as shells have it


async def play(
    tell: Teller, stay: Callable[[], Awaitable[object]] | None = None, *, search: Search = find
) -> int:
    """Everything, from nothing to nothing.

    Args:
        tell: tells what happens.
        stay: returns when it shall no longer stay up; None where it shall not.
        search: looks for texts in files.

    Returns:
        The exit status: 0 where every step held.
    """
    began = time.monotonic()
    try:
        async with AsyncExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stanzavault-demo-")))
            prosody, vault, accounts = await _set_up(tell, stack, folder)
            story = Story(tell, prosody, _made(folder, "people"), accounts, search)
            await story.play(vault)
            await _compare(story, prosody, folder)
            tell.say(f"\nEvery step held. It took {time.monotonic() - began:.0f} s.")
            if stay is not None:
                _tell_how_to_connect(tell, prosody, accounts)
                await stay()
                tell.say("\nEnding, and leaving nothing behind.")
    except _FAILURES as error:
        tell.say(f"\nA step failed: {error}")
        return 1
    return 0


async def _set_up(
    tell: Teller, stack: AsyncExitStack, folder: Path
) -> tuple[Prosody, Vault, tuple[Account, Account]]:
    with tell.step("A private Prosody, with a temporary data folder"):
        prosody = Prosody(_made(folder, "prosody"))
        stack.push_async_callback(prosody.stop)
        await prosody.start()
        tell.saw(f"it listens on {prosody.address}")
        accounts = await prosody.new_account("juliet"), await prosody.new_account("romeo")
        tell.saw(f"two accounts: {accounts[0].jid} and {accounts[1].jid}")
    with tell.step("The vault beside it, on an embedded SQLite file"):
        vault = Vault(_made(folder, "vault"), VAULT, prosody)
        for words in (("db", "upgrade"), ("keys", "init", "--yes")):
            await vault.command(*words)
            tell.saw(f"stanzavault {' '.join(words)}")
        stack.push_async_callback(vault.stop)
        await vault.start()
        tell.saw(f"stanzavault run: attached to Prosody as {vault.jid}")
    return prosody, vault, accounts


async def _compare(story: Story, prosody: Prosody, folder: Path) -> None:
    unsealed = UnsealedVault(_made(folder, "unsealed"), UNSEALED, prosody)
    try:
        await unsealed.start()
        await story.compare(unsealed)
    finally:
        await unsealed.stop()


def _made(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    return made


def _tell_how_to_connect(tell: Teller, prosody: Prosody, accounts: tuple[Account, Account]) -> None:
    tell.say("\nIt stays up. To connect any XMPP client:")
    tell.say(f"    server    {LOOPBACK}, port {prosody.client_port}, without encryption (allow plain text)")
    for account in accounts:
        tell.say(f"    account   {account.jid}    password {account.password}")
    tell.say(f"    vault     {VAULT}, which service discovery of {HOST} shows")
    tell.say("Ctrl-C ends it.")


async def main() -> int:
    """Play, and end cleanly on SIGINT and SIGTERM, at any time."""
    playing = asyncio.current_task()
    up, stop = asyncio.Event(), asyncio.Event()

    async def stay() -> None:
        up.set()
        await stop.wait()

    def end() -> None:
        if not stop.is_set() and not up.is_set() and playing is not None:
            playing.cancel()
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    once = os.environ.get("ONCE", "") not in {"", "0"}
    try:
        return await play(Teller(), None if once else stay)
    except asyncio.CancelledError:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
