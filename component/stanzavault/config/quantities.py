"""Durations, sizes and rates, which are always written with their unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import PlainValidator

from stanzavault.config.written import Written

_NUMBER_AND_UNIT = re.compile(r"([0-9]+) ?([A-Za-z]+)")
_RATE = re.compile(r"([0-9]+) ?/ ?([a-z]+)")

_DURATIONS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "min": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "y": timedelta(days=365),
}
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_RATE_UNITS = ("s", "min", "h")
_LONGEST = timedelta(days=365 * 1000)  # further than this, a date leaves the calendar that Python has


@dataclass(frozen=True, slots=True)
class Rate:
    """So many events in so much time.

    Attributes:
        count: events, at least 1.
        per: the time in which they may happen.
    """

    count: int
    per: timedelta

    @property
    def per_second(self) -> float:
        """Events in a second."""
        return self.count / self.per.total_seconds()

    def __str__(self) -> str:
        return f"{self.count}/{next(unit for unit in _RATE_UNITS if _DURATIONS[unit] == self.per)}"


def parse_duration(value: object) -> timedelta:
    """Read a duration such as `30d`, `20s` or `500ms`; a year has 365 days.

    Raises:
        ValueError: it is none, or its unit is missing; the text says which units there are.
    """
    if isinstance(value, timedelta):
        return value
    count, unit = _split(value, "duration", "20s", _DURATIONS)
    if not count:
        raise ValueError("expected a duration that is longer than nothing")
    if count > _LONGEST // _DURATIONS[unit]:
        raise ValueError("expected a duration of at most 1000y")
    return count * _DURATIONS[unit]


def parse_size(value: object) -> int:
    """Read a size such as `1GiB` or `256KiB`, in bytes.

    Raises:
        ValueError: it is none, or its unit is missing; the text says which units there are.
    """
    count, unit = _split(value, "size", "256KiB", _SIZES)
    return count * _SIZES[unit]


def parse_rate(value: object) -> Rate:
    """Read a rate such as `20/s`.

    Raises:
        ValueError: it is none, or its unit is missing; the text says which units there are.
    """
    if isinstance(value, Rate):
        return value
    units = ", ".join(f"/{unit}" for unit in _RATE_UNITS)
    if _is_number(value):
        raise ValueError(f"a rate needs its unit, one of {units}, for instance 20/s")
    match = _RATE.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2] not in _RATE_UNITS or not int(match[1]):
        raise ValueError(f"expected a rate such as 20/s, its unit one of {units}")
    return Rate(int(match[1]), _DURATIONS[match[2]])


def show_duration(value: timedelta) -> str:
    """The duration as `parse_duration` reads it, in the largest unit that leaves no remainder."""
    fitting = (unit for unit in _DURATIONS if not value % _DURATIONS[unit])
    unit = max(fitting, key=lambda unit: _DURATIONS[unit])
    return f"{value // _DURATIONS[unit]}{unit}"


def show_size(value: int) -> str:
    """The size as `parse_size` reads it, in the largest unit that leaves no remainder."""
    fitting = (unit for unit in _SIZES if value and not value % _SIZES[unit])
    unit = max(fitting, key=lambda unit: _SIZES[unit], default="B")
    return f"{value // _SIZES[unit]}{unit}"


def _split(value: object, kind: str, example: str, units: Mapping[str, object]) -> tuple[int, str]:
    listed = ", ".join(units)
    if _is_number(value):
        raise ValueError(f"a {kind} needs its unit, one of {listed}, for instance {example}")
    match = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"expected a {kind} such as {example}: a whole number and one of {listed}")
    if match[2] not in units:
        raise ValueError(f"the unit {match[2]!r} is not one of {listed}, for instance {example}")
    return int(match[1]), match[2]


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        return re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool)


Duration = Annotated[
    timedelta,
    PlainValidator(parse_duration),
    Written("a duration such as 500ms, 20s, 5min, 12h or 30d", show_duration),
]
Size = Annotated[int, PlainValidator(parse_size), Written("a size such as 256KiB, 20MiB or 1GiB", show_size)]
PerTime = Annotated[Rate, PlainValidator(parse_rate), Written("a rate such as 20/s or 600/min")]
