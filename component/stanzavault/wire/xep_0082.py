"""Dates and times as strings (XEP-0082)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

from stanzavault.kernel.errors import BadRequest

_DATE_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:(Z)|([+-])(\d{2}):(\d{2}))", re.ASCII
)
_FINEST = 6
_LEGACY = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2}):(\d{2}):(\d{2})", re.ASCII)


def parse(text: str, what: str = "A time") -> datetime:
    """Read a DateTime (section 3.2), or the legacy form of XEP-0091; in UTC, to the microsecond.

    Raises:
        BadRequest: it is neither; `what` names it in the text.
    """
    stripped = text.strip()
    match = _DATE_TIME.fullmatch(stripped)
    try:
        if match is None:
            legacy = _LEGACY.fullmatch(stripped)
            if legacy is None:
                raise BadRequest(f"{what} has to look like 2002-09-10T23:08:25Z (XEP-0082).")
            return datetime.strptime(stripped, "%Y%m%dT%H:%M:%S").replace(tzinfo=UTC)
        year, month, day, hour, minute, second = map(int, match.groups()[:6])
        fraction = int((match[7] or "0")[:6].ljust(6, "0"))
        offset = timedelta(hours=int(match[10] or 0), minutes=int(match[11] or 0))
        zone = timezone(-offset if match[9] == "-" else offset)
        leap = second == 60
        instant = datetime(year, month, day, hour, minute, 59 if leap else second, fraction, zone)
        return (instant + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadRequest(f"{what} names no day and time of the years 0001 to 9999.") from error


def parse_bound(text: str, what: str = "A time") -> datetime:
    """Read a DateTime that bounds a range; one in the year 0000 stands for the beginning of time.

    XEP-0136 writes such a bound in an example, though no calendar here has that year.

    Raises:
        BadRequest: it is no DateTime; `what` names it in the text.
    """
    if text.strip().startswith("0000-"):
        parse(text.strip().replace("0000", "0004", 1), what)  # a leap year, as the year 0000 is
        return datetime.min.replace(tzinfo=UTC)
    return parse(text, what)


def fraction_digits(text: str) -> int:
    """How many digits of the second a DateTime has that `parse` reads, microseconds being the finest."""
    match = _DATE_TIME.fullmatch(text.strip())
    return min(len(match[7] or ""), _FINEST) if match else 0


def render(instant: datetime, digits: int | None = None) -> str:
    """An instant in UTC.

    Args:
        instant: what is written, to the microsecond at most.
        digits: how many digits of the second, at most 6; as many as it has where None.

    Raises:
        ValueError: the instant is naive.
    """
    if instant.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    moment = instant.astimezone(UTC)
    fraction = f".{moment.microsecond:06d}"
    fraction = (fraction.rstrip("0") if digits is None else fraction[: digits + 1]).rstrip(".")
    return f"{moment.year:04d}-{moment:%m-%dT%H:%M:%S}{fraction}Z"
