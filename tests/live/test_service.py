"""What an operator does with a vault in service: start it, look at it, back it up, mend it."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from itertools import count
from typing import Any

import asyncpg  # type: ignore[import-untyped]  # it has no types
import pytest

from stanzavault.runtime.sealing import MasterKey
from stanzavault.upkeep import write_master_keys
from support.archive_stanzas import request
from support.clients import StanzaRefusedError
from support.files import sqlite_files
from support.postgresql import PostgreSQL
from support.process import run
from support.resident import START, resident
from support.server_side import ServerSide
from support.vault import Vault
from support.vaults import NewVault, ServerVault

VAULT_ON_BOTH = pytest.mark.parametrize("combination", ["prosody-sqlite", "prosody-postgresql"])


@pytest.fixture
async def idle(database_url: str) -> AsyncIterator[Vault[ServerSide]]:
    """A vault that has a server which says nothing, and an empty database."""
    async with ServerSide() as server:
        vault = Vault(server=server, database_url=database_url)
        yield vault
        vault.close()


async def refused(vault: Vault[Any]) -> str:
    """What `stanzavault run` says on its way out."""
    vault.launch()
    assert await asyncio.to_thread(vault.process.wait, within=30) == 2
    return vault.log


async def execute(vault: Vault[Any], statement: str) -> None:
    """Change the database behind the vault's back."""
    url = str(vault.database_url or f"sqlite:///{vault.folder}/vault.db")
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as database, database:
            database.execute(statement)
        return
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def test_run_refuses_a_database_that_it_does_not_know_and_names_the_command_that_helps(
    idle: Vault[ServerSide],
) -> None:
    assert "Run: stanzavault db upgrade, then: stanzavault keys init" in await refused(idle)
    await idle.command("db", "upgrade")
    assert "stanzavault keys init" in await refused(idle)
    await idle.command("keys", "init", "--yes")
    await execute(idle, "UPDATE alembic_version SET version_num = '0001'")
    assert "then run: stanzavault db upgrade" in await refused(idle)
    await execute(idle, "UPDATE alembic_version SET version_num = '9999'")
    assert "newer than" in await refused(idle)
    assert idle.server.connection_count == 0


async def test_a_wrong_or_missing_master_key_stops_the_start_and_names_its_fingerprint(
    idle: Vault[ServerSide],
) -> None:
    await idle.command("db", "upgrade")
    shown = await idle.command("keys", "init", "--yes")
    right = idle.master_key_file.read_text()
    fingerprint = MasterKey.parse(right.strip()).fingerprint.hex()
    assert fingerprint in shown
    wrong = MasterKey.new()
    write_master_keys(idle.master_key_file, wrong)
    told = await refused(idle)
    assert fingerprint in told
    assert wrong.fingerprint.hex() in told
    idle.master_key_file.unlink()
    told = await refused(idle)
    assert f"sealed under master key {fingerprint}, and none is at hand" in told
    assert "master.key can't be read: No such file or directory" in told
    assert right.strip() not in told
    assert idle.server.connection_count == 0


def metric(text: str, name: str, **labels: str) -> float:
    """The value of one sample, 0 where there is none."""
    for line in text.splitlines():
        found = re.fullmatch(rf"stanzavault_{name}(?:\{{(.*)\}})? (\S+)", line)
        if found and dict(re.findall(r'(\w+)="([^"]*)"', found[1] or "")) == labels:
            return float(found[2])
    return 0.0


async def test_metrics_tell_what_the_vault_does(server_vault: ServerVault) -> None:
    names = {"result": {"kind": "iq", "outcome": "result"}, "refused": {"kind": "iq", "outcome": "forbidden"}}
    async with resident(server_vault) as juliet, resident(server_vault, "romeo") as romeo:
        _, before = await server_vault.http("/metrics")
        await juliet.save("one")
        with pytest.raises(StanzaRefusedError):
            await romeo.get("<list xmlns='urn:xmpp:archive'/>", to=juliet.address)
        _, after = await server_vault.http("/metrics")
    for labels in names.values():
        assert metric(after, "stanzas_total", **labels) >= metric(before, "stanzas_total", **labels) + 1
    taken = [metric(text, "stanza_seconds_count", kind="iq") for text in (before, after)]
    assert taken[1] >= taken[0] + 2
    assert (metric(after, "stream_up"), metric(after, "database_reachable")) == (1, 1)
    assert metric(after, "stanzas_waiting") == 0
    assert "stanzavault_stanzas_waiting" in after
    for secret in (juliet.account.user, romeo.account.user):
        assert secret not in after


