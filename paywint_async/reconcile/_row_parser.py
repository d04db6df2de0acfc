"""A row's values as what they mean, strictly: what could be read in two ways is refused. Pure.

Values are text, as in a CSV file, or already typed, as in a Parquet file.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, tzinfo
from decimal import Decimal
from typing import Any, NoReturn
from uuid import UUID

import attrs

from paywint_async.reconcile._columns import Columns
from paywint_async.reconcile._date_forms import read_date
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._forms import ID, Forms
from paywint_async.reconcile._number_forms import is_plain, read_amount
from paywint_async.reconcile._records import PAID, LedgerRow
from paywint_async.reconcile._words import DIRECTION_WORDS, PAID_WORDS, is_balance, is_total

_MOST_TEXTS = 10_000  # that are remembered
_SHOWN = 40  # characters of a value that is refused
_MOST_PLACES = 5  # of rows that are passed over
_ZERO = Decimal(0)
_RULED = re.compile(r"[-–—_=*\s]+")
NEITHER, TOTALS, REPEATED_HEADER = (
    "with neither date nor amount",
    "with totals or balances",
    "that repeat the names of the columns",
)


@attrs.frozen(kw_only=True)
class LedgerFormat:
    """How a ledger is to be read; None: as the ledger itself shows.

    Args:
        columns: what they are called.
        direction: ``sent``, ``received`` or ``both``: what is compared. Where no column tells a
            row's direction, its sign does: what is negative was sent. Only in a ledger of ``sent``
            payments all rows are, and must have one sign, unless debits and credits have columns.
        zone: of times without one; and in which days are counted.
        paid_statuses: further words of the status column that mean ``success``.
        encoding: of a file of text, as Python calls it.
        delimiter: between the values of a file of text.
        header_line: the line or row that names the columns, from 1; 0: there is none, and columns
            are called 1, 2 and so on.
        date_format: ``dmy``, ``mdy``, ``ymd``, or a form of `strptime`.
        decimal_mark: ``.`` or ``,``.
        sheet: of an Excel file.
        table: of a database.
        needs_dates: whether a row without a date is refused.
    """

    columns: Columns = attrs.field(factory=Columns)
    direction: str = "received"
    zone: tzinfo = UTC
    paid_statuses: Sequence[str] = ()
    encoding: str | None = None
    delimiter: str | None = None
    header_line: int | None = None
    date_format: str | None = None
    decimal_mark: str | None = None
    sheet: str | None = None
    table: str = "paywint_payments"
    needs_dates: bool = False


class PassedRows:
    """Rows that hold no payment, by the reason for which they were passed over."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._places: defaultdict[str, list[int]] = defaultdict(list)

    def add(self, reason: str, place: int) -> None:
        """Counts a row."""
        self._counts[reason] += 1
        if len(self._places[reason]) < _MOST_PLACES:
            self._places[reason].append(place)

    def notes(self, unit: str) -> list[str]:
        """Each reason with how many rows, and where the first of them are."""
        found = []
        for reason, count in self._counts.items():
            places = ", ".join(map(str, self._places[reason]))
            more = ", …" if count > _MOST_PLACES else ""
            rows, where = ("row", unit) if count == 1 else ("rows", f"{unit}s")
            found.append(f"passed over {count:,} {rows} {reason} ({where} {places}{more})")
        return found


