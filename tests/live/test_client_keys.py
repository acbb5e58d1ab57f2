"""The plugin `keys` beside real servers: one account publishes, another verifies (XEP-0189)."""

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from slixmpp.exceptions import IqError

from stanzavault_client import NotTrusted
from stanzavault_client.keys import KeysChanged, Trust
from stanzavault_client.vault import ARCHIVE, OFFLINE, PUBKEY
from support.accounts import new_account
from support.inbox import WAIT
from support.vault_clients import VaultClient, vault_client
from support.vaults import ServerVault


async def next_change(client: VaultClient) -> asyncio.Future[KeysChanged]:
    future: asyncio.Future[KeysChanged] = asyncio.get_running_loop().create_future()
    client.client.add_event_handler("keys_changed", future.set_result, disposable=True)
    return future


async def test_the_vault_is_found_by_discovery_and_what_the_account_serves_itself(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with vault_client(server_vault, romeo, tmp_path) as client:
        assert (await client.plugins.vault.find()).jid == server_vault.jid
        assert {ARCHIVE, PUBKEY} <= await client.plugins.vault.handed_over() <= {ARCHIVE, PUBKEY, OFFLINE}


async def test_a_key_is_published_fetched_and_verified_by_another_account(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    async with (
        vault_client(server_vault, romeo, tmp_path) as his,
        vault_client(server_vault, juliet, tmp_path) as hers,
    ):
        key = await his.plugins.keys.publish(await his.plugins.keys.generate())
        assert key.item_id == "current"
        (seen,) = await hers.plugins.keys.fetch(romeo.jid)
        assert (seen.fingerprint, seen.trust, seen.problems) == (key.fingerprint, Trust.NONE, ())
        assert not seen.is_usable
        with pytest.raises(NotTrusted, match="no key with this fingerprint"):
            await hers.plugins.keys.verify(romeo.jid, "00" * 32)
        confirmed = await hers.plugins.keys.verify(romeo.jid, key.public.fingerprint.digest.hex())
        assert (confirmed.trust, confirmed.is_usable) == (Trust.CONFIRMED, True)
        assert (await hers.plugins.keys.request(romeo.jid)).is_usable
    async with vault_client(server_vault, juliet, tmp_path) as hers:
        assert [each.trust for each in await hers.plugins.keys.fetch(romeo.jid)] == [Trust.CONFIRMED]


async def test_a_subscriber_learns_of_a_revocation_and_the_key_stays_revoked(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    async with (
        vault_client(server_vault, romeo, tmp_path) as his,
        vault_client(server_vault, juliet, tmp_path, presence=True) as hers,
    ):
        key = await his.plugins.keys.publish(await his.plugins.keys.generate())
        await hers.plugins.keys.verify(romeo.jid, key.fingerprint)
        await hers.plugins.keys.subscribe(romeo.jid)
        changed = await next_change(hers)
        revoked = await his.plugins.keys.revoke(key)
        change = await asyncio.wait_for(changed, WAIT)
        assert (str(change.account), change.node) == (romeo.jid, PUBKEY)
        assert await hers.plugins.keys.fetch(romeo.jid) == []
        (remembered,) = hers.store.known_keys.of(romeo.jid)
        assert remembered.revoked_at is not None
        assert hers.store.known_keys.for_sessions.of(romeo.jid) == []
        with pytest.raises(NotTrusted, match="revoked"):
            await his.plugins.keys.publish(revoked)
        with pytest.raises(IqError) as refused:
            await hers.plugins.keys.request(romeo.jid)
        assert refused.value.condition == "item-not-found"


async def test_a_second_device_is_vouched_for_by_the_first(server_vault: ServerVault, tmp_path: Path) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    async with (
        vault_client(server_vault, romeo, tmp_path) as phone,
        vault_client(server_vault, romeo, tmp_path, device="two") as laptop,
    ):
        first = await phone.plugins.keys.publish(await phone.plugins.keys.generate())
        second = await laptop.plugins.keys.publish(await laptop.plugins.keys.generate())
        assert second.item_id not in {"", "current"}
        with pytest.raises(NotTrusted, match="nobody but the server says so"):
            await phone.plugins.keys.attest((await phone.plugins.keys.fetch(romeo.jid))[1])
        confirmed = await phone.plugins.keys.verify(romeo.jid, second.fingerprint)
        await phone.plugins.keys.attest(confirmed)
    async with vault_client(server_vault, juliet, tmp_path) as hers:
        await hers.plugins.keys.verify(romeo.jid, first.fingerprint)
        seen = {key.fingerprint: key for key in await hers.plugins.keys.fetch(romeo.jid)}
        assert seen[second.fingerprint].trust is Trust.VOUCHED
        assert seen[second.fingerprint].vouchers == (romeo.jid,)


async def test_a_client_gives_its_own_key_to_who_asks_it_directly(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    """XEP-0189, section 6."""
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    async with (
        vault_client(server_vault, romeo, tmp_path) as his,
        vault_client(server_vault, juliet, tmp_path) as hers,
    ):
        key = await his.plugins.keys.publish(await his.plugins.keys.generate())
        iq = hers.client.make_iq_get(ito=his.client.boundjid.full)
        iq.append(ET.Element(f"{{{PUBKEY}}}pubkey"))
        answer = await iq.send(timeout=WAIT)
        assert answer.xml[0].findtext(f".//{{{PUBKEY}}}print") == key.fingerprint


async def test_a_node_may_be_for_named_readers_alone(server_vault: ServerVault, tmp_path: Path) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    async with (
        vault_client(server_vault, romeo, tmp_path) as his,
        vault_client(server_vault, juliet, tmp_path) as hers,
    ):
        await his.plugins.keys.publish(await his.plugins.keys.generate(), access="whitelist")
        with pytest.raises(IqError) as refused:
            await hers.plugins.keys.fetch(romeo.jid)
        assert refused.value.condition == "not-allowed"
