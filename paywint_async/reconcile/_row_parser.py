"""Parses the values of a row strictly: an ambiguous or invalid value is an error. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, NamedTuple, NoReturn

from paywint_async.reconcile._date_forms import read_date
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._forms import Forms
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._number_forms import is_plain, read_amount
from paywint_async.reconcile._passed_rows import PassedRows
from paywint_async.reconcile._records import PAID, LedgerRow
from paywint_async.reconcile._totals import add, subtract
from paywint_async.reconcile._values import (
    check_currency,
    has_amount,
    is_filled,
    read_direction,
    read_id,
    text_of,
    typed_amount,
)
from paywint_async.reconcile._words import PAID_WORDS

_MOST_TEXTS = 10_000  # texts that are kept once for all rows
_SHOWN = 40  # characters of an invalid value in a message
_ZERO = Decimal(0)
# The parts of an amount such as 5,50 or 1,234.50 before and after its comma.
_WHOLE = re.compile(r"[-+($]{0,3}[0-9]+")
_REST = re.compile(r"(?:[0-9]{1,2}|[0-9]{3}(?:\.[0-9]+)?)(?:[-)]| ?[A-Za-z$]{1,3})?")


class RowWords(NamedTuple):
    """The meaning of a row's texts."""

    direction: str
    status: str


