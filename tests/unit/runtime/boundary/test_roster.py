"""Rosters are read through the server's privilege (XEP-0356), and what is not granted is said."""

from __future__ import annotations

import asyncio
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element

import pytest

from stanzavault.kernel.address import Address
from stanzavault.kernel.errors import Forbidden, ResourceConstraint
from stanzavault.kernel.request import Principal, Request, Way
from stanzavault.runtime.boundary import Privileges, ServerRoster
from stanzavault.runtime.stream import Disconnected
from support.desk import Clock

JULIET = Address.parse("juliet@example.org")
ROSTER = (
    "<item jid='nurse@example.org' subscription='both'/>"
    "<item jid='romeo@montague.example' subscription='from'/>"
    "<item jid='paris@example.org' subscription='to'/><item jid='tybalt@example.org' subscription='none'/>"
    "<item jid='@' subscription='both'/><item subscription='both'/>"
)


class Server:
    """Answers what it is asked with whatever `answers` holds; the last answer stays."""

    def __init__(self, *answers: str | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[Element] = []
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def send(self, stanza: Element) -> None:
        raise AssertionError("a roster is asked for")

    async def request(self, iq: Element, within: float) -> Element:
        self.asked.append(iq)
        self.was_asked.set()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await self.may_answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return ET.fromstring(answer)


def result(items: str = ROSTER) -> str:
    return (
        "<iq xmlns='jabber:component:accept' type='result' id='1'>"
        f"<query xmlns='jabber:iq:roster'>{items}</query></iq>"
    )


def error(condition: str) -> str:
    return (
        "<iq xmlns='jabber:component:accept' type='error' id='1'><error type='auth'>"
        f"<{condition} xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"
    )


def allowed(type_: str = "get") -> Privileges:
    privileges = Privileges()
    notice = f"<privilege xmlns='urn:xmpp:privilege:2'><perm access='roster' type='{type_}'/></privilege>"
    privileges.record("example.org", ET.fromstring(notice))
    return privileges


def roster_of(
    server: Server, clock: Clock | None = None, privileges: Privileges | None = None
) -> ServerRoster:
    return ServerRoster("vault.example.org", privileges or allowed(), server, now=clock or Clock())


@pytest.mark.parametrize(
    ("contact", "subscribed"),
    [
        ("nurse@example.org", True), ("nurse@example.org/kitchen", True), ("romeo@montague.example", True),
        ("paris@example.org", False), ("tybalt@example.org", False), ("mallory@evil.example", False),
        ("montague.example", False),
    ],
)  # fmt: skip
async def test_a_contact_sees_the_presence_where_its_subscription_says_so(
    contact: str, subscribed: bool
) -> None:
    server = Server(result())
    assert await roster_of(server).is_subscribed(JULIET, Address.parse(contact)) is subscribed
    (iq,) = server.asked
    assert (iq.get("type"), iq.get("from"), iq.get("to")) == (
        "get",
        "vault.example.org",
        "juliet@example.org",
    )
    assert [child.tag for child in iq] == ["{jabber:iq:roster}query"]


@pytest.mark.parametrize("privileges", [Privileges(), allowed("set"), allowed("none")])
async def test_where_nothing_is_granted_the_server_is_not_even_asked(privileges: Privileges) -> None:
    server = Server(result())
    with pytest.raises(Forbidden, match=r"example\.org does not let the vault read rosters"):
        await roster_of(server, privileges=privileges).is_subscribed(JULIET, JULIET)
    assert server.asked == []


async def test_a_host_that_grants_does_not_grant_for_another() -> None:
    with pytest.raises(Forbidden):
        await roster_of(Server(result())).is_subscribed(Address.parse("nurse@example.net"), JULIET)


@pytest.mark.parametrize("condition", ["forbidden", "not-allowed", "not-authorized"])
async def test_a_server_that_refuses_after_all_is_believed(condition: str) -> None:
    with pytest.raises(Forbidden):
        await roster_of(Server(error(condition))).is_subscribed(JULIET, JULIET)


@pytest.mark.parametrize("failure", [error("service-unavailable"), TimeoutError(), Disconnected()])
async def test_a_server_that_does_not_tell_makes_the_sender_wait(failure: str | Exception) -> None:
    server = Server(failure, result())
    roster = roster_of(server)
    with pytest.raises(ResourceConstraint):
        await roster.is_subscribed(JULIET, JULIET)
    assert await roster.is_subscribed(JULIET, Address.parse("nurse@example.org")), "a failure is not kept"


async def test_a_roster_is_kept_for_a_short_time() -> None:
    clock = Clock()
    server = Server(result(), result(""))
    roster = roster_of(server, clock)
    nurse = Address.parse("nurse@example.org")
    assert await roster.is_subscribed(JULIET, nurse)
    clock.seconds += 29
    assert await roster.is_subscribed(JULIET, nurse)
    clock.seconds += 2
    assert not await roster.is_subscribed(JULIET, nurse)
    assert len(server.asked) == 2


async def test_privileges_that_are_gone_are_not_replaced_by_what_was_kept() -> None:
    privileges = allowed()
    roster = roster_of(Server(result()), privileges=privileges)
    await roster.is_subscribed(JULIET, JULIET)
    privileges.forget()
    with pytest.raises(Forbidden):
        await roster.is_subscribed(JULIET, JULIET)


async def test_those_who_ask_at_once_wait_for_one_answer() -> None:
    server = Server(result())
    server.may_answer.clear()
    roster = roster_of(server)
    asking = [
        asyncio.create_task(roster.is_subscribed(JULIET, Address.parse("nurse@example.org")))
        for _ in range(5)
    ]
    await server.was_asked.wait()
    asking[0].cancel()
    server.may_answer.set()
    with pytest.raises(asyncio.CancelledError):
        await asking[0]
    assert await asyncio.gather(*asking[1:]) == [True] * 4
    assert len(server.asked) == 1


async def _push(roster: ServerRoster) -> None:
    (route,) = roster.routes().iqs
    push = ET.fromstring(
        "<query xmlns='jabber:iq:roster'><item jid='nurse@example.org' subscription='none'/></query>"
    )
    assert (route.type, route.tag) == ("set", push.tag)
    assert route.ways == {Way.DIRECT}
    principal = Principal(JULIET, is_local=True)
    assert await route.answer(Request("id", "iq", "set", Way.DIRECT, principal, JULIET, push, push)) is None


async def test_a_roster_push_makes_the_roster_be_asked_for_again() -> None:
    server = Server(result(), result(""))
    roster = roster_of(server)
    await roster.is_subscribed(JULIET, JULIET)
    await _push(roster)
    assert not await roster.is_subscribed(JULIET, Address.parse("nurse@example.org"))


async def test_an_answer_that_a_push_overtakes_is_not_kept() -> None:
    server = Server(result(), result(""))
    server.may_answer.clear()
    roster = roster_of(server)
    nurse = Address.parse("nurse@example.org")
    early = asyncio.create_task(roster.is_subscribed(JULIET, nurse))
    await server.was_asked.wait()
    await _push(roster)
    server.may_answer.set()
    assert await early
    assert not await roster.is_subscribed(JULIET, nurse)


async def test_what_is_kept_is_forgotten_with_the_link() -> None:
    server = Server(result(), result(""))
    roster = roster_of(server)
    await roster.is_subscribed(JULIET, JULIET)
    roster.forget()
    assert not await roster.is_subscribed(JULIET, Address.parse("nurse@example.org"))


async def test_the_memory_of_rosters_is_bounded() -> None:
    contacts = "".join(f"<item jid='c{number}@example.org' subscription='both'/>" for number in range(9_999))
    server = Server(result(contacts))
    roster = roster_of(server)
    accounts = [Address.parse(f"user{number}@example.org") for number in range(6)]
    for account in accounts:
        await roster.is_subscribed(account, JULIET)
    for account in accounts[1:]:
        await roster.is_subscribed(account, JULIET)
    assert len(server.asked) == 6, "five rosters are kept"
    await roster.is_subscribed(accounts[0], JULIET)
    assert len(server.asked) == 7, "the eldest was dropped"
