"""How many stanzas of one account, and of one remote domain, are served in so much time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from stanzavault.kernel.errors import ResourceConstraint
from stanzavault.kernel.request import Principal

_BUCKETS = 16_384
_ACCOUNTS_OF_A_DOMAIN = 10
_ROUNDING = 1e-3  # of a token: sums of floats must not cost a whole one


@dataclass(frozen=True, slots=True)
class Pace:
    """So many stanzas at once, and then as many in each second as flow in.

    Attributes:
        per_second: stanzas served in a second, in the long run; more than 0.
        burst: stanzas served at once after a pause; at least 1.
    """

    per_second: float
    burst: int


class TokenBuckets:
    """A bucket of tokens for each key.

    A bucket is kept as the moment at which it is full again. Where there are too many, the one least recently
    asked for is dropped: left alone for `burst / per_second` seconds it is full, and nothing is lost.
    """

    def __init__(self, pace: Pace, now: Callable[[], float], most: int = _BUCKETS) -> None:
        self._interval = 1 / pace.per_second
        self._ahead = (pace.burst - 1 + _ROUNDING) * self._interval
        self._now = now
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str) -> bool:
        """Take a token; False where the bucket has none, which costs none."""
        now = self._now()
        full_at = max(self._full_at.get(key, now), now)
        if full_at - now > self._ahead:
            self._full_at.move_to_end(key)
            return False
        self._full_at[key] = full_at + self._interval
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return True


class RateLimits:
    """Limits accounts one by one, and remote domains as well, for their accounts cost them nothing."""

    def __init__(self, pace: Pace, now: Callable[[], float] = time.monotonic) -> None:
        self._accounts = TokenBuckets(pace, now)
        self._domains = TokenBuckets(
            Pace(pace.per_second * _ACCOUNTS_OF_A_DOMAIN, pace.burst * _ACCOUNTS_OF_A_DOMAIN), now
        )

    def admit(self, principal: Principal) -> None:
        """Count one stanza of a principal.

        Raises:
            ResourceConstraint: that was one too many; it is over in a while, as the error's type says.
        """
        address = principal.address
        if not self._accounts.take(str(address.bare)):
            raise ResourceConstraint(
                "You send more than the vault serves for one account. Wait, and try again."
            )
        if not (principal.is_local or self._domains.take(address.domain)):
            raise ResourceConstraint(
                "Your server sends more than the vault serves for one. Wait, and try again."
            )
