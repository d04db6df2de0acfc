"""Computes the times of generated payments from their ranks. Pure."""

from bisect import bisect_right
from datetime import UTC, date, datetime, timedelta

import attrs

HOSTILE_START_US = 1_420_070_400_000_000
"""2015-01-01T00:00:00Z, the beginning of a hostile history."""
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
        """Return the time of a payment's creation in Unix microseconds, which increases with the rank."""
        # The jitter is less than the step, so the times are strictly increasing.
        return self.interval_start_us(rank) + jitter % self.step_us

    def interval_start_us(self, rank: int) -> int:
        """Return the earliest time that the payment of a rank can have."""
        return self.first_us + (rank - self.first_rank) * self.step_us


def hostile_calendar() -> Calendar:
    """Return the calendar of a hostile history: a payment every five minutes since 2015."""
    return Calendar(first_us=HOSTILE_START_US, step_us=HOSTILE_STEP_US)


def calendar_until(end_us: int, payments: int) -> Calendar:
    """Return a calendar that ends at a time: a payment every twenty minutes, within three years."""
    step_us = max(1, min(_USUAL_STEP_US, _LONGEST_SPAN_US // max(payments, 1)))
    return Calendar(first_us=end_us - payments * step_us, step_us=step_us)


def end_of_history_us(today: date) -> int:
    """Return the end of a history: half an hour after a day's beginning in UTC, so that it is past."""
    midnight = datetime(today.year, today.month, today.day, tzinfo=UTC)
    return int(midnight.timestamp()) * 1_000_000 + _HOUR_US // 2


def day_of(unix_us: int) -> date:
    """Return the last day of a history that is created now: the previous day before 01:00 UTC."""
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=unix_us - _HOUR_US)).date()


class Calendars:
    """The calendars of a history: each applies from its first rank up to the next one's.

    Args:
        first: The calendar from rank 1 on.
    """

    def __init__(self, first: Calendar) -> None:
        self._calendars = [first]
        self._first_ranks = [first.first_rank]

    @property
    def latest(self) -> Calendar:
        """The calendar of the next payment."""
        return self._calendars[-1]

    def of(self, rank: int) -> Calendar:
        """Return the calendar of the payment of a rank."""
        return self._calendars[bisect_right(self._first_ranks, rank) - 1]

    def append(self, calendar: Calendar) -> None:
        """Add a calendar, whose first rank must not be before that of an earlier one."""
        self._calendars.append(calendar)
        self._first_ranks.append(calendar.first_rank)

    def go_on_after(self, rank: int, created_at_us: int) -> None:
        """Continue after a payment's time at the usual intervals."""
        step_us = self._calendars[0].step_us
        self.append(Calendar(first_rank=rank + 1, first_us=created_at_us + 1, step_us=step_us))

    def forget(self) -> None:
        """Remove all calendars but the first."""
        del self._calendars[1:], self._first_ranks[1:]
