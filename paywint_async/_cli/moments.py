"""Parses the span of time of a command: days, or times with a time zone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Annotated, Any, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

from cyclopts import Parameter, Token

from paywint_async._cli.options import UsageError

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})?",
    re.IGNORECASE,
)


def _read_moment(_type: Any, tokens: Sequence[Token]) -> date:
    text = tokens[0].value
    found = _MOMENT.fullmatch(text)
    if found and not found[1]:
        raise ValueError(f"{text!r} has no time zone: add Z or an offset such as +01:00")
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
        if found:
            return datetime.fromisoformat(text.upper())
    except ValueError:
        pass
    raise ValueError(f"{text!r} is neither a day, 2026-01-31, nor a time, 2026-01-31T09:30:00Z")


# A day, or a time with a time zone. If pydantic is loaded, cyclopts validates with these types.
Moment: TypeAlias = Annotated[datetime | date, Parameter(converter=_read_moment)]


def read_span(since: date | None, until: date | None, timezone: str) -> dict[str, datetime]:
    """Return the listing's options for a span; days are those of the time zone, both included.

    Raises:
        UsageError: the time zone is unknown, or the span ends before it begins.
    """
    zone, span = read_zone(timezone), {}
    if since is not None:
        span["since"] = _moment("--since", since, zone)
    if until is not None:
        span["until"] = _moment("--until", until, zone, days=1)
    if len(span) == 2 and span["until"] <= span["since"]:
        raise UsageError("--until is before --since")
    return span


def _moment(option: str, value: date, zone: tzinfo, days: int = 0) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        day = value + timedelta(days=days)
        return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
    except OverflowError:
        raise UsageError(f"{option}: {value} is out of the calendar") from None


def days_ago(option: str, days: int) -> datetime:
    """Return the time so many days before now.

    Raises:
        UsageError: the calendar does not reach so far back.
    """
    try:
        return datetime.now(UTC) - timedelta(days=days)
    except OverflowError:
        raise UsageError(f"{option}: {days} days ago is out of the calendar") from None


def read_zone(name: str) -> tzinfo:
    """Return the time zone of that name.

    Raises:
        UsageError: no time zone has that name.
    """
    if name.upper() in ("UTC", "Z"):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        if not available_timezones():
            raise UsageError(
                f"--timezone: {name!r} is not known, because this system has no time zone data: "
                "'pip install tzdata' installs it"
            ) from None
        raise UsageError(
            f"--timezone: {name!r} is not a known time zone, such as Europe/Berlin"
        ) from None
