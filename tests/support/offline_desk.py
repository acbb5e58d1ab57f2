"""The offline slice over a real database, before a stream whose other end a test plays."""

from __future__ import annotations

import asyncio
import copy
import sqlite3
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from stanzavault.flows.login import Login
from stanzavault.kernel.address import Address
from stanzavault.kernel.limits import Limits
from stanzavault.offline.model import Quota, Window
from stanzavault.offline.routes import OfflineRoutes
from stanzavault.runtime.boundary import Addressing, Boundary, Pace, Privileges, Terms
from stanzavault.storage.unit import Database
from support.service import Inside

COMPONENT = "jabber:component:accept"
VAULT = "vault.example.org"
HOSTS = ("example.org", "montague.net", "capulet.com")
MESSAGE = f"{{{COMPONENT}}}message"
_STANZAS = "urn:ietf:params:xml:ns:xmpp-stanzas"


def condition(stanza: Element) -> str | None:
    """The condition of an error stanza, None where it is none."""
    error = stanza.find(f"{{{COMPONENT}}}error")
    if error is None:
        return None
    return next(
        child.tag.split("}")[1]
        for child in error
        if child.tag.startswith(f"{{{_STANZAS}}}") and not child.tag.endswith("}text")
    )


def stanza_id(message: Element) -> str:
    """The vault's id of a message."""
    (mark,) = [it for it in message.findall("{urn:xmpp:sid:0}stanza-id") if it.get("by") == VAULT]
    return mark.get("id", "")


def body(message: Element) -> str:
    """What a message says."""
    return message.findtext(f"{{{COMPONENT}}}body", "")


@dataclass
class Session:
    """A client that is logged in.

    Attributes:
        received: what came to it.
        asked: payload tags of the IQs that came to it, each with how many messages were before it.
        answers: by payload tag: None for a result, else the name of an error; "silence" for no answer.
        held: while it is clear, no answer leaves.
    """

    received: list[Element] = field(default_factory=list)
    asked: list[tuple[str, int]] = field(default_factory=list)
    answers: dict[str, str | None] = field(default_factory=dict)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def bodies(self) -> list[str]:
        return [body(message) for message in self.received]

    @property
    def ids(self) -> list[str]:
        return [stanza_id(message) for message in self.received]


class Wire:
    """The stream and the server behind it. A session that is not there is answered for as servers do."""

    def __init__(self) -> None:
        self.sent: list[Element] = []
        self.sessions: dict[str, Session] = {}
        self.before: Callable[[str], None] = lambda _what: None

    async def send(self, stanza: Element) -> None:
        self.before("send")
        await asyncio.sleep(0)
        self.sent.append(copy.deepcopy(stanza))
        session = self.sessions.get(stanza.get("to", ""))
        if session is not None and stanza.tag == MESSAGE:
            session.received.append(copy.deepcopy(stanza))

    async def request(self, iq: Element, within: float) -> Element:
        self.before("request")
        await asyncio.sleep(0)
        session = self.sessions.get(iq.get("to", ""))
        error: str | None = "service-unavailable"
        if session is not None:
            session.asked.append((iq[0].tag, len(session.received)))
            session.waiting.set()
            await session.held.wait()
            error = session.answers.get(iq[0].tag)
        self.before("answer")
        if error == "silence":
            raise TimeoutError
        answer = Element(iq.tag, {"id": iq.get("id", ""), "from": iq.get("to", ""), "to": iq.get("from", "")})
        answer.set("type", "error" if error else "result")
        if error:
            ET.SubElement(ET.SubElement(answer, f"{{{COMPONENT}}}error"), f"{{{_STANZAS}}}{error}")
        return answer


@dataclass(frozen=True)
class Deployment:
    """What an operator sets."""

    quota: Quota = field(default_factory=lambda: Quota(bytes=1_000_000, messages=1000))
    limits: Limits = field(default_factory=Limits)
    window: Window = field(default_factory=Window)


