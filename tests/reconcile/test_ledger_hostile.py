"""A file that is not a ledger is refused quickly, in little memory, with a message about the file."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import openpyxl
import pytest
from ledger_reading import refusal

FILES: dict[str, Callable[[], bytes]] = {}
MEMORY = 500 << 20  # bytes of address space, in addition to Python's own
SECONDS = 20  # of processor time, which does not depend on the machine's load


def zipped(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(name.replace("__", "/"), data)
    return file.getvalue()


def book() -> bytes:
    file = io.BytesIO()
    made = openpyxl.Workbook()
    made.active.append(["date", "amount"])
    made.save(file)
    return file.getvalue()


def book_with(name: str, change: Callable[[bytes], bytes]) -> bytes:
    """A workbook with one of its parts replaced."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book())) as source,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for part in source.namelist():
            data = source.read(part)
            archive.writestr(part, change(data) if part == name else data)
    return file.getvalue()


SHEET = "xl/worksheets/sheet1.xml"
ENTITIES = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(
        b'<!ENTITY %c "%s">' % (letter + 1, b"&%c;" % letter * 20)
        for letter in range(ord("a"), ord("k"))
    )
    + b"]>"
)


def tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("books.csv"))
    return file.getvalue()


def wide_sheet() -> bytes:
    file = io.BytesIO()
    made = openpyxl.Workbook()
    made.active.append(["date", "amount"])
    made.active["XFD1048576"] = 1
    made.save(file)
    return file.getvalue()


def camt(
    amount: str = "5", indicator: str = "CRDT", day: str = "2026-01-02", details: str = ""
) -> bytes:
    """A statement with one entry."""
    return (
        "<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.02'><BkToCstmrStmt><Stmt>"
        f"<Ntry><Amt Ccy='USD'>{amount}</Amt><CdtDbtInd>{indicator}</CdtDbtInd>"
        f"<BookgDt><Dt>{day}</Dt></BookgDt><AddtlNtryInf>{details}</AddtlNtryInf>"
        "</Ntry></Stmt></BkToCstmrStmt></Document>"
    ).encode()


@pytest.mark.parametrize(
    ("name", "data", "wanted"),
    [
        ("a.csv", b"%PDF-1.7\n...", "is a PDF; export the table as CSV or Excel instead"),
        ("a.xlsx", b"%PDF-1.7\n...", "is a PDF; export the table as CSV or Excel instead"),
        (
            "a.csv",
            zipped(a=b"date,amount\n"),
            "is an archive (ZIP); unpack it, and name the file within",
        ),
        ("a.xlsx", zipped(word__document=b"x"), "is an archive (ZIP); unpack it"),
        ("a.csv", tar(), "is an archive (tar); unpack it"),
        (
            "a.csv",
            gzip.compress(b"date,amount\n", mtime=0),
            "is a gzip file whose name does not end in .gz",
        ),
        (
            "a.xls",
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
            "is an old Excel file or one with a",
        ),
        ("a.csv", b"\x89PNG\r\n\x1a\n", "is a picture"),
        (
            "a.csv",
            b"SQLite format 3\x00" + bytes(90),
            "is a SQLite database; name it as sqlite:///FILE",
        ),
        ("a.csv", b"<!DOCTYPE html><html>", "is a web page, despite its name"),
        ("a.xls", b"<html><table>", "is a web page, despite its name"),
        ("a.csv", b'{"date": "2026-01-01"}\n', "is a JSON document; write JSON lines"),
        ("a.csv", b"date,amount\n\x00\x01\x02", "is not a text file"),
        ("a.xml", b"<?xml version='1.0'?><a/>", "is XML, but neither CAMT.053 nor OFX"),
        ("a.xlsx", b"date,amount\n", "is not in the format Excel, despite its name"),
        ("a.ofx", b"date,amount\n", "is not in the format OFX, despite its name"),
        ("a.xlsx", b"PK\x03\x04" + bytes(100), "is a damaged Excel file or archive (ZIP)"),
        ("a.xlsx", book()[:-40], "is a damaged Excel file or archive (ZIP)"),
        ("a.xlsx", book_with(SHEET, lambda data: data[:200]), "is a damaged Excel file"),
        (
            "a.xlsx",
            book_with(SHEET, lambda data: ENTITIES + b"<worksheet>&k;</worksheet>"),
            "has entities in its XML, which no Excel file has: not read",
        ),
        (
            "a.xml",
            b"<?xml version='1.0'?>" + ENTITIES + b"<Document>&k;<BkToCstmrStmt/></Document>",
            "has a document type and entities, which no bank statement has: not read",
        ),
        (
            "a.xml",
            b"<Document><BkToCstmrStmt>" + b"<a>" * 100_000,
            "has too deeply nested elements: not read",
        ),
        ("a.xml", b"<Document><BkToCstmrStmt><Stmt>", "is not XML: cut off, or damaged"),
        (
            "a.ofx",
            b"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a 'b'>]><OFX>&a;</OFX>",
            "has a document type, which no OFX file has",
        ),
        ("a.ofx", b"<OFX><STMTTRN><TRNAMT>1", "a transaction has no end: the file is cut off"),
        (
            "a.ofx",
            b"<OFX><STMTTRN><TRNAMT>1,000.00<DTPOSTED>20260101</STMTTRN>",
            "line 1, column 'TRNAMT': '1,000.00' is not an amount of OFX",
        ),
        ("a.sta", b":20:A\r\n:25:1\r\n:60F:x\r\n:61:none\r\n", "cannot be read as MT940"),
        ("a.xlsb", zipped(**{"xl/workbook.bin": b"x"}), "is a binary Excel file (.xlsb)"),
        ("a.ods", zipped(**{"content.xml": b"x", "mimetype": b"y"}), "is an OpenDocument file"),
        ("a.docx", zipped(**{"word/document.xml": b"x"}), "is a Word document"),
        ("a.csv.gz", gzip.compress(zipped(a=b"b"), mtime=0), "is a compressed archive (ZIP)"),
        (
            "a.xls",
            b"<?xml version='1.0'?><Workbook xmlns='urn:schemas-microsoft-com:office:spreadsheet'/>",
            "is an Excel file of 2003 (XML)",
        ),
        ("a.xml", ENTITIES + b"<a/>", "has a document type and entities"),
        ("a.csv.gz", gzip.compress(b"date,amount\n" * 9, mtime=0)[:-9], "ends too early"),
        ("a.csv.gz", b"\x1f\x8b\x08\x00" + bytes(40), "the compressed file is damaged"),
        ("a.xml", camt(amount="1,000.00"), "'1,000.00' is not an amount of CAMT.053"),
        ("a.xml", camt(indicator="PLUS"), "'PLUS' is neither CRDT nor DBIT"),
        ("a.xml", camt(day="soon"), "'soon' is not a date of CAMT.053"),
        ("a.xml", camt(details="x" * 3_000_000), "has a too long text: not read"),
        (
            "a.csv.gz",
            gzip.compress(gzip.compress(b"date,amount\n", mtime=0), mtime=0),
            "is compressed twice; unpack it",
        ),
        (
            "a.jsonl",
            b'{"created_at":"2026-01-01","amount":1e999999999}\n',
            "line 1, column 'amount': 1E+999999999 has more than 60 digits",
        ),
        ("a.csv", b",".join(b"c%d" % n for n in range(900)) + b"\n1\n", "'c49', and 850 more"),
    ],
    ids=lambda value: value if isinstance(value, str) else "data",  # an archive contains the time
)
def test_a_file_that_is_not_a_ledger_is_refused_with_a_message_about_the_file(
    tmp_path: Path, name: str, data: bytes, wanted: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    assert wanted in refusal(str(path))


def columns_without_end() -> Iterator[bytes]:
    yield b"date,amount"
    yield from (b"," * (1 << 20) for _ in range(100))


def a_quotation_mark_that_is_never_closed() -> Iterator[bytes]:
    yield b'date,amount\n2026-01-01,"1\n'
    yield from (b"2026-01-01,1\n" * 80_000 for _ in range(20))


def attributes_without_end() -> Iterator[bytes]:
    yield b"<Document xmlns='urn:iso:std:iso:20022:tech:xsd:camt.053.001.02'><BkToCstmrStmt"
    yield from (b" a%d='x'" % number for number in range(2_000_000))
    yield b"/></Document>"


def names_without_end() -> Iterator[bytes]:
    yield b'{"date":"2026-01-01","amount":1'
    yield from (b',"a%d":1' % number for number in range(2_000_000))
    yield b"}\n"


def bomb_of_gzip() -> bytes:
    file = io.BytesIO()
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=1) as packed:
        packed.write(b"date,amount\n")
        for _ in range(300):
            packed.write(b"\n" * (1 << 20))
    return file.getvalue()


