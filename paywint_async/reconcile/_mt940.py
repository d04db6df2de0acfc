"""Reads bank statements in MT940 (.sta, .940) with the library mt-940. Extra ``ledgers``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import mt940

from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._statements import StatementEntry, StatementTable
from paywint_async.reconcile._text_file import open_text
from paywint_async.reconcile._totals import EXACTLY

_MOST = 64 << 20  # characters of a file
_ENTRY = re.compile(r"^:61:", re.MULTILINE)
_NEXT_TAG = re.compile(r"^(?::6[0-9A-Z]+:|-\}?|:20:)", re.MULTILINE)
_STATEMENT = re.compile(r"^(?=:20:)", re.MULTILINE)


def open_mt940(path: str, format: LedgerFormat) -> StatementTable:
    """Read the transactions of all statements of a file.

    Raises:
        LedgerError: it cannot be read as MT940.
    """
    text = ""
    for line in open_text(path, format.encoding).lines():
        text += line
        if len(text) > _MOST:
            raise LedgerError(
                path, f"has more than {_MOST:,} characters: too large for a statement"
            )
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return StatementTable(path, "MT940", list(_entries(path, text)), format)


def _entries(path: str, text: str) -> Iterator[StatementEntry]:
    """Yield the library's transactions, each with its lines in the file."""
    begin = 0
    for end in [
        *(match.start() for match in _STATEMENT.finditer(text) if match.start()),
        len(text),
    ]:
        part = text[begin:end]
        line = text.count("\n", 0, begin) + 1
        begin = end
        places = [match.start() for match in _ENTRY.finditer(part)]
        if not places:
            continue
        transactions = _parsed(part, f"{path}, line {line}")
        if len(transactions) != len(places):
            problem = (
                f"has {len(places)} entries, of which {len(transactions)} can be read as MT940"
            )
            raise LedgerError(f"{path}, from line {line} on", problem)
        for start, each in zip(places, transactions, strict=True):
            stop = _NEXT_TAG.search(part, start + 4)
            source = part[start : stop.start() if stop else len(part)]
            yield _entry(each.data, line + part.count("\n", 0, start), source)


def _parsed(part: str, named: str) -> Any:
    found = mt940.models.Transactions(options=mt940.Options.all())
    try:
        with localcontext(EXACTLY) as context:
            context.traps[InvalidOperation] = True
            found.parse(part)
    except Exception as error:  # the library raises anything on an invalid file
        raise LedgerError(named, f"cannot be read as MT940: {error}") from None
    return found


def _entry(data: Mapping[str, Any], line: int, source: str) -> StatementEntry:
    amount: Decimal = data["amount"].amount
    texts = [data.get(name) for name in ("purpose", "additional_purpose", "transaction_details")]
    details = " ".join(" ".join(filter(None, texts)).split())
    reference = data.get("customer_reference")
    return StatementEntry(
        line=line,
        text=source,
        date=data.get("entry_date") or data["date"],
        amount=amount,
        description=details or data.get("extra_details") or None,
        currency=data.get("currency"),
        transaction_id=data.get("bank_reference"),
        reference=None if reference in ("NONREF", "") else reference,
        name=data.get("applicant_name"),
    )
