"""Reads bank statements in OFX (.ofx, .qfx), both SGML and XML.

Only the transactions are read, with the few tags that a comparison needs, and no entity is
expanded. (The library ofxtools is GPL-3, and ofxparse had its last release in 2021.)

Source: OFX 1.6 and 2.3, section 11.4.3 (STMTTRN), 5.2 (CURRENCY), 3.2.8 (dates), 3.2.9 (amounts).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._ledger_format import LedgerFormat
from paywint_async.reconcile._statements import StatementEntry, StatementTable
from paywint_async.reconcile._text_file import open_text

_TAG = re.compile(r"<(/?)([A-Za-z0-9.]+)>([^<]*)")
_AMOUNT = re.compile(r"[+-]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)")
_DATE = re.compile(
    r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})(?:([0-9]{2})(?:\.[0-9]+)?)?)?"
    r"(?:\[([+-]?[0-9]{1,2})(?:\.([0-9]{1,2}))?(?::[^\]]*)?\])?"
)
_MOST_TEXT = 1 << 16  # characters of an entry


def open_ofx(path: str, format: LedgerFormat) -> StatementTable:
    """Read the transactions of a file.

    Raises:
        LedgerError: a transaction has no valid amount or date.
    """
    return StatementTable(path, "OFX", list(_entries(path, format)), format)


def _entries(path: str, format: LedgerFormat) -> Iterator[StatementEntry]:
    currency: str | None = None
    tags: dict[str, str] | None = None
    start, text = 0, ""
    of_amount = False  # within CURRENCY; ORIGCURRENCY is that of an amount before its conversion
    for number, line in enumerate(open_text(path, format.encoding).lines(), 1):
        if "<!" in line and ("<!DOCTYPE" in line or "<!ENTITY" in line):
            raise LedgerError(
                f"{path}, line {number}", "has a document type, which no OFX file has"
            )
        if tags is not None:
            text += line
        for match in _TAG.finditer(line):
            is_end, tag, value = match[1], match[2].upper(), match[3].strip()
            if tag == "STMTTRN" and is_end:
                if tags is not None:
                    yield _entry(tags, f"{path}, line {start}", start, text, currency)
                tags = None
            elif tag == "STMTTRN":
                tags, start, text = {}, number, line[match.start() :]
                of_amount = False
            elif tag == "CURRENCY":
                of_amount = not is_end
            elif tag == "CURSYM" and not of_amount:
                continue
            elif tag == "CURDEF" and not is_end:
                currency = value
            elif tags is not None and not is_end and value:
                tags.setdefault(tag, html.unescape(value))
        if len(text) > _MOST_TEXT and tags is not None:
            raise LedgerError(
                f"{path}, line {start}", "a transaction has no end: the file is damaged"
            )
    if tags is not None:
        raise LedgerError(f"{path}, line {start}", "a transaction has no end: the file is cut off")


def _entry(
    tags: dict[str, str], named: str, line: int, text: str, currency: str | None
) -> StatementEntry:
    end = re.search("</STMTTRN>", text, re.IGNORECASE)
    return StatementEntry(
        line=line,
        text=text[: end.end()] if end else text,
        date=_date(tags.get("DTPOSTED", ""), named),
        amount=_amount(tags.get("TRNAMT", ""), named),
        description=tags.get("MEMO") or tags.get("NAME"),
        currency=tags.get("CURSYM", currency),
        transaction_id=tags.get("FITID"),
        reference=tags.get("REFNUM") or tags.get("CHECKNUM"),
        name=tags.get("NAME"),
    )


def _amount(text: str, named: str) -> Decimal:
    if not _AMOUNT.fullmatch(text) or len(text) > 60:
        raise LedgerError(named, f"{text[:40]!r} is not an amount of OFX", column="TRNAMT")
    return Decimal(text.replace(",", "."))


def _date(text: str, named: str) -> date | datetime:
    match = _DATE.fullmatch(text)
    try:
        if match:
            year, month, day = (int(match[each]) for each in (1, 2, 3))
            if match[4] is None:
                return date(year, month, day)
            moment = datetime(year, month, day, int(match[4]), int(match[5]), int(match[6] or 0))
            return moment if match[7] is None else moment.replace(tzinfo=_zone(match))
    except (ValueError, OverflowError):
        pass
    raise LedgerError(named, f"{text[:40]!r} is not a date of OFX", column="DTPOSTED")


def _zone(match: re.Match[str]) -> timezone:
    hours = int(match[7])
    minutes = int((match[8] or "0").ljust(2, "0")) * 60 // 100 if match[8] else 0
    return timezone(timedelta(hours=hours, minutes=-minutes if match[7][0] == "-" else minutes))