def bomb_of_excel() -> bytes:
    blanks = b" " * (60 << 20)
    return book_with(SHEET, lambda data: data.replace(b"<sheetData>", b"<sheetData>" + blanks))


def texts_without_end() -> bytes:
    """A workbook whose table of shared strings is in a part with another name."""
    kind = b"spreadsheetml.sharedStrings+xml"
    override = b'<Override PartName="/xl/a.xml" ContentType="application/vnd.openxmlformats-'
    override += b"officedocument." + kind + b'"/></Types>'
    typed = book_with("[Content_Types].xml", lambda data: data.replace(b"</Types>", override))
    file = io.BytesIO(typed)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        entries = b"".join(b"<x:si><x:t>%d</x:t></x:si>" % (n * 7919) for n in range(300_000))
        archive.writestr("xl/a.xml", b"<x:sst>" + entries + b"<x:si/>" * 710_000 + b"</x:sst>")
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "make", "wanted"),
    [
        ("a.csv", columns_without_end, "a line is longer than 8,388,608 characters"),
        ("a.csv", a_quotation_mark_that_is_never_closed, "is a quotation mark never closed?"),
        ("a.csv.gz", bomb_of_gzip, "unpacks to more than 200 times its size: not read"),
        ("a.xml", attributes_without_end, "has an element with too long attributes: not read"),
        ("a.jsonl", names_without_end, "has more than 100,000 texts: this is not a ledger"),
        ("a.xlsx", bomb_of_excel, "too large for a ledger"),
        ("a.xlsx", texts_without_end, "has more than 1,000,000 different texts"),
        ("a.xlsx", wide_sheet, "empty rows follow each other"),
    ],
)
def test_a_bomb_is_refused_in_seconds_and_little_memory(
    tmp_path: Path, name: str, make: Callable[[], bytes | Iterator[bytes]], wanted: str
) -> None:
    path = tmp_path / name
    made = make()
    with path.open("wb") as file:
        for chunk in [made] if isinstance(made, bytes) else made:
            file.write(chunk)
    program = (
        "import resource, sys\n"
        "from paywint_async.reconcile import LedgerError, LedgerFormat, read_ledger\n"
        f"resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))\n"
        f"limit = int(open('/proc/self/statm').read().split()[0]) * 4096 + {MEMORY}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (limit, limit))\n"
        "try:\n"
        "    print(len(list(read_ledger(sys.argv[1], LedgerFormat()))))\n"
        "except LedgerError as error:\n"
        "    print(error)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
    )

    assert wanted in done.stdout, done.stderr[-600:]
    assert done.stdout.count("\n") == 1
    os.unlink(path)
