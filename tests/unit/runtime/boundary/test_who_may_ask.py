"""Every route, whichever way it is asked, against everybody who is not the account that it is about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

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
from stanzavault.wire.xml import split
from support.archive_stanzas import data, key, key_name, request, save
from support.published_keys import OwnKey
from support.service import HOST, Inside, inside

COMPONENT = "jabber:component:accept"
VAULT = "vault.example.org"
JULIET, NURSE, GHOST, ROMEO = (f"{name}@{HOST}" for name in ("juliet", "nurse", "ghost", "romeo"))
START = "2026-02-01T10:00:00Z"
WITH = "benvolio@montague.example"
KEY = OwnKey(JULIET)
PUBSUB = "http://jabber.org/protocol/pubsub"
DISCO = "http://jabber.org/protocol/disco#"
OFFLINE = "http://jabber.org/protocol/offline"
NODES = ("urn:xmpp:pubkey:2", "urn:xmpp:revoke:2", "urn:xmpp:attest:2", RECOVERY)
SECRETS = ("Verona", "Mantua", "sealed-under-a-code", "benvolio")
PRINCIPALS = (f"{ROMEO}/orchard", "mercutio@elsewhere.example/pda", "elsewhere.example", f"mallory.{HOST}")


def pubsub(inner: str, owner: str = "") -> str:
    return f"<pubsub xmlns='{PUBSUB}{owner}'>{inner}</pubsub>"


def of_nodes(*templates: str) -> list[str]:
    return [template.format(node=node) for node in (*NODES, NODES[0] + "#history") for template in templates]


def archived(*payloads: str) -> list[str]:
    return [*payloads, *(one.replace("urn:xmpp:archive'", "urn:xmpp:archive:1'") for one in payloads)]


ASKED: dict[tuple[str, str], list[str]] = {
    ("get", "list"): archived(request("list"), request("list", with_=WITH)),
    ("get", "retrieve"): archived(request("retrieve", with_=WITH, start=START)),
    ("get", "modified"): archived(request("modified", start="1970-01-01T00:00:00Z")),
    ("get", "keys"): archived(request("keys", key_name("public"))),
    ("get", "delete"): archived(request("delete", key_name("public"), with_=WITH, start=START)),
    ("set", "delete"): archived(request("delete", key_name("public"), with_=WITH, start=START)),
    ("set", "remove"): archived(request("remove"), request("remove", with_=WITH, start=START)),
    ("set", "save"): archived(save(WITH, START, "<from secs='0'><body>forged</body></from>")),
    **{(type_, name): archived(request(name)) for type_ in ("get", "set")
       for name in ("pref", "auto", "itemremove", "sessionremove")},
    ("get", "pubsub"): [pubsub(one) for one in (
        *of_nodes("<items node='{node}'/>", "<items node='{node}'><item id='current'/></items>"),
        "<subscriptions/>", "<affiliations/>",
    )],
    ("set", "pubsub"): [pubsub(one) for one in of_nodes(
        "<publish node='{node}'><item id='current'><x xmlns='urn:x'/></item></publish>",
        "<retract node='{node}'><item id='current'/></retract>", "<create node='{node}'/>",
        "<unsubscribe node='{node}' jid='SENDER'/>",
    )] + [pubsub(f"<subscribe node='{RECOVERY}' jid='SENDER'/>")],
    ("get", "pubsub#owner"): [pubsub(one, "#owner") for one in (
        "<default/>", *of_nodes("<configure node='{node}'/>", "<affiliations node='{node}'/>"),
    )],
    ("set", "pubsub#owner"): [pubsub(one, "#owner") for one in of_nodes(
        "<configure node='{node}'><x xmlns='jabber:x:data' type='submit'/></configure>",
        "<affiliations node='{node}'><affiliation jid='m@x.example' affiliation='member'/></affiliations>",
        "<purge node='{node}'/>", "<delete node='{node}'/>",
    )],
    ("get", "pubkey"): [f"<pubkey xmlns='{NODES[0]}'/>"],
    ("get", "offline"): [f"<offline xmlns='{OFFLINE}'><fetch/></offline>"],
    ("set", "offline"): [f"<offline xmlns='{OFFLINE}'><purge/></offline>"],
    ("get", "query"): [
        "<query xmlns='jabber:iq:version'/>",
        *(f"<query xmlns='{DISCO}{what}' node='{node}'/>" for what in ("info", "items")
          for node in ("", OFFLINE, *NODES, NODES[0] + "#history")),
    ],
    ("set", "query"): ["<query xmlns='jabber:iq:roster'/>"],
    ("get", "ping"): ["<ping xmlns='urn:xmpp:ping'/>"],
}  # fmt: skip
"""What is asked of each route: by the type of the IQ, and the name of its payload."""


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


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """Juliet has something in every store, her nurse was here once, and the ghost never was."""
    async with inside(tmp_path) as service:
        house = House(service)
        await house.own(NURSE, "get", f"<offline xmlns='{OFFLINE}'><fetch/></offline>")
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
            assert 'type="result"' in await house.own(JULIET, "set", payload)
        to = JULIET.replace("@", "\\40")
        assert not await house.hand(
            f"<message xmlns='{COMPONENT}' from='benvolio@elsewhere.example' to='{to}@{VAULT}'>"
            "<body>Verona</body></message>"
        )
        yield house


def routes(house: House) -> Iterator[tuple[str, str, Way]]:
    for type_, tag, way in house.table._answers:
        namespace, name = split(tag)
        yield type_, name + ("#owner" if namespace.endswith("#owner") else ""), way


def told(answer: str, account: str) -> str:
    """An answer without what differs because another account was named."""
    plain = answer.replace(account, "ACCOUNT").replace(account.replace("@", "\\40"), "ACCOUNT")
    return re.sub(r"under [0-9a-f]{16}", "under ID", plain)


async def test_every_route_is_asked_here(house: House) -> None:
    assert {(type_, name) for type_, name, _ in routes(house)} == set(ASKED)


@pytest.mark.parametrize("principal", PRINCIPALS)
async def test_nobody_reads_changes_or_finds_out_what_an_account_keeps(house: House, principal: str) -> None:
    before = await house.rows()
    asked = 0
    for type_, name, way in sorted(set(routes(house)), key=str):
        if way is Way.DIRECT:
            continue  # which can name no other account
        for payload in ASKED[type_, name]:
            answers = {
                about: await house.other(way, principal, about, type_, payload)
                for about in (JULIET, NURSE, GHOST)
            }
            asked += 1
            where = (way.value, payload)
            assert "internal-server-error" not in answers[JULIET], where
            if KEY.fingerprint in answers[JULIET] or (NODES[0] in payload and RECOVERY not in payload):
                answers.pop(JULIET)  # what she published for all to read
            else:
                assert not any(secret in answers[JULIET] for secret in SECRETS), where
            assert len({told(answer, about) for about, answer in answers.items()}) == 1, (where, answers)
    assert asked > 150
    assert await house.rows() == before


async def test_what_is_kept_is_there_for_the_account_itself(house: House) -> None:
    answers = [
        await house.own(JULIET, type_, payload)
        for type_, name in ASKED
        if type_ == "get"
        for payload in ASKED[type_, name]
    ]
    assert all(any(secret in answer for answer in answers) for secret in SECRETS)