class Desk:
    """The vault's offline slice, and what is said to it."""

    def __init__(self, service: Inside, deployment: Deployment) -> None:
        self.service = service
        self.database: Database = service.database
        self.clock = service.clock
        self.deployment = deployment
        self.wire = Wire()
        self.unopened = 0
        self.outcomes: list[str] = []
        self.start()

    def start(self) -> None:
        """Build it anew over the same database, as a start of the process does."""
        component = Address.parse(VAULT)
        self.login = Login(
            self.database,
            self.wire,
            component,
            self.clock,
            window=self.deployment.window,
            unopened=self.count_unopened,
        )
        self.start_routes()

    def start_routes(self) -> None:
        """Build the routes anew, as they are told of the login flow's present functions."""
        component = Address.parse(VAULT)
        self.routes = OfflineRoutes(
            self.database, self.wire, self.login, component,
            limits=self.deployment.limits, quota=self.deployment.quota,
            retention=timedelta(days=30), unopened=self.count_unopened,
        ).routes()  # fmt: skip
        self.boundary = Boundary(
            Addressing(VAULT, HOSTS),
            Terms(self.deployment.limits.reply, Pace(1000, 100_000), answer_within=30.0, version="1"),
            [self.routes], Privileges(), self.wire, observer=self, correlated=lambda _id: nullcontext(),
        )  # fmt: skip

    @property
    def folder(self) -> Path:
        """Where the database's files lie."""
        return Path(str(self.service.url.database)).parent

    def count_unopened(self) -> None:
        self.unopened += 1

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        self.outcomes.append(outcome)

    # What is said to it

    async def hand(self, stanza: str | Element) -> list[Element]:
        """Hand a stanza over; what the vault sent by the time it was served."""
        tree = ET.fromstring(stanza) if isinstance(stanza, str) else stanza
        before = len(self.wire.sent)
        await self.boundary.handle(tree)
        return self.wire.sent[before:]

    async def leave(
        self, text: str = "Hello", *,
        sender: str = "romeo@montague.net/orchard", to: str = "juliet@example.org",
        type_: str | None = "chat", more: str = "",
    ) -> str | None:  # fmt: skip
        """Leave a message; the condition of the error that answers, None where none does."""
        kind = f"type='{type_}'" if type_ is not None else ""
        at = to.replace("@", "\\40")
        answers = await self.hand(
            f"<message xmlns='{COMPONENT}' from='{sender}' to='{at}@{VAULT}' {kind} id='m'>"
            f"<body>{text}</body>{more}</message>"
        )
        errors = [it for it in answers if it.get("type") == "error"]
        return condition(errors[0]) if errors else None

    async def presence(self, sender: str, type_: str | None = None, *, priority: int | None = None) -> None:
        """Send presence, and wait until nothing goes on any more."""
        await self.say_presence(sender, type_, priority=priority)
        await self.idle()

    async def say_presence(
        self, sender: str, type_: str | None = None, *, priority: int | None = None
    ) -> None:
        """Send presence."""
        kind = f"type='{type_}'" if type_ else ""
        inner = "" if priority is None else f"<priority>{priority}</priority>"
        await self.hand(
            f"<presence xmlns='{COMPONENT}' from='{sender}' to='{VAULT}' {kind}>{inner}</presence>"
        )

    def session(self, jid: str = "juliet@example.org/balcony", **answers: str | None) -> Session:
        """A client that the server can reach from now on."""
        session = self.wire.sessions[jid] = Session()
        session.held.set()
        return session

    async def log_in(self, jid: str = "juliet@example.org/balcony") -> Session:
        """A client that becomes available."""
        session = self.session(jid)
        await self.presence(jid)
        return session

    async def log_out(self, jid: str = "juliet@example.org/balcony") -> None:
        """The client ends, and the server tells it."""
        self.wire.sessions.pop(jid, None)
        await self.presence(jid, "unavailable")

    async def meet(self, jid: str = "juliet@example.org") -> None:
        """Make the account known, as its first login does, and log it out again."""
        await self.log_in(f"{jid}/first")
        await self.log_out(f"{jid}/first")

    async def ask(
        self, payload: str, *, sender: str = "juliet@example.org/balcony", type_: str = "get", to: str = VAULT
    ) -> Element:
        """The answer to an IQ."""
        sent = await self.hand(
            f"<iq xmlns='{COMPONENT}' type='{type_}' id='q' from='{sender}' to='{to}'>{payload}</iq>"
        )
        return sent[-1]

    async def idle(self) -> None:
        """Wait until every delivery has ended and every effect has run."""
        await self.service.database._effects.join()
        while self.login._tasks:
            await asyncio.gather(*self.login._tasks.values(), return_exceptions=True)

    async def headers(self, sender: str = "juliet@example.org/balcony") -> list[Element]:
        """The headers of all messages that wait."""
        answer = await self.ask(
            "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/offline'/>",
            sender=sender,
        )
        return [it for it in answer[0] if it.tag.endswith("}item")]

    def waiting(self) -> list[str]:
        """Ids of the messages that are durable in the file, as another process sees them."""
        return [row.hex() for row in self.rows("SELECT id FROM offline_message ORDER BY position")]

    def usage(self) -> tuple[int, int]:
        """Bytes and records that are counted."""
        used = self.rows("SELECT bytes FROM usage WHERE store = 3")
        records = self.rows("SELECT records FROM usage WHERE store = 3")
        return sum(used), sum(records)

    def rows(self, statement: str) -> list[Any]:
        """What another connection reads: the first column of each row."""
        connection = sqlite3.connect(f"file:{self.service.url.database}?mode=ro", uri=True)
        try:
            return [row[0] for row in connection.execute(statement)]
        finally:
            connection.close()
