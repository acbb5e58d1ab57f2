"""The store of messages for the absent, the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from stanzavault.flows.retention import remove_expired_messages
from stanzavault.kernel.address import Address
from stanzavault.storage.unit import Unit
from stanzavault.storage.usage import Store, kept
from support.offline_desk import HOSTS, VAULT, Deployment, Desk
from support.service import inside

JULIET = Address.parse("juliet@example.org")


@pytest.fixture
async def desk(database_url: str) -> AsyncIterator[Desk]:
    async with inside(database_url, hosts=HOSTS) as service:
        desk = Desk(service, Deployment())
        yield desk
        await desk.login.close()


async def usage(desk: Desk, account: Address = JULIET) -> tuple[int, int]:
    async def work(unit: Unit) -> tuple[int, int]:
        owner = await unit.find_owner(account)
        return await kept(unit.connection, owner, Store.OFFLINE) if owner else (0, 0)

    return await desk.database.read(account, work)


async def test_expired_messages_of_several_accounts_go_in_batches_and_are_counted_out(desk: Desk) -> None:
    await desk.meet()
    await desk.meet("nurse@example.org")
    for number in range(120):
        await desk.leave(str(number))
        await desk.leave(str(number), to="nurse@example.org")
    desk.clock.move(timedelta(days=29))
    await desk.leave("young")
    desk.clock.move(timedelta(days=1))
    assert await remove_expired_messages(desk.database, Address.parse(VAULT)) == 240
    assert (await usage(desk))[1] == 1
    assert await usage(desk, Address.parse("nurse@example.org")) == (0, 0)
    assert (await desk.log_in()).bodies == ["young"]
    assert await usage(desk) == (0, 0)


async def test_messages_left_at_once_get_places_of_their_own_and_all_are_delivered_in_their_order(
    desk: Desk,
) -> None:
    await desk.meet()
    await asyncio.gather(
        *(desk.leave(str(number), sender=f"romeo@montague.net/{number}") for number in range(80))
    )
    nodes = [it.get("node", "") for it in await desk.headers("juliet@example.org/reader")]
    assert len(set(nodes)) == 80
    assert nodes == sorted(nodes)
    await desk.say_presence("juliet@example.org/reader", "unavailable")
    juliet = await desk.log_in()
    assert sorted(map(int, juliet.bodies)) == list(range(80))
    assert await usage(desk) == (0, 0)


async def test_a_place_is_never_given_again(desk: Desk) -> None:
    await desk.meet()
    await desk.leave("one")
    (first,) = await desk.headers()
    await desk.ask("<offline xmlns='http://jabber.org/protocol/offline'><purge/></offline>", type_="set")
    await desk.leave("two")
    (second,) = await desk.headers()
    assert first.get("node", "")[:15] < second.get("node", "")[:15]


async def test_a_removal_of_several_is_whole_or_not_done(desk: Desk) -> None:
    await desk.meet()
    for number in range(3):
        await desk.leave(str(number))
    before = await usage(desk)
    nodes = [it.get("node", "") for it in await desk.headers()]
    items = "".join(f"<item action='remove' node='{node}'/>" for node in (*nodes, "0" * 15 + "-" + "a" * 26))
    answer = await desk.ask(
        f"<offline xmlns='http://jabber.org/protocol/offline'>{items}</offline>", type_="set"
    )
    assert answer.get("type") == "error"
    assert await usage(desk) == before
