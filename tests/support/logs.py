"""Puts back what configuring the log changes in a process."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def logging_put_back() -> Iterator[None]:
    """The root logger and the hooks for uncaught exceptions are afterwards as they were before."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    hooks = sys.excepthook, sys.unraisablehook, threading.excepthook
    try:
        yield
    finally:
        root.handlers, root.level = handlers, level
        root.manager._clear_cache()  # type: ignore[attr-defined]  # as setLevel does
        sys.excepthook, sys.unraisablehook, threading.excepthook = hooks
        logging.captureWarnings(capture=False)
        structlog.reset_defaults()
