"""What OMEMO decrypted on one device is read on a fresh one, through the archive (XEP-0384, XEP-0241)."""

from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from omemo.backend import DecryptionFailed
from omemo.session_manager import MessageNotForUs

from stanzavault.kernel.clock import utc_now
from stanzavault_client.archive import ArchivedMessage, Entry, Unopened
from stanzavault_client.recovery import RecoveryCode
from support.accounts import new_account
from support.files import search, sqlite_files
from support.omemo_devices import OmemoDevice, omemo_device
from support.vault_clients import VaultClient, vault_client
from support.vaults import ServerVault

# slixmpp-omemo 2.2 still takes plugins as slixmpp before 1.17 gave them.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Accessing plugins through the XMPP object is deprecated:DeprecationWarning"
)

DIALOGUE = (
    (True, "Wherefore art thou Romeo?"),
    (False, "Call me but love"),
    (True, "By whose direction found'st thou out this place?"),
    (False, "By love, that first did prompt me to inquire"),
)
"""Whether it came from Juliet, and what was said."""


async def exchange(romeo: OmemoDevice, juliet: OmemoDevice, addresses: tuple[str, str]) -> list[ET.Element]:
    """Hold the dialogue; what came for Romeo, as it came. Each side reads all that the other said."""
    came = []
    for from_juliet, body in DIALOGUE:
        sender, receiver, to = (juliet, romeo, addresses[0]) if from_juliet else (romeo, juliet, addresses[1])
        await sender.send(to, body)
        wire = await receiver.receive()
        assert body not in ET.tostring(wire, "unicode")
        assert await receiver.decrypt(wire) == body
        if from_juliet:
            came.append(wire)
    return came


async def read_all(client: VaultClient) -> list[Entry]:
    """Everything that the archive holds."""
    return [
        entry
        async for summary in client.plugins.archive.collections()
        async for entry in client.plugins.archive.retrieve(summary.name)
    ]


async def test_a_fresh_device_with_the_recovery_code_reads_what_omemo_alone_can_not_give_it(
    server_vault: ServerVault, tmp_path: Path
) -> None:
    romeo, juliet = [await new_account(server_vault.server, name) for name in ("romeo", "juliet")]
    async with (
        vault_client(server_vault, juliet, tmp_path, presence=True) as hers,
        vault_client(server_vault, romeo, tmp_path, device="one", presence=True) as first,
    ):
        here, there = await omemo_device(first.client), await omemo_device(hers.client)
        key = await first.plugins.keys.publish(await first.plugins.keys.generate())
        code = (await first.plugins.recovery.save()).text
        came = await exchange(here, there, (romeo.jid, juliet.jid))
        now = utc_now()
        conversation = [
            ArchivedMessage(body, now + timedelta(seconds=number), incoming=incoming)
            for number, (incoming, body) in enumerate(DIALOGUE)
        ]
        saved = await first.plugins.archive.save_messages(juliet.jid, conversation)
        assert saved.recipients == (key.fingerprint,)
        for wire in came:  # the forward secrecy that the copy gives up: OMEMO itself has destroyed the keys
            with pytest.raises(DecryptionFailed):
                await here.decrypt(wire)

    async with vault_client(server_vault, romeo, tmp_path, device="two", presence=True) as fresh:
        device = await omemo_device(fresh.client)
        for wire in came:
            with pytest.raises(MessageNotForUs):
                await device.decrypt(wire)
        (shut,) = await read_all(fresh)
        assert isinstance(shut, Unopened)
        await fresh.plugins.recovery.recover(RecoveryCode.parse(code))
        assert await read_all(fresh) == conversation

    said = [body for _, body in DIALOGUE]
    assert search(sqlite_files(server_vault.folder / "vault.db"), *said) == []
