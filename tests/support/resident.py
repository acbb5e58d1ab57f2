"""An account that uses all three stores of a vault, and tells what it finds there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from support.accounts import Account, new_account
from support.archive_stanzas import ARCHIVE, RSM, page, request, save
from support.clients import Client, logged_in
from support.key_desk import PUBKEY, PUBSUB, pubsub
from support.offline_clients import come, leave, number_waiting
from support.published_keys import OwnKey
from support.vaults import ServerVault

START = "2026-02-01T10:00:00Z"
_PAGE = 100


@dataclass(frozen=True)
class Resident:
    """An account with a resource that is logged in and known to the vault, and its key."""

    client: Client
    vault: ServerVault
    key: OwnKey

    @property
    def account(self) -> Account:
        """The account."""
        return self.client.account

    @property
    def jid(self) -> str:
        """The bare JID."""
        return self.account.jid

    @property
    def address(self) -> str:
        """The account's address at the vault (XEP-0106)."""
        return f"{self.account.user}\\40{self.account.domain}@{self.vault.jid}"

    async def get(self, asked: str, *, to: str | None = None) -> ET.Element:
        """Ask the vault; returns the whole result."""
        return await self.client.iq_get(ET.fromstring(asked), to=to or self.vault.jid)

    async def set(self, asked: str, *, to: str | None = None) -> ET.Element:
        """Have the vault change something; returns the whole result."""
        return await self.client.iq_set(ET.fromstring(asked), to=to or self.vault.jid)

    async def save(self, *texts: str, start: str = START) -> None:
        """Append messages to the collection of one conversation."""
        messages = (f"<to secs='0'><body>{escape(text)}</body></to>" for text in texts)
        await self.set(save("benvolio@montague.example", start, *messages))

    async def archived(self, start: str = START) -> list[str]:
        """The messages of that collection, page by page."""
        found: list[str] = []
        after = None
        while True:
            asked = request(
                "retrieve", page(_PAGE, after=after), with_="benvolio@montague.example", start=start
            )
            answer = await self.get(asked)
            found += [body.text or "" for body in answer.iter(f"{{{ARCHIVE}}}body")]
            after = answer.findtext(f".//{{{RSM}}}last")
            if after is None or len(found) >= int(answer.findtext(f".//{{{RSM}}}count") or 0):
                return found

    async def publish(self, item: str = "current", key: OwnKey | None = None) -> None:
        """Publish a key."""
        payload = (key or self.key).pubkey
        await self.set(pubsub(f"<publish node='{PUBKEY}'><item id='{item}'>{payload}</item></publish>"))

    async def published(self, owner: Resident | None = None) -> dict[str, str]:
        """The fingerprint of each item that an account publishes, one's own by default."""
        found: dict[str, str] = {}
        after = None
        while True:
            asked = pubsub(f"<items node='{PUBKEY}'/>{page(_PAGE, after=after)}")
            answer = await self.get(asked, to=(owner or self).address)
            for item in answer.iter(f"{PUBSUB}item"):
                assert item.get("id", "") not in found
                found[item.get("id", "")] = item.findtext(f".//{{{PUBKEY}}}print", "")
            after = answer.findtext(f".//{{{RSM}}}last")
            if after is None or len(found) >= int(answer.findtext(f".//{{{RSM}}}count") or 0):
                return found

    def leave(self, account: Account, text: str) -> None:
        """Leave a message; only a refusal is ever answered."""
        leave(self.client, self.vault, account, text)

    async def waiting(self) -> int:
        """How many messages wait for the account."""
        return await number_waiting(self.client, self.vault)

    def keys(self) -> Iterator[OwnKey]:
        """Different keys without end: one key pair that is valid for a second longer each time."""
        end = datetime(2031, 1, 1, tzinfo=UTC)
        for number in count():
            yield OwnKey(self.jid, end=f"{end + timedelta(seconds=number):%Y-%m-%dT%H:%M:%SZ}")


@asynccontextmanager
async def resident(
    vault: ServerVault, name: str = "juliet", *, account: Account | None = None, resource: str = "home"
) -> AsyncIterator[Resident]:
    """Log an account in, a new one unless told, and have the vault know it."""
    account = account or await new_account(vault.server, name)
    async with logged_in(vault.server, account, resource, presence=False) as client:
        come(client, vault)
        await client.pass_through(vault.jid)
        yield Resident(client, vault, OwnKey(account.jid))
