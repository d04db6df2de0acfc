"""Divides a history into days, weeks, months or years, so that a plot has room for the bars. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, timedelta

import attrs

_MOST = 62  # bars: two months by day, a year by week, five years by month


@attrs.frozen(kw_only=True)
class Buckets:
    """Consecutive days, weeks, months or years, from the first day to the last."""

    unit: str
    starts: tuple[date, ...]

    def of(self, day: date) -> date:
        """Return the start of the bucket that contains a day."""
        return _START[self.unit](day)

    def label(self, start: date) -> str:
        """Return the label of a bucket."""
        if self.unit == "week":
            return f"week of {start:%d %b %Y}"
        return f"{start:{_FORMATS[self.unit]}}"


_FORMATS = {"day": "%d %b %Y", "month": "%b %Y", "year": "%Y"}
_START: dict[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=day.weekday()),
    "month": lambda day: day.replace(day=1),
    "year": lambda day: day.replace(month=1, day=1),
}
_LONGEST = {"day": 1, "week": 7, "month": 31, "year": 366}


def buckets_between(first: date, last: date) -> Buckets:
    """Return the buckets of the shortest length that does not need too many."""
    days = (last - first).days + 1
    lengths = {"day": 1, "week": 7, "month": 30, "year": 365}
    unit = next((unit for unit, length in lengths.items() if days <= _MOST * length), "year")
    return Buckets(unit=unit, starts=tuple(_starts(unit, first, last)))


def _starts(unit: str, first: date, last: date) -> Iterator[date]:
    start = _START[unit](first)
    while start <= last:
        yield start
        try:
            start = _START[unit](start + timedelta(days=_LONGEST[unit]))
        except OverflowError:  # the calendar's end
            return
