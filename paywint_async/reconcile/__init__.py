"""Compares an account's history with a ledger: what matches, what differs, and why.

Uses the public API, the export, and one small private module. Knows nothing of command lines.

Read it in this order: `records` (what is compared, and the results) · `columns`, `forms`, `values`,
`passed_rows`, `row_parser`, `column_parser` (values to rows), `csv_records`, `tables`, `ledger`,
`parquet`, `sql` (rows from files and databases) · `agreement` (pairs that agree completely) ·
`matching` (the passes, pure) over `candidates`, `keys`, `assignment` (which rows and payments may
belong together) and `decisions`, `explanation`, `totals` (the outcome of each) · `activity` (payments
over time) · `comparison` (reads both sides) · `as_text`, `as_json`, `as_html` (the report), the last
with `plots`, `charts` and `buckets`.
"""

from paywint_async.reconcile._as_html import make_page, write_html
from paywint_async.reconcile._as_json import json_chunks, kinds_of
from paywint_async.reconcile._as_text import conclusion, text_lines
from paywint_async.reconcile._columns import Columns
from paywint_async.reconcile._comparison import ReconcileOptions, Report, reconcile
from paywint_async.reconcile._errors import LedgerError, ReconcileError
from paywint_async.reconcile._ledger import ledger_rows, read_ledger
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._matching import Matching, MatchResult
from paywint_async.reconcile._records import (
    Difference,
    Evidence,
    Kind,
    LedgerRow,
    MatchOutcome,
    PaymentFact,
    Period,
)

__all__ = [
    "Columns",
    "Difference",
    "Evidence",
    "Kind",
    "LedgerError",
    "LedgerFormat",
    "LedgerRow",
    "MatchOutcome",
    "MatchResult",
    "Matching",
    "PaymentFact",
    "Period",
    "ReconcileError",
    "ReconcileOptions",
    "Report",
    "conclusion",
    "json_chunks",
    "kinds_of",
    "ledger_rows",
    "make_page",
    "read_ledger",
    "reconcile",
    "text_lines",
    "write_html",
]
