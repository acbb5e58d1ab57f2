"""The states of a session and the only table of its transitions.

What is absent from the table is an error: a misuse if the caller asked for it, a violation of the protocol if
a stanza did. docs/esession/states.md is generated from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final


class State(Enum):
    """Where a session stands."""

    NEW = "nothing has been sent or received"
    REQUESTED = "our request waits for a response"
    REVIEWING = "a response waits for our completion"
    PROVED = "our completion waits for the responder's proof"
    ASKED = "a request waits for our answer"
    RESPONDED = "our response waits for a completion"
    ACTIVE = "both parties may send"
    MOVING = "our wish to move to another resource waits for an answer"
    TERMINATING = "our termination waits for its acknowledgement"
    SENDING = "we send to a peer that is offline"
    RECEIVING = "we take what was sent while we were offline"
    ENDED = "it is over"


class Input(Enum):
    """What moves a session: what the caller asks for, what arrives, and the passing of time."""

    OPEN = "we request"
    OPEN_OFFLINE = "we start offline"
    OPEN_ONE_SHOT = "we send one stanza offline"
    ACCEPT = "we accept"
    ACCEPT_UNENCRYPTED = "we accept, unencrypted"
    REJECT = "we reject"
    COMPLETE_FOUR = "we complete (4 messages)"
    COMPLETE_THREE = "we complete (3 messages)"
    COMPLETE_ONE_SHOT = "we complete with one stanza"
    COMPLETE_UNENCRYPTED = "we complete, unencrypted"
    CANCEL = "we cancel"
    SEND = "we send"
    CONTROL = "we renegotiate or answer"
    MOVE = "we ask to move"
    TERMINATE = "we terminate"
    TERMINATE_UNACKNOWLEDGED = "we terminate, unacknowledged"
    TIMEOUT = "time is up"
    REFUSE = "we find a fault"
    LOSE = "the stream is lost"
    REQUEST = "request"
    OFFLINE_REQUEST = "offline session"
    OFFLINE_ONE_SHOT = "offline stanza"
    RESPONSE = "response"
    REJECTION = "rejection"
    COMPLETION = "completion"
    COMPLETION_ONE_SHOT = "completion with one stanza"
    CANCELLATION = "cancellation"
    FINAL = "responder's proof"
    STANZA = "stanza"
    PEER_CONTROL = "renegotiation, its answer, or move"
    MOVE_ANSWER = "move accepted"
    TERMINATION = "termination"
    ACKNOWLEDGEMENT = "acknowledgement"
    ERROR = "error"


_I, _S = Input, State
_LOSS: Final = {_I.LOSE: _S.ENDED}
_FAULTS: Final = {_I.REFUSE: _S.ENDED, _I.ERROR: _S.ENDED, **_LOSS}

TRANSITIONS: Final[Mapping[State, Mapping[Input, State]]] = MappingProxyType(
    {
        _S.NEW: {
            _I.OPEN: _S.REQUESTED,
            _I.OPEN_OFFLINE: _S.SENDING,
            _I.OPEN_ONE_SHOT: _S.ENDED,
            _I.REQUEST: _S.ASKED,
            _I.OFFLINE_REQUEST: _S.RECEIVING,
            _I.OFFLINE_ONE_SHOT: _S.ENDED,
            _I.REFUSE: _S.ENDED,
        },
        _S.REQUESTED: {
            _I.RESPONSE: _S.REVIEWING,
            _I.REJECTION: _S.ENDED,
            _I.CANCEL: _S.ENDED,
            _I.TIMEOUT: _S.ENDED,
            **_FAULTS,
        },
        _S.REVIEWING: {
            _I.COMPLETE_FOUR: _S.PROVED,
            _I.COMPLETE_THREE: _S.ACTIVE,
            _I.COMPLETE_ONE_SHOT: _S.ENDED,
            _I.COMPLETE_UNENCRYPTED: _S.ACTIVE,
            _I.CANCEL: _S.ENDED,
            _I.TIMEOUT: _S.ENDED,
            **_FAULTS,
        },
        _S.PROVED: {_I.FINAL: _S.ACTIVE, _I.TIMEOUT: _S.ENDED, **_FAULTS},
        _S.ASKED: {
            _I.ACCEPT: _S.RESPONDED,
            _I.ACCEPT_UNENCRYPTED: _S.RESPONDED,
            _I.REJECT: _S.ENDED,
            _I.CANCELLATION: _S.ENDED,
            _I.TIMEOUT: _S.ENDED,
            **_FAULTS,
        },
        _S.RESPONDED: {
            _I.COMPLETION: _S.ACTIVE,
            _I.COMPLETION_ONE_SHOT: _S.ENDED,
            _I.CANCELLATION: _S.ENDED,
            _I.TIMEOUT: _S.ENDED,
            **_FAULTS,
        },
        _S.ACTIVE: {
            _I.SEND: _S.ACTIVE,
            _I.CONTROL: _S.ACTIVE,
            _I.MOVE: _S.MOVING,
            _I.TERMINATE: _S.TERMINATING,
            _I.TERMINATE_UNACKNOWLEDGED: _S.ENDED,
            _I.STANZA: _S.ACTIVE,
            _I.PEER_CONTROL: _S.ACTIVE,
            _I.TERMINATION: _S.ENDED,
            **_FAULTS,
        },
        _S.MOVING: {
            _I.STANZA: _S.MOVING,
            _I.PEER_CONTROL: _S.MOVING,
            _I.MOVE_ANSWER: _S.ACTIVE,
            _I.TERMINATE: _S.TERMINATING,
            _I.TERMINATE_UNACKNOWLEDGED: _S.ENDED,
            _I.TERMINATION: _S.ENDED,
            _I.TIMEOUT: _S.ENDED,
            **_FAULTS,
        },
        _S.TERMINATING: {
            _I.STANZA: _S.TERMINATING,
            _I.PEER_CONTROL: _S.TERMINATING,
            _I.MOVE_ANSWER: _S.TERMINATING,
            _I.TERMINATION: _S.ENDED,
            _I.ACKNOWLEDGEMENT: _S.ENDED,
            _I.TIMEOUT: _S.ENDED,
            **_FAULTS,
        },
        _S.SENDING: {_I.SEND: _S.SENDING, _I.TERMINATE_UNACKNOWLEDGED: _S.ENDED, _I.ERROR: _S.ENDED, **_LOSS},
        _S.RECEIVING: {
            _I.STANZA: _S.RECEIVING,
            _I.TERMINATION: _S.ENDED,
            _I.TERMINATE_UNACKNOWLEDGED: _S.ENDED,
            **_FAULTS,
        },
        _S.ENDED: {},
    }
)


def diagram() -> str:
    """The table as a Mermaid state diagram, its inputs grouped by the states they join."""
    lines = ["stateDiagram-v2", "    [*] --> NEW"]
    for state, inputs in TRANSITIONS.items():
        grouped: dict[State, list[str]] = {}
        for each, following in inputs.items():
            grouped.setdefault(following, []).append(each.value)
        lines += [
            f"    {state.name} --> {following.name}: {'<br/>'.join(labels)}"
            for following, labels in grouped.items()
        ]
    return "\n".join([*lines, "    ENDED --> [*]"]) + "\n"
