"""Errors of our own, logged by an id that the peer may be told, without anything that a stanza held."""

import logging
import secrets
import traceback
from pathlib import PurePath
from typing import Final

log = logging.getLogger("stanzavault.stream")

_MOST_PLACES: Final = 12


def record_incident(error: BaseException) -> str:
    """Logs where an error came from, and returns its id.

    Types and places only: an error's own text may quote a stanza.
    """
    incident = secrets.token_hex(6)
    kind = type(error).__name__
    places = [
        f"{PurePath(frame.filename).name}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)[-_MOST_PLACES:]
    ]
    at = " < ".join(reversed(places))
    log.error(
        "incident %s: %s at %s",
        incident,
        kind,
        at,
        extra={"action": "incident", "incident": incident, "error": kind, "at": at},
    )
    return incident