@VAULT_ON_BOTH
async def test_a_record_that_fails_to_open_is_reported_by_id_skipped_and_counted(
    new_vault: NewVault, combination: str
) -> None:
    vault = await new_vault(combination)
    async with resident(vault) as juliet:
        await juliet.save("one")
        await execute(vault, "UPDATE message SET codec = codec + 1")
        await juliet.save("two")
        answer = await juliet.get(request("retrieve", with_="benvolio@montague.example", start=START))
        assert [body.text for body in answer.iter("{urn:xmpp:archive}body")] == ["two"]
    _, metrics = await vault.http("/metrics")
    assert metric(metrics, "records_not_opened_total", table="archive") >= 1
    (line, *_) = [line for line in vault.log.split("\n") if "[stanzavault.archive]" in line]
    assert re.search(r"record=[0-9a-z]{26}\b", line)
    assert await vault.is_healthy()


async def test_a_backup_taken_while_people_write_holds_a_moment_and_is_restored(new_vault: NewVault) -> None:
    vault = await new_vault("prosody-sqlite")
    async with resident(vault) as juliet:
        await juliet.save("before")
        flowing = asyncio.Event()

        async def write() -> None:
            for number in count():
                await juliet.save(str(number))
                flowing.set()

        writing = asyncio.create_task(write())
        await flowing.wait()
        copy = vault.folder / "copy"
        await vault.command("backup", str(copy))
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    assert MasterKey.parse(vault.master_key_file.read_text().strip()).key not in copy.read_bytes()
    assert vault.master_key_file.read_text().strip().encode() not in copy.read_bytes()
    assert await vault.stop() == 0
    for file in sqlite_files(vault.folder / "vault.db"):
        file.unlink()
    await vault.command("restore", str(copy))
    await vault.start_again()
    async with resident(vault, account=juliet.account) as again:
        first, *rest = await again.archived()
        assert first == "before"
        assert rest == [str(number) for number in range(len(rest))]
        assert rest


async def test_the_documented_commands_back_up_and_restore_postgresql(
    new_vault: NewVault, postgresql: PostgreSQL
) -> None:
    vault = await new_vault("prosody-postgresql")
    file = vault.folder / "copy"
    with pytest.raises(RuntimeError, match="pg_dump --format=custom --file="):
        await vault.command("backup", str(file))
    with pytest.raises(RuntimeError, match="pg_restore --dbname="):
        await vault.command("restore", str(file))
    async with resident(vault) as juliet:
        await juliet.save("before")
        await asyncio.to_thread(
            run, ["pg_dump", "--format=custom", f"--file={file}", str(vault.database_url)]
        )
        await juliet.save("after")
    assert MasterKey.parse(vault.master_key_file.read_text().strip()).key not in file.read_bytes()
    assert await vault.stop() == 0
    vault.database_url = postgresql.url(await postgresql.create_database())
    vault.write_settings()
    await asyncio.to_thread(run, ["pg_restore", f"--dbname={vault.database_url}", file])
    await vault.start_again()
    async with resident(vault, account=juliet.account) as again:
        assert await again.archived() == ["before"]


async def test_logs_for_machines_are_json_and_each_stanza_has_an_id(new_vault: NewVault) -> None:
    vault = await new_vault("prosody-sqlite", settings={"log": {"format": "json", "level": "debug"}})
    async with resident(vault) as juliet:
        await juliet.save("a body that nobody logs")
    lines = [json.loads(line) for line in vault.log.split("\n")]
    assert {"timestamp", "level", "event", "logger"} <= set.intersection(*(set(line) for line in lines))
    assert any("stanza" in line for line in lines)
    for secret in ("a body that", juliet.account.user, "benvolio", vault.server.secret):
        assert secret not in vault.log
