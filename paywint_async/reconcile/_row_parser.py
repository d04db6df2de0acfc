"""A row's values as what they mean, strictly: what could be read in two ways is refused. Pure.

Values are text, as in a CSV file, or already typed, as in a Parquet file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

import attrs

from paywint_async.reconcile._columns import Columns, Places
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._records import PAID, LedgerRow

_AMOUNT = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)")
_MOST_DIGITS = 60
_ID = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}", re.IGNORECASE)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
_DIRECTIONS = ("sent", "received")
_MOST_TEXTS = 10_000  # that are remembered
_SHOWN = 40  # characters of a value that is refused


@attrs.frozen(kw_only=True)
class LedgerFormat:
    """How a ledger is to be read.

    Args:
        columns: what they are called.
        direction: ``sent``, ``received`` or ``both``: what is compared. Where no column tells a
            row's direction, its sign does: what is negative was sent. Only in a ledger of ``sent``
            payments all rows are, and must have one sign.
        zone: of times without one; and in which days are counted.
        paid_statuses: further words of the status column that mean ``success``.
        delimiter: of a CSV file.
        table: of a database.
        needs_dates: whether a row without a date is refused.
    """

    columns: Columns = attrs.field(factory=Columns)
    direction: str = "received"
    zone: tzinfo = UTC
    paid_statuses: Sequence[str] = ()
    delimiter: str = ","
    table: str = "paywint_payments"
    needs_dates: bool = False


class RowReader:
    """Makes rows of values.

    Args:
        format: of the ledger.
        places: of its columns.
    """

    def __init__(self, format: LedgerFormat, places: Places) -> None:
        self._format = format
        self._places = places
        self._paid = {PAID, *(word.strip().casefold() for word in format.paid_statuses)}
        self._sent_is_negative: bool | None = None
        self._texts: dict[str, str] = {}

    def read(self, values: Sequence[Any], place: int, named: str) -> LedgerRow:
        """The row of these values.

        Args:
            values: as many as the header has columns.
            place: the row's line or number.
            named: the same for messages.

        Raises:
            LedgerError: a value cannot be understood; names row and column.
        """
        places = self._places
        try:
            amount = _amount(values[places.amount])
        except ValueError as error:
            self._refuse(named, places.amount, values, error)
        direction = self._direction(values, amount, named)
        return LedgerRow(
            place=place,
            direction=direction,
            amount=amount if amount >= 0 else amount.copy_abs(),
            payment_id=self._read(_id, places.id, values, named),
            invoice=self._text(values, places.invoice),
            description=self._text(values, places.description),
            when=self._when(values, named),
            status=self._read(self._status, places.status, values, named) or PAID,
        )

    def _read(self, read: Any, place: int | None, values: Sequence[Any], named: str) -> Any:
        if place is None:
            return None
        try:
            return read(values[place])
        except ValueError as error:
            self._refuse(named, place, values, error)

    def _text(self, values: Sequence[Any], place: int | None) -> str | None:
        """Of texts that come again and again, one is kept for all."""
        value = None if place is None else values[place]
        text = "" if value is None else str(value).strip()
        if len(self._texts) < _MOST_TEXTS:
            return self._texts.setdefault(text, text) or None
        return self._texts.get(text, text) or None

    def _direction(self, values: Sequence[Any], amount: Decimal, named: str) -> str:
        self._read(_check_currency, self._places.currency, values, named)
        told = self._read(_direction, self._places.direction, values, named)
        direction: str = told or ("sent" if amount < 0 else "received")
        if not told and self._format.direction == "sent":
            direction = "sent"
        problem = ""
        if direction == "received" and amount < 0:
            problem = "is negative, though the row is of a received payment"
        elif direction == "sent" and amount:
            if self._sent_is_negative is None:
                self._sent_is_negative = amount < 0
            if self._sent_is_negative is not (amount < 0):
                problem = "has another sign than the sent payments before it"
        if problem:
            self._refuse(named, self._places.amount, values, ValueError(problem))
        return direction

    def _when(self, values: Sequence[Any], named: str) -> datetime | None:
        for place in self._places.dates:
            when = self._read(_when, place, values, named)
            if when is not None:
                try:
                    return self._in_zone(when)
                except OverflowError:
                    self._refuse(named, place, values, ValueError("is out of the calendar"))
        if self._format.needs_dates:
            name = self._places.names[self._places.dates[0]] if self._places.dates else None
            raise LedgerError(named, "has no date, and so is in no period", column=name)
        return None

    def _in_zone(self, when: datetime) -> datetime:
        zone = self._format.zone
        return when.replace(tzinfo=zone) if when.tzinfo is None else when.astimezone(zone)

    def _status(self, value: Any) -> str:
        word = str(value or "").strip().casefold()
        if not word:
            raise ValueError("is empty; where no row has a status, name no status column")
        return PAID if word in self._paid else word

    def _refuse(self, named: str, place: int, values: Sequence[Any], error: ValueError) -> NoReturn:
        value = values[place]
        shown = str(value) if isinstance(value, Decimal) else repr(value)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}…"
        raise LedgerError(named, f"{shown} {error}", column=self._places.names[place]) from None


def _amount(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("is not an amount")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        raise ValueError("is a float, in which cents are not exact")
    text = value.strip() if isinstance(value, str) else ""
    if not _AMOUNT.fullmatch(text):
        raise ValueError(
            "is not an amount such as 1234.50: without currency signs, separators of thousands "
            "or exponents"
            if text
            else "is not an amount: it is empty"
        )
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"has more than {_MOST_DIGITS} digits")
    return Decimal(text)


def _id(value: Any) -> UUID | None:
    if isinstance(value, UUID):
        return value
    if isinstance(value, bytes) and len(value) == 16:
        return UUID(bytes=value)
    text = str(value or "").strip()
    if text and not _ID.fullmatch(text):
        raise ValueError("is not a payment id, which is a UUID")
    return UUID(text) if text else None


def _direction(value: Any) -> str:
    word = str(value or "").strip().casefold()
    if word not in _DIRECTIONS:
        raise ValueError("is neither 'sent' nor 'received'")
    return word


def _check_currency(value: Any) -> None:
    if str(value or "USD").strip().casefold() not in ("usd", ""):
        raise ValueError("is not USD, and Paywint's amounts are in US dollars")


def _when(value: Any) -> datetime | None:
    if value is None or isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    text = str(value).strip()
    if not text:
        return None
    try:
        if _DATE.fullmatch(text) or _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    raise ValueError("is not a date such as 2026-01-31 or 2026-01-31T09:30:00Z")
