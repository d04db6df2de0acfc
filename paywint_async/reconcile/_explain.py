"""Describes how a ledger is read (``--explain``); compares nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing

import attrs

from paywint_async.reconcile._columns import Places
from paywint_async.reconcile._date_forms import ORDER_WORDS
from paywint_async.reconcile._explanation import money, signed
from paywint_async.reconcile._layout import DELIMITER_WORDS
from paywint_async.reconcile._ledger import OpenedLedger
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._pipes import readable
from paywint_async.reconcile._records import LedgerRow
from paywint_async.reconcile._tables import TableRows, TextTable, column_roles

_SHOWN_ROWS = 3
_KINDS = {
    "sql": "table of a database",
    "parquet": "Parquet",
    "jsonl": "JSON lines",
    "csv": "text with separated values",
    "xlsx": "Excel",
    "ofx": "OFX",
    "camt": "CAMT.053",
    "mt940": "MT940",
}


@attrs.frozen(kw_only=True)
class LedgerReading:
    """The way a ledger is read: as lines of text, and as detected options by their names."""

    lines: list[str]
    found_options: dict[str, str]


async def explain(ledger: str, format: LedgerFormat) -> LedgerReading:
    """Describe the detected format of a ledger, with three rows as they were read.

    Args:
        ledger: as for `read_ledger`, or a database.
        format: the given format.

    Raises:
        as `read_ledger`.
    """
    async with readable(ledger) as path:
        opened = OpenedLedger(path, format)
        return LedgerReading(
            lines=await _lines(opened, format), found_options=opened.found_options()
        )


async def _lines(opened: OpenedLedger, format: LedgerFormat) -> list[str]:
    count: Counter[str] = Counter()
    first: list[LedgerRow] = []
    async with aclosing(opened.rows()) as rows:
        async for row in rows:
            count[f"{row.direction}{'' if row.is_paid else ', not paid'}"] += 1
            if len(first) < _SHOWN_ROWS:
                first.append(row)
    lines = [("kind", _KINDS[opened.kind])]
    if opened.table is not None:
        lines += _found(opened.table, format)
    found = ", ".join(f"{number:,} {what}" for what, number in sorted(count.items()))
    lines.append(("rows", found or "none"))
    lines += [("note", note) for note in (opened.table.passed_notes() if opened.table else ())]
    width = max(len(name) for name, _ in lines)
    shown = [f"{name.ljust(width)}  {text}" for name, text in lines]
    sources = opened.sources([row.place for row in first])
    for row in first:
        shown += ["", f"{opened.unit} {row.place}: {_said(row)}"]
        shown += [f"    {line}" for line in sources.get(row.place, "").splitlines()]
    return shown


def _found(table: TableRows, format: LedgerFormat) -> Iterator[tuple[str, str]]:
    forms, places = table.forms, table.forms.places
    source = table.table
    if isinstance(source, TextTable):
        delimiter = source.layout.delimiter or ""
        yield "encoding", _how(source.file.encoding_words, format.encoding)
        yield "delimiter", _how(DELIMITER_WORDS.get(delimiter, delimiter), format.delimiter)
    if source.layout.header_place:
        where = f"{source.unit} {source.layout.header_place}"
        yield "header", _how(where, format.header_line)
    for role, place in column_roles(places).items():
        yield f"{role} column", _how(repr(places.names[place]), getattr(format.columns, role))
    order = ORDER_WORDS.get(forms.date_order, forms.date_order)
    yield "dates", _how("ISO 8601" if forms.has_iso_dates else order, format.date_format)
    mark = "decimal point" if forms.decimal_mark == "." else "decimal comma"
    yield "amounts", _how(mark, format.decimal_mark)
    yield "sign", _sign(places, format)
    if places.unused:
        yield "not used", ", ".join(map(repr, places.unused))


def _how(what: str, given: object) -> str:
    return f"{what} ({'detected' if given is None else 'given'})"


def _sign(places: Places, format: LedgerFormat) -> str:
    if places.direction is not None:
        return f"column {places.names[places.direction]!r} says what was sent and what was received"
    if places.amount is None:
        credit, debit = (
            f"{repr(places.names[place]) if place is not None else 'nothing'} is {what}"
            for place, what in ((places.credit, "received"), (places.debit, "sent"))
        )
        return f"{credit}, {debit} (--debit-column and --credit-column swap them)"
    if format.direction == "sent":
        return "all rows were sent"
    return "negative amounts were sent, others received"


def _said(row: LedgerRow) -> str:
    amount = f"{row.direction} {money(row.amount)}"
    if row.fee:
        amount += f" with a fee of {signed(row.fee)}"
    parts = [
        amount,
        f"on {row.day}" if row.day else "without a date",
        f"payment {row.payment_id}" if row.payment_id else "",
        f"invoice {row.invoice!r}" if row.invoice else "",
        f"description {row.description!r}" if row.description else "",
        "" if row.is_paid else f"status {row.status!r}",
    ]
    return ", ".join(filter(None, parts))
