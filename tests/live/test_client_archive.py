"""The plugin `archive` beside real servers: saved, listed, opened, removed (XEP-0136, XEP-0241)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from slixmpp.exceptions import IqError

from stanzavault_client import NoRecipient, Policy
from stanzavault_client.archive import ArchivedMessage, Entry, Note, Summary, Unopened
from support.accounts import new_account
from support.files import search, sqlite_files
from support.vault_clients import VaultClient, vault_client
from support.vaults import ServerVault

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
JULIET = "juliet@capulet.example/chamber"
BODY = "Wherefore art thou Romeo?"


def conversation(length: int = 3) -> list[ArchivedMessage | Note]:
    said = [
        ArchivedMessage(f"{BODY} {number}", START + timedelta(seconds=number), incoming=bool(number % 2))
        for number in range(length)
    ]
    return [*said, Note("She speaks!", START + timedelta(hours=1))]


async def read(client: VaultClient, summary: Summary) -> list[Entry]:
    return [entry async for entry in client.plugins.archive.retrieve(summary.name)]


async def listed(client: VaultClient) -> list[Summary]:
    return [summary async for summary in client.plugins.archive.collections()]


@pytest.mark.parametrize("way", ["directly", "account"])
async def test_a_sealed_conversation_comes_back_as_it_was_saved(
    server_vault: ServerVault, tmp_path: Path, way: str
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with vault_client(server_vault, romeo, tmp_path, way=way) as client:
        key = await client.plugins.keys.publish(await client.plugins.keys.generate())
        saved = await client.plugins.archive.save_messages(JULIET, conversation(), subject="Balcony")
        assert (saved.version, saved.recipients, saved.left_out) == (0, (key.fingerprint,), ())
        (summary,) = await listed(client)
        assert (summary.encrypted, summary.subject) == (True, "Balcony")
        assert await read(client, summary) == conversation()
    found = search(sqlite_files(server_vault.folder / "vault.db"), BODY, "She speaks!", JULIET, "Balcony")
    assert found == []


@pytest.mark.parametrize("way", ["directly", "account"])
async def test_a_plain_conversation_comes_back_as_it_was_saved(
    server_vault: ServerVault, tmp_path: Path, way: str
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with vault_client(server_vault, romeo, tmp_path, way=way) as client:
        saved = await client.plugins.archive.save_messages(JULIET, conversation(), sealed=False)
        assert saved.recipients == ()
        (summary,) = await listed(client)
        assert not summary.encrypted
        assert await read(client, summary) == conversation()


@pytest.mark.parametrize("sealed", [True, False])
async def test_a_long_conversation_is_saved_in_parts_and_read_page_by_page(
    prosody_vault: ServerVault, tmp_path: Path, sealed: bool
) -> None:
    romeo = await new_account(prosody_vault.server, "romeo")
    policy = Policy(new_bits=2048, upload_bytes=4000, sealed_bytes=1000, entries=7)
    async with vault_client(prosody_vault, romeo, tmp_path, policy=policy) as client:
        await client.plugins.keys.publish(await client.plugins.keys.generate())
        saved = await client.plugins.archive.save_messages(JULIET, conversation(100), sealed=sealed)
        assert saved.version > 1
        (summary,) = await listed(client)
        assert await read(client, summary) == conversation(100)


async def test_collections_are_listed_in_pages_filtered_followed_and_removed(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(prosody_vault.server, "romeo")
    policy = Policy(new_bits=2048, entries=3)
    async with vault_client(prosody_vault, romeo, tmp_path, policy=policy) as client:
        archive = client.plugins.archive
        for number in range(8):
            said = ArchivedMessage("hi", START + timedelta(days=number), incoming=True)
            await archive.save_messages(f"peer{number % 2}@capulet.example", [said], sealed=False)
        starts = [summary.name.start for summary in await listed(client)]
        assert starts == [START + timedelta(days=number) for number in range(8)]
        odd = [summary async for summary in archive.collections("peer1@capulet.example", end=starts[6])]
        assert [summary.name.start for summary in odd] == starts[1:6:2]
        await archive.remove(odd[0].name)
        await archive.remove_all("peer0@capulet.example")
        assert len(await listed(client)) == 3
        changes = [change async for change in archive.modified(START)]
        assert (len(changes), sum(change.removed for change in changes)) == (8, 5)
        with pytest.raises(IqError) as refused:
            await archive.remove(odd[0].name)
        assert refused.value.condition == "item-not-found"


async def test_nothing_is_sealed_to_a_key_that_only_the_server_calls_the_users(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    """XEP-0241, section 2: that a key is published is no proof of whose it is."""
    romeo = await new_account(server_vault.server, "romeo")
    async with (
        vault_client(server_vault, romeo, tmp_path) as phone,
        vault_client(server_vault, romeo, tmp_path, device="two") as laptop,
    ):
        first = await phone.plugins.keys.publish(await phone.plugins.keys.generate())
        with pytest.raises(NoRecipient):
            await laptop.plugins.archive.save_messages(JULIET, conversation())
        second = await laptop.plugins.keys.publish(await laptop.plugins.keys.generate())
        saved = await phone.plugins.archive.save_messages(JULIET, conversation())
        assert (saved.recipients, saved.left_out) == ((first.fingerprint,), (second.fingerprint,))
        (summary,) = await listed(laptop)
        (unopened,) = await read(laptop, summary)
        assert isinstance(unopened, Unopened)
        await phone.plugins.keys.verify(romeo.jid, second.fingerprint)
        assert await phone.plugins.archive.rewrap(first) == 1
        assert await read(laptop, summary) == conversation()


async def test_an_obsolete_key_opens_nothing_any_more_once_its_wrapped_keys_are_deleted(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    """XEP-0241, section 6."""
    romeo = await new_account(prosody_vault.server, "romeo")
    policy = Policy(new_bits=2048, entries=2)
    async with vault_client(prosody_vault, romeo, tmp_path, policy=policy) as client:
        old = await client.plugins.keys.publish(await client.plugins.keys.generate())
        for number in range(5):
            said = ArchivedMessage("hi", START + timedelta(days=number), incoming=True)
            await client.plugins.archive.save_messages(JULIET, [said])
        await client.plugins.keys.revoke(old)
        await client.plugins.keys.publish(await client.plugins.keys.generate())
        assert await client.plugins.archive.rewrap(old, delete=True) == 5
        assert await client.plugins.archive.rewrap(old) == 0
        for summary in await listed(client):
            (message,) = await read(client, summary)
            assert isinstance(message, ArchivedMessage)
