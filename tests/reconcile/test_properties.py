"""Random books: exactly the changed rows are found, in any order, and all sums add up."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import permutations
from typing import Any

import attrs
from comparison_samples import day, found, match, paid, row
from effort import examples
from hypothesis import given
from hypothesis import strategies as st

from paywint_async.reconcile import (
    Difference,
    Kind,
    LedgerRow,
    MatchOutcome,
    MatchResult,
    PaymentFact,
    Period,
)
from paywint_async.reconcile._assignment import assign
from paywint_async.reconcile._totals import statement

STATUSES = ("success", "success", "success", "failed", "pending", "retried")
Books = tuple[list[LedgerRow], list[PaymentFact]]
seeds = st.integers(0, 2**32)


def make_history(chance: random.Random, size: int) -> list[PaymentFact]:
    """Use few amounts and close days, so that rows and payments match in many ways."""
    return [
        paid(
            number + 1,
            chance.choice(("5", "7.50", "19.99")),
            when=day(chance.randrange(20)),
            status=chance.choice(STATUSES),
            direction=chance.choice(("sent", "received")),
            description=f"Invoice INV-{number}",
        )
        for number in range(size)
    ]


def by_id(payment: PaymentFact) -> dict[str, Any]:
    return {"payment_id": payment.payment_id, "description": payment.description}


def by_invoice(payment: PaymentFact) -> dict[str, Any]:
    return {"invoice": (payment.description or "").split()[-1]}


def book(
    payments: Sequence[PaymentFact], name: Callable[[PaymentFact], dict[str, Any]]
) -> list[LedgerRow]:
    return [
        row(
            number,
            each.amount,
            direction=each.direction,
            when=each.when,
            status=each.status,
            **name(each),
        )
        for number, each in enumerate(payments, 2)
    ]


@attrs.define
class Spoiled:
    """A ledger with differences, each in another row, and the kinds that are expected."""

    rows: list[LedgerRow]
    expected: Counter[tuple[str, int]]


def spoil(rows: list[LedgerRow], chance: random.Random) -> Spoiled:
    expected: Counter[tuple[str, int]] = Counter()
    kept: list[LedgerRow] = []
    place = 1000
    for number, each in enumerate(rows, 1):
        what = chance.choice(("", "", "drop", "amount", "status", "double"))
        if what == "drop":
            if each.is_paid:
                expected["missing_in_ledger", number] += 1
            continue
        if what == "amount":
            each = attrs.evolve(each, amount=each.amount + Decimal("0.01"))
            expected["amount", number] += 1
        elif what == "status":
            each = attrs.evolve(each, status="processing" if each.is_paid else "success")
            expected["status", number] += 1
        elif what == "double":
            place += 1
            kept.append(attrs.evolve(each, place=place))
            expected["duplicate", number] += 1
        kept.append(each)
    for _ in range(chance.randrange(3)):
        place += 1
        kept.append(row(place, 10_000 + place, payment_id=10**9 + place))
        expected["missing_at_paywint", place] += 1
    chance.shuffle(kept)
    return Spoiled(kept, expected)


def found_differences(
    result: MatchResult, name: Callable[[LedgerRow], int]
) -> Counter[tuple[str, int]]:
    """Count the differences by kind and number of the payment, or of the row if there is none."""
    return Counter(
        (kind, payments[0] if payments else name(difference.rows[0]))
        for difference, (kind, _, payments) in zip(result.differences, found(result), strict=True)
    )


def number_by_id(row: LedgerRow) -> int:
    assert row.payment_id is not None
    return row.payment_id.int if row.payment_id.int < 10**9 else row.place


def number_by_invoice(row: LedgerRow) -> int:
    return int(row.invoice.removeprefix("INV-")) + 1 if row.invoice else row.place


@given(seeds, st.integers(0, 40))
def test_exactly_the_changed_rows_are_found_by_id(seed: int, size: int) -> None:
    chance = random.Random(seed)
    history = make_history(chance, size)
    spoiled = spoil(book(history, by_id), chance)
    chance.shuffle(history)

    result = match(spoiled.rows, history, directions=("sent", "received"))

    assert found_differences(result, number_by_id) == spoiled.expected


@given(seeds, st.integers(0, 40))
def test_exactly_the_changed_rows_are_found_by_invoice(seed: int, size: int) -> None:
    chance = random.Random(seed)
    history = [each for each in make_history(chance, size) if each.is_paid]
    history = [attrs.evolve(each, amount=Decimal(n)) for n, each in enumerate(history, 1)]
    spoiled = spoil(book(history, by_invoice), chance)
    numbers = {each.description: n for n, each in enumerate(history, 1)}
    chance.shuffle(history)

    result = match(spoiled.rows, history, directions=("sent", "received"))

    expected: Counter[tuple[str, int]] = Counter()
    for (kind, number), count in spoiled.expected.items():
        about = number
        if kind != "missing_at_paywint":
            about = next(
                each.payment_id.int for each in history if numbers[each.description] == number
            )
        expected[kind, about] += count
    assert found_differences(result, number_by_invoice) == expected


# -- random rows and payments ----------------------------------------------------------------------

amounts = st.sampled_from(("5", "7.50", "7.5", "0.01"))
days = st.one_of(st.none(), st.integers(0, 12).map(day))
directions = st.sampled_from(("sent", "received"))
descriptions = st.sampled_from((None, "Rent", "INV-1", "INV-2 INV-3", "INV-4", "for INV-1, INV-4"))
some_rows = st.lists(
    st.builds(
        lambda amount, **values: row(0, amount, **values),
        amount=amounts,
        payment_id=st.one_of(st.none(), st.none(), st.integers(1, 9)),
        invoice=st.sampled_from((None, None, "INV-1", "INV-2", "INV-3", "INV-4")),
        description=st.sampled_from((None, "rent", "INV-1")),
        when=days,
        status=st.sampled_from(("success", "success", "open", "failed")),
        direction=directions,
    ),
    max_size=14,
).map(lambda rows: [attrs.evolve(each, place=n) for n, each in enumerate(rows, 2)])
some_payments = st.lists(
    st.builds(
        lambda number, amount, **values: paid(number, amount, **values),
        number=st.integers(1, 12),
        amount=amounts,
        when=days.map(lambda when: when or day(5)),
        status=st.sampled_from(STATUSES),
        description=descriptions,
        direction=directions,
    ),
    max_size=14,
    unique_by=lambda each: (each.direction, each.payment_id),
)
periods = st.sampled_from((Period(), Period(since=day(4).date()), Period(until=day(6).date())))
which = st.sampled_from((("received",), ("sent", "received")))


def without_places(result: MatchResult) -> Counter[Any]:
    return Counter(
        (
            each.kind,
            tuple(sorted(str(attrs.evolve(one, place=0)) for one in each.rows)),
            each.payments,
            each.evidence,
            each.explanation,
        )
        for each in result.differences
    )


@examples(150)
@given(some_rows, some_payments, periods, which, seeds)
def test_the_result_does_not_depend_on_any_order(
    rows: list[LedgerRow],
    payments: list[PaymentFact],
    period: Period,
    compared: tuple[str, ...],
    seed: int,
) -> None:
    chance = random.Random(seed)
    payments = [each for each in payments if each.direction in compared]
    others = chance.sample(rows, len(rows)), chance.sample(payments, len(payments))

    one = match(rows, payments, directions=compared, period=period)
    other = match(
        [attrs.evolve(each, place=n) for n, each in enumerate(others[0], 2)],
        others[1],
        directions=compared,
        period=period,
    )

    assert without_places(one) == without_places(other)
    assert list(one.ledger) == list(other.ledger)
    assert list(one.paywint) == list(other.paywint)


@examples(150)
@given(some_rows, some_payments, periods, which)
def test_matched_and_different_items_are_all_items_of_each_side(
    rows: list[LedgerRow],
    payments: list[PaymentFact],
    period: Period,
    compared: tuple[str, ...],
) -> None:
    payments = [each for each in payments if each.direction in compared]
    result = match(rows, payments, directions=compared, period=period)

    for side, items in ((result.ledger, rows), (result.paywint, payments)):
        for direction in ("sent", "received"):
            for status in {each.status for each in items}:
                whole = [e for e in items if (e.direction, e.status) == (direction, status)]
                total = side.sum(direction=direction, status=status)
                assert total.count == len(whole)
                assert total.amount == sum(each.amount for each in whole)
    for direction in compared:
        made = statement(direction, result.ledger, result.paywint)
        assert sum(step.amount for step in made.steps) == made.difference
        assert made.paywint.amount - made.ledger.amount == made.difference
        inside = [e for e in payments if e.direction == direction and period.has(e.day)]
        assert made.paywint.amount == sum(each.amount for each in inside if each.is_paid)
    used = [r.place for d in result.differences if d.kind != "duplicate" for r in d.rows]
    both = Counter(r.place for d in result.differences if d.kind == "status" for r in d.rows)
    assert all(count == 1 + both[place] for place, count in Counter(used).items() if count > 1)


@examples(150)
@given(some_rows, some_payments)
def test_no_difference_means_that_the_sums_are_the_same(
    rows: list[LedgerRow], payments: list[PaymentFact]
) -> None:
    result = match(rows, payments, directions=("sent", "received"))

    if result.agrees:
        for direction in ("sent", "received"):
            assert statement(direction, result.ledger, result.paywint).difference == 0
    spoiled = sum(
        result.ledger.sum(outcome=each).count + result.paywint.sum(outcome=each).count
        for each in MatchOutcome
        if each not in (MatchOutcome.AGREED, MatchOutcome.NOT_PAID)
    )
    assert result.agrees is (spoiled == 0)


@examples(150)
@given(some_rows, some_payments)
def test_the_differences_add_up_to_the_difference_of_the_sums(
    rows: list[LedgerRow], payments: list[PaymentFact]
) -> None:
    result = match(rows, payments, directions=("sent", "received"))

    for direction in ("sent", "received"):
        told = {one.place: one for each in result.differences for one in own_rows(each)}
        paid_rows = [one for one in told.values() if one.is_paid and one.direction == direction]
        told_payments = {
            one.payment_id: one
            for each in result.differences
            for one in each.payments
            if one.direction == direction and one.is_paid
        }
        made = statement(direction, result.ledger, result.paywint)
        net = sum(one.amount for one in told_payments.values()) - sum(e.amount for e in paid_rows)
        assert net == made.difference


def own_rows(difference: Difference) -> tuple[LedgerRow, ...]:
    """Leave out the row that a duplicate repeats."""
    return difference.rows[:1] if difference.kind is Kind.DUPLICATE else difference.rows


# -- assignments, by brute force ---------------------------------------------------------------------


@examples(200)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.lists(st.integers(0, 9), min_size=1, max_size=5),
    st.integers(0, 3),
)
def test_an_assignment_is_made_only_if_brute_force_finds_exactly_one(
    row_days: list[int], payment_days: list[int], window: int
) -> None:
    rows = [row(n, when=day(each), description=f"row {n}") for n, each in enumerate(row_days)]
    payments = [paid(n, when=day(each)) for n, each in enumerate(payment_days)]

    result = assign(rows, payments, window=window)

    near = {
        (n, m)
        for n, one in enumerate(row_days)
        for m, other in enumerate(payment_days)
        if abs(one - other) <= window
    }
    for some_rows, some_payments in components(len(rows), len(payments), near):
        every = [
            tuple(zip(some_rows, chosen, strict=True))
            for chosen in permutations(some_payments)
            if len(some_rows) == len(some_payments)
            and all(each in near for each in zip(some_rows, chosen, strict=True))
        ]
        made = sorted(
            (one.place, other.payment_id.int)
            for one, other in result.pairs
            if one.place in some_rows
        )
        assert made == (sorted(every[0]) if len(every) == 1 else [])
    assigned = [*result.rows, *(each for each, _ in result.pairs)]
    assigned += [each for some, _ in result.ambiguous for each in some]
    assert sorted(each.place for each in assigned) == list(range(len(rows)))


def components(
    rows: int, payments: int, near: set[tuple[int, int]]
) -> list[tuple[list[int], list[int]]]:
    """Find a connected component by adding neighbours until none is left."""
    left = {("row", n) for n in range(rows)} | {("payment", n) for n in range(payments)}
    made = []
    while left:
        some = {left.pop()}
        while True:
            more = {("row", n) for n, m in near if ("payment", m) in some}
            more |= {("payment", m) for n, m in near if ("row", n) in some}
            if more <= some:
                break
            some |= more
        left -= some
        made.append(
            (
                sorted(n for kind, n in some if kind == "row"),
                sorted(n for kind, n in some if kind != "row"),
            )
        )
    return [each for each in made if all(each)]


@examples(200)
@given(
    st.lists(st.integers(0, 9), max_size=8),
    st.lists(st.integers(0, 9), max_size=8),
    st.integers(0, 3),
    st.sampled_from((Period(), Period(since=day(3).date()), Period(until=day(6).date()))),
)
def test_days_decide_only_where_each_compared_day_has_as_many_rows_as_payments(
    row_days: list[int], payment_days: list[int], window: int, period: Period
) -> None:
    rows = [row(n, when=day(each), description=f"row {n}") for n, each in enumerate(row_days)]
    payments = [paid(n, when=day(each)) for n, each in enumerate(payment_days)]

    alone = assign(rows, payments, window=window)
    result = assign(rows, payments, window=window, is_compared=period.has)

    for some_rows, some_payments in alone.ambiguous:
        days = [
            Counter(e.day for e in side if period.has(e.day)) for side in (some_rows, some_payments)
        ]
        made = [pair for pair in result.by_day if pair[0] in some_rows]
        if days[0] == days[1]:
            assert Counter(pair[0].day for pair in made) == days[0]
            assert {pair[1].payment_id for pair in made} == {
                each.payment_id for each in some_payments if period.has(each.day)
            }
        else:
            assert made == []
            assert (some_rows, some_payments) in result.ambiguous
    assert all(one.day == other.day for one, other in result.by_day)
    assert result.pairs[: len(alone.pairs)] == alone.pairs
    assert result.repeated[: len(alone.repeated)] == alone.repeated
    assert sum(map(len, (result.pairs, result.by_day, result.repeated, result.rows))) + sum(
        len(each) for each, _ in result.ambiguous
    ) == len(rows)
