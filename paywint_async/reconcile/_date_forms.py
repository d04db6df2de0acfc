"""Parses dates in the formats that people write. Pure.

`03/04/2026` can be 3 April or 4 March: the order of day and month is determined from all dates of a
column together, never from one that can be read both ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

ORDERS = ("ymd", "dmy", "mdy")
ORDER_WORDS = {"ymd": "year-month-day", "dmy": "day/month/year", "mdy": "month/day/year"}
_ISO = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)
_NUMBERS = re.compile(r"([0-9]{1,4})([-/. ])([0-9]{1,2})\2([0-9]{1,4})\.?")
_COMPACT = re.compile(r"[0-9]{8}")
_NAMED = (
    re.compile(
        r"(?P<day>[0-9]{1,2})[- .]{1,2}(?P<month>[A-Za-z]{3,9})\.?[- ,]{1,2}(?P<year>[0-9]{4}|[0-9]{2})"
    ),
    re.compile(r"(?P<month>[A-Za-z]{3,9})\.? (?P<day>[0-9]{1,2})(?:, ?| )(?P<year>[0-9]{4})"),
)
_TIME = re.compile(
    r"(?:,? |T)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?(?: ?(?P<zone>Z|UTC|GMT|[+-][0-9]{2}:?[0-9]{2}))?$"
)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_FIRST_YEAR, _LAST_YEAR = 1900, 2199


def is_iso(text: str) -> bool:
    """Return whether a date is in ISO 8601, which is unambiguous."""
    return _ISO.fullmatch(text) is not None


def read_date(text: str, order: str) -> datetime:
    """Parse a date; without a time it is midnight, without a time zone it is naive.

    Args:
        text: as it is in the ledger, not empty.
        order: ``dmy``, ``mdy`` or ``ymd``, the order of day, month and year; or a format of
            `strptime`, which contains a ``%``.

    Raises:
        ValueError: the text is not a date of this format.
    """
    if "%" in order:
        return _by_form(text, order)
    if _ISO.fullmatch(text):
        return _iso(text)
    for found_order, moment in _readings(text):
        if found_order in (order, None):
            return moment
    raise ValueError(f"is not a date of the form {ORDER_WORDS[order]}")


def orders_of(text: str) -> dict[str, datetime]:
    """Parse a text with each order; orders with which it is not a date are left out."""
    found = {}
    for order in ORDERS:
        try:
            found[order] = read_date(text, order)
        except ValueError:
            continue
    return found


def has_points(text: str) -> bool:
    """Return whether the numbers are separated by dots: then the month is never first."""
    match = _NUMBERS.match(text)
    return match is not None and match[2] == "." and len(match[1]) <= 2


def _iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a valid date") from None


def _by_form(text: str, form: str) -> datetime:
    try:
        return datetime.strptime(text, form)
    except ValueError:
        raise ValueError(f"is not a date of the form {form}") from None


def _readings(text: str) -> Iterator[tuple[str | None, datetime]]:
    """Yield each reading with its order; None if the order does not matter, as with a named month."""
    time = _TIME.search(text)
    date = text[: time.start()] if time else text
    for order, year, month, day in _dates(date):
        try:
            moment = datetime(_full_year(year), month, day)
            yield order, _with_time(moment, time) if time else moment
        except ValueError:
            continue


def _dates(text: str) -> Iterator[tuple[str | None, str, int, int]]:
    if match := _NUMBERS.fullmatch(text):
        yield from _numbers(match[1], match[3], match[4])
    elif _COMPACT.fullmatch(text):
        yield from _numbers(text[:4], text[4:6], text[6:])
        yield "dmy", text[4:], int(text[2:4]), int(text[:2])
        yield "mdy", text[4:], int(text[:2]), int(text[2:4])
    for form in _NAMED:
        if (match := form.fullmatch(text)) and (month := _month(match["month"])):
            yield None, match["year"], month, int(match["day"])


def _numbers(first: str, second: str, third: str) -> Iterator[tuple[str, str, int, int]]:
    if len(third) <= 2 and len(first) in (2, 4):
        yield "ymd", first, int(second), int(third)
    if len(first) <= 2 and len(third) in (2, 4):
        yield "dmy", third, int(second), int(first)
        yield "mdy", third, int(first), int(second)


def _month(name: str) -> int:
    """Return the number of a month's English name or abbreviation; 0 for anything else."""
    word = "sep" if name.casefold() == "sept" else name.casefold()
    found = (number for number, month in enumerate(_MONTHS, 1) if word in (month, month[:3]))
    return next(found, 0)


def _full_year(text: str) -> int:
    year = int(text)
    if len(text) == 2:
        year += 2000 if year < 69 else 1900  # as POSIX defines it
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        raise ValueError(f"is not a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    return year


def _with_time(day: datetime, time: re.Match[str]) -> datetime:
    hour, half = int(time["hour"]), (time["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError("is not an hour from 1 to 12")
        hour = hour % 12 + (12 if half == "p" else 0)
    moment = day.replace(hour=hour, minute=int(time["minute"]), second=int(time["second"] or 0))
    zone = time["zone"]
    if not zone:
        return moment
    if zone in ("Z", "UTC", "GMT"):
        return moment.replace(tzinfo=UTC)
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return moment.replace(tzinfo=timezone(-offset if zone[0] == "-" else offset))
