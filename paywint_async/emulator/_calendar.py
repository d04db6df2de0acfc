"""Computes the creation times of generated payments from their ranks. Pure."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta

import attrs

HOSTILE_START_US = 1_420_070_400_000_000
"""2015-01-01T00:00:00Z, where a hostile history begins."""
HOSTILE_STEP_US = 300_000_000
"""Five minutes."""

_HOUR_US = 3_600_000_000
_USUAL_STEP_US = 20 * 60 * 1_000_000
_LONGEST_SPAN_US = 3 * 365 * 24 * _HOUR_US


@attrs.frozen(kw_only=True)
class Calendar:
    """Consecutive payments, one in each interval of the same length.

    Args:
        first_rank: The rank of the payment in the first interval.
        first_us: When that interval begins, in Unix microseconds.
        step_us: The length of an interval, at least 1.
    """

    first_rank: int = 1
    first_us: int
    step_us: int

    def created_at_us(self, rank: int, jitter: int) -> int:
        """The creation time of this rank in Unix microseconds, strictly increasing with the rank."""
        # The jitter is less than the step, so the times are strictly increasing.
        return self.interval_start_us(rank) + jitter % self.step_us

    def interval_start_us(self, rank: int) -> int:
        """The earliest creation time of this rank, in Unix microseconds."""
        return self.first_us + (rank - self.first_rank) * self.step_us


def hostile_calendar() -> Calendar:
    """A payment every five minutes since 2015, independent of the date."""
    return Calendar(first_us=HOSTILE_START_US, step_us=HOSTILE_STEP_US)


def calendar_until(end_us: int, payments: int) -> Calendar:
    """Payments until this time, every twenty minutes, or more often to fit into three years."""
    step_us = max(1, min(_USUAL_STEP_US, _LONGEST_SPAN_US // max(payments, 1)))
    return Calendar(first_us=end_us - payments * step_us, step_us=step_us)


def end_of_history_us(today: date) -> int:
    """Half an hour after the begin of this day in UTC, so that the day has payments."""
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    return int(midnight.timestamp()) * 1_000_000 + _HOUR_US // 2


def day_of(unix_us: int) -> date:
    """The last day of a history that is made at this time; in the first hour of a day, the day before."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=unix_us - _HOUR_US)).date()


class Calendars:
    """The calendars of a history: each applies from its first rank until that of the next one.

    Args:
        first: Applies from rank 1.
    """

    def __init__(self, first: Calendar) -> None:
        self._calendars = [first]
        self._first_ranks = [first.first_rank]

    @property
    def latest(self) -> Calendar:
        """The calendar of the next payment."""
        return self._calendars[-1]

    def of(self, rank: int) -> Calendar:
        """The calendar of this rank."""
        return self._calendars[bisect_right(self._first_ranks, rank) - 1]

    def append(self, calendar: Calendar) -> None:
        """Add a calendar, which must begin after all others."""
        self._calendars.append(calendar)
        self._first_ranks.append(calendar.first_rank)

    def go_on_after(self, rank: int, created_at_us: int) -> None:
        """Give the payments after this rank times after ``created_at_us``, at the usual intervals."""
        step_us = self._calendars[0].step_us
        self.append(Calendar(first_rank=rank + 1, first_us=created_at_us + 1, step_us=step_us))

    def forget(self) -> None:
        """Remove all calendars but the first."""
        del self._calendars[1:], self._first_ranks[1:]
