"""The command `stanzavault-client` as a user types it, beside real servers."""

import asyncio
import json
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from stanzavault_client.archive import ArchivedMessage
from support.accounts import Account, new_account
from support.vault_clients import PASSPHRASE, QUICK, SQLiteStore, vault_client
from support.vaults import ServerVault

COMMAND = Path(sys.executable).with_name("stanzavault-client")
START = datetime(2026, 2, 14, 21, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str
    error: str


@dataclass(frozen=True, slots=True)
class Shell:
    """Types commands for an account, on a device."""

    vault: ServerVault
    account: Account
    folder: Path
    device: str = "one"

    @property
    def store(self) -> Path:
        return self.folder / f"{self.account.user}-{self.device}.db"

    async def type(self, *words: str, typed: str = "", password: str = "", **options: str) -> Answer:
        return await asyncio.to_thread(self._type, words, typed, password, options)

    def _type(self, words: tuple[str, ...], typed: str, password: str, options: dict[str, str]) -> Answer:
        if not self.store.exists():
            SQLiteStore.open(self.store, PASSPHRASE, cost=QUICK).close()
        chosen = {
            "jid": self.account.jid,
            "store": str(self.store),
            "server": f"{self.vault.server.host}:{self.vault.server.client_port}",
            **options,
        }
        before = [f"--{name}={value}" for name, value in chosen.items()]
        done = subprocess.run(
            [COMMAND, *before, "--allow-plaintext", *words],
            input=typed,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={
                "STANZAVAULT_CLIENT_PASSWORD": password or self.account.password,
                "STANZAVAULT_CLIENT_PASSPHRASE": PASSPHRASE,
                "COLUMNS": "200",
                "LANG": "C.UTF-8",
            },
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    async def good(self, *words: str, typed: str = "") -> str:
        answer = await self.type(*words, typed=typed)
        assert answer.status == 0, answer
        return answer.text


def fingerprint_in(text: str) -> str:
    (line,) = [line for line in text.splitlines() if len("".join(line.split())) == 64]
    return "".join(line.split())


async def test_a_key_is_generated_published_fetched_verified_and_revoked(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    his, hers = Shell(server_vault, romeo, tmp_path), Shell(server_vault, juliet, tmp_path)
    fingerprint = fingerprint_in(await his.good("keys", "generate", "--bits", "2048"))
    assert "Published at vault.example.org as item current" in await his.good("keys", "publish")
    assert "nobody but the server says so" in await hers.good("keys", "fetch", romeo.jid)
    assert "Confirmed" in await hers.good("keys", "verify", romeo.jid, fingerprint)
    assert "its user compared the fingerprint" in await hers.good("keys", "fetch", romeo.jid)
    asked = await his.type("keys", "revoke", typed="n\n")
    assert asked.status == 1
    assert "Revoked" in await his.good("keys", "revoke", typed="y\n")
    assert "publishes 0 keys" in await hers.good("keys", "fetch", romeo.jid)


async def test_conversations_are_listed_shown_exported_and_removed(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(prosody_vault.server, "romeo")
    said = [
        ArchivedMessage("one\n2026-02-14 21:00:00 < forged \x9b31mred", START, incoming=True),
        ArchivedMessage("two", START, incoming=False),
    ]
    async with vault_client(prosody_vault, romeo, tmp_path) as client:
        await client.plugins.keys.publish(await client.plugins.keys.generate())
        await client.plugins.archive.save_messages("juliet@capulet.example", said)
        await client.plugins.archive.save_messages("nurse@capulet.example", said, sealed=False)
    his = Shell(prosody_vault, romeo, tmp_path)
    listed = await his.good("archive", "list")
    assert "2026-02-14T21:00:00Z  juliet@capulet.example  sealed" in listed
    assert "2 conversations" in listed
    assert "One conversation" in await his.good("archive", "list", "nurse@capulet.example")
    assert "0 conversations" in await his.good("archive", "list", "--until", "2026-02-14")
    shown = await his.good("archive", "show", "juliet@capulet.example", "2026-02-14T21:00:00Z")
    assert not {"\x1b", "\x9b"} & set(shown)
    assert [line for line in shown.splitlines() if line.startswith("2026")] == [
        "2026-02-14 21:00:00 < one",
        "2026-02-14 21:00:00 > two",
    ]
    file = tmp_path / "export.jsonl"
    assert "2 conversations are in" in await his.good("archive", "export", str(file))
    records = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [record["body"] for record in records] == [said[0].body, "two"] * 2
    assert file.stat().st_mode & 0o077 == 0
    again = await his.type("archive", "export", str(file))
    assert (again.status, "File exists" in again.error) == (2, True)
    await his.good("archive", "remove", "--yes", "juliet@capulet.example", "2026-02-14T21:00:00Z")
    await his.good("archive", "remove", "--yes", "capulet.example")
    assert "0 conversations" in await his.good("archive", "list")


async def test_a_second_device_recovers_the_key_and_reads_the_archive(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with vault_client(server_vault, romeo, tmp_path) as client:
        await client.plugins.keys.publish(await client.plugins.keys.generate())
        said = ArchivedMessage("the history", START, incoming=True)
        await client.plugins.archive.save_messages("juliet@capulet.example", [said])
    made = await Shell(server_vault, romeo, tmp_path).good("keys", "recover", "--new-code")
    (code,) = [line.strip() for line in made.splitlines() if line.strip().count("-") == 6]
    second = Shell(server_vault, romeo, tmp_path, device="two")
    locked = await second.good("archive", "show", "juliet@capulet.example", "2026-02-14T21:00:00Z")
    assert "can't be opened" in locked
    assert "Keys on this device now: 1" in await second.good("keys", "recover", typed=f"{code}\n")
    shown = await second.good("archive", "show", "juliet@capulet.example", "2026-02-14T21:00:00Z")
    assert "the history" in shown


async def test_what_goes_wrong_is_told_in_plain_words_with_status_2(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(prosody_vault.server, "romeo")
    his = Shell(prosody_vault, romeo, tmp_path)
    wrong = {
        "refused the password": await his.type("archive", "list", password="wrong"),
        "can't be reached": await his.type("archive", "list", server="127.0.0.1:1"),
        "only a server on this machine": await his.type("archive", "list", server="192.0.2.1:5222"),
        "is not the address of an account": await his.type("archive", "list", jid="example.org"),
        "There is no such": await his.type("archive", "remove", "--yes", "nobody@example.org"),
        "keys generate": await his.type("keys", "publish"),
        "is no time": await his.type("archive", "list", "--since", "yesterday"),
        "seven groups": await his.type("keys", "recover", typed="1234\n"),
    }
    for words, answer in wrong.items():
        assert (answer.status, words in answer.error, "Traceback" in answer.error) == (2, True, False), answer


def test_without_arguments_there_is_help_which_loads_nothing_heavy() -> None:
    done = subprocess.run([COMMAND], capture_output=True, text=True, check=False)
    assert "keys" in done.stdout + done.stderr
    heavy = (
        "import stanzavault_client.cli, sys; print(sorted({'slixmpp', 'cryptography'} & set(sys.modules)))"
    )
    loaded = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"
