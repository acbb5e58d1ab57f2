"""Pages of what waits, however they are asked for, while messages come and go (XEP-0013, XEP-0059)."""

from __future__ import annotations

from itertools import count
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stanzavault.kernel.limits import Limits
from support.offline_desk import Deployment, Desk

RSM = "http://jabber.org/protocol/rsm"
OFFLINE = "http://jabber.org/protocol/offline"
_ACCOUNTS = count()


async def page(desk: Desk, juliet: str, asked: str) -> list[str]:
    """The nodes on one page."""
    payload = f"<set xmlns='{RSM}'>{asked}</set>"
    answer = await desk.ask(
        f"<query xmlns='http://jabber.org/protocol/disco#items' node='{OFFLINE}'>{payload}</query>",
        sender=f"{juliet}/x",
    )
    return [it.get("node", "") for it in answer[0] if it.tag.endswith("}item")]


async def take_away(desk: Desk, juliet: str, node: str) -> None:
    removal = f"<offline xmlns='{OFFLINE}'><item action='remove' node='{node}'/></offline>"
    assert (await desk.ask(removal, sender=f"{juliet}/x", type_="set")).get("type") == "result"


@pytest.mark.parametrize("backwards", [False, True], ids=["forwards", "backwards"])
@settings(
    max_examples=settings().max_examples // 10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(random=st.randoms(use_true_random=False))
async def test_any_sequence_of_pages_gives_every_message_once_and_in_order_while_messages_come_and_go(
    desk: Desk, random: Random, *, backwards: bool
) -> None:
    desk.deployment = Deployment(limits=Limits(reply=random.choice([2048, 128 * 1024])))
    desk.start()
    juliet = f"juliet{next(_ACCOUNTS)}@example.org"
    await desk.meet(juliet)
    number = random.randint(0, 20)
    for text in range(number):
        await desk.leave(str(text), to=juliet)
    whole = await page(Desk(desk.service, Deployment()), juliet, "<max>100</max>")
    assert len(whole) == number
    removed: set[str] = set()
    seen: list[str] = []
    while True:
        cursor = seen[-1] if seen else ""
        place = f"<before>{cursor}</before>" if backwards else f"<after>{cursor}</after>" * bool(cursor)
        found = await page(desk, juliet, f"<max>{random.randint(1, 6)}</max>{place}")
        if not found:
            break
        seen += reversed(found) if backwards else found
        for node in random.sample(whole, k=random.randint(0, min(2, len(whole)))):
            if node not in removed:
                removed.add(node)
                await take_away(desk, juliet, node)
        if random.random() < 0.3 and len(seen) < 60:
            await desk.leave("meanwhile", to=juliet)
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, reverse=backwards)
    assert set(whole) - removed <= set(seen)
    # What came meanwhile is behind the end of a list that is read backwards.
    assert not backwards or set(seen) <= set(whole)
