"""Assigns rows to payments if exactly one assignment is possible. Pure.

The rows and payments given to `assign` agree in everything but their days. A row and a payment whose
days are within the window are connected, and each connected component is decided separately, so the
result does not depend on any order. If a component has two possible assignments, it is ambiguous.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import pairwise

import attrs

from paywint_async.reconcile._records import LedgerRow, PaymentFact

Content = Callable[[LedgerRow], Hashable]
Pair = tuple[LedgerRow, PaymentFact]


@attrs.define
class Assignment:
    """The assigned pairs, and what is left.

    ``repeated`` are rows without a payment whose content equals that of another row, each with that
    row; ``ambiguous`` are the components with several possible assignments.
    """

    pairs: list[Pair] = attrs.field(factory=list)
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
) -> Assignment:
    """Assign the rows and payments of each component.

    Args:
        rows: in any order.
        payments: in any order.
        window: the most days between a row and its payment; None: any number, and rows need no day.
        content: rows with equal content are interchangeable: any of them may get any payment.
    """
    found = Assignment()
    for some_rows, some_payments in _components(
        sorted_rows(rows), sorted_payments(payments), window
    ):
        _settle(found, some_rows, some_payments, window, content)
    return found


def sorted_rows(rows: Iterable[LedgerRow]) -> list[LedgerRow]:
    """Sort by content, and rows of equal content by place."""
    return sorted(rows, key=lambda row: (*map(str, row.content), row.place))


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
    if window is None:
        yield rows, payments
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
