"""Writes the report for programs: one JSON document with all differences.

Amounts are strings with their exact digits: most programs read a JSON number as a float. Version 1:

| field | meaning |
| --- | --- |
| ``version`` | 1 |
| ``agrees`` | whether there is no difference |
| ``made_at`` | when the history was read to its end, UTC |
| ``ledger``, ``direction``, ``since``, ``until``, ``timezone``, ``date_window`` | what was compared |
| ``notes`` | what to know before reading the differences, as sentences |
| ``matched_by`` | number of rows matched by each kind of evidence |
| ``payouts`` | rows that sum all payments of some days, and the ids of these payments |
| ``kinds`` | number of differences of each kind, 0 included |
| ``statements`` | for each direction, the steps from the ledger's paid sum to Paywint's |
| ``totals`` | for each side, counts and sums by direction, outcome and status |
| ``differences`` | ``kind``, ``evidence``, ``direction``, ``explanation``, ``rows``, ``payments`` |

A row's ``line`` is its row number if the ledger is not a text file; ``source`` is the row as it is in
the file, for at most 10,000 rows of a text file; ``fee`` is present if the row has a fee. A duplicate
has two rows: the superfluous one, and the one that it repeats.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from paywint_async._record_json import escape_separators, time_text
from paywint_async.export._encoding import plain
from paywint_async.reconcile._comparison import Report
from paywint_async.reconcile._payouts import Payout
from paywint_async.reconcile._records import Difference, Evidence, Kind, LedgerRow, PaymentFact
from paywint_async.reconcile._totals import SideTotals, Statement, Sum

_encode = msgspec.json.Encoder().encode
_AT_ONCE = 1000


def json_chunks(report: Report) -> Iterator[bytes]:
    """Yield the document in chunks, since there may be a million differences."""
    head = _encode(_head(report))
    yield escape_separators(head[:-1]) + b',"differences":['
    differences = report.result.differences
    for start in range(0, len(differences), _AT_ONCE):
        some = _encode(
            [_difference(each, report.sources) for each in differences[start : start + _AT_ONCE]]
        )
        some = escape_separators(some)
        yield (b",\n" if start else b"\n") + some[1:-1].replace(b'},{"kind"', b'},\n{"kind"')
    yield b"]}\n"


def kinds_of(report: Report) -> dict[str, int]:
    """Return the number of differences of each kind."""
    found = Counter(each.kind for each in report.result.differences)
    return {kind.value: found[kind] for kind in Kind}


def _head(report: Report) -> dict[str, Any]:
    options = report.options
    return {
        "version": 1,
        "agrees": report.agrees,
        "made_at": time_text(report.made_at),
        "ledger": options.name,
        "direction": options.format.direction,
        "since": options.period.since,
        "until": options.period.until,
        "timezone": str(options.format.zone),
        "date_window": options.date_window,
        "notes": report.notes,
        "matched_by": {each.value: report.result.evidence[each] for each in Evidence},
        "payouts": [_payout(each, report.sources) for each in report.result.payouts],
        "kinds": kinds_of(report),
        "statements": [_statement(each) for each in report.statements],
        "totals": {"ledger": _side(report.result.ledger), "paywint": _side(report.result.paywint)},
    }


def _payout(payout: Payout, sources: Mapping[int, str]) -> dict[str, Any]:
    return {
        "row": _row(payout.row, sources),
        "since": payout.since,
        "until": payout.until,
        "payment_ids": [payment.payment_id for payment in payout.payments],
    }


def _statement(statement: Statement) -> dict[str, Any]:
    return {
        "direction": statement.direction,
        "ledger": _sum(statement.ledger),
        "steps": [
            {
                "outcome": step.outcome,
                "ledger": _sum(step.ledger),
                "paywint": _sum(step.paywint),
                "amount": plain(step.amount),
            }
            for step in statement.steps
        ],
        "paywint": _sum(statement.paywint),
    }


def _sum(total: Sum) -> dict[str, Any]:
    return {"count": total.count, "amount": plain(total.amount)}


def _side(side: SideTotals) -> list[dict[str, Any]]:
    return [{**cell._asdict(), **_sum(total)} for cell, total in side]


def _difference(difference: Difference, sources: Mapping[int, str]) -> dict[str, Any]:
    return {
        "kind": difference.kind,
        "evidence": difference.evidence,
        "direction": difference.direction,
        "explanation": difference.explanation,
        "rows": [_row(row, sources) for row in difference.rows],
        "payments": [_payment(payment) for payment in difference.payments],
    }


def _row(row: LedgerRow, sources: Mapping[int, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "line": row.place,
        "payment_id": row.payment_id,
        "invoice": row.invoice,
        "description": row.description,
        "amount": plain(row.amount),
        "date": row.day,
        "status": row.status,
    }
    if row.fee:
        fields["fee"] = plain(row.fee)
    if row.place in sources:
        fields["source"] = sources[row.place]
    return fields


def _payment(payment: PaymentFact) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "amount": plain(payment.amount),
        "date": time_text(payment.when),
        "status": payment.status,
        "party": payment.party,
        "description": payment.description,
        "failure_reason": payment.reason,
    }
