"""Two slixmpp clients that are linked to each other without a server or a network."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree as ET

from slixmpp import ClientXMPP

from esession import Policy
from stanzavault_client import SQLiteStore, register
from stanzavault_client.esession import ESessionPlugin, Happening
from stanzavault_client.esession.happenings import NAMES
from support.clients import end_sending
from support.vault_clients import PASSPHRASE, QUICK

ALICE, BOB = "alice@example.org/pda", "bob@example.com/laptop"
_EVENTS = {*NAMES.values(), "esession_message", "esession_presence"}


class Linked(ClientXMPP):
    """A client whose stanzas go to another, as a server would carry them; `sent` holds them all."""

    def __init__(self, jid: str, store: SQLiteStore, sessions: Policy, configuration: dict[str, Any]) -> None:
        super().__init__(
            jid, "no password", plugin_config={"esession": {"sessions": sessions, **configuration}}
        )
        self.store = store
        self.whitespace_keepalive = False
        self.sessions: ESessionPlugin = register(self, store=store).esession
        self.other: Linked | None = None
        self.sent: list[ET.Element] = []
        self.happened: list[tuple[str, Happening]] = []
        self._news = asyncio.Condition()
        self._tasks: set[asyncio.Task[Any]] = set()
        for name in _EVENTS:
            self._listen_to(name)
        self.transport = cast("asyncio.Transport", self)
        self._run_out_filters = asyncio.ensure_future(self.run_filters())
        self.event("connecting")
        self.event("session_bind", self.boundjid)
        self.event("session_start")

    def write(self, data: bytes) -> None:
        """Be the transport: carry a stanza to the other, if there is one and it is for it."""
        stanza = ET.fromstring(b"<s xmlns='jabber:client'>" + data + b"</s>")[0]
        stanza.set("from", str(self.boundjid.full))
        self.sent.append(stanza)
        if self.other is not None and stanza.get("to", "").partition("/")[0] == self.other.boundjid.bare:
            other = self.other
            other.loop.call_soon(other.take, ET.fromstring(ET.tostring(stanza)))

    def take(self, stanza: ET.Element) -> None:
        """Take a stanza as if the server had delivered it."""
        self._spawn_event(stanza)

    def _listen_to(self, name: str) -> None:
        self.add_event_handler(name, lambda happening: self._heard(name, happening))

    def _heard(self, name: str, happening: Happening) -> None:
        self.happened.append((name, happening))
        task = asyncio.ensure_future(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._news:
            self._news.notify_all()

    def all_of(self, name: str) -> list[Happening]:
        """Every event of a name."""
        return [happening for each, happening in self.happened if each == name]

    async def event_of(self, name: str, number: int = 1) -> Happening:
        """The `number`th event of a name, once it is here."""
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(lambda: len(self.all_of(name)) >= number)
        return self.all_of(name)[number - 1]


@asynccontextmanager
async def linked(
    folder: Path, policy: Policy, *, accepting: bool = True, **configuration: Any
) -> AsyncIterator[tuple[Linked, Linked]]:
    """Alice and Bob, linked; each accepts what it is asked, if `accepting`."""
    found = []
    for jid in (ALICE, BOB):
        store = SQLiteStore.open(folder / f"{jid.partition('@')[0]}.db", PASSPHRASE, cost=QUICK)
        found.append(Linked(jid, store, policy, configuration))
    alice, bob = found
    alice.other, bob.other = bob, alice
    if accepting:
        for client in found:

            async def accept(happening: Happening) -> None:
                await happening.session.accept()

            client.add_event_handler("esession_requested", accept)
    try:
        yield alice, bob
    finally:
        for client in found:
            client.transport = None
            client.sessions.plugin_end()
            await end_sending(client)
            client.store.close()
