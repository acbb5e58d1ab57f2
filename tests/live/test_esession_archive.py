"""A finished session in the vault's archive, encrypted again under the user's own keys (XEP-0241)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from esession import LoggingPreference, Policy
from stanzavault_client.archive import ArchivedMessage
from stanzavault_client.esession import EncryptedSession, NotArchivable
from support.accounts import new_account
from support.session_clients import QUICK_GROUPS, SessionClient, session_client
from support.vaults import ServerVault

FORBIDDING = replace(QUICK_GROUPS, logging=LoggingPreference.REQUIRE)


@asynccontextmanager
async def talked(
    vault: ServerVault, folder: Path, policy: Policy, *, transcripts: bool = True
) -> AsyncIterator[tuple[SessionClient, SessionClient, EncryptedSession]]:
    """Two clients, and their session, in which something was said."""
    alice, bob = await new_account(vault.server, "alice"), await new_account(vault.server, "bob")
    options = {"sessions": policy, "configuration": {"transcripts": transcripts}}
    async with (
        session_client(vault.server, alice, folder, **options) as one,
        session_client(vault.server, bob, folder, **options) as other,
    ):
        session = await one.sessions.open(other.full_jid)
        theirs = (await other.event_of("esession_active")).session
        await session.send(body="Wherefore art thou?")
        await other.event_of("esession_message")
        await theirs.send(body="Neither, fair saint")
        await one.event_of("esession_message")
        yield one, other, session


async def test_a_finished_session_is_saved_sealed_and_read_again(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    async with talked(server_vault, tmp_path, QUICK_GROUPS) as (one, other, session):
        await one.plugins.keys.publish(await one.plugins.keys.generate(bits=2048))
        with pytest.raises(NotArchivable, match="not over"):
            await one.sessions.archive(session)
        await session.end()
        saved = await one.sessions.archive(session)
        assert len(saved.recipients) == 1
        (summary,) = [each async for each in one.plugins.archive.collections(other.boundjid.bare)]
        assert summary.encrypted
        entries = [each async for each in one.plugins.archive.retrieve(saved.name)]
        assert [(each.body, each.incoming) for each in entries if isinstance(each, ArchivedMessage)] == [
            ("Wherefore art thou?", False),
            ("Neither, fair saint", True),
        ]
        with pytest.raises(NotArchivable):
            await one.sessions.archive(session)


async def test_what_the_terms_forbid_to_keep_is_neither_kept_nor_saved(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    async with talked(prosody_vault, tmp_path, FORBIDDING) as (one, other, session):
        assert session.terms is not None
        assert session.terms.logging == "mustnot"
        assert session.transcript is not None
        assert session.transcript.messages == []
        await session.end()
        with pytest.raises(NotArchivable, match="may be kept"):
            await one.sessions.archive(session)
        assert [each async for each in one.plugins.archive.collections(other.boundjid.bare)] == []


async def test_nothing_is_collected_where_nobody_asked_for_it(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    async with talked(prosody_vault, tmp_path, QUICK_GROUPS, transcripts=False) as (one, _, session):
        await session.end()
        assert session.transcript is None
        with pytest.raises(NotArchivable, match="transcripts"):
            await one.sessions.archive(session)
