"""What may stand in a log: our own constant sentences, and fields that are known by name and by shape.

Everything else is withheld and counted, so that a body, an address or a key stays out of the log even where
a library logs raw bytes or an exception quotes what it was given. An account's address is never logged: where
a line needs to tell accounts apart, its caller gives a short keyed hash of it as `account`.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping
from enum import Enum
from pathlib import PurePath
from types import FrameType, TracebackType

import structlog

from stanzavault.runtime.stream.failures import STREAM_CONDITIONS, Failure, FailureReason

_OWN = ("stanzavault", "stanzavault_client", "esession")
_WITHHELD = "…"
_LIBRARY = "a library's message is withheld"
_UNSAFE = "a message is withheld"
_MOST_FRAMES = 12

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_ID = re.compile(r"[A-Za-z0-9-]{1,40}")
_HASH = re.compile(r"[0-9a-f]{8,16}")
_FRAMES = re.compile(r"[A-Za-z0-9_./:<> -]{1,2000}")

_NUMBER = object()
_KNOWN = object()
_FAILURES = frozenset(
    Failure(reason, condition).text for reason in FailureReason for condition in (None, *STREAM_CONDITIONS)
)

FIELDS: Mapping[str, object] = {
    # words of ours
    "action": _WORD, "condition": _WORD, "error": _WORD, "kind": _WORD, "outcome": _WORD, "reason": _WORD,
    "table": _WORD,
    # random ids, and hashes
    "account": _HASH, "fingerprint": _HASH, "incident": _ID, "record": _ID, "stanza": _ID,
    # places
    "at": _FRAMES, "host": _KNOWN,
    # numbers
    "bytes": _NUMBER, "count": _NUMBER, "delay_s": _NUMBER, "port": _NUMBER, "seconds": _NUMBER,
}  # fmt: skip
"""Every field that a log line may have, and the shape of its value."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class LogGuard:
    """Makes of any log record one that is safe to show.

    Args:
        known: names of the configuration that may stand in a line, such as the server's and its hosts'.
        strict: raise instead of leaving out what our own code should not have logged; for tests.

    Attributes:
        on_withheld: told "field", "value", "message" or "library" whenever something is left out.
    """

    def __init__(self, known: Collection[str], *, strict: bool = False) -> None:
        self.on_withheld: Callable[[str], None] = lambda _: None
        self._known = frozenset(known) | _FAILURES
        self._strict = strict

    def clean(self, record: logging.LogRecord) -> logging.LogRecord:
        """A new record with a safe text, its fields as `fields`, and nothing else of the old one."""
        safe = logging.LogRecord(
            _fitting(_WORD, record.name) or "library", record.levelno, "", record.lineno, _LIBRARY, None, None
        )
        fields = dict(self._fields(structlog.contextvars.get_contextvars()))
        if is_own(record):
            fields.update(self._fields(_extras(record)))
            safe.msg = self._sentence(record, frozenset(map(str, fields.values())))
        else:
            self.on_withheld("library")
            fields["at"] = f"{PurePath(record.pathname).name}:{record.lineno}"
        if record.exc_info and record.exc_info[1] is not None:
            fields.update(describe(record.exc_info[1]))
        safe.fields = fields
        return safe

    def _sentence(self, record: logging.LogRecord, told: frozenset[str]) -> str:
        """The constant text, with numbers, known names and what the fields tell in their places."""
        if not _is_constant(record):
            self._withhold("message", "it is not written out at the place that logs it")
            return _UNSAFE
        text: str = record.msg
        if isinstance(record.args, tuple) and record.args:
            shown = tuple(self._argument(argument, told) for argument in record.args)
            try:
                text %= shown
            except (TypeError, ValueError):
                self._withhold("message", "its arguments do not fit its text")
        elif record.args:
            self._withhold("message", "its arguments are a mapping")
        return text

    def _argument(self, argument: object, told: frozenset[str]) -> object:
        if isinstance(argument, int | float):
            return argument
        if isinstance(argument, str) and (argument in self._known or argument in told):
            return argument
        self._withhold("value", "an argument is no number, no known name and none of the line's fields")
        return _WITHHELD

    def _fields(self, given: Mapping[str, object]) -> Iterator[tuple[str, object]]:
        for name, value in given.items():
            if name not in FIELDS:
                self._withhold("field", f"{name} is not in FIELDS")
                continue
            if value is None or value == "":
                continue
            shown = value.value if isinstance(value, Enum) else value
            if self._fits(FIELDS[name], shown):
                yield name, shown
            else:
                self._withhold("value", f"{name} has a value of another shape than FIELDS says")

    def _fits(self, shape: object, value: object) -> bool:
        if shape is _NUMBER:
            return isinstance(value, int | float) and not isinstance(value, bool)
        if shape is _KNOWN:
            return value in self._known
        return isinstance(shape, re.Pattern) and isinstance(value, str) and bool(shape.fullmatch(value))

    def _withhold(self, what: str, why: str) -> None:
        self.on_withheld(what)
        if self._strict:
            raise ValueError(f"a {what} may not be logged: {why}")


def is_own(record: logging.LogRecord) -> bool:
    """Whether a record comes from our own code."""
    return record.name.partition(".")[0] in _OWN


def describe(error: BaseException) -> dict[str, str]:
    """An exception as log fields: its type, and where in our own code it came from.

    Its text is left out, since it may quote what a peer sent.
    """
    described = {"error": _fitting(_WORD, type(error).__name__) or "Exception"}
    frames = " < ".join(_own_frames(error.__traceback__))
    if frames:
        described["at"] = frames
    return described


def _own_frames(trace: TracebackType | None) -> Iterator[str]:
    """The innermost frames first; those of libraries are left out."""
    own = [
        f"{'/'.join(path.parts[-2:])}:{line}"
        for frame, line in traceback.walk_tb(trace)
        if not set(_OWN).isdisjoint((path := PurePath(frame.f_code.co_filename)).parts)
    ]
    yield from own[: -_MOST_FRAMES - 1 : -1]


def _is_constant(record: logging.LogRecord) -> bool:
    """Whether the text stands in the source where it is logged, and so was not put together from values."""
    frame: FrameType | None = sys._getframe()  # noqa: SLF001 - documented, and what logging itself uses
    while frame is not None:
        if frame.f_code.co_filename == record.pathname and frame.f_lineno == record.lineno:
            return isinstance(record.msg, str) and record.msg in frame.f_code.co_consts
        frame = frame.f_back
    return False


def _extras(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in vars(record).items() if name not in _STANDARD}


def _fitting(shape: re.Pattern[str], text: str) -> str:
    return text if shape.fullmatch(text) else ""
