"""How long to wait before the next attempt: capped exponential backoff with full jitter."""

import secrets
from collections.abc import Callable
from typing import Final

from .settings import ReconnectPace

_MOST_DOUBLINGS: Final = 64
_uniform: Final = secrets.SystemRandom().uniform


def full_jitter(bound: float) -> float:
    """Anything between nothing and the bound, so that many components don't come back at once."""
    return _uniform(0.0, bound)


class Backoff:
    """Counts the failures since the last stable connection."""

    def __init__(self, pace: ReconnectPace, jitter: Callable[[float], float] = full_jitter) -> None:
        self._pace = pace
        self._jitter = jitter
        self._failures = 0

    def after(self, lasted: float) -> float:
        """The seconds to wait, now that a connection has ended.

        Args:
            lasted: Seconds for which the connection was established; 0 if it never was.
        """
        if lasted >= self._pace.stable_after:
            self._failures = 0
        bound = min(self._pace.cap, self._pace.first * 2.0 ** min(self._failures, _MOST_DOUBLINGS))
        self._failures += 1
        return self._jitter(bound)
