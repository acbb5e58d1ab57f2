"""The whole vault but its stream, with accounts that keep something in every store."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import timedelta
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

from stanzavault.archive.routes import ArchiveRoutes
from stanzavault.flows.login import Login
from stanzavault.kernel.address import Address
from stanzavault.kernel.limits import Limits
from stanzavault.kernel.request import Way
from stanzavault.keys.kinds.private import RECOVERY
from stanzavault.keys.model.node import Policy
from stanzavault.keys.routes import KeyRoutes
from stanzavault.keys.store import Stores
from stanzavault.offline.model import Quota
from stanzavault.offline.routes import OfflineRoutes
from stanzavault.runtime.boundary import Addressing, Boundary, Pace, Privileges, ServerRoster, Terms
from stanzavault.runtime.boundary.route_table import RouteTable
from stanzavault.runtime.schema import every_table
from stanzavault.runtime.stream import to_wire
from support.archive_stanzas import data, key, save
from support.published_keys import OwnKey
from support.service import HOST, Inside

COMPONENT = "jabber:component:accept"
VAULT = "vault.example.org"
JULIET, NURSE, GHOST, ROMEO = (f"{name}@{HOST}" for name in ("juliet", "nurse", "ghost", "romeo"))
START = "2026-02-01T10:00:00Z"
WITH = "benvolio@montague.example"
KEY = OwnKey(JULIET)
PUBSUB = "http://jabber.org/protocol/pubsub"
OFFLINE = "http://jabber.org/protocol/offline"
NODES = ("urn:xmpp:pubkey:2", "urn:xmpp:revoke:2", "urn:xmpp:attest:2", RECOVERY)
SECRETS = ("Verona", "Mantua", "sealed-under-a-code", "benvolio")


def pubsub(inner: str, owner: str = "") -> str:
    return f"<pubsub xmlns='{PUBSUB}{owner}'>{inner}</pubsub>"


class House:
    """The whole vault but its stream."""

    def __init__(self, service: Inside) -> None:
        self.service = service
        self.sent: list[Element] = []
        component, limits = Address.parse(VAULT), Limits()
        privileges = Privileges()
        roster = ServerRoster(VAULT, privileges, self)
        login = Login(service.database, self, component, service.clock)
        keys = KeyRoutes(
            service.database, Stores.make(), self, roster, component=VAULT, policy=Policy(), limits=limits
        )
        routes = [
            roster.routes(),
            keys.routes(),
            ArchiveRoutes(service.database, limits=limits, quota=1 << 30, unopened=lambda: None).routes(),
            OfflineRoutes(
                service.database, self, login, component,
                limits=limits, quota=Quota(1 << 20, 1000), retention=timedelta(days=30),
            ).routes(),
        ]  # fmt: skip
        self.boundary = Boundary(
            Addressing(VAULT, [HOST]), Terms(limits.reply, Pace(1, 1_000_000), 30.0, "1"), routes, privileges,
            self, observer=self, correlated=lambda _id: nullcontext(),
        )  # fmt: skip

    @property
    def table(self) -> RouteTable:
        return self.boundary._table

    def settled(self, kind: str, outcome: str, seconds: float) -> None:
        """See `Observer`."""

    async def send(self, stanza: Element) -> None:
        to_wire(stanza)
        self.sent.append(stanza)

    async def request(self, iq: Element, within: float) -> Element:
        raise TimeoutError

    async def hand(self, stanza: str) -> str:
        """All that the vault sent before it was done, as text."""
        self.sent.clear()
        await self.boundary.handle(ET.fromstring(stanza))
        return "".join(to_wire(one).decode() for one in self.sent)

    async def own(self, account: str, type_: str, payload: str) -> str:
        return await self.hand(
            f"<iq xmlns='{COMPONENT}' id='1' type='{type_}' from='{account}/x' to='{VAULT}'>{payload}</iq>"
        )

    async def other(self, way: Way, principal: str, about: str, type_: str, payload: str) -> str:
        payload = payload.replace("SENDER", principal)
        if way is Way.BY_ACCOUNT:
            to = f"{about.replace('@', chr(92) + '40')}@{VAULT}"
            return await self.hand(
                f"<iq xmlns='{COMPONENT}' id='1' type='{type_}' from='{principal}' to='{to}'>{payload}</iq>"
            )
        inner = (
            f"<iq xmlns='jabber:client' id='1' type='{type_}' from='{principal}' to='{about}'>{payload}</iq>"
        )
        return await self.hand(
            f"<iq xmlns='{COMPONENT}' id='o' type='set' from='{HOST}' to='{VAULT}'>"
            f"<delegation xmlns='urn:xmpp:delegation:2'><forwarded xmlns='urn:xmpp:forward:0'>{inner}"
            "</forwarded></delegation></iq>"
        )

    async def rows(self) -> list[object]:
        """All that the database holds of what accounts keep."""
        async with self.service.database._reading.begin() as connection:
            tables = [name for name in every_table().tables if name not in {"account", "owner_key", "vault"}]
            return [
                (await connection.exec_driver_sql(f"SELECT * FROM {table}")).fetchall() for table in tables
            ]

    async def fill(self) -> None:
        """Juliet has something in every store, her nurse was here once, and the ghost never was."""
        await self.own(NURSE, "get", f"<offline xmlns='{OFFLINE}'><fetch/></offline>")
        kept = (
            save(WITH, START, "<from secs='0'><body>Verona</body></from>", subject="Mantua"),
            save(WITH, "2026-02-02T10:00:00Z", data("session"), key("session", "public")),
            pubsub(
                f"<publish node='{RECOVERY}'><item id='current'>"
                "<r xmlns='urn:r'>sealed-under-a-code</r></item></publish>"
            ),
            pubsub(f"<publish node='{NODES[0]}'><item id='current'>{KEY.pubkey}</item></publish>"),
        )
        for payload in kept:
            assert 'type="result"' in await self.own(JULIET, "set", payload)
        to = JULIET.replace("@", "\\40")
        assert not await self.hand(
            f"<message xmlns='{COMPONENT}' from='benvolio@elsewhere.example' to='{to}@{VAULT}'>"
            "<body>Verona</body></message>"
        )
