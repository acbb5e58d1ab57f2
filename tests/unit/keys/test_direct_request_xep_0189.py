"""Asking for a key without its node (XEP-0189, section 6)."""

from __future__ import annotations

from datetime import timedelta
from xml.etree.ElementTree import Element

from stanzavault.kernel.request import Way
from support.key_desk import JULIET, PUBKEY, REVOKE, ROMEO, STRANGER, KeyDesk, refusal, result
from support.published_keys import OwnKey

KEY = OwnKey(JULIET)
ASK = f"<pubkey xmlns='{PUBKEY}'/>"


async def ask(desk: KeyDesk, sender: str = f"{ROMEO}/orchard", about: str = JULIET) -> Element:
    return await desk.ask(ASK, sender=sender, about=about, type_="get")


async def modulus(desk: KeyDesk) -> int:
    answer = await ask(desk)
    assert result(answer)
    return int(answer.findtext(f".//{{{PUBKEY}}}modulus", ""))


async def test_the_key_of_an_account_is_answered_to_anybody_and_to_itself(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    for sender, about in ((ROMEO, JULIET), (STRANGER, JULIET), (JULIET, "")):
        answer = await ask(desk, sender, about)
        assert [child.tag for child in answer] == [f"{{{PUBKEY}}}pubkey"]


async def test_of_several_the_current_one_is_answered_or_else_the_last_published(desk: KeyDesk) -> None:
    first, second, third = (OwnKey(JULIET, name) for name in ("first", "second", "third"))
    await desk.publish(PUBKEY, first.pubkey, "phone")
    await desk.publish(PUBKEY, second.pubkey, "laptop")
    assert await modulus(desk) == second.modulus
    await desk.publish(PUBKEY, first.pubkey, "current")
    await desk.publish(PUBKEY, third.pubkey, "tablet")
    assert await modulus(desk) == first.modulus


async def test_a_key_that_is_revoked_expired_or_not_yet_valid_is_not_answered(desk: KeyDesk) -> None:
    short = OwnKey(JULIET, "short", end="2026-04-01T00:00:00Z")
    future = OwnKey(JULIET, "future", begin="2027-01-01T00:00:00Z")
    await desk.publish(PUBKEY, KEY.pubkey, "first")
    await desk.publish(PUBKEY, short.pubkey, "second")
    await desk.publish(PUBKEY, future.pubkey, "current")
    assert await modulus(desk) == short.modulus
    desk.clock.move(timedelta(days=60))
    assert await modulus(desk) == KEY.modulus
    await desk.publish(REVOKE, KEY.revocation(), "r")
    assert refusal(await ask(desk)) == ("cancel", "item-not-found", "")
    desk.clock.move(timedelta(days=365))
    assert await modulus(desk) == future.modulus


async def test_who_publishes_no_key_has_none(desk: KeyDesk) -> None:
    assert refusal(await ask(desk)) == ("cancel", "item-not-found", "")


async def test_the_request_is_empty(desk: KeyDesk) -> None:
    await desk.publish(PUBKEY, KEY.pubkey, "current")
    for wrong in (KEY.pubkey, ASK.replace("/>", ">x</pubkey>"), ASK.replace("/>", " a='b'/>")):
        answer = await desk.ask(wrong, sender=ROMEO, about=JULIET, type_="get")
        assert refusal(answer) == ("modify", "bad-request", "")


async def test_it_is_served_also_where_the_server_hands_it_over(desk: KeyDesk) -> None:
    (route,) = [route for route in desk.keys.routes().iqs if route.tag == f"{{{PUBKEY}}}pubkey"]
    assert route.ways == frozenset(Way)
    assert [delegated.namespace for delegated in desk.keys.routes().delegated] == [PUBKEY]
