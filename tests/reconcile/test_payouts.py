"""A row that sums all payments of some days is recognised if only one range of days is possible."""

from __future__ import annotations

from comparison_samples import day, found, match, paid, row

from paywint_async.reconcile import Evidence


def test_a_row_with_the_sum_of_some_days_is_their_payout() -> None:
    payments = [paid(1, 10, when=day(0)), paid(2, 20, when=day(0)), paid(3, 5, when=day(1))]

    result = match([row(2, 35, when=day(3))], payments)

    assert result.agrees
    assert result.evidence == {Evidence.PAYOUT: 1}
    (payout,) = result.payouts
    assert (payout.row.place, payout.since, payout.until) == (2, day(0).date(), day(1).date())
    assert [each.payment_id.int for each in payout.payments] == [1, 2, 3]
    assert (result.ledger.paid("received").amount, result.paywint.paid("received").amount) == (
        35,
        35,
    )


def test_each_payout_has_its_own_days() -> None:
    payments = [paid(n, 10 + n, when=day(n // 2)) for n in range(6)]
    rows = [row(n + 2, 21 + 4 * n, when=day(n + 1)) for n in range(3)]

    assert match(rows, payments).agrees


def test_a_sum_without_one_of_the_payments_is_no_payout() -> None:
    payments = [paid(1, 10, when=day(0)), paid(2, 20, when=day(0)), paid(3, 5, when=day(0))]

    result = match([row(2, 30, when=day(1))], payments)

    assert [each[0] for each in found(result)] == ["missing_at_paywint"] + ["missing_in_ledger"] * 3


def test_a_sum_of_two_possible_ranges_of_days_is_no_payout() -> None:
    payments = [paid(n, 10, when=day(n // 2)) for n in range(4)]

    result = match([row(2, 20, when=day(3))], payments)

    assert result.payouts == ()
    assert len(found(result)) == 5


def test_two_rows_with_the_same_days_are_no_payouts() -> None:
    payments = [paid(1, 10, when=day(0)), paid(2, 20, when=day(0))]

    result = match([row(2, 30, when=day(1)), row(3, 30, when=day(2))], payments)

    assert result.payouts == ()


def test_a_payout_is_booked_at_most_ten_days_after_its_days() -> None:
    payments = [paid(1, 10, when=day(10)), paid(2, 20, when=day(10))]

    assert not match([row(2, 30, when=day(9))], payments).agrees
    assert match([row(2, 30, when=day(20))], payments).agrees
    assert not match([row(2, 30, when=day(21))], payments).agrees


def test_a_row_that_names_an_invoice_or_a_payment_is_no_payout() -> None:
    payments = [paid(1, 10), paid(2, 20)]

    assert match([row(2, 30, invoice="INV-1")], payments).payouts == ()
    assert match([row(2, 30, payment_id=9)], payments).payouts == ()


def test_failed_payments_are_in_no_payout() -> None:
    payments = [paid(1, 10), paid(2, 20), paid(3, 5, status="failed")]

    assert match([row(2, 30)], payments).agrees
