"""Assigns rows to payments if exactly one assignment is possible. Pure.

The rows and payments given to `assign` agree in everything but their days. A row and a payment whose
days are within the window are connected, and each connected component is decided separately, so the
result does not depend on any order. If a component has two possible assignments, it is ambiguous,
unless its days decide: as many rows as payments on each day that is compared. All of them are paid and
of one amount then, so that the report is the same whichever row of a day gets which payment of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from datetime import date
from itertools import pairwise

import attrs

from paywint_async.reconcile._records import LedgerRow, PaymentFact

Content = Callable[[LedgerRow], Hashable]
IsCompared = Callable[[date | None], bool]
Pair = tuple[LedgerRow, PaymentFact]


@attrs.define
class Assignment:
    """The assigned pairs, and what is left.

    ``by_day`` are the pairs of components whose rows and payments agree in number day by day;
    ``repeated`` are rows without a payment whose content equals that of another row, each with that
    row; ``ambiguous`` are the components with several possible assignments.
    """

    pairs: list[Pair] = attrs.field(factory=list)
    by_day: list[Pair] = attrs.field(factory=list)
    repeated: list[tuple[LedgerRow, LedgerRow]] = attrs.field(factory=list)
    ambiguous: list[tuple[list[LedgerRow], list[PaymentFact]]] = attrs.field(factory=list)
    rows: list[LedgerRow] = attrs.field(factory=list)
    payments: list[PaymentFact] = attrs.field(factory=list)


def assign(
    rows: Iterable[LedgerRow],
    payments: Iterable[PaymentFact],
    *,
    window: int | None,
    content: Content = lambda row: row.content,
    is_compared: IsCompared | None = None,
) -> Assignment:
    """Assign the rows and payments of each component.

    Args:
        rows: in any order.
        payments: in any order.
        window: the most days between a row and its payment; None: any number, and rows need no day.
        content: rows with equal content are interchangeable: any of them may get any payment.
        is_compared: whether a day is in the period, if days may decide: then all rows and payments
            are paid and of one amount, and those of other days are not differences.
    """
    found = Assignment()
    for some_rows, some_payments in _components(
        sorted_rows(rows), sorted_payments(payments), window
    ):
        _settle(found, some_rows, some_payments, window, content)
    if is_compared is not None:
        _settle_by_day(found, window, content, is_compared)
    return found


def sorted_rows(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Sort by content, and rows of equal content by place."""
    rows = list(rows)
    if len(rows) > 1:
        rows.sort(key=lambda row: (*map(str, row.content), row.place))
    return rows


def sorted_payments(payments: Iterable[PaymentFact]) -> list[PaymentFact]:
    """Sort by time."""
    return sorted(payments, key=lambda payment: (payment.when, payment.payment_id))


def _settle(
    found: Assignment,
    rows: list[LedgerRow],
    payments: list[PaymentFact],
    window: int | None,
    content: Content,
) -> None:
    if not rows or not payments:
        found.rows += rows
        found.payments += payments
        return
    if len(rows) == len(payments) == 1:
        found.pairs.append((rows[0], payments[0]))
        return
    alike: defaultdict[Hashable, list[LedgerRow]] = defaultdict(list)
    for row in rows:
        alike[content(row)].append(row)
    if len(alike) == 1 and len(rows) >= len(payments):
        found.pairs += zip(rows, payments, strict=False)
        found.repeated += [(row, rows[0]) for row in rows[len(payments) :]]
        return
    firsts = [each[0] for each in alike.values()]
    chosen = rows if len(rows) == len(payments) else firsts
    pairs = only_assignment(chosen, payments, window, content)
    if pairs is None:
        found.ambiguous.append((rows, payments))
        return
    found.pairs += pairs
    if chosen is firsts:
        found.repeated += [(row, each[0]) for each in alike.values() for row in each[1:]]


def _settle_by_day(
    found: Assignment, window: int | None, content: Content, is_compared: IsCompared
) -> None:
    """Pair the ambiguous components that agree day by day; assign what they have on other days."""
    ambiguous, found.ambiguous = found.ambiguous, []
    for rows, payments in ambiguous:
        pairs = pairs_by_day(rows, payments, is_compared)
        if not pairs:
            found.ambiguous.append((rows, payments))
            continue
        found.by_day += pairs
        other_rows = [row for row in rows if not is_compared(row.day)]
        other_payments = [each for each in payments if not is_compared(each.day)]
        for component in _components(other_rows, other_payments, window):
            _settle(found, *component, window, content)


