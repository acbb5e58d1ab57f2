"""Limits of accounts and of remote domains, and whose turn a stanza takes."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stanzavault.runtime.boundary.rate_limits import Pace, TokenBuckets
from support.desk import COMPONENT, Clock, Desk, condition, inside

ECHO = "<echo xmlns='urn:example:echo'/>"


async def test_an_account_is_served_a_burst_and_then_as_much_as_flows_in() -> None:
    desk = Desk(burst=3)
    for _ in range(3):
        assert (await desk.ask(ECHO)).get("type") == "result"
    refused = await desk.ask(ECHO)
    assert condition(refused) == "resource-constraint"
    assert refused[0].get("type") == "wait"
    assert len(desk.asked) == 3
    desk.clock.seconds += 1
    assert (await desk.ask(ECHO)).get("type") == "result"
    assert condition(await desk.ask(ECHO)) == "resource-constraint"


async def test_one_account_does_not_use_up_what_another_may() -> None:
    desk = Desk(burst=1)
    await desk.ask(ECHO)
    assert condition(await desk.ask(ECHO)) == "resource-constraint"
    assert (await desk.ask(ECHO, sender="romeo@example.org/orchard")).get("type") == "result"


async def test_resources_and_ways_of_one_account_share_its_limit() -> None:
    desk = Desk(burst=2)
    await desk.ask(ECHO, sender="juliet@example.org/balcony")
    await desk.ask(ECHO, sender="juliet@example.org/chamber", to="romeo\\40example.org@vault.example.org")
    assert condition(inside(await desk.hand_over(ECHO))) == "resource-constraint"


async def test_messages_count_as_well() -> None:
    desk = Desk(burst=1)
    message = (
        f"<message xmlns='{COMPONENT}' from='juliet@example.org/x'"
        " to='romeo\\40example.org@vault.example.org'/>"
    )
    assert await desk.hand(message) is None
    refused = await desk.hand(message)
    assert refused is not None
    assert condition(refused) == "resource-constraint"


async def test_what_is_refused_for_its_address_counts_as_well() -> None:
    desk = Desk(burst=1)
    assert condition(await desk.ask(ECHO, to="@vault.example.org")) == "jid-malformed"
    assert condition(await desk.ask(ECHO, to="@vault.example.org")) == "resource-constraint"


async def test_a_remote_domain_with_ever_new_addresses_is_limited_as_a_whole() -> None:
    desk = Desk(burst=2)
    served = [
        condition(await desk.ask(ECHO, sender=f"mallory{number}@evil.example/x")) is None
        for number in range(30)
    ]
    assert served.count(True) == 20
    assert (await desk.ask(ECHO, sender="romeo@montague.example")).get("type") == "result"
    assert (await desk.ask(ECHO)).get("type") == "result"


async def test_one_remote_address_does_not_use_up_what_its_domain_may() -> None:
    desk = Desk(burst=2)
    for _ in range(100):
        await desk.ask(ECHO, sender="mallory@montague.example/x")
    assert (await desk.ask(ECHO, sender="romeo@montague.example/x")).get("type") == "result"


async def test_accounts_of_a_configured_host_are_not_limited_as_a_whole() -> None:
    desk = Desk(burst=1)
    for number in range(40):
        assert (await desk.ask(ECHO, sender=f"user{number}@example.org")).get("type") == "result"


async def test_the_servers_own_questions_are_not_limited() -> None:
    desk = Desk(burst=1)
    node = "urn:xmpp:delegation:2::urn:example:echo"
    query = f"<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>"
    for _ in range(10):
        assert (await desk.ask(query, sender="example.org")).get("type") == "result"


def test_the_memory_of_buckets_is_bounded_and_drops_the_one_longest_unused() -> None:
    buckets = TokenBuckets(Pace(1, 1), Clock(), most=3)
    for key in "abc":
        assert buckets.take(key)
    assert not buckets.take("a")
    assert buckets.take("d")
    assert len(buckets) == 3
    assert not buckets.take("a"), "it was asked for lately"
    assert buckets.take("b"), "it was dropped"


@given(
    per_second=st.floats(0.01, 1000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 10), max_size=200),
)
def test_no_more_is_served_than_a_burst_and_what_flows_in(
    per_second: float, burst: int, pauses: list[float]
) -> None:
    clock = Clock()
    start = clock.seconds
    buckets = TokenBuckets(Pace(per_second, burst), clock)
    served = 0
    for pause in pauses:
        clock.seconds += pause
        served += buckets.take("juliet")
        assert served <= burst + (clock.seconds - start) * per_second + 0.01
    if len(pauses) <= burst:
        assert served == len(pauses)


# Whose turn


def _iq(sender: str | None) -> ET.Element:
    return ET.Element(f"{{{COMPONENT}}}iq", {} if sender is None else {"from": sender})


@pytest.mark.parametrize(
    ("sender", "key"),
    [
        ("juliet@example.org/balcony", "juliet@example.org"),
        ("Juliet@Example.org/chamber", "juliet@example.org"),
        ("romeo@montague.example/x", "montague.example"),
        ("mercutio@montague.example", "montague.example"),
        ("example.org", "example.org"),
        ("@", ""),
        (None, ""),
    ],
)
def test_an_account_has_a_turn_of_its_own_and_a_remote_domain_has_one(
    desk: Desk, sender: str | None, key: str
) -> None:
    assert desk.boundary.queue_key(_iq(sender)) == key


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("inner", "key"),
    [
        ("juliet@example.org/x", "juliet@example.org"),
        ("romeo@montague.example", "montague.example"),
        ("@", ""),
    ],
)
def test_what_is_handed_over_takes_its_senders_turn(desk: Desk, version: int, inner: str, key: str) -> None:
    outer = _iq("example.org")
    delegation = ET.SubElement(outer, f"{{urn:xmpp:delegation:{version}}}delegation")
    forwarded = ET.SubElement(delegation, "{urn:xmpp:forward:0}forwarded")
    ET.SubElement(forwarded, "{jabber:client}iq", {"from": inner})
    assert desk.boundary.queue_key(outer) == key
    outer.set("from", "mallory@example.org/x")
    assert desk.boundary.queue_key(outer) == "mallory@example.org", "a forged wrapper takes the forger's turn"
