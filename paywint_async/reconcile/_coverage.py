"""Checks how much of a ledger can be compared, and notes what weakens the evidence. Pure.

The notes are shown before the differences. If no row can be compared, the comparison is refused:
every payment would be reported as missing because of the ledger's columns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date

from paywint_async.reconcile._column_parser import PlainRows
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._matching import MatchResult
from paywint_async.reconcile._records import (
    PAID,
    Difference,
    Evidence,
    Kind,
    LedgerRow,
    Period,
)

_MOST_WORDS = 3


class Coverage:
    """Counts what the rows of a ledger contain that can identify their payments.

    Args:
        directions: the compared directions.
        period: the compared period.
    """

    def __init__(self, directions: Collection[str], period: Period) -> None:
        self._directions = directions
        self._period = period
        self._rows = self._compared = self._inside = 0
        self._with: Counter[str] = Counter()
        self._found_by_text_only = self._found_by_nothing = 0
        self._unpaid: Counter[str] = Counter()
        self._first: date | None = None
        self._last: date | None = None

    def take(self, row: LedgerRow) -> None:
        """Count a row."""
        self._rows += 1
        if row.direction not in self._directions:
            return
        self._compared += 1
        day = row.when and row.when.date()
        if day is not None:
            self._first = day if self._first is None or day < self._first else self._first
            self._last = day if self._last is None or day > self._last else self._last
            self._with["day"] += 1
        self._inside += self._period.has(day)
        if not row.is_paid:
            self._unpaid[row.status] += 1
        if row.payment_id is not None:
            self._with["id"] += 1
            return
        self._with["invoice"] += row.invoice is not None
        self._with["description"] += row.description is not None
        if day is None:
            has_text = row.invoice is not None or row.description is not None
            self._found_by_text_only += has_text
            self._found_by_nothing += not has_text

    def take_plain(self, rows: PlainRows) -> None:
        """Count plain rows, all of which are compared, name a payment and have a day."""
        count, first, last = len(rows.keys), min(rows.days), max(rows.days)
        self._rows += count
        self._compared += count
        self._first = first if self._first is None else min(first, self._first)
        self._last = last if self._last is None else max(last, self._last)
        self._with["day"] += count
        self._with["id"] += count
        for meaning, number in rows.meanings():
            self._inside += number * meaning.is_inside
            if meaning.status != PAID:
                self._unpaid[meaning.status] += number

    def refuse_too_little(self, ledger: str, *, directions_by: str, hint: str) -> None:
        """Raise LedgerError if no row can be compared.

        Args:
            ledger: the ledger's name.
            directions_by: what determined the directions of the rows.
            hint: what to do if all rows are of the other direction.
        """
        if self._rows and not self._compared:
            compared = " and ".join(self._directions)
            other = "sent" if compared == "received" else "received"
            problem = f"{self._all_rows()} of {other} payments {directions_by}"
            raise LedgerError(ledger, f"{problem}, and {compared} ones are compared", hint=hint)
        if self._compared and self._found_by_nothing == self._compared:
            problem = "no row has an id, an invoice number, a description or a date"
            hint = "name a column with --id-column, --invoice-column, --description-column or "
            raise LedgerError(
                ledger, f"{problem}, so nothing can be compared", hint=f"{hint}--date-column"
            )

    def _all_rows(self) -> str:
        return "the only row is" if self._rows == 1 else f"all {self._rows:,} rows are"

    def notes(self) -> list[str]:
        """Return what weakens the evidence, as far as the ledger alone shows it."""
        if not self._compared:
            return []
        count, notes = self._compared, []
        without_id = count - self._with["id"]
        if without_id == count:
            notes.append(f"no row names a payment by its id: rows are matched by {self._ways()}")
        elif without_id:
            rows = "row names" if without_id == 1 else "rows name"
            notes.append(f"{without_id:,} of {count:,} {rows} no payment by its id")
        if self._found_by_text_only:
            notes.append(f"{_rows(self._found_by_text_only)} without a date, matched by text alone")
        if self._found_by_nothing:
            what = "without id, invoice number, description and date"
            notes.append(f"{_rows(self._found_by_nothing)} {what}: not matched to any payment")
        if sum(self._unpaid.values()) == count:
            # Not `most_common`: its order depends on the order in which plain rows are taken.
            ranked = sorted(self._unpaid, key=lambda word: (-self._unpaid[word], word))
            words = ", ".join(map(repr, ranked[:_MOST_WORDS]))
            notes.append(
                f"no row is paid: the status is {words} (--paid-status names what is paid)"
            )
        if self._inside < count and not self._period.is_everything:
            notes.append(f"the period has {self._inside:,} of the ledger's {count:,} rows")
        return notes

    def _ways(self) -> str:
        ways = ["invoice number"] if self._with["invoice"] else []
        ways += ["description"] if self._with["description"] else []
        ways += ["amount and day"] if self._with["day"] else []
        return ", ".join(ways)

    def notes_with_history(self, result: MatchResult, *, date_window: int) -> list[str]:
        """Return what weakens the evidence, as far as the history shows it.

        Args:
            result: the comparison's result.
            date_window: the comparison's date window, in days.
        """
        notes = []
        if self._with["id"] and not result.evidence[Evidence.ID]:
            ids = self._with["id"]
            none = "the only id" if ids == 1 else f"none of the {ids:,} ids"
            known = "is not a payment's" if ids == 1 else "is a payment's"
            notes.append(
                f"{none} in the ledger {known} at Paywint (--id-column names another column)"
            )
        if self._first is not None and self._last is not None:
            days = [each.payments[0].day for each in result.differences if _is_lonely(each.kind)]
            outside = sum(not self._first <= day <= self._last for day in days)
            if outside:
                span = f"--since {self._first} --until {self._last}"
                are = "payment missing in it is" if outside == 1 else "payments missing in it are"
                notes.append(
                    f"the ledger's days are {self._first} to {self._last}, and {outside:,} {are} "
                    f"before or after them ({span} compares those days)"
                )
        undecided = sum(map(_could_days_decide, result.differences)) if date_window else 0
        if undecided:
            are = "difference is" if undecided == 1 else "differences are"
            notes.append(
                f"{undecided:,} {are} ambiguous because amounts are equal and days are within "
                f"{date_window} of each other (--date-window 0 matches the same day only)"
            )
        return notes


def _could_days_decide(difference: Difference) -> bool:
    """Return whether a difference is ambiguous though its days differ."""
    if difference.kind is not Kind.AMBIGUOUS or any(row.day is None for row in difference.rows):
        return False
    days = {row.day for row in difference.rows} | {each.day for each in difference.payments}
    return len(days) > 1


def _is_lonely(kind: Kind) -> bool:
    return kind is Kind.MISSING_IN_LEDGER


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"
