"""Writes rows as an Excel workbook. Needs the extra ``xlsx``. Knows no checkpoint.

Amounts of up to 15 significant digits, which is Excel's precision, are numbers; others are text. Times
are dates of Excel, in UTC and to the millisecond. All other values are text: nothing is a formula.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import IO, Any

import xlsxwriter
from xlsxwriter.exceptions import XlsxWriterException

from paywint_async._record_json import time_text
from paywint_async.export._encoding import plain
from paywint_async.export._errors import ExportError, translated

ROWS_PER_SHEET = 1_048_575  # Excel's limit, without the header
LONGEST_TEXT = 32_767  # UTF-16 units in a cell

_EXACT_DIGITS = 15
_LARGEST_EXPONENT = 300
_FIRST_DAY = datetime(
    1900, 3, 1, tzinfo=UTC
)  # Excel counts February 29, 1900, a day that did not exist
_AMOUNT_FORMAT = "#,##0.00#############"
_TIME_FORMAT = "yyyy-mm-dd hh:mm:ss.000"
_WIDTHS = {"amount": 14, "created_at": 23, "payment_date": 23, "description": 40}
_ID_WIDTH, _NAME_WIDTH, _WIDTH = 38, 24, 16

Value = str | Decimal | datetime | None


def excel_number(amount: Decimal) -> float | None:
    """The amount as a number of Excel; None if that cannot represent all digits."""
    digits = amount.as_tuple().digits
    if len(digits) > _EXACT_DIGITS and any(digits[_EXACT_DIGITS:]):
        return None
    return float(amount) if abs(amount.adjusted()) < _LARGEST_EXPONENT else None


def check_texts(payment_id: object, texts: Sequence[str | None], output: str) -> None:
    """Refuses texts that are too long for a cell: XlsxWriter would truncate them.

    Raises:
        ExportError: names the payment.
    """
    for text in texts:
        if text and len(text) > LONGEST_TEXT // 2 and _utf16_units(text) > LONGEST_TEXT:
            raise ExportError(
                f"cannot write payment {payment_id} into {output}: Excel has no texts of more than "
                f"{LONGEST_TEXT:,} characters"
            )


def _utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class WorkbookWriter:
    """Writes a workbook in constant memory.

    Until `finish`, the rows are in temporary files in a folder beside the output. The folder is removed
    at the end; after the process was killed, by the next writer.

    Args:
        file: the output; seekable.
        folder: for the temporary files.
        columns: their names, in order.
        name: for messages.
    """

    def __init__(self, file: IO[bytes], folder: str, columns: Sequence[str], name: str) -> None:
        self._folder = folder
        self._name = name
        self._columns = columns
        writers: dict[str, Callable[[int, int, Any], None]] = {
            "amount": self._write_amount,
            "created_at": self._write_time,
            "payment_date": self._write_time,
        }
        self._write_cell = [writers.get(column, self._write_text) for column in columns]
        with self._translated():
            shutil.rmtree(folder, ignore_errors=True)
            os.mkdir(folder)
        options = {"constant_memory": True, "tmpdir": folder, "use_zip64": True}
        self._book: Any = xlsxwriter.Workbook(file, options)
        self._header = self._book.add_format({"bold": True, "bottom": 1})
        self._amount = self._book.add_format({"num_format": _AMOUNT_FORMAT})
        self._time = self._book.add_format({"num_format": _TIME_FORMAT})
        self._plain = self._book.add_format()
        self._sheets = 0
        self._begin_sheet()

    def add(self, rows: Iterator[Sequence[Value]] | Sequence[Sequence[Value]]) -> None:
        """Writes rows; begins a new sheet when one is full."""
        with self._translated():
            for row in rows:
                if self._next_row > ROWS_PER_SHEET:
                    self._end_sheet()
                    self._begin_sheet()
                number = self._next_row
                for column, value in enumerate(row):
                    if value is not None and value != "":
                        self._write_cell[column](number, column, value)
                self._next_row += 1

    def finish(self) -> None:
        """Writes the workbook into its file. This may take long, and can run in any thread."""
        with self._translated():
            self._end_sheet()
            self._book.close()
        self.discard()

    def discard(self) -> None:
        """Removes the folder. Idempotent."""
        for sheet in self._book.worksheets():
            if not sheet.row_data_fh_closed:
                sheet.row_data_fh.close()
                sheet.row_data_fh_closed = True
        self._book.fileclosed = True
        shutil.rmtree(self._folder, ignore_errors=True)

    def _begin_sheet(self) -> None:
        self._sheets += 1
        self._sheet = self._book.add_worksheet(
            "Payments" if self._sheets == 1 else f"Payments {self._sheets}"
        )
        self._sheet.freeze_panes(1, 0)
        for place, name in enumerate(self._columns):
            cell_format = {"amount": self._amount}.get(name, self._time if _is_time(name) else None)
            self._sheet.set_column(place, place, _width(name), cell_format)
            self._sheet.write_string(0, place, name, self._header)
        self._next_row = 1

    def _end_sheet(self) -> None:
        self._sheet.autofilter(0, 0, self._next_row - 1, len(self._columns) - 1)

    def _write_text(self, row: int, column: int, text: str) -> None:
        if text.startswith("<r>") and text.endswith("</r>"):
            # XlsxWriter would take such a text for rich-text XML, unless it is given in pieces.
            self._sheet.write_rich_string(row, column, self._plain, text[:1], self._plain, text[1:])
        else:
            self._sheet.write_string(row, column, text)

    def _write_amount(self, row: int, column: int, amount: Decimal) -> None:
        number = excel_number(amount)
        if number is None:
            self._sheet.write_string(row, column, plain(amount))
        else:
            self._sheet.write_number(row, column, number)

    def _write_time(self, row: int, column: int, moment: datetime) -> None:
        if moment < _FIRST_DAY:
            self._sheet.write_string(row, column, time_text(moment))
        else:
            self._sheet.write_datetime(row, column, moment.astimezone(UTC).replace(tzinfo=None))

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        with translated(f"cannot write {self._name}"):
            try:
                yield
            except XlsxWriterException as error:
                raise ExportError(f"cannot write {self._name}: {error}") from None


def _is_time(column: str) -> bool:
    return column in ("created_at", "payment_date")


def _width(column: str) -> int:
    if column.endswith("_id"):
        return _ID_WIDTH
    return _WIDTHS.get(column, _NAME_WIDTH if column.endswith("_name") else _WIDTH)
