"""The plugin `offline` beside real servers: left, delivered, listed, viewed, removed (XEP-0160, XEP-0013)."""

import asyncio
from pathlib import Path

import pytest
from slixmpp.exceptions import IqError, XMPPError

from stanzavault_client.offline import LeftMessage
from support.accounts import Account, new_account
from support.inbox import WAIT
from support.vault_clients import VaultClient, vault_client
from support.vaults import ServerVault


async def known(vault: ServerVault, account: Account, folder: Path) -> None:
    """Let the account show itself to the vault once: it keeps nothing for accounts that it never saw."""
    async with vault_client(vault, account, folder, device="earlier") as client:
        assert await client.plugins.offline.count() == 0


def delivered(client: VaultClient) -> asyncio.Queue[LeftMessage]:
    queue: asyncio.Queue[LeftMessage] = asyncio.Queue()
    client.client.add_event_handler("left_message", queue.put_nowait)
    return queue


async def test_a_message_left_for_an_absent_account_is_delivered_when_it_comes(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    await known(server_vault, juliet, tmp_path)
    async with vault_client(server_vault, romeo, tmp_path) as his:
        await his.plugins.offline.leave(juliet.jid, "Parting is such sweet sorrow")
        sender = his.client.boundjid.full
    async with vault_client(server_vault, juliet, tmp_path) as hers:
        queue = delivered(hers)
        await hers.plugins.offline.receive()
        left = await asyncio.wait_for(queue.get(), WAIT)
        assert (str(left.sender), left.message["body"]) == (sender, "Parting is such sweet sorrow")
        async with asyncio.timeout(WAIT):
            while await hers.plugins.offline.count():
                pass  # it is deleted once the ping behind it was answered


async def test_what_the_vault_sends_before_it_was_looked_for_is_told_of_too(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    """As for an account whose roster has the vault: its server tells the vault of each login."""
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    await known(server_vault, juliet, tmp_path)
    async with vault_client(server_vault, romeo, tmp_path) as his:
        await his.plugins.offline.leave(juliet.jid, "It is the east")
    async with vault_client(server_vault, juliet, tmp_path) as hers:
        queue = delivered(hers)
        hers.client.send_presence(pto=server_vault.jid)
        assert (await asyncio.wait_for(queue.get(), WAIT)).message["body"] == "It is the east"


@pytest.mark.parametrize("way", ["directly", "account"])
async def test_messages_are_counted_listed_viewed_fetched_and_removed(
    server_vault: ServerVault, tmp_path: Path, way: str
) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    await known(server_vault, juliet, tmp_path)
    async with vault_client(server_vault, romeo, tmp_path) as his:
        for number in range(3):
            await his.plugins.offline.leave(juliet.jid, f"message {number}")
    async with vault_client(server_vault, juliet, tmp_path, way=way) as hers:
        offline = hers.plugins.offline
        assert await offline.count() == 3
        headers = [header async for header in offline.headers()]
        assert [str(header.sender.bare) for header in headers] == [romeo.jid] * 3
        (second,) = await offline.view([headers[1].node])
        assert (second.message["body"], second.node) == ("message 1", headers[1].node)
        assert [left.message["body"] for left in await offline.fetch()] == [f"message {n}" for n in range(3)]
        await offline.remove([headers[0].node])
        with pytest.raises(IqError) as refused:
            await offline.view([headers[0].node])
        assert refused.value.condition == "item-not-found"
        await offline.purge()
        assert await offline.count() == 0


async def test_who_leaves_a_message_that_is_not_kept_is_told_why(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with vault_client(server_vault, romeo, tmp_path) as his:
        with pytest.raises(XMPPError) as refused:
            await his.plugins.offline.leave(f"nobody@{romeo.domain}", "hello?")
        assert refused.value.condition == "service-unavailable"
        assert "No account of this name" in refused.value.text


async def test_a_message_that_only_looks_as_if_the_vault_had_kept_it_is_not_told_of(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    mallory, juliet = [await new_account(prosody_vault.server, name) for name in ("mallory", "juliet")]
    async with (
        vault_client(prosody_vault, mallory, tmp_path) as forger,
        vault_client(prosody_vault, juliet, tmp_path, presence=True) as hers,
    ):
        queue = delivered(hers)
        forger.client.send_raw(
            f"<message to='{juliet.jid}' type='chat'><body>forged</body>"
            f"<delay xmlns='urn:xmpp:delay' from='{mallory.domain}' stamp='2026-01-01T00:00:00Z'/>"
            f"<stanza-id xmlns='urn:xmpp:sid:0' by='{mallory.domain}' id='1'/></message>"
        )
        await hers.client.wait_for_message()
        await hers.plugins.offline.count()
        assert queue.empty()
