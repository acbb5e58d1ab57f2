"""docs/esession/first-chat.md: its program is run as it stands, by two users on a real server."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from stanzavault_client.esession.happenings import NAMES
from support.accounts import new_account
from support.readme import blocks
from support.xmpp_server import XmppServer

PAGE = Path(__file__).parents[2] / "docs/esession/first-chat.md"

HERE = """
import functools
from stanzavault_client import login
login.Login = functools.partial(login.Login, host={host!r}, port={port}, plaintext=True)
"""
"""Where the server is, which the page leaves to service records: Python reads this when it starts."""


class Terminal:
    """A running copy of the program."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.seen: list[str] = []

    async def sees(self, text: str) -> str:
        """The next line with this text."""
        assert self._process.stdout is not None
        async with asyncio.timeout(20):
            while line := (await self._process.stdout.readline()).decode():
                self.seen.append(line := line.strip())
                if text in line:
                    return line
        raise AssertionError(f"{text!r} was never shown, but: {self.seen}")

    def type(self, text: str) -> None:
        """Type a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())

    async def leave(self) -> int:
        """End the input; the exit status."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await asyncio.wait_for(self._process.wait(), 20)


@asynccontextmanager
async def running(folder: Path, *words: str) -> AsyncIterator[Terminal]:
    """The program, run as the page says."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "first_chat.py", *words,
        cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        yield Terminal(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def program() -> str:
    (block,) = blocks(PAGE, "python")
    return block.text


def test_the_program_has_40_lines() -> None:
    assert len([line for line in program().splitlines() if line.strip()]) <= 40


def test_every_event_of_the_plugin_is_named_on_the_page() -> None:
    text = PAGE.read_text("utf-8")
    assert {name for name in NAMES.values() if f"`{name}`" not in text} == set()
    assert {event.__name__ for event in NAMES if f"`{event.__name__}`" not in text} == set()


async def test_the_program_holds_an_encrypted_chat(server: XmppServer, tmp_path: Path) -> None:
    alice, bob = await new_account(server, "alice"), await new_account(server, "bob")
    (tmp_path / "first_chat.py").write_text(program(), "utf-8")
    (tmp_path / "sitecustomize.py").write_text(
        HERE.format(host=server.host, port=server.client_port), "utf-8"
    )
    waiting = running(tmp_path, f"{bob.jid}/laptop", bob.password, "his passphrase")
    asking = running(tmp_path, f"{alice.jid}/pda", alice.password, "her passphrase", f"{bob.jid}/laptop")
    async with waiting as his:
        await his.sees("online")
        async with asking as hers:
            assert await hers.sees("ENCRYPTED") == await his.sees("ENCRYPTED") == "ENCRYPTED"
            assert await hers.sees("compare by voice") == await his.sees("compare by voice")
            hers.type("Wherefore art thou?")
            assert await his.sees("Wherefore") == f"{alice.jid}/pda: 'Wherefore art thou?'"
            his.type("Neither, fair saint")
            await hers.sees("Neither, fair saint")
            assert await hers.leave() == 0
        await his.sees("the session is over: the peer terminated it")
        assert await his.leave() == 0
    assert {path.name for path in tmp_path.glob("*.db")} == {
        f"{each.jid}-{device}.db" for each, device in ((alice, "pda"), (bob, "laptop"))
    }
    for path in tmp_path.glob("*.db"):
        assert bob.user.encode() not in path.read_bytes()