class RowReader:
    """Makes rows of values.

    Args:
        format: of the ledger.
        forms: of its values, and the places of its columns.
        passes_over: whether rows that hold no payment are passed over, as people's tables have them;
            else each row has to be one.
    """

    def __init__(self, format: LedgerFormat, forms: Forms, *, passes_over: bool = False) -> None:
        self._format = format
        self._forms = forms
        self._places = places = forms.places
        self._paid = {
            PAID,
            *PAID_WORDS,
            *(each.strip().casefold() for each in format.paid_statuses),
        }
        self._sent_is_negative: bool | None = None
        self._texts: dict[str, str] = {}
        self._passes_over = passes_over
        self._amounts = places.amounts
        self._telling: tuple[int, ...] = ()
        if places.amount is not None and places.dates:
            self._telling = (places.amount, places.dates[0])
        self._last_status: tuple[Any, str] = None, PAID
        self._last_currency: Any = None
        self._header = [name.strip() for name in places.names]
        self._total = _ZERO  # so far, of a ledger without dates
        self.passed = PassedRows()

    def read(self, values: Sequence[Any], place: int, named: str) -> LedgerRow | None:
        """The row of these values; None where it is passed over.

        Args:
            values: as many as the header has columns.
            place: the row's line or number.
            named: the same for messages.

        Raises:
            LedgerError: a value cannot be understood; names row and column.
        """
        if self._passes_over and not self._is_surely_a_row(values):
            fitted = self._fitted(values)
            if self._is_passed(fitted, place):
                return None
            if len(values) < len(fitted) or any(map(_text, values[len(fitted) :])):
                width = self._places.width
                problem = f"has {len(values)} values, and the header has {width} columns"
                raise LedgerError(named, problem)
            values = fitted
        net = self._amount(values, named)
        amount = net if self._places.fee is None else self._with_fee(net, values, named)
        direction = self._direction(values, amount, named)
        if not self._places.dates:
            self._total += net
        return LedgerRow(
            place=place,
            direction=direction,
            amount=amount if amount >= 0 else amount.copy_abs(),
            payment_id=self._read(_id, self._places.id, values, named),
            invoice=self._kept_text(values, self._places.invoice),
            description=self._kept_text(values, self._places.description),
            when=self._when(values, named),
            status=self._known_status(values, named),
            fee=amount - net if amount >= 0 else net - amount,
        )

    def _is_surely_a_row(self, values: Sequence[Any]) -> bool:
        """Whether amount and date both begin with a digit: so nearly all rows do, and need no look."""
        if len(values) != self._places.width:
            return False
        for place in self._telling:
            value = values[place]
            if not isinstance(value, str) or not value[:1].isdigit():
                return False
        return bool(self._telling)

    # -- rows that are none ------------------------------------------------------------------------

    def _fitted(self, values: Sequence[Any]) -> Sequence[Any]:
        missing = self._places.width - len(values)
        if not missing:
            return values
        return [*values, *[""] * missing] if missing > 0 else values[: self._places.width]

    def _is_passed(self, values: Sequence[Any], place: int) -> bool:
        """Whether the row holds no payment: it is empty, a section, a footer, or a line of totals."""
        has_amount = any(_has_amount(values[each]) for each in self._amounts)
        dates = [values[each] for each in self._places.dates if _is_filled(values[each])]
        if has_amount and dates and not (isinstance(dates[0], str) and is_total(dates)):
            if dates[0] == self._header[self._places.dates[0]]:
                return self._pass_over(
                    REPEATED_HEADER, place, [*map(_text, values)] == self._header
                )
            return False
        if self._places.id is not None and _is_filled(values[self._places.id]):
            return has_amount and self._pass_over(
                REPEATED_HEADER, place, [*map(_text, values)] == self._header
            )
        if has_amount:
            return self._is_total_or_header(values, place)
        if not any(map(_has_amount, values)):
            return True
        if dates and self._is_date(dates[0]):
            return self._pass_over(TOTALS, place, is_balance(values))
        return self._pass_over(NEITHER, place, True)

    def _is_total_or_header(self, values: Sequence[Any], place: int) -> bool:
        if [*map(_text, values)] == self._header:
            return self._pass_over(REPEATED_HEADER, place, True)
        if not is_total(values):
            return False
        if self._places.dates:
            return self._pass_over(TOTALS, place, True)
        try:
            total = self._signed(values)
        except ValueError:
            return False
        return self._pass_over(TOTALS, place, total == self._total)

    def _pass_over(self, reason: str, place: int, is_so: bool) -> bool:
        if is_so:
            self.passed.add(reason, place)
        return is_so

    def _is_date(self, value: Any) -> bool:
        try:
            return self._moment(value) is not None
        except ValueError:
            return False

    # -- amounts and directions --------------------------------------------------------------------

    def _amount(self, values: Sequence[Any], named: str) -> Decimal:
        """With a sign where the ledger has one, or columns for debits and credits."""
        try:
            return self._signed(values)
        except ValueError as error:
            at_fault = getattr(error, "place", self._amounts[0])
            self._refuse(named, at_fault, values, error)

    def _signed(self, values: Sequence[Any]) -> Decimal:
        if self._places.amount is not None:
            return self._exact(values[self._places.amount])
        credit, debit = (
            self._part(values, each) for each in (self._places.credit, self._places.debit)
        )
        if credit is None and debit is None:
            raise ValueError("is not an amount: it is empty")
        if credit and debit:
            raise _PlacedError("and the other column has an amount, too", self._places.debit)
        if self._forms.debit_is_negative and debit:
            debit = -debit
        return (credit or _ZERO) - (debit or _ZERO)

    def _part(self, values: Sequence[Any], place: int | None) -> Decimal | None:
        if place is None or not _has_amount(values[place]):
            return None
        try:
            return self._exact(values[place])
        except ValueError as error:
            raise _PlacedError(str(error), place) from None

    def _exact(self, value: Any) -> Decimal:
        if isinstance(value, str):
            text = _text(value)
            if not text:
                raise ValueError("is not an amount: it is empty")
            if self._forms.has_only_plain and not is_plain(text):
                raise ValueError("is not an amount such as 1234.50")
            return read_amount(text, self._forms.decimal_mark)
        return _typed_amount(value)

    def _with_fee(self, net: Decimal, values: Sequence[Any], named: str) -> Decimal:
        place = self._places.fee
        assert place is not None
        try:
            fee = self._exact(values[place]) if _is_filled(values[place]) else _ZERO
        except ValueError as error:
            self._refuse(named, place, values, error)
        return net - fee if self._forms.fee_is_negative else net + fee

    def _direction(self, values: Sequence[Any], amount: Decimal, named: str) -> str:
        self._check_currency(values, named)
        told = self._read(_direction, self._places.direction, values, named)
        direction: str = told or ("sent" if amount < 0 else "received")
        is_by_column = self._places.amount is None
        if not told and self._format.direction == "sent" and not is_by_column:
            direction = "sent"
        problem = ""
        if direction == "received" and amount < 0:
            problem = "is negative, though the row is of a received payment"
        elif direction == "sent" and amount and not is_by_column:
            if self._sent_is_negative is None:
                self._sent_is_negative = amount < 0
            if self._sent_is_negative is not (amount < 0):
                problem = "has another sign than the sent payments before it"
        if problem:
            self._refuse(named, self._amounts[0], values, ValueError(problem))
        return direction

    # -- the other values --------------------------------------------------------------------------

    def _read(self, read: Any, place: int | None, values: Sequence[Any], named: str) -> Any:
        if place is None:
            return None
        try:
            return read(values[place])
        except ValueError as error:
            self._refuse(named, place, values, error)

    def _kept_text(self, values: Sequence[Any], place: int | None) -> str | None:
        """Of texts that come again and again, one is kept for all."""
        text = "" if place is None else _text(values[place])
        if len(self._texts) < _MOST_TEXTS:
            return self._texts.setdefault(text, text) or None
        return self._texts.get(text, text) or None

    def _when(self, values: Sequence[Any], named: str) -> datetime | None:
        for place in self._places.dates:
            when = self._read(self._moment, place, values, named)
            if when is not None:
                try:
                    return self._in_zone(when)
                except OverflowError:
                    self._refuse(named, place, values, ValueError("is out of the calendar"))
        if self._format.needs_dates:
            name = self._places.names[self._places.dates[0]] if self._places.dates else None
            raise LedgerError(named, "has no date, and so is in no period", column=name)
        return None

    def _moment(self, value: Any) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime.combine(value, time())
        text = _text(value)
        if not text:
            return None
        try:
            return read_date(text, self._forms.date_order)
        except ValueError as error:
            if self._forms.has_iso_dates:
                problem = "is not a date such as 2026-01-31 or 2026-01-31T09:30:00Z"
                raise ValueError(problem) from None
            raise ValueError(str(error)) from None

    def _in_zone(self, when: datetime) -> datetime:
        zone = self._format.zone
        return when.replace(tzinfo=zone) if when.tzinfo is None else when.astimezone(zone)

    def _check_currency(self, values: Sequence[Any], named: str) -> None:
        place = self._places.currency
        if place is not None and values[place] != self._last_currency:
            self._read(_check_currency, place, values, named)
            self._last_currency = values[place]

    def _known_status(self, values: Sequence[Any], named: str) -> str:
        place = self._places.status
        if place is None:
            return PAID
        if values[place] != self._last_status[0]:
            word: str = self._read(self._status, place, values, named)
            self._last_status = values[place], word
        return self._last_status[1]

    def _status(self, value: Any) -> str:
        word = _text(value).casefold()
        if not word:
            raise ValueError("is empty; where no row has a status, name no status column")
        return PAID if word in self._paid else word

    def _refuse(self, named: str, place: int, values: Sequence[Any], error: ValueError) -> NoReturn:
        value = values[place]
        shown = str(value) if isinstance(value, Decimal) else repr(value)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}…"
        raise LedgerError(named, f"{shown} {error}", column=self._places.names[place]) from None


