"""An account whose keys are damaged: its requests fail under an id, nobody else's do, nothing seems empty."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from stanzavault.kernel.address import Address
from support.archive_stanzas import request, save
from support.house import COMPONENT, JULIET, KEY, NODES, OFFLINE, ROMEO, START, VAULT, WITH, House, pubsub
from support.service import HOST, inside

READ = (
    request("list"), request("retrieve", with_=WITH, start=START), request("modified", start=START),
    pubsub(f"<items node='{NODES[0]}'/>"), pubsub("<subscriptions/>"), pubsub("<affiliations/>"),
    f"<pubkey xmlns='{NODES[0]}'/>", f"<offline xmlns='{OFFLINE}'><fetch/></offline>",
    f"<query xmlns='http://jabber.org/protocol/disco#items' node='{OFFLINE}'/>",
    f"<query xmlns='http://jabber.org/protocol/disco#info' node='{OFFLINE}'/>",
)  # fmt: skip
CHANGED = (
    save(WITH, "2026-02-05T10:00:00Z", "<from secs='0'><body>more</body></from>"), request("remove"),
    pubsub(f"<publish node='{NODES[0]}'><item id='second'>{KEY.pubkey}</item></publish>"),
    f"<offline xmlns='{OFFLINE}'><purge/></offline>",
)  # fmt: skip
OWNED = "owner_id = (SELECT owner_id FROM collection LIMIT 1)"
DAMAGES = {
    "a data key is damaged": f"UPDATE owner_key SET wrapped = zeroblob(60) WHERE purpose = 1 AND {OWNED}",
    "the index key is damaged": f"UPDATE owner_key SET wrapped = zeroblob(60) WHERE purpose = 2 AND {OWNED}",
    "the index key is lost": f"DELETE FROM owner_key WHERE purpose = 2 AND {OWNED}",
    "every key is lost": f"DELETE FROM owner_key WHERE {OWNED}",
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with inside(tmp_path) as service:
        house = House(service)
        await house.fill()
        yield house


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
async def test_a_damaged_key_of_an_owner_is_a_fault_under_an_id_and_never_an_empty_answer(
    house: House, damage: str
) -> None:
    async with house.service.database._writing.begin() as connection:
        await connection.exec_driver_sql(damage)
    house.service.owners.forget(Address.parse(JULIET))
    before = await house.rows()
    for type_, payloads in (("get", READ), ("set", CHANGED)):
        for payload in payloads:
            answer = await house.own(JULIET, type_, payload)
            assert "<internal-server-error" in answer, payload
            assert "finds why under" in answer, payload
    assert "<internal-server-error" in await house.hand(
        f"<message xmlns='{COMPONENT}' from='{ROMEO}/x' to='juliet\\40{HOST}@{VAULT}'>"
        "<body>lost</body></message>"
    )
    assert await house.rows() == before
    assert 'type="result"' in await house.own(ROMEO, "set", CHANGED[0])
    assert 'type="result"' in await house.own(ROMEO, "get", READ[0])
