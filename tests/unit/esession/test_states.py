"""The table of states, and the diagram that is generated from it."""

from pathlib import Path

import pytest

from esession.errors import MisuseError
from esession.policy import Policy
from esession.session import Session
from esession.state import TRANSITIONS, Input, State, diagram
from support.esession_peers import ALICE, BOB, START, Peer

PAGE = Path(__file__).parents[3] / "docs/esession/states.md"


def test_the_documented_diagram_is_current() -> None:
    text = PAGE.read_text()
    assert text.split("```mermaid\n")[1].split("```")[0] == diagram()


def test_every_state_but_the_first_can_be_reached_and_every_one_can_end() -> None:
    def reachable(start: State) -> set[State]:
        found, waiting = set(), [start]
        while waiting:
            for following in TRANSITIONS[waiting.pop()].values():
                if following not in found:
                    found.add(following)
                    waiting.append(following)
        return found

    assert reachable(State.NEW) == set(State) - {State.NEW}
    for state in set(State) - {State.ENDED}:
        assert State.ENDED in reachable(state)
    assert TRANSITIONS[State.ENDED] == {}


def test_every_input_is_used() -> None:
    assert {each for inputs in TRANSITIONS.values() for each in inputs} == set(Input)


@pytest.mark.parametrize("state", State)
def test_every_state_that_waits_for_a_stanza_can_time_out_or_be_left(state: State) -> None:
    waits = state not in {State.NEW, State.ENDED}
    leaves = {Input.TIMEOUT, Input.TERMINATE, Input.TERMINATE_UNACKNOWLEDGED}
    assert not waits or leaves & TRANSITIONS[state].keys()


CALLS = {
    Input.ACCEPT: lambda session: session.accept(START),
    Input.ACCEPT_UNENCRYPTED: lambda session: session.accept_unencrypted(START),
    Input.REJECT: lambda session: session.reject(START),
    Input.CANCEL: lambda session: session.cancel(START),
    Input.COMPLETE_FOUR: lambda session: session.complete(START),
    Input.MOVE: lambda session: session.move("tablet", START),
    Input.CONTROL: lambda session: session.renegotiate({"logging": ("may",)}, START),
}


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_what_is_absent_from_the_table_is_a_misuse(state: State, call: Input) -> None:
    if call in TRANSITIONS[state]:
        return
    session = Session(Peer(ALICE, Policy(groups=(5,))).party, BOB, "thread")
    session._state = state
    with pytest.raises(MisuseError):
        CALLS[call](session)
    assert session.state is state
