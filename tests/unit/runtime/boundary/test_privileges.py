"""What servers allow the vault (XEP-0356), in both versions and in both of Prosody's shapes."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from stanzavault.runtime.boundary.xep_0356 import Granted, parse
from support.desk import COMPONENT, Desk

PUBSUB, VCARD = "http://jabber.org/protocol/pubsub", "vcard-temp"


async def notice(
    desk: Desk, permissions: str, *, version: int = 2, host: str = "example.org"
) -> ET.Element | None:
    return await desk.hand(
        f"<message xmlns='{COMPONENT}' from='{host}' to='vault.example.org'>"
        f"<privilege xmlns='urn:xmpp:privilege:{version}'>{permissions}</privilege></message>"
    )


async def test_prosody_tells_what_it_allows(desk: Desk) -> None:
    answer = await notice(
        desk,
        "<perm access='roster' type='get'/><perm access='message' type='outgoing'/>"
        "<perm access='presence' type='managed_entity'/>",
    )
    assert answer is None
    assert desk.privileges.of("example.org") == Granted(
        "urn:xmpp:privilege:2", roster="get", message="outgoing", presence="managed_entity"
    )
    assert desk.outcomes == [("message", "taken")]


async def test_ejabberd_tells_what_it_allows_and_what_not(desk: Desk) -> None:
    await notice(
        desk,
        "<perm access='message' type='none'/><perm access='roster' type='both' push='true'/>"
        "<perm access='presence' type='none'/>",
        version=1,
    )
    granted = desk.privileges.of("example.org")
    assert granted == Granted("urn:xmpp:privilege:1", roster="both")
    assert granted.reads_rosters


@pytest.mark.parametrize(
    "namespaces",
    [
        f"<namespace ns='{PUBSUB}' type='set'/><namespace ns='{VCARD}' type='both'/>",
        f"<namespace ns='{PUBSUB}' type='set'><namespace ns='{VCARD}' type='both'/></namespace>",
    ],
    ids=["side by side", "nested, as Prosody does"],
)
async def test_namespaces_of_iqs_are_read_in_both_shapes(desk: Desk, namespaces: str) -> None:
    await notice(desk, f"<perm access='iq'>{namespaces}</perm>")
    granted = desk.privileges.of("example.org")
    assert granted is not None
    assert granted.iqs == {PUBSUB: "set", VCARD: "both"}


async def test_each_host_allows_for_itself(desk: Desk) -> None:
    await notice(desk, "<perm access='roster' type='get'/>")
    assert desk.privileges.of("example.net") is None
    await notice(desk, "<perm access='roster' type='set'/>", host="example.net")
    other = desk.privileges.of("example.net")
    assert other is not None
    assert not other.reads_rosters


async def test_a_later_notice_replaces_the_earlier(desk: Desk) -> None:
    await notice(desk, "<perm access='roster' type='get'/>")
    await notice(desk, "<perm access='message' type='outgoing'/>")
    assert desk.privileges.of("example.org") == Granted("urn:xmpp:privilege:2", message="outgoing")


async def test_what_is_unknown_grants_nothing(desk: Desk) -> None:
    await notice(desk, "<perm access='roster' type='all'/><perm access='root' type='get'/><perm/><other/>")
    assert desk.privileges.of("example.org") == Granted("urn:xmpp:privilege:2")
    await notice(desk, "<perm access='roster' type='get'/>", version=3, host="example.net")
    assert desk.privileges.of("example.net") is None


async def test_what_was_allowed_is_forgotten_with_the_link(desk: Desk) -> None:
    await notice(desk, "<perm access='roster' type='get'/>")
    desk.privileges.forget()
    assert desk.privileges.of("example.org") is None


@pytest.mark.parametrize("version", [1, 2])
async def test_a_notice_of_delegation_is_taken(desk: Desk, version: int) -> None:
    answer = await desk.hand(
        f"<message xmlns='{COMPONENT}' from='example.org' to='vault.example.org'>"
        f"<delegation xmlns='urn:xmpp:delegation:{version}'>"
        "<delegated namespace='urn:xmpp:archive'/></delegation></message>"
    )
    assert answer is None
    assert desk.outcomes == [("message", "taken")]


def test_the_example_of_the_text_is_read() -> None:
    """XEP-0356, section 7.5."""
    granted = parse(
        ET.fromstring(
            "<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='both' push='true'/>"
            "<perm access='message' type='none'/>"
            f"<perm access='iq'><namespace ns='{PUBSUB}' type='set'/></perm>"
            "<perm access='presence' type='roster'/></privilege>"
        )
    )
    assert granted == Granted("urn:xmpp:privilege:2", roster="both", presence="roster", iqs={PUBSUB: "set"})
