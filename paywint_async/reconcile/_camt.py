"""Reads bank statements in CAMT.053 (ISO 20022, .xml), also 052 and 054. Extra ``ledgers``.

defusedxml parses the XML, and refuses document types and entities. An entry of several transactions
becomes one row for each if their amounts add up to the entry's; otherwise it is one row.

Source: ISO 20022, BankToCustomerStatement (camt.053.001), versions 02 to 13.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import attrs
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._statements import StatementEntry, StatementTable
from paywint_async.reconcile._text_file import read_chunks
from paywint_async.reconcile._totals import sum_of

_MOST_DEPTH = 64
_MOST_TEXT = 1 << 20  # characters of an entry
_AMOUNT = re.compile(r"\+?(?:[0-9]{1,40}(?:\.[0-9]{0,20})?|\.[0-9]{1,20})")
_DESCRIPTIONS = ("RmtInf/Ustrd", "RmtInf/Strd/CdtrRefInf/Ref", "AddtlTxInf", "AddtlNtryInf")
_MOST_TAG = 4 << 20  # bytes of a single start tag, which the parser keeps until it ends
_STATUS = {"BOOK": "success", "PDNG": "pending", "FUTR": "pending"}


def open_camt(path: str, format: LedgerFormat) -> StatementTable:
    """Read the entries of all statements of a file.

    Raises:
        LedgerError: it is not XML, has entities, or an entry is invalid.
    """
    target = _Target(path)
    parser = DefusedXMLParser(target=target, forbid_dtd=True)
    target.parser = parser.parser
    try:
        size = 0
        for chunk in read_chunks(path):
            parser.feed(chunk)
            size += len(chunk)
            if size - parser.parser.CurrentByteIndex > _MOST_TAG:
                raise LedgerError(path, "has an element with too long attributes: not read")
        parser.close()
    except DefusedXmlException:
        problem = "has a document type and entities, which no bank statement has: not read"
        raise LedgerError(path, problem) from None
    except ParseError as error:
        raise LedgerError(
            f"{path}, line {error.position[0]}", "is not XML: cut off, or damaged"
        ) from None
    return StatementTable(path, "CAMT.053", target.entries, format)


@attrs.define
class _Element:
    """An entry or one of its transactions while it is parsed, with the texts by their path in it."""

    line: int
    depth: int
    texts: defaultdict[str, list[str]] = attrs.field(factory=lambda: defaultdict(list))
    currency: str | None = None
    size: int = 0

    def first(self, *paths: str) -> str | None:
        return next((self.texts[path][0] for path in paths if self.texts.get(path)), None)


class _Target:
    """Takes the parser's events, and collects the entries from them."""

    def __init__(self, path: str) -> None:
        self.parser: Any = None
        self.entries: list[StatementEntry] = []
        self._path = path
        self._names: list[str] = []
        self._parts: list[_Element] = []  # the entry, and the transaction in it
        self._transactions: list[_Element] = []
        self._text = ""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = tag.rpartition("}")[2]
        self._names.append(name)
        self._text = ""
        if len(self._names) > _MOST_DEPTH:
            raise LedgerError(self._path, "has too deeply nested elements: not read")
        line: int = self.parser.CurrentLineNumber
        if name == "Ntry" and not self._parts:
            self._parts, self._transactions = [_Element(line, len(self._names))], []
        elif name == "TxDtls" and len(self._parts) == 1:
            self._parts.append(_Element(line, len(self._names)))
        elif self._parts and name == "Amt" and (currency := attributes.get("Ccy")):
            self._parts[-1].currency = self._parts[-1].currency or currency

    def data(self, text: str) -> None:
        if self._parts:
            self._text += text
            if len(self._text) > _MOST_TEXT:
                raise LedgerError(self._path, "has a too long text: not read")

    def end(self, tag: str) -> None:
        depth, name = len(self._names), self._names[-1]
        if self._parts:
            part = self._parts[-1]
            if depth == part.depth:
                self._finish()
            elif text := self._text.strip():
                part.texts["/".join(self._names[part.depth :])].append(text)
                part.size += len(text)
                if part.size > _MOST_TEXT:
                    raise LedgerError(self._path, "has a too long entry: not read")
        self._names.pop()
        self._text = ""
        assert name == tag.rpartition("}")[2]

    def close(self) -> None:
        """Do nothing: the parser calls this at the end."""

    def _finish(self) -> None:
        part = self._parts.pop()
        if self._parts:
            self._transactions.append(part)
            return
        self.entries += _entries(part, self._transactions, self._path)


def _entries(entry: _Element, transactions: list[_Element], path: str) -> Iterator[StatementEntry]:
    named = f"{path}, line {entry.line}"
    amount = _amount(entry.first("Amt"), named)
    parts = [_transaction_amount(each, named) for each in transactions]
    exact = [each for each in parts if each is not None]
    if len(parts) > 1 and len(exact) == len(parts) and sum_of(exact) == amount:
        for each, part in zip(transactions, exact, strict=True):
            yield _entry(entry, each, part, named)
        return
    details = transactions[0] if len(transactions) == 1 else _Element(entry.line, entry.depth)
    yield _entry(entry, details, amount, named, line=entry.line)


def _entry(
    entry: _Element, details: _Element, amount: Decimal, named: str, line: int | None = None
) -> StatementEntry:
    indicator = details.first("CdtDbtInd") or entry.first("CdtDbtInd")
    if indicator not in ("CRDT", "DBIT"):
        problem = f"{indicator!r} is neither CRDT nor DBIT"
        raise LedgerError(named, problem, column="CdtDbtInd")
    status = entry.first("Sts/Cd", "Sts") or "BOOK"
    texts = [*(details.texts.get(path) for path in _DESCRIPTIONS), entry.texts.get("AddtlNtryInf")]
    description = " ".join(next(filter(None, texts), []))
    return StatementEntry(
        line=line or details.line,
        text=_source(entry, details),
        date=_date(entry, named),
        amount=amount if indicator == "CRDT" else amount.copy_negate(),
        description=description or None,
        currency=entry.currency,
        status=_STATUS.get(status, status.lower()),
        transaction_id=details.first("Refs/EndToEndId", "Refs/TxId"),
        reference=details.first("Refs/AcctSvcrRef") or entry.first("AcctSvcrRef", "NtryRef"),
        name=details.first("RltdPties/Dbtr/Nm", "RltdPties/Dbtr/Pty/Nm"),
    )


def _source(entry: _Element, details: _Element) -> str:
    """Return the texts with their paths, which is far shorter than the entry's XML."""
    parts = [entry.texts] if details.line == entry.line else [entry.texts, details.texts]
    return "\n".join(f"{path}: {' '.join(texts)}" for each in parts for path, texts in each.items())


def _amount(text: str | None, named: str) -> Decimal:
    if text is None or not _AMOUNT.fullmatch(text):
        raise LedgerError(named, f"{text!r} is not an amount of CAMT.053", column="Amt")
    return Decimal(text)


def _transaction_amount(part: _Element, named: str) -> Decimal | None:
    text = part.first("Amt", "AmtDtls/TxAmt/Amt")
    return None if text is None else _amount(text, named)


def _date(entry: _Element, named: str) -> date | datetime | None:
    text = entry.first("BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm")
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text[:10])
    except ValueError:
        raise LedgerError(named, f"{text!r} is not a date of CAMT.053", column="BookgDt") from None
