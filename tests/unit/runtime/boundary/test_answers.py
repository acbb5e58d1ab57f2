"""Every IQ gets exactly one answer, in time; what fails says so under an id, and nothing else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

import pytest

from stanzavault.kernel.errors import Conflict, NotAcceptable, ResourceConstraint, StanzaError
from stanzavault.kernel.request import Request
from stanzavault.runtime.stream import Disconnected
from support.desk import COMPONENT, Desk, condition, error_text, inside

ECHO = "<echo xmlns='urn:example:echo'/>"
SECRET = "the balcony at midnight"
MESSAGE = (
    f"<message xmlns='{COMPONENT}' id='m1' from='juliet@example.org/x'"
    " to='romeo\\40example.org@vault.example.org'/>"
)


def raising(error: BaseException) -> Callable[[Request], object]:
    def serve(_: Request) -> object:
        raise error

    return serve


@pytest.mark.parametrize(
    "error", [Conflict("It is there."), NotAcceptable("Too weak."), ResourceConstraint("Full.")]
)
async def test_a_refusal_is_answered_with_its_condition_and_text(desk: Desk, error: StanzaError) -> None:
    desk.serve = raising(error)
    answer = await desk.ask(ECHO)
    assert condition(answer) == error.condition
    assert answer[0].get("type") == error.type
    assert error_text(answer) == error.text


async def test_a_refusal_of_what_was_handed_over_is_answered_inside(desk: Desk) -> None:
    desk.serve = raising(Conflict("It is there.", application=("urn:example:echo", "twice")))
    answer = inside(await desk.hand_over(ECHO))
    assert condition(answer) == "conflict"
    assert [child.tag for child in answer[0]][-1] == "{urn:example:echo}twice"
    assert answer[0].tag == "{jabber:client}error"


async def test_a_refused_message_gets_an_error(desk: Desk) -> None:
    desk.serve = raising(ResourceConstraint("Full."))
    answer = await desk.hand(MESSAGE)
    assert answer is not None
    assert condition(answer) == "resource-constraint"
    assert (answer.get("id"), answer.get("to")) == ("m1", "juliet@example.org/x")


@pytest.mark.parametrize("hand_over", [False, True])
async def test_a_fault_is_answered_with_an_id_and_nothing_else(
    desk: Desk, caplog: pytest.LogCaptureFixture, hand_over: bool
) -> None:
    desk.serve = raising(KeyError(SECRET))
    with caplog.at_level(logging.INFO, "stanzavault"):
        answer = inside(await desk.hand_over(ECHO)) if hand_over else await desk.ask(ECHO)
    (id_,) = desk.correlated
    assert condition(answer) == "internal-server-error"
    assert id_ in error_text(answer)
    assert SECRET not in error_text(answer)
    (record,) = caplog.records
    assert vars(record)["stanza"] == id_
    assert SECRET not in record.getMessage()


async def test_a_fault_stops_nobody_else(desk: Desk) -> None:
    desk.serve = raising(RecursionError())
    await desk.ask(ECHO)
    desk.serve = lambda _: None
    assert (await desk.ask(ECHO)).get("type") == "result"


async def test_a_broken_connection_to_the_database_is_a_fault_and_is_answered(desk: Desk) -> None:
    desk.serve = raising(ConnectionRefusedError())
    assert condition(await desk.ask(ECHO)) == "internal-server-error"


async def test_an_answer_above_the_limit_of_replies_is_a_fault_of_ours() -> None:
    desk = Desk(reply=4096)
    answer = await desk.ask(f"<echo xmlns='urn:example:echo'>{'x' * 3000}</echo>")
    assert answer.get("type") == "result"
    answer = await desk.ask(f"<echo xmlns='urn:example:echo'>{'x' * 4000}</echo>")
    assert condition(answer) == "internal-server-error"


async def test_an_answer_is_measured_as_the_stream_writes_it() -> None:
    desk = Desk(reply=4096)
    turns = f"<x xmlns:p='{'n' * 1000}'>{'<p:a/><b/>' * 5}</x>"
    assert len(turns) < 2000
    answer = await desk.ask(f"<echo xmlns='urn:example:echo'>{turns}</echo>")
    assert condition(answer) == "internal-server-error"


@pytest.mark.parametrize("text", ["\x00", "\ud800", "\uffff"])
async def test_an_answer_that_is_no_xml_is_a_fault_of_ours_and_the_stream_lives(
    desk: Desk, text: str
) -> None:
    def spoil(request: Request) -> None:
        request.payload.text = text

    desk.serve = spoil
    assert condition(await desk.ask(ECHO)) == "internal-server-error"
    assert desk.outcomes == [("iq", "internal-server-error")]


async def test_a_lost_link_loses_the_answer_alone(desk: Desk) -> None:
    iq = (
        f"<iq xmlns='{COMPONENT}' type='get' id='1' from='juliet@example.org/x' to='vault.example.org'>"
        f"{ECHO}</iq>"
    )
    desk.refuse_to_send.append(Disconnected())
    assert await desk.hand(iq) is None
    desk.refuse_to_send += [ValueError(), Disconnected()]
    assert await desk.hand(iq) is None
    assert [outcome for _, outcome in desk.outcomes] == ["lost", "internal-server-error"]


# In time


async def test_what_takes_too_long_is_answered_in_time_and_may_finish() -> None:
    desk = Desk(answer_within=0.01)
    committed = asyncio.Event()
    go_on = asyncio.Event()

    async def write(_: Request) -> None:
        await go_on.wait()
        committed.set()

    desk.serve = write
    answer = await desk.ask(ECHO, type_="set")
    assert condition(answer) == "resource-constraint"
    assert answer[0].get("type") == "wait"
    assert not committed.is_set()

    go_on.set()
    await desk.boundary.finish(5)

    assert committed.is_set()
    assert len(desk.sent) == 1, "what is late is not answered twice"


async def test_what_is_late_and_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(answer_within=0.01)
    go_on = asyncio.Event()

    async def fail(_: Request) -> None:
        await go_on.wait()
        raise KeyError(SECRET)

    desk.serve = fail
    await desk.ask(ECHO)
    go_on.set()
    with caplog.at_level(logging.ERROR, "stanzavault"):
        await desk.boundary.finish(5)
    assert [record.getMessage() for record in caplog.records] == [
        "a request that was answered as late failed"
    ]
    assert len(desk.sent) == 1


async def test_what_is_late_is_cut_off_when_the_vault_stops(caplog: pytest.LogCaptureFixture) -> None:
    desk = Desk(answer_within=0.01)
    ended = asyncio.Event()

    async def hang(_: Request) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    desk.serve = hang
    await desk.ask(ECHO)
    await desk.boundary.finish(0)
    assert ended.is_set()
    assert caplog.records[-1].getMessage() == "late requests were cut off"
    await desk.boundary.finish(0)


async def test_with_too_much_late_nothing_is_begun() -> None:
    desk = Desk(answer_within=0.001)
    stuck = asyncio.Event()
    desk.serve = lambda _: stuck.wait()
    for _ in range(256):
        assert "still be done" in error_text(await desk.ask(ECHO))
    begun = len(desk.asked)

    answer = await desk.ask(ECHO)

    assert condition(answer) == "resource-constraint"
    assert len(desk.asked) == begun
    stuck.set()
    await desk.boundary.finish(5)


@pytest.mark.parametrize(("waited", "begun"), [(4.999, 1), (5.0, 0), (60.0, 0)])
async def test_the_time_spent_waiting_for_its_turn_is_time_of_the_answer(waited: float, begun: int) -> None:
    desk = Desk(answer_within=5.0)
    stuck = asyncio.Event()
    desk.serve = lambda _: stuck.wait()
    iq = (
        f"<iq xmlns='{COMPONENT}' type='get' id='1' from='juliet@example.org/x' to='vault.example.org'>"
        f"{ECHO}</iq>"
    )
    async with asyncio.timeout(2):
        answer = await desk.hand(iq, waited)
    assert answer is not None
    assert condition(answer) == "resource-constraint"
    assert len(desk.asked) == begun
    stuck.set()
    await desk.boundary.finish(5)


async def test_work_ends_with_the_handler_that_is_cancelled(desk: Desk) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: Request) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    desk.serve = hang
    handler = asyncio.create_task(desk.ask(ECHO))
    await begun.wait()
    handler.cancel()
    with pytest.raises(asyncio.CancelledError):
        await handler
    await asyncio.wait_for(ended.wait(), 5)
    assert desk.sent == []


# Told to whoever counts


async def test_each_stanza_is_counted_with_its_outcome_and_its_time(desk: Desk) -> None:
    def pass_time(_: Request) -> None:
        desk.clock.seconds += 2

    desk.serve = pass_time
    await desk.ask(ECHO)
    await desk.hand(MESSAGE)
    await desk.ask("<nothing xmlns='urn:example:nothing'/>")
    await desk.hand("<other/>")
    assert desk.outcomes == [
        ("iq", "result"), ("message", "taken"), ("iq", "service-unavailable"), ("other", "dropped"),
    ]  # fmt: skip
    assert desk.seconds == [2, 2, 0, 0]


async def test_each_stanza_has_an_id_of_its_own_which_its_request_carries(desk: Desk) -> None:
    await desk.ask(ECHO)
    await desk.ask(ECHO)
    assert [request.id for request in desk.asked] == desk.correlated
    assert len(set(desk.correlated)) == 2
