"""Discovery (XEP-0030), version (0092), ping (0199) and what servers nest in theirs (0355, section 7.2)."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from stanzavault.kernel.routing import Delegated, DiscoNode, Routes
from stanzavault.runtime.boundary.xep_0030 import Discovery
from support.desk import Desk, inside

INFO = "http://jabber.org/protocol/disco#info"
ITEMS = "http://jabber.org/protocol/disco#items"
ACCOUNT = "romeo\\40example.org@vault.example.org"
OWN = ["http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items"]


def features(query: Element) -> list[str | None]:
    return [child.get("var") for child in query if child.tag == f"{{{INFO}}}feature"]


def identities(query: Element) -> list[tuple[str | None, str | None, str | None]]:
    return [
        (child.get("category"), child.get("type"), child.get("name"))
        for child in query
        if child.tag == f"{{{INFO}}}identity"
    ]


async def test_the_component_tells_what_it_is_and_serves(desk: Desk) -> None:
    (query,) = await desk.ask(f"<query xmlns='{INFO}'/>")
    assert identities(query) == [("component", "archive", "Stanzavault")]
    assert features(query) == [
        *OWN, "jabber:iq:version", "urn:example:echo", "urn:example:of-the-component",
        "urn:xmpp:delegation:1", "urn:xmpp:delegation:2", "urn:xmpp:ping",
    ]  # fmt: skip


async def test_an_account_address_tells_what_can_be_asked_of_it(desk: Desk) -> None:
    (query,) = await desk.ask(f"<query xmlns='{INFO}'/>", to=ACCOUNT)
    assert len(identities(query)) == 1
    assert features(query) == [
        *OWN, "jabber:iq:version", "urn:example:echo", "urn:example:of-the-account", "urn:xmpp:ping",
    ]  # fmt: skip


async def test_discovery_of_an_account_does_not_tell_whether_it_exists(desk: Desk) -> None:
    there = await desk.ask(f"<query xmlns='{INFO}'/>", to=ACCOUNT)
    elsewhere = await desk.ask(f"<query xmlns='{INFO}'/>", to="nobody\\40example.org@vault.example.org")
    assert features(there[0]) == features(elsewhere[0])
    assert identities(there[0]) == identities(elsewhere[0])


@pytest.mark.parametrize("to", ["vault.example.org", ACCOUNT])
async def test_items_list_the_nodes(desk: Desk, to: str) -> None:
    (query,) = await desk.ask(f"<query xmlns='{ITEMS}'/>", to=to)
    assert [child.attrib for child in query] == [{"jid": to, "node": "urn:example:node"}]


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
async def test_a_node_is_served_by_its_slice(desk: Desk, namespace: str) -> None:
    (query,) = await desk.ask(f"<query xmlns='{namespace}' node='urn:example:node'/>", to=ACCOUNT)
    assert query.attrib == {"node": "urn:example:node"}
    assert "romeo@example.org" in query[0].attrib.values()


@pytest.mark.parametrize("namespace", [INFO, ITEMS])
@pytest.mark.parametrize("version", [1, 2])
async def test_a_node_is_served_where_the_server_hands_it_over(
    desk: Desk, namespace: str, version: int
) -> None:
    """Prosody hands over the nodes of XEP-0013 so, where it is told to."""
    answer = await desk.hand_over(f"<query xmlns='{namespace}' node='urn:example:node'/>", version=version)
    (query,) = inside(answer)
    assert query.attrib == {"node": "urn:example:node"}
    assert "juliet@example.org" in query[0].attrib.values()


async def test_items_handed_over_without_a_node_are_those_of_the_account(desk: Desk) -> None:
    (query,) = inside(await desk.hand_over(f"<query xmlns='{ITEMS}'/>"))
    assert [child.get("jid") for child in query] == ["juliet@example.org"]


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("separator", "nested"), [("::", "urn:example:echo#host"), (":bare:", "urn:example:echo#account")]
)
async def test_servers_learn_what_to_nest(desk: Desk, version: int, separator: str, nested: str) -> None:
    node = f"urn:xmpp:delegation:{version}{separator}urn:example:echo"
    answer = await desk.ask(f"<query xmlns='{INFO}' node='{node}'/>", sender="example.org")
    (query,) = answer
    assert query.get("node") == node
    assert features(query) == ["urn:example:echo", nested]
    assert identities(query) == [], "the server would show it as its own"


async def test_a_nested_node_has_no_items(desk: Desk) -> None:
    node = "urn:xmpp:delegation:2::urn:example:echo"
    (query,) = await desk.ask(f"<query xmlns='{ITEMS}' node='{node}'/>", sender="example.org")
    assert list(query) == []


@pytest.mark.parametrize("to", ["vault.example.org", ACCOUNT])
async def test_version_tells_name_and_version_and_no_operating_system(desk: Desk, to: str) -> None:
    (query,) = await desk.ask("<query xmlns='jabber:iq:version'/>", to=to)
    assert {child.tag: child.text for child in query} == {
        "{jabber:iq:version}name": "Stanzavault",
        "{jabber:iq:version}version": "1.2.3",
    }


@pytest.mark.parametrize("to", ["vault.example.org", ACCOUNT])
@pytest.mark.parametrize("sender", ["juliet@example.org/balcony", "example.org", "romeo@montague.example"])
async def test_ping_is_answered(desk: Desk, to: str, sender: str) -> None:
    answer = await desk.ask("<ping xmlns='urn:xmpp:ping'/>", to=to, sender=sender)
    assert answer.get("type") == "result"
    assert len(answer) == 0


async def _children(_: object) -> list[Element]:
    return []


@pytest.mark.parametrize(
    "routes",
    [
        Routes(nodes=(DiscoNode("same", _children, _children),)),
        Routes(delegated=(Delegated("same"),)),
    ],
)
def test_nothing_is_advertised_by_two_slices(routes: Routes) -> None:
    with pytest.raises(ValueError, match="twice"):
        Discovery([routes, routes])
