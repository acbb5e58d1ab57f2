"""docs/client.md runs: its program, and its commands."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from support.accounts import new_account
from support.readme import blocks, run_block
from support.vault_clients import PASSPHRASE, QUICK, SQLiteStore
from support.vaults import ServerVault

PAGE = Path(__file__).parents[2] / "docs" / "client.md"


async def test_the_program_on_the_page_runs(server_vault: ServerVault, tmp_path: Path) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    program = tmp_path / "page.py"
    program.write_text("\n\n".join(block.text for block in blocks(PAGE, "python")), "utf-8")
    for account in (romeo, juliet):
        SQLiteStore.open(tmp_path / f"{account.jid}.keys", PASSPHRASE, cost=QUICK).close()
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, program],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "PORT": str(server_vault.server.client_port),
            "PASSPHRASE": PASSPHRASE,
            "ROMEO": romeo.jid,
            "ROMEO_PASSWORD": romeo.password,
            "JULIET": juliet.jid,
            "JULIET_PASSWORD": juliet.password,
        },
    )
    assert done.returncode == 0, done.stderr
    published, sealed, *rest = done.stdout.splitlines()
    assert published.split()[-1] == sealed.split()[-1]
    assert rest == [
        "juliet@capulet.example Wherefore art thou Romeo?",
        "trusted? False nobody but the server says so",
        "trusted? True its user compared the fingerprint",
        "waiting: 1",
        f"{juliet.jid} left I shall call at nine.",
        "recovered 1 key",
    ]


async def test_the_commands_on_the_page_run(prosody_vault: ServerVault, tmp_path: Path) -> None:
    romeo = await new_account(prosody_vault.server, "romeo")
    (block,) = blocks(PAGE, "console")
    server = prosody_vault.server
    told = await asyncio.to_thread(
        run_block,
        block,
        folder=tmp_path,
        environment={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "STANZAVAULT_CLIENT_JID": romeo.jid,
            "STANZAVAULT_CLIENT_PASSWORD": romeo.password,
            "STANZAVAULT_CLIENT_PASSPHRASE": PASSPHRASE,
            "STANZAVAULT_CLIENT_STORE": str(tmp_path / "client.db"),
            "STANZAVAULT_CLIENT_SERVER": f"{server.host}:{server.client_port}",
            "STANZAVAULT_CLIENT_ALLOW_PLAINTEXT": "1",
        },
    )
    assert f"{romeo.jid} publishes one key." in told
    assert "trust: this client holds the private key" in told
    assert "0 conversations are in history.jsonl" in told
    assert "Revoked" in told
