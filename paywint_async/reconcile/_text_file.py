"""Reads text files: detects their encoding, and limits the length of their lines.

The encoding is determined by a byte order mark, by the whole file being valid UTF-8, or by the zero
bytes of UTF-16. Anything else is Windows-1252, which Excel and QuickBooks write, if all of its bytes
are defined there; a note says so. (Detectors that use the frequencies of letters, such as
charset-normalizer, took the short ledgers of the tests for cp775 and cp1250.)
"""

from __future__ import annotations

import codecs
import io
import os
from collections.abc import Callable, Generator, Iterator
from itertools import chain

import attrs

from paywint_async.export._compression import Compression, compression_of
from paywint_async.export._errors import translated
from paywint_async.reconcile._errors import LedgerError

MOST_CHARACTERS = 8 << 20  # of a line, and of a value
_CHUNK = 1 << 20
_AT_ONCE = 8192  # characters of lines that are read together, as many as are decoded together
# A file that unpacks to more bytes and to more times its size than these is a decompression bomb.
_MOST_UNPACKED, _MOST_TIMES = 64 << 20, 200
_TEXT_CONTROLS = b"\t\n\x0b\x0c\r\x1a"
_NO_TEXT = bytes(each for each in range(32) if each not in _TEXT_CONTROLS) + b"\x7f"
_UNDEFINED = bytes((0x81, 0x8D, 0x8F, 0x90, 0x9D))  # in Windows-1252
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WORDS = {"utf-8-sig": "UTF-8", "utf-8": "UTF-8", "cp1252": "Windows-1252"}


@attrs.frozen(kw_only=True)
class TextFile:
    """A text file whose encoding is known."""

    path: str
    encoding: str

    @property
    def encoding_words(self) -> str:
        """The encoding's usual name."""
        return _WORDS.get(self.encoding, self.encoding.upper())

    def lines(self) -> Iterator[str]:
        """Return all lines with their line ends, from the first; raises as `line_batches`."""
        return chain.from_iterable(self.line_batches())

    def line_batches(self) -> Generator[list[str], None, None]:
        """Yield the lines, several at once.

        Raises:
            LedgerError: the file is damaged, or has a line that is too long.
            ExportError: the file cannot be opened or read.
        """
        compression = compression_of(self.path)
        with translated(f"cannot read {self.path}"):
            file = compression.open(self.path)
        with file, io.TextIOWrapper(file, encoding=self.encoding, newline="") as text:
            number = 0
            with translated_damages(self.path, compression, lambda: f"line {number + 1}"):
                while lines := text.readlines(_AT_ONCE):
                    number += len(lines)
                    if len(lines[-1]) > MOST_CHARACTERS:  # no other can be longer than _AT_ONCE
                        yield lines[:-1]
                        raise LedgerError(self.path, _endless(number))
                    yield lines


class translated_damages:
    """Translates errors of decoding and decompression into errors about the ledger."""

    def __init__(self, path: str, compression: Compression, where: Callable[[], str]) -> None:
        self._path, self._compression, self._where = path, compression, where

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, UnicodeError):
            problem = "is not text in the given or detected encoding; --encoding sets another"
        elif isinstance(error, EOFError):
            problem = "the compressed file ends too early"
        elif isinstance(error, self._compression.damages()):
            problem = "the compressed file is damaged"
        elif isinstance(error, OSError):
            with translated(f"cannot read {self._path}"):
                raise error
        else:
            return
        raise LedgerError(f"{self._path}, {self._where()} or soon after", problem) from None


def open_text(path: str, encoding: str | None = None) -> TextFile:
    """Read a file once and determine its encoding.

    Args:
        path: of the file, which may be compressed.
        encoding: if given; None: to be detected.

    Raises:
        LedgerError: it is not text, or a compressed file that unpacks to far more than its size.
        ExportError: it cannot be opened or read.
    """
    found = _Encodings()
    for chunk in read_chunks(path):
        found.take(chunk, path)
    return TextFile(path=path, encoding=encoding or found.encoding(path))


def read_chunks(path: str) -> Iterator[bytes]:
    """Yield all bytes of a file, decompressed, with a limit that depends on its size."""
    compression = compression_of(path)
    with translated(f"cannot read {path}"):
        file = compression.open(path)
        size = os.path.getsize(path)
    with file, translated_damages(path, compression, lambda: "line 1"):
        unpacked = 0
        while chunk := file.read(_CHUNK):
            unpacked += len(chunk)
            if unpacked > max(_MOST_UNPACKED, size * _MOST_TIMES):
                raise LedgerError(
                    path, f"unpacks to more than {_MOST_TIMES} times its size: not read"
                )
            yield chunk


class _Encodings:
    """The encodings that the bytes so far can have."""

    def __init__(self) -> None:
        self._marked: str | None = None
        self._utf_8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._is_first = True
        self._since_line_end = 0

    def take(self, chunk: bytes, path: str) -> None:
        if self._is_first:
            self._is_first = False
            self._marked = _marked(chunk)
        self._refuse_endless_line(chunk, path)
        if self._marked and self._marked != "utf-8-sig":
            return
        if chunk.translate(None, _NO_TEXT) != chunk:
            raise LedgerError(path, "is not a text file", hint=NO_LEDGER)
        if self._utf_8 is not None:
            try:
                self._utf_8.decode(chunk)
            except UnicodeDecodeError:
                self._utf_8 = None

    def encoding(self, path: str) -> str:
        if self._utf_8 is not None:
            try:
                self._utf_8.decode(b"", final=True)
            except UnicodeDecodeError:
                self._utf_8 = None
        if self._marked:
            return self._marked
        if self._utf_8 is not None:
            return "utf-8"
        if all(chunk.translate(None, _UNDEFINED) == chunk for chunk in read_chunks(path)):
            return "cp1252"
        raise LedgerError(
            path,
            "is not text in UTF-8, UTF-16 or Windows-1252",
            hint="name its encoding with --encoding, or save it as 'CSV UTF-8'",
        )

    def _refuse_endless_line(self, chunk: bytes, path: str) -> None:
        last = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        self._since_line_end = (
            len(chunk) - 1 - last if last >= 0 else self._since_line_end + len(chunk)
        )
        if self._since_line_end > 4 * MOST_CHARACTERS:
            raise LedgerError(path, _endless())


NO_LEDGER = (
    "a ledger is CSV, JSON lines, Excel (.xlsx), OFX, CAMT.053, MT940, Parquet or a database table"
)


def _endless(number: int | None = None) -> str:
    where = f"line {number}" if number else "a line"
    return f"{where} is longer than {MOST_CHARACTERS:,} characters: this is not a ledger"


def _marked(start: bytes) -> str | None:
    """Return the encoding by a byte order mark, or by the zero bytes of UTF-16; else None."""
    for mark, encoding in _MARKS:
        if start.startswith(mark):
            return encoding
    head = start[:4096]
    halves = [head[first::2].count(0) / max(1, len(head) // 2) for first in (0, 1)]
    if halves[1] > 0.3 and halves[0] < 0.05:
        return "utf-16-le"
    return "utf-16-be" if halves[0] > 0.3 and halves[1] < 0.05 else None
