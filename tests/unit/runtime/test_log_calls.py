"""Every line that the service logs has a constant sentence and fields that the guard knows."""

from __future__ import annotations

import ast
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import stanzavault
from stanzavault.runtime.log_guard import FIELDS

_ROOT = Path(stanzavault.__file__).parent
_METHODS = {"debug", "info", "warning", "error", "critical", "exception", "log"}
_RESERVED = {*vars(logging.makeLogRecord({})), "message", "asctime"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for path in sorted(_ROOT.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr in _METHODS
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id in {"log", "_log"}
            ):
                yield f"{path.relative_to(_ROOT)}:{node.lineno}", node


CALLS = list(calls())


def test_the_service_logs_at_all() -> None:
    assert len(CALLS) >= 10


@pytest.mark.parametrize(("place", "call"), CALLS, ids=[place for place, _ in CALLS])
def test_a_log_line_has_a_constant_sentence_and_known_fields(place: str, call: ast.Call) -> None:
    (sentence, *_) = call.args
    assert isinstance(sentence, ast.Constant | ast.Name), "a name is seen to be a constant at run time"
    for keyword in call.keywords:
        if keyword.arg == "extra" and isinstance(keyword.value, ast.Dict):
            names = {key.value for key in keyword.value.keys if isinstance(key, ast.Constant)}
            assert not names & _RESERVED, "logging keeps these names for itself, and raises"
            assert names <= FIELDS.keys()
