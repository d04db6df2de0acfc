"""Writes the report for a terminal: the statement and the differences. Ids are never shortened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from paywint_async.reconcile._comparison import Report
from paywint_async.reconcile._explanation import money, signed
from paywint_async.reconcile._records import (
    Difference,
    Evidence,
    Kind,
    LedgerRow,
    MatchOutcome,
    PaymentFact,
)
from paywint_async.reconcile._totals import Statement, Sum, subtract

_FEW = 5  # rows or payments shown of one difference


def text_lines(report: Report, limit: int) -> Iterator[str]:
    """Yield the lines of the report.

    Args:
        report: the report.
        limit: the largest number of differences; a line says how many are left out.
    """
    for line in _all_lines(report, limit):
        yield "".join(each if each.isprintable() else "?" for each in line)


def _all_lines(report: Report, limit: int) -> Iterator[str]:
    for note in report.notes:
        yield f"note: {note}"
    if report.notes:
        yield ""
    for statement in report.statements:
        yield from _statement_lines(statement)
        yield ""
    if by := matched_by(report):
        yield f"matched: {by}"
        yield from payout_lines(report)
        yield ""
    aside = [f"{name}: {count:,}" for name, count in set_aside(report)]
    if aside:
        yield f"set aside: {'; '.join(aside)}"
        yield ""
    differences = report.result.differences
    if differences:
        unit = report.unit.upper()
        header = ("DIFFERENCE", unit, "DAY", "PAYMENT", "LEDGER", "PAYWINT", "WHY")
        lines = [line for each in differences[:limit] for line in _difference_lines(each)]
        yield from aligned([header, *lines], right={1, 4, 5})
        if len(differences) > limit:
            yield f"and {len(differences) - limit:,} more: see --limit, --json and --html"
        yield ""
    yield conclusion(report)


def conclusion(report: Report) -> str:
    """Return the result as a sentence."""
    count = len(report.result.differences)
    if not count:
        return "the books agree"
    return f"the books differ: {count:,} difference{'' if count == 1 else 's'}"


def matched_by(report: Report) -> str:
    """Return the number of rows matched by each kind of evidence; empty if none was matched."""
    evidence = report.result.evidence
    return ", ".join(f"{evidence[each]:,} by {each.words}" for each in Evidence if evidence[each])


def payout_lines(report: Report) -> Iterator[str]:
    """Yield a sentence for each payout."""
    for each in report.result.payouts:
        days = (
            f"of {each.since}" if each.since == each.until else f"of {each.since} to {each.until}"
        )
        yield (
            f"{report.unit} {each.row.place} of {each.row.day} with {money(each.row.amount)} is the "
            f"payout of all {len(each.payments):,} payments {days}"
        )


def set_aside(report: Report) -> Iterator[tuple[str, int]]:
    """Yield the kinds of rows and payments that were read but not compared, with their numbers."""
    ledger, paywint = report.result.ledger, report.result.paywint
    found = (
        ("ledger rows of the other direction", ledger.sum(outcome=MatchOutcome.OTHER_DIRECTION)),
        ("ledger rows outside the period", ledger.sum(outcome=MatchOutcome.OUTSIDE_PERIOD)),
        ("payments outside the period", paywint.sum(outcome=MatchOutcome.OUTSIDE_PERIOD)),
        ("ledger rows not paid, with no payment", ledger.sum(outcome=MatchOutcome.NOT_PAID)),
        ("payments not paid, with no ledger row", paywint.sum(outcome=MatchOutcome.NOT_PAID)),
    )
    return ((name, total.count) for name, total in found if total.count)


def aligned(rows: Sequence[Sequence[str]], right: Iterable[int]) -> Iterator[str]:
    """Yield the rows as lines with aligned columns; the last column is not padded."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    to_the_right = set(right)
    for row in rows:
        cells = [
            cell.rjust(width) if number in to_the_right else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=False))
        ]
        yield "  ".join([*cells, row[-1]]).rstrip()


def _statement_lines(statement: Statement) -> Iterator[str]:
    header = (statement.direction.upper(), "LEDGER", "", "PAYWINT", "", "DIFFERENCE", "")
    steps = [(step.outcome.words, step.ledger, step.paywint) for step in statement.steps]
    steps.append(("total paid", statement.ledger, statement.paywint))
    lines = [
        (name, *_counted(ledger), *_counted(paywint), _difference(ledger, paywint), "")
        for name, ledger, paywint in steps
    ]
    yield from aligned([header, *lines], right=range(1, 6))


def _counted(total: Sum) -> tuple[str, str]:
    return f"{total.count:,}", money(total.amount)


def _difference(ledger: Sum, paywint: Sum) -> str:
    return signed(subtract(paywint.amount, ledger.amount))


def _difference_lines(difference: Difference) -> Iterator[tuple[str, ...]]:
    kind, rows, payments = difference.kind, difference.rows, difference.payments
    why = difference.explanation
    if difference.evidence not in (None, Evidence.ID) and kind is not Kind.AMBIGUOUS:
        why = f"{why} [by {difference.evidence.words}]"
    if kind is Kind.DUPLICATE:
        row, original = rows
        yield (
            kind.words,
            str(row.place),
            _day_of(row),
            _id_of(row),
            money(row.amount),
            "",
            (f"{why}: {original.place}"),
        )
        return
    if kind is not Kind.AMBIGUOUS:
        yield kind.words, *_cells(kind, rows, payments), why
        return
    yield kind.words, "", "", "", "", "", why
    for row in rows[:_FEW]:
        yield "", *_cells(kind, [row], []), ""
    for payment in payments[:_FEW]:
        yield "", *_cells(kind, [], [payment]), ""
    more = max(0, len(rows) - _FEW) + max(0, len(payments) - _FEW)
    if more:
        yield "", "", "", f"and {more:,} more", "", "", ""


def _cells(
    kind: Kind, rows: Sequence[LedgerRow], payments: Sequence[PaymentFact]
) -> tuple[str, str, str, str, str]:
    """Return place, day, id, and the amount or status of each side."""
    place = str(rows[0].place) if rows else ""
    payment_id = str(payments[0].payment_id) if payments else _id_of(rows[0])
    ledger, paywint = (_said(kind, each[0]) if each else "" for each in (rows, payments))
    day = _day_of(rows[0] if rows else payments[0])
    return place, day, payment_id, ledger, paywint


def _said(kind: Kind, item: LedgerRow | PaymentFact) -> str:
    return item.status if kind is Kind.STATUS else money(item.amount)


def _day_of(item: LedgerRow | PaymentFact) -> str:
    return str(item.day or "")


def _id_of(row: LedgerRow) -> str:
    return str(row.payment_id or row.invoice or row.description or "")
