"""`stanzavault-client chat JID` as two users type it, in processes of their own, beside real servers."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stanzavault_client import SQLiteStore
from support.accounts import Account, new_account
from support.vault_clients import PASSPHRASE, QUICK
from support.xmpp_server import XmppServer

COMMAND = Path(sys.executable).with_name("stanzavault-client")


class Terminal:
    """A running command."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.seen: list[str] = []

    async def sees(self, text: str) -> str:
        """The next line with this text."""
        assert self.process.stdout is not None
        async with asyncio.timeout(20):
            while line := (await self.process.stdout.readline()).decode():
                self.seen.append(line.strip())
                if text in line:
                    return line.strip()
        raise AssertionError(f"{text!r} was never shown, but: {self.seen}")

    def type(self, text: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{text}\n".encode())

    async def status(self) -> int:
        """The exit status, once it has ended."""
        return await asyncio.wait_for(self.process.wait(), 20)


@asynccontextmanager
async def chat(server: XmppServer, account: Account, folder: Path, *words: str) -> AsyncIterator[Terminal]:
    """The command for an account."""
    store = folder / f"{account.user}.db"
    if not store.exists():
        SQLiteStore.open(store, PASSPHRASE, cost=QUICK).close()
    process = await asyncio.create_subprocess_exec(
        "env", "--default-signal=INT",  # a run in the background ignores it, and its children inherit that
        COMMAND, f"--jid={account.jid}/terminal", f"--store={store}",
        f"--server={server.host}:{server.client_port}", "--allow-plaintext", "chat", *words,
        env={
            **os.environ,
            "STANZAVAULT_CLIENT_PASSWORD": account.password,
            "STANZAVAULT_CLIENT_PASSPHRASE": PASSPHRASE,
            "COLUMNS": "200",
        },
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_two_users_chat_compare_and_one_leaves_by_ctrl_c(server: XmppServer, tmp_path: Path) -> None:
    alice, bob = await new_account(server, "alice"), await new_account(server, "bob")
    async with chat(server, bob, tmp_path, alice.jid, "--wait") as his:
        await his.sees("Waiting for")
        async with chat(server, alice, tmp_path, f"{bob.jid}/terminal") as hers:
            await hers.sees("Deferred protocol")
            assert await hers.sees("Compare by voice") == await his.sees("Compare by voice")
            hers.type("yes")
            hers.type("Wherefore art thou?")
            his.type("yes")
            assert await his.sees("Wherefore") == f"{alice.jid}/terminal: Wherefore art thou?"
            his.type("Neither, fair saint")
            await hers.sees("Neither, fair saint")
            hers.process.send_signal(signal.SIGINT)
            assert await hers.status() == 0
        await his.sees("the peer terminated it")
        assert await his.status() == 0
        assert not any("Traceback" in line for line in (*his.seen, *hers.seen))


async def test_one_who_can_not_be_reached_is_told_readably(server: XmppServer, tmp_path: Path) -> None:
    alice = await new_account(server, "alice")
    async with chat(server, alice, tmp_path, f"nobody@{server.domain}/terminal") as hers:
        await hers.sees("! The negotiation failed: service-unavailable")
        await hers.sees("stanzavault-client: The session with nobody")
        assert await hers.status() == 2
        assert not any("Traceback" in line for line in hers.seen)
