"""SIGKILL in the middle of saves and deliveries: what was acknowledged is there, once, under one id.

A message counts as acknowledged once the vault has answered a ping that its sender sent behind it: the vault
takes the stanzas of one account in order, and is done with a message only when it is durable. Nothing is ever
sent again by the sender, so nothing may be there twice.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from xml.etree import ElementTree as ET

import pytest

from support.accounts import Account, new_account
from support.clients import Client, StanzaRefusedError, logged_in
from support.offline_clients import (
    bodies,
    come,
    ids,
    leave,
    left_messages,
    number_waiting,
    until_empty,
    visitor,
)
from support.vaults import ServerVault

PING = "{urn:xmpp:ping}ping"
BURST = 5


@dataclass
class Ledger:
    """What was sent, what was acknowledged, and what came: the body of each id, session by session."""

    sent: list[str] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    sessions: list[list[tuple[str, str]]] = field(default_factory=list)

    def note(self, client: Client, vault: ServerVault) -> None:
        """Write down what one session has received."""
        messages = left_messages(client, vault)
        self.sessions.append(list(zip(ids(messages, vault), bodies(messages), strict=True)))

    def check(self) -> None:
        """See that everything acknowledged came, each under one id, and in order within a session."""
        body_of: dict[str, str] = {}
        for session in self.sessions:
            for id_, text in session:
                assert body_of.setdefault(id_, text) == text
            places = [self.sent.index(text) for _, text in session]
            assert places == sorted(set(places)), "a session got messages out of order, or one twice"
        texts = list(body_of.values())
        assert len(texts) == len(set(texts)), "a message came under two ids"
        assert self.acknowledged <= set(texts), f"lost: {sorted(self.acknowledged - set(texts))}"
        assert set(texts) <= set(self.sent)


async def send_bursts(client: Client, vault: ServerVault, to: Account, ledger: Ledger) -> None:
    """Leave messages, burst after burst, for as long as the vault answers."""
    while True:
        burst = [str(len(ledger.sent) + number) for number in range(BURST)]
        ledger.sent += burst
        for text in burst:
            leave(client, vault, to, text)
        try:
            await client.iq_get(ET.Element(PING), to=vault.jid)
        except StanzaRefusedError:
            return
        ledger.acknowledged |= set(burst)


async def kill_in_the_middle(vault: ServerVault, kills: int, seed: int) -> Ledger:
    """Play rounds that each end in a kill: of saves alone, of a delivery alone, or of both at once."""
    chance = random.Random(seed)
    ledger = Ledger()
    romeo, juliet = await new_account(vault.server, "romeo"), await new_account(vault.server, "juliet")
    async with visitor(vault, juliet):
        pass
    async with logged_in(vault.server, romeo, "orchard", presence=False) as sender:
        for number in range(kills):
            kind = ("saves", "delivery", "both")[number % 3]
            async with logged_in(vault.server, juliet, f"session-{number}", presence=False) as reader:
                if kind != "saves":
                    come(reader, vault)
                sending = None
                if kind != "delivery":
                    sending = asyncio.create_task(send_bursts(sender, vault, juliet, ledger))
                await asyncio.sleep(chance.uniform(0.0, 0.6))  # the moment is drawn, not waited for
                vault.kill()
                if sending is not None:
                    sending.cancel()
                    await asyncio.gather(sending, return_exceptions=True)
                await reader.pass_through()
                ledger.note(reader, vault)
            await vault.start_again()
    async with visitor(vault, juliet, "the-last") as reader:
        await until_empty(reader, vault)
        await reader.pass_through(vault.jid)
        ledger.note(reader, vault)
        assert await number_waiting(reader, vault) == 0
    return ledger


@pytest.mark.parametrize("seed", [1])
async def test_a_few_kills_lose_and_double_nothing(vault: ServerVault, seed: int) -> None:
    ledger = await kill_in_the_middle(vault, kills=6, seed=seed)
    ledger.check()
    assert ledger.acknowledged


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(2, 5))
async def test_many_kills_lose_and_double_nothing(vault: ServerVault, seed: int) -> None:
    ledger = await kill_in_the_middle(vault, kills=60, seed=seed)
    ledger.check()
    print(
        f"{len(ledger.sent)} sent, {len(ledger.acknowledged)} acknowledged, {len(ledger.sessions)} sessions"
    )
