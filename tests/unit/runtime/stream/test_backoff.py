"""The pace of reconnecting."""

from stanzavault.runtime.stream import ReconnectPace
from stanzavault.runtime.stream.backoff import Backoff, full_jitter

PACE = ReconnectPace(first=1.0, cap=10.0, stable_after=30.0)


def test_bounds_double_up_to_the_cap_and_stay_there() -> None:
    backoff = Backoff(PACE, jitter=lambda bound: bound)
    assert [backoff.after(0.0) for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    assert [backoff.after(0.0) for _ in range(5000)][-1] == 10.0


def test_only_a_stable_connection_starts_the_count_anew() -> None:
    backoff = Backoff(PACE, jitter=lambda bound: bound)
    assert [backoff.after(lasted) for lasted in (0.0, 0.0, 29.9, 30.0, 0.0)] == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_jitter_is_full() -> None:
    drawn = [full_jitter(10.0) for _ in range(1000)]
    assert min(drawn) >= 0.0
    assert max(drawn) <= 10.0
    assert min(drawn) < 2.0
    assert max(drawn) > 8.0
