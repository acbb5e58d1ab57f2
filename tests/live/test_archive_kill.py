"""SIGKILL in the middle of saves: what was acknowledged is in the archive, once and in order (XEP-0136).

An upload counts as acknowledged once its `<save/>` was answered. Nothing is sent again, so nothing may be
there twice; each is there whole or not at all, and the version counts those that are there.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

import pytest

from support.accounts import new_account
from support.archive_stanzas import ARCHIVE, RSM, page, request, save
from support.clients import Client, StanzaRefusedError, logged_in
from support.vaults import ServerVault

PEER = "juliet@capulet.com"
START = "1469-07-21T02:56:15Z"
IN_ONE_UPLOAD = 3


@dataclass
class Ledger:
    """Uploads by their number: which were sent, which were acknowledged, and which are there."""

    sent: int = 0
    acknowledged: set[int] = field(default_factory=set)

    def check(self, bodies: list[str], version: int) -> None:
        there = [int(body.split()[0]) for body in bodies[::IN_ONE_UPLOAD]]
        assert bodies == [f"{number} {part}" for number in there for part in range(IN_ONE_UPLOAD)]
        assert len(there) == len(set(there)), "an upload is there twice"
        assert self.acknowledged <= set(there), f"lost: {sorted(self.acknowledged - set(there))}"
        assert version == len(there) - 1


async def upload(client: Client, vault: ServerVault, ledger: Ledger) -> None:
    """Upload for as long as the vault answers, several at once."""
    while True:
        numbers = range(ledger.sent, ledger.sent + 4)
        ledger.sent += len(numbers)
        answers = await asyncio.gather(
            *(_upload(client, vault, number) for number in numbers), return_exceptions=True
        )
        ledger.acknowledged |= {
            number
            for number, answer in zip(numbers, answers, strict=True)
            if not isinstance(answer, Exception)
        }
        if any(isinstance(answer, StanzaRefusedError) for answer in answers):
            return


async def _upload(client: Client, vault: ServerVault, number: int) -> None:
    said = "".join(f"<to><body>{number} {part}</body></to>" for part in range(IN_ONE_UPLOAD))
    await client.iq_set(ET.fromstring(save(PEER, START, said)), to=vault.jid)


async def content(client: Client, vault: ServerVault) -> tuple[list[str], int]:
    """Every body of the collection, page by page, and its version."""
    bodies: list[str] = []
    after = None
    while True:
        asked = request("retrieve", page(50, after=after), with_=PEER, start=START)
        chat = (await client.iq_get(ET.fromstring(asked), to=vault.jid))[0]
        if len(chat) == 1:
            return bodies, int(chat.get("version", ""))
        bodies += [item.findtext(f"{{{ARCHIVE}}}body", "") for item in chat[:-1]]
        after = chat.findtext(f"{{{RSM}}}set/{{{RSM}}}last")


async def kill_in_the_middle(vault: ServerVault, kills: int, seed: int) -> Ledger:
    chance = random.Random(seed)
    ledger = Ledger()
    account = await new_account(vault.server, "romeo")
    async with logged_in(vault.server, account) as client:
        await _upload(client, vault, 0)
        ledger.acknowledged.add(0)
        ledger.sent = 1
        for _ in range(kills):
            uploading = asyncio.create_task(upload(client, vault, ledger))
            await asyncio.sleep(chance.uniform(0.05, 0.6))  # the moment is drawn, not waited for
            vault.kill()
            uploading.cancel()
            await asyncio.gather(uploading, return_exceptions=True)
            await vault.start_again()
            ledger.check(*await content(client, vault))
    return ledger


async def test_a_few_kills_lose_and_double_nothing(vault: ServerVault) -> None:
    ledger = await kill_in_the_middle(vault, kills=4, seed=1)
    assert len(ledger.acknowledged) > 1


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 5))
async def test_many_kills_lose_and_double_nothing(vault: ServerVault, seed: int) -> None:
    ledger = await kill_in_the_middle(vault, kills=60, seed=seed)
    print(f"{ledger.sent} sent, {len(ledger.acknowledged)} acknowledged")
