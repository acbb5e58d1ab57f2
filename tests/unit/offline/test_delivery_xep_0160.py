"""A message is left, and comes at the next login: in order, once, with its delay, and not lost on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import update

from stanzavault.kernel.address import Address
from stanzavault.offline.model import Window
from stanzavault.offline.stanza.xep_0199 import DISCO_INFO, PING
from stanzavault.offline.store import offline_message
from stanzavault.storage.unit import Unit, Work
from support.offline_desk import COMPONENT, VAULT, Desk, body

BALCONY = "juliet@example.org/balcony"
GARDEN = "juliet@example.org/garden"
JULIET = Address.parse("juliet@example.org")


async def test_a_message_left_for_an_account_arrives_when_it_sends_its_presence(desk: Desk) -> None:
    await desk.meet()
    assert await desk.leave("But soft!") is None
    left_at = desk.clock.now
    desk.clock.move(timedelta(hours=3))
    juliet = await desk.log_in()
    (message,) = juliet.received
    assert body(message) == "But soft!"
    assert message.get("from") == f"romeo\\40montague.net@{VAULT}/orchard"
    assert message.get("to") == BALCONY
    assert (message.get("type"), message.get("id")) == ("chat", "m")
    delay = message.find("{urn:xmpp:delay}delay")
    assert delay is not None
    assert delay.get("from") == VAULT
    assert delay.get("stamp") == f"{left_at:%Y-%m-%dT%H:%M:%SZ}"
    assert desk.waiting() == []
    assert desk.usage() == (0, 0)


async def test_messages_arrive_in_order_and_once(desk: Desk) -> None:
    await desk.meet()
    texts = [f"message {number}" for number in range(120)]
    for text in texts:
        await desk.leave(text)
    juliet = await desk.log_in()
    assert juliet.bodies == texts
    assert len(set(juliet.ids)) == len(texts)
    await desk.log_out()
    again = await desk.log_in()
    assert again.received == []


async def test_an_iq_is_sent_behind_the_messages_and_only_its_answer_deletes_them(desk: Desk) -> None:
    await desk.meet()
    for number in range(3):
        await desk.leave(str(number))
    juliet = desk.session(BALCONY)
    juliet.held.clear()
    await desk.say_presence(BALCONY)
    await juliet.waiting.wait()
    assert juliet.asked == [(PING, 3)]
    assert len(desk.waiting()) == 3
    juliet.held.set()
    await desk.idle()
    assert desk.waiting() == []


@pytest.mark.parametrize("window", [Window(2, 10**6), Window(50, 1), Window(1, 1)])
async def test_no_more_than_a_window_is_sent_before_an_answer(desk: Desk, window: Window) -> None:
    desk.login._window = window
    size = 1 if window.bytes == 1 else window.messages
    await desk.meet()
    for number in range(5):
        await desk.leave(str(number))
    juliet = await desk.log_in()
    assert juliet.bodies == list("01234")
    assert [count for _, count in juliet.asked] == sorted({min(n + size, 5) for n in range(0, 5, size)})


@pytest.mark.parametrize("error", [None, "feature-not-implemented"])
async def test_a_result_and_feature_not_implemented_both_prove_that_the_client_is_there(
    desk: Desk, error: str | None
) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.answers = {PING: error}
    await desk.presence(BALCONY)
    assert desk.waiting() == []


async def test_a_client_that_knows_no_ping_is_asked_for_its_features(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.answers = {PING: "service-unavailable"}
    await desk.presence(BALCONY)
    assert [tag for tag, _ in juliet.asked] == [PING, DISCO_INFO]
    assert desk.waiting() == []
    assert len(juliet.received) == 1


@pytest.mark.parametrize(
    "error",
    ["service-unavailable", "recipient-unavailable", "remote-server-timeout", "item-not-found", "silence"],
)
async def test_an_error_that_others_could_have_sent_deletes_nothing(desk: Desk, error: str) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.answers = {PING: error, DISCO_INFO: error}
    await desk.presence(BALCONY)
    assert len(juliet.received) == 1
    assert len(desk.waiting()) == 1


async def test_a_message_that_was_not_answered_for_comes_again_under_the_same_id(desk: Desk) -> None:
    await desk.meet()
    await desk.leave("again")
    juliet = desk.session(BALCONY)
    juliet.answers = {PING: "silence"}
    await desk.presence(BALCONY)
    juliet.answers = {}
    await desk.presence(BALCONY)
    assert juliet.bodies == ["again", "again"]
    assert len(set(juliet.ids)) == 1
    assert desk.waiting() == []


async def test_a_session_that_did_not_answer_is_left_alone_until_its_next_presence(desk: Desk) -> None:
    await desk.meet()
    await desk.leave("one")
    juliet = desk.session(BALCONY)
    juliet.answers = {PING: "silence"}
    await desk.presence(BALCONY)
    await desk.leave("two")
    await desk.idle()
    assert juliet.bodies == ["one"]
    juliet.answers = {}
    await desk.presence(BALCONY)
    assert juliet.bodies == ["one", "one", "two"]


async def test_a_presence_while_the_answer_is_awaited_has_what_waits_sent_again(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.answers = {PING: "silence"}
    juliet.held.clear()
    await desk.say_presence(BALCONY)
    await juliet.waiting.wait()
    await desk.say_presence(BALCONY)
    juliet.held.set()
    await desk.idle()
    assert len(juliet.received) == 2
    assert len(set(juliet.ids)) == 1


async def test_an_answer_after_the_session_ended_proves_nothing(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.held.clear()
    await desk.say_presence(BALCONY)
    await juliet.waiting.wait()
    await desk.say_presence(BALCONY, "unavailable")
    juliet.held.set()  # a new session of the same name answers the question that was meant for the old one
    await desk.idle()
    assert len(desk.waiting()) == 1


async def test_a_session_that_ends_in_the_middle_hands_over_to_another(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    balcony, garden = desk.session(BALCONY), desk.session(GARDEN)
    balcony.held.clear()
    await desk.say_presence(BALCONY)
    await balcony.waiting.wait()
    await desk.say_presence(GARDEN)
    assert garden.received == []
    await desk.presence(BALCONY, "unavailable")
    assert garden.ids == balcony.ids
    assert desk.waiting() == []


async def test_a_session_that_ends_and_begins_again_in_the_middle_is_served_anew(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.held.clear()
    await desk.say_presence(BALCONY)
    await juliet.waiting.wait()
    await desk.say_presence(BALCONY, "unavailable")
    again = desk.session(BALCONY)
    await desk.presence(BALCONY)
    assert again.ids == juliet.ids
    assert desk.waiting() == []


async def test_concurrent_sessions_get_each_message_once(desk: Desk) -> None:
    await desk.meet()
    for number in range(20):
        await desk.leave(str(number))
    balcony, garden = desk.session(BALCONY), desk.session(GARDEN)
    await desk.say_presence(BALCONY)
    await desk.say_presence(GARDEN)
    await desk.idle()
    assert sorted(balcony.ids + garden.ids) == sorted(set(balcony.ids + garden.ids))
    assert len(balcony.ids + garden.ids) == 20


async def test_a_message_left_while_a_delivery_runs_follows_it(desk: Desk) -> None:
    await desk.meet()
    await desk.leave("first")
    juliet = desk.session(BALCONY)
    juliet.held.clear()
    await desk.say_presence(BALCONY)
    await juliet.waiting.wait()
    await desk.leave("second")
    juliet.held.set()
    await desk.idle()
    assert juliet.bodies == ["first", "second"]


async def test_a_message_for_a_session_that_is_there_is_delivered_at_once(desk: Desk) -> None:
    juliet = await desk.log_in()
    await desk.leave("You are here!")
    await desk.idle()
    assert juliet.bodies == ["You are here!"]
    assert desk.waiting() == []


async def test_a_session_that_ended_untold_is_asked_before_anything_is_sent_to_it(desk: Desk) -> None:
    await desk.log_in()
    del desk.wire.sessions[BALCONY]  # its server tells nobody
    desk.wire.sent.clear()
    await desk.leave()
    await desk.idle()
    assert desk.wire.sent == []
    juliet = await desk.log_in()
    assert len(juliet.received) == 1


async def test_a_negative_priority_receives_nothing(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    await desk.presence(BALCONY, priority=-1)
    assert juliet.received == []
    await desk.presence(BALCONY, priority=0)
    assert len(juliet.received) == 1


async def test_a_priority_that_is_none_is_a_bad_request(desk: Desk) -> None:
    for text in ("128", "-129", "high"):
        (answer,) = await desk.hand(
            f"<presence xmlns='{COMPONENT}' from='{BALCONY}' to='{VAULT}'>"
            f"<priority>{text}</priority></presence>"
        )
        assert answer.get("type") == "error"


async def test_after_a_restart_the_next_presence_gets_what_waits(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.answers = {PING: "silence"}
    await desk.presence(BALCONY)
    await desk.login.close()
    desk.start()
    juliet.answers = {}
    await desk.presence(BALCONY)
    assert len(juliet.ids) == 2
    assert len(set(juliet.ids)) == 1


async def test_closing_ends_a_delivery_and_leaves_what_was_not_answered_for(desk: Desk) -> None:
    await desk.meet()
    await desk.leave()
    juliet = desk.session(BALCONY)
    juliet.held.clear()
    await desk.say_presence(BALCONY)
    await juliet.waiting.wait()
    async with asyncio.timeout(5):
        await desk.login.close()
    assert len(desk.waiting()) == 1
    await desk.presence(BALCONY)
    assert len(juliet.received) == 1


async def test_a_record_that_does_not_open_is_reported_by_id_and_holds_up_no_other(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    await desk.meet()
    for text in ("one", "two", "three"):
        await desk.leave(text)
    second = desk.waiting()[1]
    await desk.service.database.write(JULIET, _spoil(bytes.fromhex(second)), saves=False)
    juliet = await desk.log_in()
    assert juliet.bodies == ["one", "three"]
    assert desk.waiting() == [second]
    assert desk.unopened == 1
    (record,) = [it for it in caplog.records if it.name == "stanzavault.offline"]
    assert len(record.record) == 26  # type: ignore[attr-defined]
    assert "romeo" not in record.getMessage()


async def test_a_failing_database_stops_no_other_account(desk: Desk) -> None:
    await desk.meet()
    await desk.meet("nurse@example.org")
    await desk.leave()
    await desk.leave(to="nurse@example.org")
    failing = desk.database.read
    calls = 0

    async def read(account: object, work: Callable[..., object]) -> object:
        nonlocal calls
        if str(account) == "juliet@example.org":
            calls += 1
            raise OSError("the disk is gone")
        return await failing(account, work)  # type: ignore[arg-type]

    desk.login._database = type("Failing", (), {"read": staticmethod(read), "write": desk.database.write})()
    juliet = await desk.log_in()
    nurse = await desk.log_in("nurse@example.org/kitchen")
    assert calls
    assert juliet.received == []
    assert len(nurse.received) == 1


def _spoil(record: bytes) -> Work[None]:
    async def work(unit: Unit) -> None:
        await unit.connection.execute(
            update(offline_message).where(offline_message.c.id == record).values(size=1)
        )

    return work
