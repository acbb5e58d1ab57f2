"""The main job: keys, a message for the absent, an encrypted archive, and what of it lies on the disk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from people import Person, present
from prosody import UNSEALED, Account, Prosody
from searching import find
from telling import Teller
from vaults import UnsealedVault, Vault

from stanzavault_client.archive import ArchivedMessage, Summary
from stanzavault_client.keys import Trust

LETTER = "Parting is such sweet sorrow, that I shall say good night till it be morrow."
START = datetime(2026, 2, 14, 21, 0, 0, tzinfo=UTC)
CONVERSATION = [
    ArchivedMessage("Wherefore art thou Romeo? Deny thy father and refuse thy name!", START, incoming=False),
    ArchivedMessage(
        "Call me but love, and I'll be new baptized.", START + timedelta(seconds=42), incoming=True
    ),
]

Search = Callable[..., list[str]]


class Story:
    """Plays the main job step by step; whatever does not hold ends it.

    Args:
        tell: tells of it.
        prosody: the server.
        folder: where the people keep their keys.
        accounts: Juliet's and Romeo's.
        search: looks for texts in files.
    """

    def __init__(
        self,
        tell: Teller,
        prosody: Prosody,
        folder: Path,
        accounts: tuple[Account, Account],
        search: Search = find,
    ) -> None:
        self._tell = tell
        self._prosody = prosody
        self._folder = folder
        self._juliet, self._romeo = accounts
        self._search = search

    async def play(self, vault: Vault) -> None:
        """All of it with a vault."""
        async with present(self._juliet, self._prosody, self._folder) as juliet:
            await self._find(juliet, vault)
            fingerprint = await self._publish(juliet)
            await self._seal(juliet)
        async with present(self._romeo, self._prosody, self._folder) as romeo:
            await self._verify(romeo, fingerprint)
            await self._leave(romeo)
        with self._tell.step("What lies in the vault's database while all of this is in it"):
            self._look(vault, finds=False)
        async with present(self._juliet, self._prosody, self._folder) as juliet:
            await self._receive(juliet)
            await self._read(juliet)

    async def compare(self, vault: UnsealedVault) -> None:
        """The same search, where sealing is switched off: in the vault, and in the client."""
        with self._tell.step("For comparison: the vault's sealing is switched off, and the client's too"):
            async with present(self._juliet, self._prosody, self._folder, vault=UNSEALED) as juliet:
                archive = juliet.plugins.archive
                await archive.save_messages(self._romeo.jid, CONVERSATION, sealed=False)
                self._tell.saw("Juliet saved the same conversation, without encrypting it")
            async with present(self._romeo, self._prosody, self._folder, vault=UNSEALED) as romeo:
                await romeo.plugins.offline.leave(self._juliet.jid, LETTER)
                self._tell.saw("Romeo left the same message")
            self._look(vault, finds=True)

    async def _find(self, juliet: Person, vault: Vault) -> None:
        with self._tell.step("Juliet's client looks for the vault"):
            found = await juliet.plugins.vault.find()
            self._tell.check(f"service discovery shows it: {found.jid}", holds=found.jid == vault.jid)
            served = ", ".join(sorted(await juliet.plugins.vault.handed_over()))
            self._tell.check(f"her own account offers what is handed over: {served}", holds=bool(served))

    async def _publish(self, juliet: Person) -> str:
        with self._tell.step("Juliet publishes a key (XEP-0189)"):
            keys = juliet.plugins.keys
            key = await keys.publish(await keys.generate())
            bits = key.public.key.bits
            self._tell.saw(f"a new RSA key of {bits} bits is published as item “{key.item_id}”")
            self._tell.saw(f"its fingerprint: {key.fingerprint}")
            return key.fingerprint

    async def _seal(self, juliet: Person) -> None:
        with self._tell.step("Juliet's client encrypts a conversation and saves it (XEP-0136, XEP-0241)"):
            saved = await juliet.plugins.archive.save_messages(self._romeo.jid, CONVERSATION)
            self._tell.saw("encrypted by the client under a fresh key (AES-256-GCM)")
            self._tell.check(
                f"the fresh key is wrapped (RSA-OAEP) for {len(saved.recipients)} key that she has published",
                holds=len(saved.recipients) == 1,
            )

    async def _verify(self, romeo: Person, fingerprint: str) -> None:
        with self._tell.step("Romeo fetches Juliet's key and verifies it"):
            (seen,) = await romeo.plugins.keys.fetch(self._juliet.jid)
            self._tell.check(
                "dates, strength and fingerprint are recomputed, and right", holds=not seen.problems
            )
            self._tell.check("so far, only the server says that it is hers", holds=seen.trust is Trust.NONE)
            confirmed = await romeo.plugins.keys.verify(self._juliet.jid, fingerprint)
            self._tell.check(
                "he compared the fingerprint that she told him: confirmed",
                holds=confirmed.trust is Trust.CONFIRMED and confirmed.is_usable,
            )

    async def _leave(self, romeo: Person) -> None:
        with self._tell.step("Romeo leaves a message for Juliet, who is offline (XEP-0160)"):
            await romeo.plugins.offline.leave(self._juliet.jid, LETTER)
            self._tell.saw("the vault keeps it")

    async def _receive(self, juliet: Person) -> None:
        with self._tell.step("Juliet logs in again"):
            await juliet.plugins.offline.receive()
            left = await juliet.next_left_message()
            self._tell.check(
                f"{left.sender.bare} left her, at {left.at:%H:%M:%S} UTC: {left.message['body']}",
                holds=str(left.sender.bare) == self._romeo.jid and left.message["body"] == LETTER,
            )

    async def _read(self, juliet: Person) -> None:
        with self._tell.step("Juliet reads her archive"):
            listed = [summary async for summary in juliet.plugins.archive.collections()]
            self._tell.check("one collection is listed, and it is encrypted", holds=_is_encrypted(listed))
            opened = [entry async for entry in juliet.plugins.archive.retrieve(listed[0].name)]
            for entry in opened:
                if isinstance(entry, ArchivedMessage):
                    self._tell.say(f"    {'from' if entry.incoming else 'to'} Romeo: {entry.body}")
            self._tell.check(
                "retrieved, decrypted and compared: every message is as it was", holds=opened == CONVERSATION
            )

    def _look(self, vault: Vault, *, finds: bool) -> None:
        bodies = [LETTER, *(message.body for message in CONVERSATION)]
        addresses = [self._juliet.jid, self._romeo.jid]
        files = vault.files()
        names = ", ".join(file.name for file in files)
        for what, texts in (("body", bodies), ("address", addresses)):
            found = self._search(files, *texts)
            for text in found:
                self._tell.say(f"    found {text}")
            told = f"the search through {names} finds {'each' if finds else 'no'} {what}"
            every = all(any(text in line for line in found) for text in texts)
            self._tell.check(told, holds=every if finds else not found)


def _is_encrypted(listed: list[Summary]) -> bool:
    return len(listed) == 1 and listed[0].encrypted