def pairs_by_day(
    rows: Sequence[LedgerRow], payments: Sequence[PaymentFact], is_compared: IsCompared
) -> list[Pair]:
    """Pair rows with payments of the same day; nothing if any compared day has more of one side."""
    days: defaultdict[date | None, tuple[list[LedgerRow], list[PaymentFact]]]
    days = defaultdict(lambda: ([], []))
    for row in rows:
        days[row.day][0].append(row)
    for payment in payments:
        days[payment.day][1].append(payment)
    compared = [each for day, each in days.items() if is_compared(day)]
    if any(len(some_rows) != len(some_payments) for some_rows, some_payments in compared):
        return []
    return [pair for each in compared for pair in zip(*each, strict=True)]


def only_assignment(
    rows: Sequence[LedgerRow],
    payments: Sequence[PaymentFact],
    window: int | None,
    content: Content,
) -> list[Pair] | None:
    """Return the assignment of each row to a different payment, if exactly one is possible.

    All have the same window, so if any assignment is possible, the one in the order of days is; and
    any other can be turned into it by swapping the payments of neighbours. So it is the only one if no
    two neighbours with different content can swap.
    """
    if len(rows) != len(payments):
        return None
    if window is None:
        return list(zip(rows, payments, strict=True)) if len(rows) == 1 else None
    pairs = list(zip(sorted(rows, key=_ordinal), sorted(payments, key=_ordinal), strict=True))
    if not all(_is_near(row, payment, window) for row, payment in pairs):
        return None
    for (row, payment), (next_row, next_payment) in pairwise(pairs):
        can_change = _is_near(row, next_payment, window) and _is_near(next_row, payment, window)
        if can_change and content(row) != content(next_row):
            return None
    return pairs


def _is_near(row: LedgerRow, payment: PaymentFact, window: int) -> bool:
    return abs(_ordinal(row) - _ordinal(payment)) <= window


def _ordinal(item: LedgerRow | PaymentFact) -> int:
    day = item.day
    assert day is not None
    return day.toordinal()


def _components(
    rows: list[LedgerRow], payments: list[PaymentFact], window: int | None
) -> Iterator[tuple[list[LedgerRow], list[PaymentFact]]]:
    if window is None or not rows or not payments:
        yield rows, payments
        return
    if len(rows) == len(payments) == 1 and rows[0].day and _is_near(rows[0], payments[0], window):
        yield rows, payments  # as most are
        return
    undated = [row for row in rows if row.day is None]
    if undated:
        yield undated, []
    dated = [row for row in rows if row.day is not None]
    items: list[LedgerRow | PaymentFact] = sorted([*dated, *payments], key=_ordinal)
    for component in _connected(items, window):
        yield (
            [item for item in component if isinstance(item, LedgerRow)],
            [item for item in component if isinstance(item, PaymentFact)],
        )


def _connected(
    items: Sequence[LedgerRow | PaymentFact], window: int
) -> Iterable[list[LedgerRow | PaymentFact]]:
    """Find the connected components of items sorted by day, in nearly linear time (union-find).

    Of each side's connected items only the latest is kept: a later item that is near an earlier one is
    near the latest, too.
    """
    root = list(range(len(items)))

    def find(index: int) -> int:
        while root[index] != index:
            root[index] = index = root[root[index]]
        return index

    in_view: tuple[list[int], list[int]] = ([], [])
    for index, item in enumerate(items):
        mine, others = in_view[:: 1 if isinstance(item, LedgerRow) else -1]
        near = [other for other in others if _ordinal(item) - _ordinal(items[other]) <= window]
        for other in near:
            root[find(other)] = find(index)
        others[:] = near[-1:]
        mine.append(index)
    components: defaultdict[int, list[LedgerRow | PaymentFact]] = defaultdict(list)
    for index, item in enumerate(items):
        components[find(index)].append(item)
    return components.values()
