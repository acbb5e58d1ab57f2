"""The log: text for people or JSON for machines, a line an event, with the id of the stanza it belongs to."""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Collection, MutableMapping
from contextlib import AbstractContextManager
from typing import Any, Final, TextIO

import structlog
from structlog.types import Processor

from stanzavault.config.settings import Log
from stanzavault.runtime.log_guard import LogGuard, is_own

_LIBRARIES_FROM: Final = logging.WARNING  # below, libraries only tell what they do, which is withheld anyway


def configure_log(
    settings: Log,
    stream: TextIO | None = None,
    *,
    known: Collection[str] = (),
    strict: bool = False,
) -> None:
    """Send every logger of this process, those of libraries included, through the guard to one stream.

    Uncaught exceptions, of threads and of finalizers too, are logged the same way instead of being printed.

    Args:
        settings: format and level.
        stream: where lines go; standard error if None.
        known: see `LogGuard`.
        strict: see `LogGuard`.
    """
    handler = _GuardedHandler(stream or sys.stderr, LogGuard(known, strict=strict), strict=strict)
    colours = settings.format == "text" and handler.stream.isatty()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                _event_of,
                structlog.processors.TimeStamper(fmt="iso"),
                *_renderers(settings.format, colours),
            ]
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.level.upper())
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    sys.excepthook = lambda kind, error, trace: _log_uncaught(error)  # noqa: ARG005 - the hook's own names
    threading.excepthook = lambda arguments: _log_uncaught(arguments.exc_value)
    sys.unraisablehook = lambda arguments: _log_uncaught(arguments.exc_value)


def count_withheld(tell: Callable[[str], None]) -> None:
    """Have `tell` told "field", "value", "message" or "library" whenever the log leaves something out."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _GuardedHandler):
            handler.guard.on_withheld = tell


def bind_stanza(id: str) -> AbstractContextManager[None]:  # noqa: A002 - as Request.id
    """While the returned context lasts, every line of this task (and of tasks that it starts) has this id."""
    return structlog.contextvars.bound_contextvars(stanza=id)


class _GuardedHandler(logging.StreamHandler[TextIO]):
    def __init__(self, stream: TextIO, guard: LogGuard, *, strict: bool) -> None:
        super().__init__(stream)
        self.guard = guard
        self._strict = strict

    def emit(self, record: logging.LogRecord) -> None:
        if not is_own(record) and record.levelno < _LIBRARIES_FROM:
            return
        try:
            safe = self.guard.clean(record)
        except Exception:  # noqa: BLE001 - whatever it is, the record itself must not be printed
            self.handleError(record)
            return
        super().emit(safe)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own names
        """Unlike logging's own, which prints the record with its arguments."""
        if self._strict:
            raise  # noqa: PLE0704 - called while the exception is handled
        with contextlib.suppress(OSError, ValueError):  # a stream that is full or closed stops nobody
            self.stream.write("a line of the log could not be written\n")


def _event_of(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    record: logging.LogRecord = event["_record"]
    fields: dict[str, object] = vars(record)["fields"]
    return {"event": record.msg, "level": record.levelname.lower(), "logger": record.name, **fields}


def _renderers(format_: str, colours: bool) -> list[Processor]:  # noqa: FBT001 - one use, next to it
    if format_ == "json":
        return [structlog.processors.JSONRenderer(ensure_ascii=False)]
    return [structlog.dev.ConsoleRenderer(colors=colours)]


def _log_uncaught(error: BaseException | None) -> None:
    if isinstance(error, KeyboardInterrupt):
        return
    known = (type(error), error, error.__traceback__) if error is not None else None
    logging.getLogger("stanzavault").critical("an exception was not caught", exc_info=known)
