"""A client that asks more often than it may slows down, and never doubles what it saves."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stanzavault_client import Policy, SaveInterrupted
from stanzavault_client.archive import ArchivedMessage
from support.accounts import new_account
from support.vault_clients import vault_client
from support.vaults import NewVault

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SAID = [ArchivedMessage("x" * 300, START + timedelta(seconds=number), incoming=True) for number in range(60)]


async def test_questions_are_asked_again_and_an_upload_tells_how_far_it_came(
    new_vault: NewVault, tmp_path: Path
) -> None:
    vault = await new_vault("prosody-sqlite", settings={"limits": {"per_account": "3/s"}})
    romeo = await new_account(vault.server, "romeo")
    policy = Policy(upload_bytes=700, entries=2)
    async with vault_client(vault, romeo, tmp_path, policy=policy) as client:
        archive = client.plugins.archive
        with pytest.raises(SaveInterrupted) as interrupted:
            await archive.save_messages("juliet@capulet.example", SAID, sealed=False)
        (summary,) = [summary async for summary in archive.collections()]
        saved = [entry async for entry in archive.retrieve(summary.name)]
        assert saved == SAID[: interrupted.value.saved]
        assert 0 < len(saved) < len(SAID)
