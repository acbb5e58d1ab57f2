"""A second device gets the archive key by a recovery code, which the vault never sees (XEP-0223)."""

from pathlib import Path

import pytest
from slixmpp.exceptions import IqError

from stanzavault.keys.kinds.private import RECOVERY
from stanzavault_client import WrongCode
from stanzavault_client.pubsub import Nodes
from stanzavault_client.recovery import RecoveryCode
from support.accounts import new_account
from support.vault_clients import vault_client
from support.vaults import ServerVault


async def test_a_second_device_reads_the_archive_with_the_recovery_code(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(server_vault.server, "romeo")
    async with vault_client(server_vault, romeo, tmp_path) as first:
        key = await first.plugins.keys.publish(await first.plugins.keys.generate())
        code = await first.plugins.recovery.save()
    async with vault_client(server_vault, romeo, tmp_path, device="two") as second:
        with pytest.raises(WrongCode):
            await second.plugins.recovery.recover(RecoveryCode.new())
        assert second.plugins.keys.own == []
        await second.plugins.recovery.recover(RecoveryCode.parse(code.text.lower()))
        assert second.plugins.keys.own == [key]
        signed = second.plugins.keys.own[0].private.sign(b"it is the same key")
        assert signed == key.private.sign(b"it is the same key")


async def test_only_its_owner_reads_what_is_sealed_for_recovery(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    async with (
        vault_client(server_vault, romeo, tmp_path) as his,
        vault_client(server_vault, juliet, tmp_path) as hers,
    ):
        await his.plugins.keys.generate()
        await his.plugins.recovery.save()
        vault = await hers.plugins.vault.find()
        address = vault.address_of(his.plugins.vault.own_account)
        with pytest.raises(IqError) as refused:
            await Nodes(hers.plugins.vault.asker, address).items(RECOVERY, 10)
        assert refused.value.condition in {"not-allowed", "item-not-found"}


async def test_a_new_code_replaces_the_old_one_and_what_is_sealed_can_be_taken_back(
    prosody_vault: ServerVault, tmp_path: Path
) -> None:
    romeo = await new_account(prosody_vault.server, "romeo")
    async with vault_client(prosody_vault, romeo, tmp_path) as client:
        await client.plugins.keys.generate()
        old = await client.plugins.recovery.save()
        new = await client.plugins.recovery.save()
        with pytest.raises(WrongCode):
            await client.plugins.recovery.recover(old)
        await client.plugins.recovery.recover(new)
        await client.plugins.recovery.forget()
        with pytest.raises(WrongCode, match="Nothing was sealed"):
            await client.plugins.recovery.recover(new)
