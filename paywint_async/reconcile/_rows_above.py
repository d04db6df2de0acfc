"""Finds rows above the header of a table that could be payments: they would be lost. Pure.

Banks write the account, the period and small tables of sums above the header. But two exports in one
file, of which the second has a column more, or a header that was sorted to the end, have rows there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import attrs

from paywint_async.reconcile._columns import Places
from paywint_async.reconcile._csv_records import NumberedRecord
from paywint_async.reconcile._date_forms import orders_of, read_date
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._forms import ID
from paywint_async.reconcile._number_forms import marks_of
from paywint_async.reconcile._values import has_amount, text_of
from paywint_async.reconcile._words import is_balance

_MOST_PLACES = 5  # left out rows that a note names


@attrs.frozen(kw_only=True)
class RowsAbove:
    """The rows above the header that have an amount.

    ``places`` are those of payments, and those whose columns another line names; ``payment`` is the
    first that must be a payment, 0 if none must be; ``header`` names its columns, 0 if no line above
    it does.
    """

    places: tuple[int, ...] = ()
    payment: int = 0
    header: int = 0

    def refuse_payments(self, ledger: str, header: int, unit: str) -> None:
        """Raise a LedgerError if a payment would be lost."""
        if not self.payment:
            return
        problem = f"{unit} {self.payment} has a payment, but is above the header in {unit} {header}"
        if self.header:
            problem = (
                f"{unit} {self.header} and {unit} {header} both name the columns, and the rows "
                f"between them (from {unit} {self.payment} on) would be left out"
            )
        hint = f"make one file for each header, or leave them out with --header-line {header}"
        raise LedgerError(ledger, problem, hint=hint)

    def note(self, unit: str) -> list[str]:
        """Return how many rows are left out, if any."""
        if not self.places:
            return []
        count, some = len(self.places), ", ".join(map(str, self.places[:_MOST_PLACES]))
        rows, where = ("row", unit) if count == 1 else ("rows", f"{unit}s")
        more = ", …" if count > _MOST_PLACES else ""
        return [f"left out {count:,} {rows} with an amount above the header ({where} {some}{more})"]


NONE_ABOVE = RowsAbove()


def rows_above(
    records: Sequence[NumberedRecord],
    headers: Sequence[tuple[int, Places]],
    header: tuple[int, Places],
    date_format: str | None,
) -> RowsAbove:
    """Find the rows above a header.

    Args:
        records: the first ones of the table.
        headers: all lines that could be the header, with the columns that they name.
        header: the one that is used.
        date_format: as `LedgerFormat.date_format`.
    """
    place_of_header, places = header
    found: list[int] = []
    payment = named_by = 0
    for place, values in records:
        if place >= place_of_header:
            break
        for above, columns in _columns_for(place, headers, places):
            if not _has_amount(values, columns):
                continue
            is_payment = could_be_payment(values, columns, date_format) or (
                not places.dates and _has_description(values, columns)
            )
            if (is_payment or above) and place not in found[-1:]:
                found.append(place)
            if is_payment and not payment:
                payment, named_by = place, above
    return RowsAbove(places=tuple(found), payment=payment, header=named_by)


def _columns_for(
    place: int, headers: Sequence[tuple[int, Places]], places: Places
) -> Iterator[tuple[int, Places]]:
    """Yield the columns that a row can have: of each header above it, then of the one that is used."""
    yield from (each for each in headers if each[0] < place)
    yield 0, places


def _has_amount(values: Sequence[Any], columns: Places) -> bool:
    cells = [_cell(values, each) for each in columns.amounts]
    return any(has_amount(each) and _is_amount(each) for each in cells) and (
        not is_balance(values) or any(ID.fullmatch(text_of(each)) for each in values)
    )


def could_be_payment(values: Sequence[Any], columns: Places, date_format: str | None) -> bool:
    """Return whether a row has an amount, and a date or the name of a payment.

    A description is no name: tables of sums have some, too.
    """
    if not _has_amount(values, columns):
        return False
    if any(_is_date(_cell(values, each), date_format) for each in columns.dates):
        return True
    names = [each for each in (columns.id, columns.invoice) if each is not None]
    if any(has_amount(_cell(values, each)) for each in names):
        return True
    return any(ID.fullmatch(text_of(_cell(values, each))) for each in columns.maybe_ids)


def _has_description(values: Sequence[Any], columns: Places) -> bool:
    return columns.description is not None and has_amount(_cell(values, columns.description))


def _cell(values: Sequence[Any], place: int) -> Any:
    return values[place] if place < len(values) else None


def _is_amount(value: Any) -> bool:
    if isinstance(value, str):
        return bool(marks_of(text_of(value)))
    return not isinstance(value, date)


def _is_date(value: Any, date_format: str | None) -> bool:
    if not isinstance(value, str):
        return isinstance(value, date)
    if date_format is None or "%" not in date_format:
        return bool(orders_of(text_of(value)))
    try:
        read_date(text_of(value), date_format)
    except ValueError:
        return False
    return True
