"""Every route, whichever way it is asked, against everybody who is not the account that it is about."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from stanzavault.kernel.request import Way
from stanzavault.keys.kinds.private import RECOVERY
from stanzavault.wire.xml import split
from support.archive_stanzas import key_name, request, save
from support.house import (
    GHOST,
    JULIET,
    KEY,
    NODES,
    NURSE,
    OFFLINE,
    ROMEO,
    SECRETS,
    START,
    WITH,
    House,
    pubsub,
)  # fmt: skip
from support.service import HOST, inside

DISCO = "http://jabber.org/protocol/disco#"
PRINCIPALS = (f"{ROMEO}/orchard", "mercutio@elsewhere.example/pda", "elsewhere.example", f"mallory.{HOST}")


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


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with inside(tmp_path) as service:
        house = House(service)
        await house.fill()
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
