"""Detects the kind of a ledger: by the first bytes of the file, and only then by its name."""

from __future__ import annotations

import os
import re
import zipfile

from paywint_async.export._compression import compression_of
from paywint_async.export._errors import translated
from paywint_async.reconcile._errors import LedgerError
from paywint_async.reconcile._text_file import NO_LEDGER, translated_damages

_DATABASE = re.compile(r"[a-z][a-z0-9+]*:(?=/)", re.IGNORECASE)
_HEAD = 8192
_SAVE_AS = "save it as .xlsx or as CSV"
# The first bytes of a file, what it is, and what to do.
_NO_LEDGERS = (
    (b"%PDF", "a PDF", "export the table as CSV or Excel instead"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel file or one with a password", _SAVE_AS),
    (b"\x1f\x8b", "a gzip file whose name does not end in .gz", "rename it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file whose name does not end in .zst", "rename it"),
    (b"BZh", "an archive (bzip2)", "unpack it"),
    (b"\xfd7zXZ\x00", "an archive (xz)", "unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "an archive (7z)", "unpack it"),
    (b"Rar!", "an archive (RAR)", "unpack it"),
    (b"SQLite format 3\x00", "a SQLite database", "name it as sqlite:///FILE"),
    (b"\x89PNG", "a picture", NO_LEDGER),
    (b"\xff\xd8\xff", "a picture", NO_LEDGER),
    (b"GIF8", "a picture", NO_LEDGER),
    (b"\x7fELF", "a program", NO_LEDGER),
    (b"MZ\x90", "a program", NO_LEDGER),
    (b"{\\rtf", "a text document (RTF)", "export the table as CSV or Excel instead"),
)
_OFX = re.compile(rb"OFXHEADER|<\?OFX|<OFX>", re.IGNORECASE)
_CAMT = re.compile(rb"iso:20022:tech:xsd:camt\.05[234]|<(?:\w+:)?BkToCstmr(?:Stmt|AcctRpt)\b")
_MT940 = re.compile(rb"(?:^|[\r\n}])\s*:20:[^\r\n]*(?:\r?\n)+(?:.*\r?\n){0,3}:25", re.IGNORECASE)
_WEB_PAGE = re.compile(rb"<!doctype html|<html|<table", re.IGNORECASE)


def kind_of(ledger: str) -> str:
    """Return ``sql``, ``parquet``, ``jsonl``, ``xlsx``, ``ofx``, ``camt``, ``mt940`` or ``csv``.

    Raises:
        LedgerError: the file is of a kind that cannot be a ledger.
        ExportError: the file cannot be opened.
    """
    named = kind_by_name(ledger)
    if named in ("sql", "parquet"):
        return named
    head = head_of(ledger)
    if compression_of(ledger).ending and head.startswith((b"\x1f\x8b", b"\x28\xb5\x2f\xfd")):
        raise LedgerError(ledger, "is compressed twice", hint="unpack it")
    for start, what, hint in _NO_LEDGERS:
        if head.startswith(start):
            raise LedgerError(ledger, f"is {what}", hint=hint)
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK\x03\x04"):
        return _kind_of_zip(ledger)
    if head[257:262] == b"ustar":
        raise LedgerError(ledger, "is an archive (tar)", hint="unpack it")
    plain = head.replace(b"\x00", b"").lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if _OFX.search(plain[:2048]):
        return "ofx"
    if plain.startswith(b"<"):
        return _kind_of_markup(ledger, plain)
    if named != "jsonl" and _MT940.search(plain):
        return "mt940"
    if named in ("xlsx", "ofx", "camt"):
        raise LedgerError(ledger, f"is not in the format {_NAMES[named]}, despite its name")
    if named == "csv" and plain.startswith((b"{", b"[")):
        hint = "write JSON lines, one object per line, into a file whose name ends in .jsonl"
        raise LedgerError(ledger, "is a JSON document", hint=hint)
    return named


_NAMES = {"xlsx": "Excel", "ofx": "OFX", "camt": "CAMT.053"}
_ENDINGS = {
    **dict.fromkeys((".xlsx", ".xlsm"), "xlsx"),
    **dict.fromkeys((".ofx", ".qfx", ".qbo"), "ofx"),
    **dict.fromkeys((".sta", ".940", ".mt940"), "mt940"),
    ".xml": "camt",
    ".jsonl": "jsonl",
}


def kind_by_name(ledger: str) -> str:
    """Return the kind by the name; ``csv`` if the name does not show it."""
    if _DATABASE.match(ledger):
        return "sql"
    name = ledger.lower().rstrip("/")
    if name.endswith(".parquet") or os.path.isdir(ledger):
        return "parquet"
    ending = os.path.splitext(name.removesuffix(compression_of(name).ending))[1]
    return _ENDINGS.get(ending, "csv")


def head_of(path: str) -> bytes:
    """Return the first bytes of a file, decompressed.

    Raises:
        as `kind_of`.
    """
    compression = compression_of(path)
    with translated(f"cannot read {path}"):
        file = compression.open(path)
    with file, translated_damages(path, compression, lambda: "line 1"):
        return file.read(_HEAD)


def _kind_of_zip(path: str) -> str:
    if compression_of(path).ending:
        raise LedgerError(path, "is a compressed archive (ZIP)", hint="unpack it")
    try:
        with translated(f"cannot read {path}"), zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        raise LedgerError(path, "is a damaged Excel file or archive (ZIP)") from None
    if "xl/workbook.xml" in names:
        return "xlsx"
    if "xl/workbook.bin" in names:
        raise LedgerError(path, "is a binary Excel file (.xlsb)", hint=_SAVE_AS)
    if "content.xml" in names and "mimetype" in names:
        raise LedgerError(path, "is an OpenDocument file", hint=_SAVE_AS)
    if "word/document.xml" in names:
        raise LedgerError(
            path, "is a Word document", hint="export the table as CSV or Excel instead"
        )
    raise LedgerError(path, "is an archive (ZIP)", hint="unpack it, and name the file within")


def _kind_of_markup(path: str, head: bytes) -> str:
    if _CAMT.search(head):
        return "camt"
    if _WEB_PAGE.match(head) or _WEB_PAGE.search(head[:1024]):
        raise LedgerError(path, "is a web page, despite its name", hint=_SAVE_AS)
    if b"urn:schemas-microsoft-com:office:spreadsheet" in head:
        raise LedgerError(path, "is an Excel file of 2003 (XML)", hint=_SAVE_AS)
    if b"<!DOCTYPE" in head or b"<!ENTITY" in head:
        raise LedgerError(path, "has a document type and entities, which no bank statement has")
    raise LedgerError(path, "is XML, but neither CAMT.053 nor OFX", hint=NO_LEDGER)