class _PlacedError(ValueError):
    """What is wrong with the value of a column that is not the only one of its kind."""

    def __init__(self, problem: str, place: int | None) -> None:
        super().__init__(problem)
        self.place = place


def _is_filled(value: Any) -> bool:
    return value is not None and (
        not isinstance(value, str) or (value != "" and not value.isspace())
    )


def _has_amount(value: Any) -> bool:
    """Whether there is one; a dash stands for none, and a line of asterisks for a line."""
    return _is_filled(value) and not (isinstance(value, str) and _RULED.fullmatch(value))


def _text(value: Any) -> str:
    """Without the marks by which text is kept from being a formula or a number in a spreadsheet."""
    text = "" if value is None else str(value).strip()
    if text[:1] not in ("'", "="):
        return text
    if text[:1] == "'" and text[1:2] in ("=", "+", "-", "@"):
        return text[1:]
    if text[:2] == '="' and text[-1:] == '"':
        return text[2:-1]
    return text


def _typed_amount(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError("is not an amount")
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        raise ValueError("is a float, in which cents are not exact")
    raise ValueError("is not an amount: it is empty" if value is None else "is not an amount")


def _id(value: Any) -> UUID | None:
    if isinstance(value, UUID):
        return value
    if isinstance(value, bytes) and len(value) == 16:
        return UUID(bytes=value)
    text = _text(value)
    if not text:
        return None
    if not ID.fullmatch(text):
        raise ValueError("is not a payment id, which is a UUID")
    return UUID(text)


def _direction(value: Any) -> str:
    word = DIRECTION_WORDS.get(_text(value).casefold())
    if word is None:
        raise ValueError("is neither 'sent' nor 'received'")
    return word


def _check_currency(value: Any) -> None:
    if (_text(value) or "USD").casefold() != "usd":
        raise ValueError("is not USD, and Paywint's amounts are in US dollars")
