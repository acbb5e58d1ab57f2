"""The three ways to the vault: directly, by account (XEP-0106), handed over (XEP-0355)."""

from __future__ import annotations

import pytest

from stanzavault.kernel.address import Address
from stanzavault.kernel.request import Request, Way
from support.desk import COMPONENT, Desk, condition, inside

ECHO = "<echo xmlns='urn:example:echo'>hail</echo>"
JULIET = "juliet@example.org/balcony"


async def test_directly_an_account_acts_on_itself(desk: Desk) -> None:
    answer = await desk.ask(ECHO)
    assert answer.get("type") == "result"
    assert answer[0].attrib == {
        "way": "direct", "principal": JULIET, "account": "juliet@example.org", "own": "True",
    }  # fmt: skip
    assert answer[0].text == "hail"


async def test_by_account_another_account_is_meant(desk: Desk) -> None:
    answer = await desk.ask(ECHO, to="romeo\\40example.net@vault.example.org")
    assert answer.get("from") == "romeo\\40example.net@vault.example.org"
    assert answer[0].attrib == {
        "way": "by account", "principal": JULIET, "account": "romeo@example.net", "own": "False",
    }  # fmt: skip


async def test_by_account_ones_own_account_may_be_meant(desk: Desk) -> None:
    answer = await desk.ask(ECHO, to="juliet\\40example.org@vault.example.org")
    assert answer[0].get("own") == "True"


async def test_an_account_with_escapes_in_its_name_is_meant_too(desk: Desk) -> None:
    # d'artagnan's address is d\27artagnan@example.org, whose backslash is escaped in its turn.
    await desk.ask(ECHO, to="d\\5c27artagnan\\40example.org@vault.example.org")
    assert desk.asked[0].account == Address("d\\27artagnan", "example.org")


@pytest.mark.parametrize(
    "to", [None, "juliet@example.org", "example.org"], ids=["nobody", "itself", "the host"]
)
@pytest.mark.parametrize("version", [1, 2])
async def test_handed_over_an_account_acts_on_itself(desk: Desk, to: str | None, version: int) -> None:
    answer = await desk.hand_over(ECHO, to=to, version=version)
    assert answer.attrib == {
        "type": "result",
        "id": "outer",
        "from": "vault.example.org",
        "to": "example.org",
    }
    assert answer[0].tag == f"{{urn:xmpp:delegation:{version}}}delegation"
    inner = inside(answer)
    assert inner.tag == "{jabber:client}iq"
    # ejabberd requires `from` to equal the original `to`.
    assert inner.attrib == {"type": "result", "id": "inner", "from": to or "juliet@example.org", "to": JULIET}
    assert inner[0].attrib == {
        "way": "handed over", "principal": JULIET, "account": "juliet@example.org", "own": "True",
    }  # fmt: skip


async def test_handed_over_another_account_of_the_same_host_may_be_meant(desk: Desk) -> None:
    inner = inside(await desk.hand_over(ECHO, to="romeo@example.org"))
    assert inner.get("from") == "romeo@example.org"
    assert (inner[0].get("account"), inner[0].get("own")) == ("romeo@example.org", "False")


async def test_each_host_hands_over_for_its_own_accounts(desk: Desk) -> None:
    inner = inside(await desk.hand_over(ECHO, server="example.net", sender="nurse@example.net/x"))
    assert inner[0].get("principal") == "nurse@example.net/x"


async def test_a_route_may_be_served_only_where_it_is_handed_over(desk: Desk) -> None:
    wrapped = "<wrapped xmlns='urn:example:echo'/>"
    assert inside(await desk.hand_over(wrapped)).get("type") == "result"
    assert condition(await desk.ask(wrapped)) == "feature-not-implemented"


@pytest.mark.parametrize(
    ("sender", "is_local"),
    [
        (JULIET, True), ("nurse@example.net", True), ("romeo@montague.example/orchard", False),
        ("montague.example", False), ("example.org", False), ("vault.example.org", False),
    ],
)  # fmt: skip
async def test_only_accounts_of_configured_hosts_are_local(desk: Desk, sender: str, is_local: bool) -> None:
    await desk.ask(ECHO, sender=sender)
    assert desk.asked[0].principal.is_local is is_local
    assert desk.asked[0].is_own is is_local


async def test_a_remote_address_reaches_an_account_that_publishes_to_it(desk: Desk) -> None:
    answer = await desk.ask(
        ECHO, to="juliet\\40example.org@vault.example.org", sender="romeo@montague.example/x"
    )
    assert answer[0].get("own") == "False"
    assert answer[0].get("principal") == "romeo@montague.example/x"


async def test_a_message_is_left_for_an_account_and_is_not_answered(desk: Desk) -> None:
    answer = await desk.hand(
        f"<message xmlns='{COMPONENT}' type='chat' from='{JULIET}'"
        " to='romeo\\40example.org@vault.example.org'><body>hail</body></message>"
    )
    assert answer is None
    (request,) = desk.asked
    assert (request.kind, request.type, request.way) == ("message", "chat", Way.BY_ACCOUNT)
    assert request.account == Address("romeo", "example.org")
    assert request.payload is request.stanza
    assert desk.outcomes == [("message", "taken")]


async def test_a_message_with_a_resource_is_left_for_its_account(desk: Desk) -> None:
    await desk.hand(
        f"<message xmlns='{COMPONENT}' from='{JULIET}' to='romeo\\40example.org@vault.example.org/x'/>"
    )
    assert desk.asked[0].account == Address("romeo", "example.org")


async def test_a_message_that_forwards_another_may_be_left_for_an_account(desk: Desk) -> None:
    """XEP-0297: what is forwarded is content for the reader, who knows who forwards it."""
    answer = await desk.hand(
        f"<message xmlns='{COMPONENT}' from='{JULIET}' to='romeo\\40example.org@vault.example.org'>"
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client'/></forwarded></message>"
    )
    assert answer is None
    assert len(desk.asked) == 1


async def test_presence_is_taken_and_not_answered(desk: Desk) -> None:
    answer = await desk.hand(f"<presence xmlns='{COMPONENT}' from='{JULIET}' to='vault.example.org'/>")
    assert answer is None
    (request,) = desk.asked
    assert (request.kind, request.type, request.way, request.is_own) == ("presence", "", Way.DIRECT, True)


async def test_a_payload_reaches_its_route_untouched(desk: Desk) -> None:
    def look(request: Request) -> None:
        assert request.payload is request.stanza[0]
        assert request.payload.text == "hail"

    desk.serve = look
    assert inside(await desk.hand_over(ECHO)).get("type") == "result"
    assert (await desk.ask(ECHO)).get("type") == "result"
