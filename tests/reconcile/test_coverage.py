"""Notes say what weakens the evidence; a ledger without any evidence is refused."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from comparison_samples import day, match, paid, row

from paywint_async.reconcile import Kind, LedgerError, LedgerRow, PaymentFact, Period
from paywint_async.reconcile._coverage import Coverage


def coverage_of(rows: Iterable[LedgerRow], period: Period | None = None) -> Coverage:
    coverage = Coverage(("received",), period or Period())
    for each in rows:
        coverage.take(each)
    return coverage


def notes(rows: Iterable[LedgerRow], period: Period | None = None) -> list[str]:
    return coverage_of(rows, period).notes()


def notes_with_history(rows: list[LedgerRow], payments: list[PaymentFact]) -> list[str]:
    return coverage_of(rows).notes_with_history(match(rows, payments), date_window=3)


def refusal(rows: Iterable[LedgerRow]) -> str:
    with pytest.raises(LedgerError) as error:
        coverage_of(rows).refuse_too_little("a.csv", directions_by="by sign", hint="look at it")
    return str(error.value)


def test_rows_with_ids_need_no_note() -> None:
    assert notes([row(2, payment_id=1, when=None), row(3, payment_id=2)]) == []


@pytest.mark.parametrize(
    ("rows", "wanted"),
    [
        ([row(2)], "rows are matched by amount and day"),
        ([row(2, description="a", when=None)], "rows are matched by description"),
        (
            [row(2, invoice="1"), row(3, description="a")],
            "rows are matched by invoice number, description, amount and day",
        ),
    ],
)
def test_without_ids_a_note_names_what_rows_are_matched_by(
    rows: list[LedgerRow], wanted: str
) -> None:
    assert notes(rows)[0] == f"no row names a payment by its id: {wanted}"


def test_rows_with_little_evidence_are_counted() -> None:
    rows = [
        row(2, payment_id=1),
        row(3),
        row(4, description="a", when=None),
        row(5, when=None),
        row(6, when=None),
    ]

    assert notes(rows) == [
        "4 of 5 rows name no payment by its id",
        "1 row without a date, matched by text alone",
        "2 rows without id, invoice number, description and date: not matched to any payment",
    ]


def test_rows_of_the_other_direction_are_not_counted() -> None:
    assert notes([row(2, payment_id=1), row(3, direction="sent")]) == []


def test_if_no_row_is_paid_a_note_names_the_status_words() -> None:
    rows = [row(2, payment_id=1, status="done"), row(3, payment_id=2, status="ok")]

    assert notes(rows) == [
        "no row is paid: the status is 'done', 'ok' (--paid-status names what is paid)"
    ]


def test_rows_outside_the_period_are_counted() -> None:
    rows = [row(2, payment_id=1, when=day(0)), row(3, payment_id=2, when=day(40))]

    found = notes(rows, Period(until=day(31).date()))

    assert found == ["the period has 1 of the ledger's 2 rows"]


def test_a_note_says_that_no_id_is_known_to_paywint() -> None:
    rows = [row(2, payment_id=1), row(3, payment_id=2)]

    assert notes_with_history(rows, [paid(7)])[0] == (
        "none of the 2 ids in the ledger is a payment's at Paywint (--id-column names another column)"
    )
    assert notes_with_history(rows, [paid(1), paid(2)]) == []


def test_a_note_counts_the_payments_outside_the_ledgers_days() -> None:
    rows = [row(2, payment_id=1, when=day(1)), row(3, payment_id=2, when=day(3))]
    payments = [paid(1, when=day(1)), paid(2, when=day(3)), paid(3, when=day(0)), paid(4)]

    assert notes_with_history(rows, payments) == [
        "the ledger's days are 2026-01-02 to 2026-01-04, and 2 payments missing in it are before or "
        "after them (--since 2026-01-02 --until 2026-01-04 compares those days)"
    ]
    assert notes_with_history(rows, [*payments[:2], paid(5, when=day(2))]) == []


def test_a_note_names_the_option_that_resolves_ambiguous_days() -> None:
    rows = [row(2, description="a", when=day(1)), row(3, description="b", when=day(2))]
    payments = [paid(number, when=day(number)) for number in (1, 2, 3)]
    result = match(rows, payments)

    assert coverage_of(rows).notes_with_history(result, date_window=3) == [
        "1 difference is ambiguous because amounts are equal and days are within 3 of each other "
        "(--date-window 0 matches the same day only)"
    ]
    same_day = match(rows, payments, date_window=0)
    assert [each.kind for each in same_day.differences] == [Kind.MISSING_IN_LEDGER]


def test_differences_that_days_cannot_resolve_have_no_such_note() -> None:
    rows = [row(2, description="a"), row(3, description="b")]
    result = match(rows, [paid(1), paid(2), paid(3)])

    assert [each.kind for each in result.differences] == [Kind.AMBIGUOUS]
    assert coverage_of(rows).notes_with_history(result, date_window=3) == []


def test_a_ledger_without_any_evidence_is_refused() -> None:
    assert refusal([row(2, when=None), row(3, when=None)]) == (
        "a.csv: no row has an id, an invoice number, a description or a date, so nothing can be "
        "compared; name a column with --id-column, --invoice-column, --description-column or "
        "--date-column"
    )


def test_a_ledger_with_only_the_other_direction_is_refused() -> None:
    assert refusal([row(2, direction="sent")]) == (
        "a.csv: the only row is of sent payments by sign, and received ones are compared; look at it"
    )


def test_a_ledger_without_rows_is_compared() -> None:
    coverage_of([]).refuse_too_little("a.csv", directions_by="", hint="")
