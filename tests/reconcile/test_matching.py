"""The matches of rows and payments and the kinds of differences, without files."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from comparison_samples import day, found, match, paid, pairs_by, row

from paywint_async.reconcile import Evidence, Kind, MatchOutcome, Period, ReconcileError

# -- by id -----------------------------------------------------------------------------------------


def test_equal_books_agree() -> None:
    result = match([row(2, payment_id=1), row(3, 20, payment_id=2)], [paid(2, 20), paid(1)])

    assert (result.agrees, found(result)) == (True, [])


def test_an_amount_is_compared_by_its_value_and_not_by_its_digits() -> None:
    assert match([row(2, "10.5", payment_id=1)], [paid(1, "10.50")]).agrees
    assert found(match([row(2, "10.51", payment_id=1)], [paid(1, "10.50")])) == [
        ("amount", [2], [1])
    ]


def test_a_row_whose_payment_is_unknown_is_missing_at_paywint() -> None:
    assert found(match([row(2, payment_id=7)], [])) == [("missing_at_paywint", [2], [])]


def test_a_row_with_an_unknown_id_is_missing_at_paywint_even_if_it_failed() -> None:
    unknown = row(2, payment_id=7, status="failed")

    assert found(match([unknown], [])) == [("missing_at_paywint", [2], [])]


def test_a_row_that_names_a_payment_matches_no_other() -> None:
    result = match([row(2, payment_id=7)], [paid(1)])

    assert found(result) == [("missing_at_paywint", [2], []), ("missing_in_ledger", [], [1])]


def test_a_paid_payment_without_a_row_is_missing_in_the_ledger() -> None:
    assert found(match([], [paid(1)])) == [("missing_in_ledger", [], [1])]


@pytest.mark.parametrize("status", ["failed", "rejected", "expired", "retried", "pending", "new!"])
def test_a_payment_that_is_not_paid_needs_no_row(status: str) -> None:
    assert match([], [paid(1, status=status)]).agrees


@pytest.mark.parametrize("status", ["failed", "expired", "processing"])
def test_a_row_that_says_that_an_unpaid_payment_is_paid_differs_in_status(status: str) -> None:
    result = match([row(2, payment_id=1)], [paid(1, status=status, reason="no money")])

    assert found(result) == [("status", [2], [1])]
    assert result.differences[0].explanation == (
        f"the ledger says success, Paywint says {status} (no money)"
    )


def test_a_row_with_an_outdated_status_differs_in_status() -> None:
    assert found(match([row(2, payment_id=1, status="open")], [paid(1)])) == [("status", [2], [1])]


def test_an_unknown_status_word_of_an_unpaid_row_is_no_difference() -> None:
    assert match([row(2, payment_id=1, status="open")], [paid(1, status="pending")]).agrees
    stale = match([row(2, payment_id=1, status="pending")], [paid(1, status="expired")])
    assert found(stale) == [("status", [2], [1])]


def test_status_and_amount_may_both_differ() -> None:
    result = match([row(2, 11, payment_id=1)], [paid(1, status="failed")])

    assert found(result) == [("amount", [2], [1]), ("status", [2], [1])]
    assert result.ledger.sum(outcome=MatchOutcome.STATUS).count == 1


def test_if_several_rows_name_a_payment_the_one_that_agrees_is_the_original() -> None:
    rows = [row(2, 11, payment_id=1), row(3, payment_id=1), row(4, payment_id=1, status="failed")]

    result = match(rows, [paid(1)])

    assert found(result) == [("duplicate", [2, 3], []), ("duplicate", [4, 3], [])]


def test_a_doubled_row_without_a_payment_is_missing_and_duplicate() -> None:
    result = match([row(2, payment_id=7), row(3, payment_id=7)], [])

    assert found(result) == [("missing_at_paywint", [2], []), ("duplicate", [3, 2], [])]


def test_a_payment_to_oneself_has_a_row_in_each_direction() -> None:
    rows = [row(2, payment_id=1), row(3, payment_id=1, direction="sent")]
    payments = [paid(1), paid(1, direction="sent")]

    assert match(rows, payments, directions=("sent", "received")).agrees
    alone = match(rows[:1], payments, directions=("sent", "received"))
    assert found(alone) == [("missing_in_ledger", [], [1])]
    assert alone.differences[0].direction == "sent"


def test_rows_of_another_direction_are_set_aside_and_counted() -> None:
    result = match([row(2, payment_id=1), row(3, direction="sent")], [paid(1)])

    assert result.agrees
    assert result.ledger.sum(outcome=MatchOutcome.OTHER_DIRECTION).count == 1


# -- by invoice and description --------------------------------------------------------------------


def test_an_invoice_number_is_found_in_the_description() -> None:
    rows = [row(2, invoice="INV-12", when=None), row(3, 20, invoice="INV-1", when=None)]
    payments = [paid(1, 20, description="INV-1"), paid(2, description="Invoice inv-12, June.")]

    assert match(rows, payments).agrees


def test_a_difference_of_an_invoice_has_its_evidence() -> None:
    result = match(
        [row(2, 11, invoice="INV-12", when=day(90))], [paid(1, description="for INV-12")]
    )

    assert found(result) == [("amount", [2], [1])]
    assert pairs_by(result, Kind.AMOUNT) == ["invoice"]
    assert result.differences[0].explanation == "the ledger has 1.00 more than Paywint"


def test_the_paid_payment_is_matched_and_not_the_failed_attempts_before() -> None:
    payments = [paid(1, status="failed", description="INV-1"), paid(2, description="INV-1")]

    assert match([row(2, invoice="INV-1")], payments).agrees


def test_an_invoice_whose_only_payment_failed_differs_in_status() -> None:
    payments = [paid(1, status="failed", description="INV-1")]

    assert found(match([row(2, invoice="INV-1")], payments)) == [("status", [2], [1])]


def test_a_failed_payment_of_an_invoice_is_found_whatever_its_day_and_amount() -> None:
    payments = [paid(1, 11, status="failed", description="INV-1", when=day(90))]

    result = match([row(2, invoice="INV-1")], payments)

    assert found(result) == [("amount", [2], [1]), ("status", [2], [1])]


def test_an_open_invoice_that_was_paid_differs_in_status() -> None:
    result = match([row(2, invoice="INV-1", status="open")], [paid(1, description="INV-1")])

    assert found(result) == [("status", [2], [1])]


def test_an_open_invoice_without_a_payment_is_no_difference() -> None:
    result = match([row(2, invoice="INV-1", status="open")], [])

    assert result.agrees
    assert result.ledger.sum(outcome=MatchOutcome.NOT_PAID).count == 1


def test_an_invoice_booked_twice_is_a_duplicate_whatever_the_days() -> None:
    rows = [row(2, invoice="INV-1", when=day(40)), row(3, invoice="INV-1", when=day(1))]

    assert found(match(rows, [paid(1, description="INV-1")])) == [("duplicate", [2, 3], [])]
    rows = [row(2, invoice="INV-1", when=day(40)), row(3, invoice="INV-1", when=day(41))]
    assert found(match(rows, [paid(1, description="INV-1")])) == [("duplicate", [3, 2], [])]


def test_two_parts_of_an_invoice_are_matched_by_amount_or_day() -> None:
    rows = [row(2, 10, invoice="INV-1", when=None), row(3, 5, invoice="INV-1", when=None)]
    payments = [paid(1, 5, description="INV-1"), paid(2, 10, description="INV-1")]
    assert match(rows, payments).agrees

    rows = [row(2, invoice="INV-1", when=day(30)), row(3, invoice="INV-1", when=day(0))]
    payments = [paid(1, description="INV-1"), paid(2, description="INV-1", when=day(31))]
    assert match(rows, payments).agrees


def test_two_equal_parts_of_an_invoice_agree_without_any_dates() -> None:
    rows = [row(2, invoice="INV-1", when=None), row(3, invoice="INV-1", when=None)]
    payments = [paid(1, description="INV-1"), paid(2, description="INV-1", when=day(40))]

    assert match(rows, payments).agrees


def test_an_invoice_paid_twice_is_ambiguous_and_not_guessed() -> None:
    payments = [paid(1, description="INV-1"), paid(2, description="INV-1")]

    result = match([row(2, invoice="INV-1")], payments)

    assert found(result) == [("ambiguous", [2], [1, 2])]
    assert pairs_by(result, Kind.AMBIGUOUS) == ["invoice"]


def test_a_payment_of_two_invoices_is_given_to_neither_by_their_order() -> None:
    rows = [row(2, 4, invoice="INV-1"), row(3, 6, invoice="INV-2")]
    payment = paid(1, description="INV-1 and INV-2")

    forwards, backwards = match(rows, [payment]), match(rows[::-1], [payment])

    assert found(forwards) == found(backwards) == [("ambiguous", [2, 3], [1])]


def test_an_invoice_that_no_description_names_is_found_by_amount_and_date() -> None:
    assert match([row(2, invoice="INV-1")], [paid(1, when=day(3))]).agrees


def test_a_whole_description_is_found_within_the_window() -> None:
    payments = [paid(1, description="Rent, 3rd floor")]

    result = match([row(2, 11, description="  rent, 3rd  Floor")], payments)
    assert found(result) == [("amount", [2], [1])]
    assert pairs_by(result, Kind.AMOUNT) == ["description"]

    far = match([row(2, 11, description="Rent, 3rd floor", when=day(4))], payments)
    assert found(far) == [("missing_at_paywint", [2], []), ("missing_in_ledger", [], [1])]


def test_without_a_date_a_unique_description_and_amount_is_enough() -> None:
    rows = [row(2, description="Rent", when=None), row(3, 20, description="Power", when=None)]
    payments = [paid(1, 20, description="power", when=day(90)), paid(2, description="Rent")]

    result = match(rows, payments)

    assert result.agrees
    assert result.evidence == {Evidence.DESCRIPTION: 2}


def test_without_a_date_a_description_with_another_amount_is_no_match() -> None:
    result = match([row(2, 11, description="Rent", when=None)], [paid(1, description="Rent")])

    assert found(result) == [("missing_at_paywint", [2], []), ("missing_in_ledger", [], [1])]


def test_without_a_date_two_payments_of_a_description_and_amount_are_ambiguous() -> None:
    payments = [paid(1, description="Rent"), paid(2, description="Rent", when=day(30))]

    result = match([row(2, description="Rent", when=None)], payments)

    assert found(result) == [("ambiguous", [2], [1, 2])]
    assert result.differences[0].explanation == (
        "1 row and 2 payments fit each other by description and amount, in more than one way"
    )


def test_without_dates_equal_rows_are_interchangeable() -> None:
    rows = [row(place, description="Rent", when=None) for place in (2, 3)]

    assert match(rows, [paid(n, description="Rent", when=day(n)) for n in (1, 2)]).agrees
    assert found(match(rows, [paid(1, description="Rent")])) == [("duplicate", [3, 2], [])]


def test_a_description_far_from_its_date_is_no_match() -> None:
    result = match([row(2, description="Rent", when=day(40))], [paid(1, description="Rent")])

    assert [each[0] for each in found(result)] == ["missing_at_paywint", "missing_in_ledger"]


# -- by amount and date ----------------------------------------------------------------------------


@pytest.mark.parametrize(("days", "agrees"), [(-4, False), (-3, True), (3, True), (4, False)])
def test_the_window_includes_both_ends(days: int, agrees: bool) -> None:
    assert match([row(2, when=day(10 + days))], [paid(1, when=day(10))]).agrees is agrees


def test_several_assignments_are_ambiguous() -> None:
    rows = [row(2, when=day(0)), row(3, when=day(1))]
    payments = [paid(1, when=day(1)), paid(2, when=day(2))]

    result = match(rows, payments)

    assert found(result) == [("ambiguous", [2, 3], [1, 2])]
    assert result.differences[0].explanation == (
        "2 rows and 2 payments fit each other by amount and date, in more than one way; count and "
        "sum agree"
    )


def test_equal_amounts_agree_if_each_day_has_as_many_rows_as_payments() -> None:
    rows = [row(2, when=day(0)), row(3, when=day(1)), row(4, when=day(1), description="rent")]
    payments = [paid(3, when=day(1)), paid(1, when=day(0)), paid(2, when=day(1))]

    result = match(rows, payments)

    assert result.agrees
    assert result.evidence == {Evidence.AMOUNT_AND_DAY: 3}


def test_equal_amounts_on_a_day_that_disagrees_are_ambiguous_with_those_near_it() -> None:
    rows = [row(2, when=day(0)), row(3, when=day(1)), row(4, when=day(2))]
    payments = [paid(1, when=day(0)), paid(2, when=day(1))]

    assert found(match(rows, payments)) == [("ambiguous", [2, 3, 4], [1, 2])]
    assert found(match(rows[:2], [*payments, paid(3, when=day(4))])) == [
        ("ambiguous", [2, 3], [1, 2, 3])
    ]


def test_days_do_not_decide_which_of_several_payments_failed() -> None:
    rows = [row(2, when=day(0)), row(3, when=day(1))]
    payments = [
        paid(1, when=day(0), status="failed", reason="a"),
        paid(2, when=day(1), status="failed", reason="b"),
    ]

    assert [each[0] for each in found(match(rows, payments))] == ["missing_at_paywint"] * 2


def test_a_description_with_equal_amounts_is_matched_day_by_day() -> None:
    rows = [row(2, description="rent", when=day(0)), row(3, description="rent", when=day(1))]
    payments = [paid(n, description="Rent", when=day(n)) for n in (0, 1)]

    result = match(rows, payments)

    assert (result.agrees, result.evidence) == (True, {Evidence.DESCRIPTION: 2})


def test_the_only_assignment_is_found_though_each_row_has_several_candidates() -> None:
    rows = [row(2, when=day(1)), row(3, when=day(6))]
    payments = [paid(1, when=day(0)), paid(2, when=day(4))]

    assert match(rows, payments).agrees


def test_a_row_with_two_candidates_is_ambiguous() -> None:
    assert found(match([row(2)], [paid(1), paid(2)])) == [("ambiguous", [2], [1, 2])]


def test_equal_rows_are_interchangeable() -> None:
    rows = [row(2), row(3)]

    assert match(rows, [paid(1), paid(2, when=day(2))]).agrees
    assert found(match(rows, [paid(1)])) == [("duplicate", [3, 2], [])]
    assert found(match(rows, [paid(n) for n in (1, 2, 3)])) == [("ambiguous", [2, 3], [1, 2, 3])]


def test_a_doubled_row_is_found_beside_others_of_its_amount() -> None:
    rows = [row(2), row(3), row(4, when=day(5))]
    payments = [paid(1), paid(2, when=day(3))]

    assert found(match(rows, payments)) == [("duplicate", [3, 2], [])]


def test_a_row_without_a_date_is_not_found_by_its_amount() -> None:
    result = match([row(2, when=None)], [paid(1)])

    assert found(result) == [("missing_at_paywint", [2], []), ("missing_in_ledger", [], [1])]


def test_a_row_that_fits_only_a_failed_payment_differs_in_status() -> None:
    result = match([row(2)], [paid(1, status="expired", when=day(1))])

    assert found(result) == [("status", [2], [1])]
    assert pairs_by(result, Kind.STATUS) == ["amount_and_date"]


def test_the_most_certain_match_is_made_first() -> None:
    rows = [row(2), row(3, payment_id=1), row(4, invoice="INV-1")]
    payments = [paid(3), paid(2, description="INV-1"), paid(1)]

    assert match(rows, payments).agrees


# -- periods ---------------------------------------------------------------------------------------

JANUARY = Period(since=date(2026, 1, 1), until=date(2026, 1, 31))


def test_nothing_outside_the_period_is_missing() -> None:
    rows = [row(2, payment_id=1), row(3, payment_id=8, when=day(40))]
    payments = [paid(1), paid(2, when=day(-1)), paid(3, when=day(31))]

    result = match(rows, payments, period=JANUARY)

    assert result.agrees
    assert result.ledger.sum(outcome=MatchOutcome.OUTSIDE_PERIOD).count == 1
    assert result.paywint.sum(outcome=MatchOutcome.OUTSIDE_PERIOD).count == 2


def test_both_ends_of_the_period_are_included() -> None:
    result = match([], [paid(1, when=day(0)), paid(2, when=day(30))], period=JANUARY)

    assert [each[0] for each in found(result)] == ["missing_in_ledger"] * 2


def test_a_pair_across_the_end_of_the_period_counts_on_the_side_that_is_inside() -> None:
    result = match([row(2, payment_id=1, when=day(30))], [paid(1, when=day(31))], period=JANUARY)

    assert result.agrees
    assert result.ledger.paid("received").amount == 10
    assert result.paywint.paid("received").amount == 0


def test_only_the_days_of_the_period_decide_which_rows_and_payments_match() -> None:
    rows = [row(2, when=day(29)), row(3, when=day(30)), row(4, when=day(32))]
    payments = [paid(n, when=day(n)) for n in (29, 30, 31, 33)]

    result = match(rows, payments, period=JANUARY)

    assert (result.agrees, result.evidence) == (True, {Evidence.AMOUNT_AND_DAY: 2})
    assert result.paywint.sum(outcome=MatchOutcome.OUTSIDE_PERIOD).count == 2
    missing = match(rows[:1], payments, period=JANUARY)
    assert found(missing) == [("ambiguous", [2], [29, 30, 31])]


def test_a_pair_across_the_end_of_the_period_that_differs_is_reported() -> None:
    result = match([row(2, 9, payment_id=1, when=day(30))], [paid(1, when=day(31))], period=JANUARY)

    assert found(result) == [("amount", [2], [1])]


def test_a_pair_outside_the_period_is_not_reported() -> None:
    rows = [row(2, 9, payment_id=1, when=day(31))]

    assert match(rows, [paid(1, when=day(32))], period=JANUARY).agrees


# -- sums ------------------------------------------------------------------------------------------


def test_sums_keep_every_digit() -> None:
    amounts = ["70368744177664.13", "0.0000000001", "99999999999999999999999999999.99"]

    result = match([], [paid(n, amount) for n, amount in enumerate(amounts)])

    assert result.paywint.paid("received").amount == Decimal(
        "100000000000000070368744177664.1200000001"
    )


def test_a_sum_that_is_not_exact_is_refused() -> None:
    with pytest.raises(ReconcileError, match="cannot be added exactly"):
        match([], [paid(1, "1E+500"), paid(2, "0.01")])