class RowParser:
    """Parses the records of a ledger into rows.

    Args:
        format: of the ledger.
        forms: the formats of its values, and the indexes of its columns.
        passes_over: whether rows that are not payments are skipped, which tables for people contain;
            otherwise each row must be one.
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
        self.passed = PassedRows(places, is_date=self._is_date, amount_of=self._signed)

    def read(self, values: Sequence[Any], place: int, named: str) -> LedgerRow | None:
        """Parse a row; None if it is skipped.

        Args:
            values: as many as the header has columns.
            place: the row's line or number.
            named: the same for messages.

        Raises:
            LedgerError: a value is invalid; the message names row and column.
        """
        if self._passes_over and not self._is_surely_a_row(values):
            fitted = self._fitted(values)
            if self.passed.take(fitted, place):
                return None
            self._refuse_width(values, fitted, named)
            values = fitted
        net = self._amount(values, named)
        amount = net if self._places.fee is None else self._with_fee(net, values, named)
        direction = self._direction(values, amount, named)
        if not self._places.dates:
            self.passed.add_to_total(net)
        return LedgerRow(
            place=place,
            direction=direction,
            amount=amount if amount >= 0 else amount.copy_abs(),
            payment_id=self._read(read_id, self._places.id, values, named),
            invoice=self._kept_text(values, self._places.invoice),
            description=self._kept_text(values, self._places.description),
            when=self._when(values, named),
            status=self._known_status(values, named),
            fee=_ZERO if amount is net else _fee(amount, net),
        )

    @property
    def has_positive_sent(self) -> bool:
        """Whether a sent payment was parsed whose amount is positive, as all others must be then."""
        return self._sent_is_negative is False

    def words_of(self, direction: Any, status: Any, currency: Any) -> RowWords:
        """Parse the words of a row with a positive amount in a single column.

        Args:
            direction: the value in its column, which is ignored if there is none.
            status: likewise.
            currency: likewise.

        Raises:
            ValueError: a value is invalid.
        """
        if self._places.currency is not None:
            check_currency(currency)
        usual = "sent" if self._format.direction == "sent" else "received"
        return RowWords(
            direction=usual if self._places.direction is None else read_direction(direction),
            status=PAID if self._places.status is None else self._status(status),
        )

    def in_zone(self, when: datetime) -> datetime:
        """Return a moment in the ledger's time zone, which it is in if it has none."""
        zone = self._format.zone
        return when.replace(tzinfo=zone) if when.tzinfo is None else when.astimezone(zone)

    def _is_surely_a_row(self, values: Sequence[Any]) -> bool:
        """Return whether amount and date both begin with a digit, as in most rows."""
        if len(values) != self._places.width:
            return False
        for place in self._telling:
            value = values[place]
            if not isinstance(value, str) or not value[:1].isdigit():
                return False
        return bool(self._telling)

    def _fitted(self, values: Sequence[Any]) -> Sequence[Any]:
        missing = self._places.width - len(values)
        if not missing:
            return values
        return [*values, *[""] * missing] if missing > 0 else values[: self._places.width]

    def _refuse_width(self, values: Sequence[Any], fitted: Sequence[Any], named: str) -> None:
        """Refuse too few or too many values; empty ones at the end are delimiters that say nothing."""
        hint = None
        if len(values) > len(fitted):
            hint = self._split_amount(values)
            if hint is None and not any(map(text_of, values[len(fitted) :])):
                return
        elif len(values) == len(fitted):
            return
        problem = f"has {len(values)} values, and the header has {self._places.width} columns"
        raise LedgerError(named, problem, hint=hint)

    def _split_amount(self, values: Sequence[Any]) -> str | None:
        """Return a hint if a comma in an amount seems to be taken for a delimiter, as in ``5,50``."""
        fees = [] if self._places.fee is None else [self._places.fee]
        for place in (*self._places.amounts, *fees):
            first, second = text_of(values[place]), text_of(values[place + 1])
            if _WHOLE.fullmatch(first) and _REST.fullmatch(second):
                return (
                    f"{first!r} and {second!r} may be one amount, which needs quotation marks then"
                )
        return None

    def _is_date(self, value: Any) -> bool:
        try:
            return self._moment(value) is not None
        except ValueError:
            return False

    # -- amounts and directions --------------------------------------------------------------------

    def _amount(self, values: Sequence[Any], named: str) -> Decimal:
        """Parse the amount, negative if the ledger's amount has a sign or is a debit."""
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
            debit = debit.copy_negate()
        return subtract(credit or _ZERO, debit or _ZERO)

    def _part(self, values: Sequence[Any], place: int | None) -> Decimal | None:
        if place is None or not has_amount(values[place]):
            return None
        try:
            return self._exact(values[place])
        except ValueError as error:
            raise _PlacedError(str(error), place) from None

    def _exact(self, value: Any) -> Decimal:
        if isinstance(value, str):
            text = text_of(value)
            if not text:
                raise ValueError("is not an amount: it is empty")
            if self._forms.has_only_plain and not is_plain(text):
                raise ValueError("is not an amount such as 1234.50")
            return read_amount(text, self._forms.decimal_mark)
        return typed_amount(value)

    def _with_fee(self, net: Decimal, values: Sequence[Any], named: str) -> Decimal:
        place = self._places.fee
        assert place is not None
        try:
            fee = self._exact(values[place]) if is_filled(values[place]) else _ZERO
        except ValueError as error:
            self._refuse(named, place, values, error)
        return subtract(net, fee) if self._forms.fee_is_negative else add(net, fee)

    def _direction(self, values: Sequence[Any], amount: Decimal, named: str) -> str:
        self._check_currency(values, named)
        stated = self._read(read_direction, self._places.direction, values, named)
        direction: str = stated or ("sent" if amount < 0 else "received")
        is_by_column = self._places.amount is None
        if not stated and self._format.direction == "sent" and not is_by_column:
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
        """Return the text, one object for all rows with the same text."""
        text = "" if place is None else text_of(values[place])
        if len(self._texts) < _MOST_TEXTS:
            return self._texts.setdefault(text, text) or None
        return self._texts.get(text, text) or None

    def _when(self, values: Sequence[Any], named: str) -> datetime | None:
        for place in self._places.dates:
            when = self._read(self._moment, place, values, named)
            if when is not None:
                try:
                    return self.in_zone(when)
                except OverflowError:
                    self._refuse(named, place, values, ValueError("is out of the calendar"))
        if self._format.needs_dates:
            name = self._places.names[self._places.dates[0]] if self._places.dates else None
            raise LedgerError(named, "has no date, which a period needs", column=name)
        return None

    def _moment(self, value: Any) -> datetime | None:
        if value is None or isinstance(value, datetime):
            return value
        if isinstance(value, date):
            return datetime.combine(value, time())
        text = text_of(value)
        if not text:
            return None
        try:
            return read_date(text, self._forms.date_order)
        except ValueError as error:
            if self._forms.has_iso_dates:
                problem = "is not a date such as 2026-01-31 or 2026-01-31T09:30:00Z"
                raise ValueError(problem) from None
            raise ValueError(str(error)) from None

    def _check_currency(self, values: Sequence[Any], named: str) -> None:
        place = self._places.currency
        if place is not None and values[place] != self._last_currency:
            self._read(check_currency, place, values, named)
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
        word = text_of(value).casefold()
        if not word:
            raise ValueError('is empty (--status-column "" ignores the column)')
        return PAID if word in self._paid else word

    def _refuse(self, named: str, place: int, values: Sequence[Any], error: ValueError) -> NoReturn:
        value = values[place]
        shown = str(value) if isinstance(value, Decimal) else repr(value)
        if len(shown) > _SHOWN:
            shown = f"{shown[:_SHOWN]}…"
        raise LedgerError(named, f"{shown} {error}", column=self._places.names[place]) from None


def _fee(amount: Decimal, net: Decimal) -> Decimal:
    """Return the fee that was deducted from an amount, positive whatever its sign."""
    return subtract(amount, net) if amount >= 0 else subtract(net, amount)


class _PlacedError(ValueError):
    """An invalid value in one of several columns of amounts."""

    def __init__(self, problem: str, place: int | None) -> None:
        super().__init__(problem)
        self.place = place
