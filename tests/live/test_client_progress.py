"""What takes long shows on a terminal how far it is, and leaves no trace in what is piped on."""

import asyncio
import os
import pty
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stanzavault_client.archive import ArchivedMessage
from support.accounts import Account, new_account
from support.vault_clients import PASSPHRASE, vault_client
from support.vaults import ServerVault

COMMAND = Path(sys.executable).with_name("stanzavault-client")
START = datetime(2026, 2, 14, 21, 0, tzinfo=UTC)
COUNT = 12


async def typed(vault: ServerVault, account: Account, store: Path, *words: str) -> tuple[str, str]:
    """Run the command with its standard error on a terminal: standard output, and what that showed."""
    ours, theirs = pty.openpty()
    server = f"--server={vault.server.host}:{vault.server.client_port}"
    process = await asyncio.create_subprocess_exec(
        COMMAND, f"--jid={account.jid}", f"--store={store}", server, "--allow-plaintext", *words,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=theirs,
        env={
            "STANZAVAULT_CLIENT_PASSWORD": account.password,
            "STANZAVAULT_CLIENT_PASSPHRASE": PASSPHRASE,
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            "LANG": "C.UTF-8",
        },
    )  # fmt: skip
    os.close(theirs)
    shown = asyncio.create_task(asyncio.to_thread(_drain, ours))
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    told = await shown
    assert process.returncode == 0, told
    return output.decode(), told


def _drain(terminal: int) -> str:
    octets = b""
    with suppress(OSError):  # how Linux tells that nobody has the other end open any more
        while more := os.read(terminal, 4096):
            octets += more
    os.close(terminal)
    return octets.decode()


async def test_an_export_a_removal_and_the_making_of_a_key_show_their_progress(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(prosody_vault.server, "romeo")
    async with vault_client(prosody_vault, romeo, tmp_path) as client:
        for number in range(COUNT):
            said = ArchivedMessage("hi", START + timedelta(days=number), incoming=True)
            await client.plugins.archive.save_messages("juliet@capulet.example", [said], sealed=False)
    store = tmp_path / f"{romeo.user}-one.db"
    output, told = await typed(
        prosody_vault, romeo, store, "archive", "export", str(tmp_path / "export.jsonl")
    )
    assert told.index("Listing") < told.index("Exporting")
    assert [int(done) for done in re.findall(rf"(\d+)/{COUNT}", told)][-1] == COUNT
    assert "Exporting" not in output
    assert f"{COUNT} conversations" in output
    output, told = await typed(
        prosody_vault, romeo, store, "archive", "remove", "--yes", "juliet@capulet.example"
    )
    assert "Removing" in told
    assert "Removing" not in output
    _, told = await typed(prosody_vault, romeo, store, "keys", "generate", "--bits", "2048")
    assert "Making a key" in told
