"""All kinds of destinations, with their names, endings, schemes, extras, writers and readers.

A new kind is one entry of `DESTINATIONS`. The commands' help, `accounts`, `reconcile` and the table in
the documentation read that list.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias, TypeVar

import attrs

from paywint_async import ConfigurationError, entries_to_arrow, payments_to_arrow
from paywint_async.export._atomic_file import AtomicFile
from paywint_async.export._checkpoint import CheckpointFile
from paywint_async.export._compression import COMPRESSED_ENDINGS, compression_of
from paywint_async.export._encoding import ENTRIES, PAYMENTS, Encoding, Format
from paywint_async.export._errors import ExportError
from paywint_async.export._resumable import ResumableFile
from paywint_async.export._sink import Sink, Table
from paywint_async.export._stream import StreamSink

R = TypeVar("R")
Reader: TypeAlias = Literal["jsonl", "csv", "parquet", "sql", "xlsx"]
MakeTable: TypeAlias = Callable[[str, str, Format], Table[Any]]
MakeSink: TypeAlias = Callable[[str, str, Format, str | None], Sink[Any]]

# One letter is a drive of Windows.
_URL = re.compile(r"([a-z][a-z0-9+]+):(?=/)|(sqlite|postgres|postgresql):", re.IGNORECASE)
_DATABASE_FILES = (".db", ".sqlite", ".sqlite3")  # by custom


class UnknownEndingError(ConfigurationError):
    """A file's name has an unknown ending, and no format is given."""


@attrs.frozen(kw_only=True)
class Destination:
    """One kind of destination.

    Attributes:
        name: for people.
        examples: of outputs, for help and documentation.
        description: what an export creates, in a few words.
        endings: of a file's or directory's name, in lower case.
        schemes: of a URL, in lower case.
        extra: the extra to install; None: none.
        is_compressible: whether ``.gz`` and ``.zst`` may follow the ending.
        reader: the reader of `paywint_async.reconcile` for it.
        make_table: makes the table of an output, a direction and a format, without opening it.
        make_sink: makes the sink of an export, with the checkpoint's path; None: the destination
            contains the checkpoint, and an export writes into its table.
        formats: its values of ``--format``, the default first; they apply to other endings, too.
        companions: endings of further files that belong to an output.
    """

    name: str
    examples: tuple[str, ...]
    description: str
    endings: tuple[str, ...] = ()
    schemes: tuple[str, ...] = ()
    extra: str | None = None
    is_compressible: bool = False
    reader: Reader
    make_table: MakeTable
    make_sink: MakeSink | None = None
    formats: tuple[Format, ...] = ()
    companions: tuple[str, ...] = ()

    @property
    def has_own_checkpoint(self) -> bool:
        """Whether the checkpoint is kept in the destination itself."""
        return self.make_sink is None

    def format(self, asked: Format | None) -> Format:
        """The given format, or the default."""
        return asked or next(iter(self.formats), Format.JSONL)


def find_destination(output: str, format: Format | None = None) -> Destination:
    """Returns the kind of destination of an output, by its name.

    A name without an ending, and ``-`` for stdout, means JSON lines.

    Args:
        output: ``-``, a path or a URL.
        format: the format of a file with any ending.

    Raises:
        UnknownEndingError: no destination has this ending.
        ConfigurationError: no destination has this scheme, or the name is that of a database file.
    """
    if match := _URL.match(output):
        return _find_by_scheme((match[1] or match[2]).lower())
    name = output.lower()
    if name.endswith(_DATABASE_FILES):
        raise ConfigurationError(
            f"{output} would be a file of text: for a database say sqlite:///{output}"
        )
    compression = compression_of(output).ending
    stem, ending = os.path.splitext(name.removesuffix(compression))
    if stem.endswith("/"):
        ending = "/"
    elif not ending and any(os.path.basename(stem) in each.endings for each in DESTINATIONS):
        ending = os.path.basename(stem)  # `.csv` is all of the name
    found = next((each for each in DESTINATIONS if ending in each.endings), None)
    if found is not None and found.has_own_checkpoint and not compression:
        return found
    if format is not None:
        return next(each for each in DESTINATIONS if format in each.formats)
    if not ending:
        return JSON_LINES
    if found is None or (compression and not found.is_compressible):
        raise UnknownEndingError(
            f"{output}: no destination has the ending {ending}{compression}; there are "
            f"{_known_endings()}"
        )
    return found


def _find_by_scheme(scheme: str) -> Destination:
    found = next((each for each in DESTINATIONS if scheme in each.schemes), None)
    if found is None:
        known = ", ".join(each.schemes[0] for each in DESTINATIONS if each.schemes)
        raise ConfigurationError(
            f"{scheme} is not a database that payments are written to: {known}"
        )
    return found


def _known_endings() -> str:
    endings = [each for kind in DESTINATIONS for each in kind.endings if each.startswith(".")]
    compressible = " and ".join(
        each for kind in DESTINATIONS if kind.is_compressible for each in kind.endings
    )
    return f"{', '.join(endings)}, and {compressible} followed by {' or '.join(COMPRESSED_ENDINGS)}"


def make_table(output: str, direction: str, format: Format | None = None) -> Table[Any]:
    """Makes the table for a destination that is kept up to date, without opening it.

    Args:
        output: a path or URL, as for `find_destination`. The checkpoint of a file is in
            ``<output>.checkpoint``.
        direction: ``sent``, ``received`` or ``both``.
        format: of a file with any ending.

    Raises:
        ConfigurationError: an extra is missing, or the name or URL is wrong.
        ExportError: the path of a file is a directory.
    """
    destination = find_destination(output, format)
    return destination.make_table(output, direction, destination.format(format))


def make_export_sink(
    output: str, direction: str, *, format: Format | None = None, checkpoint: str | None = None
) -> Sink[Any]:
    """Makes the sink of an export, without opening it.

    Args:
        output: ``-`` for stdout, or as for `make_table`.
        direction: ``sent``, ``received`` or ``both``.
        format: of a file with any ending.
        checkpoint: the path of the checkpoint file; None: the export cannot be continued.

    Raises:
        as `make_table`.
    """
    destination = find_destination(output, format)
    if destination.make_sink is None:
        return destination.make_table(output, direction, destination.format(format))
    return destination.make_sink(output, direction, destination.format(format), checkpoint)


def make_sink(output: str, encoding: Encoding[R], checkpoint: CheckpointFile | None) -> Sink[R]:
    """Makes the sink for an output of bytes, without opening it.

    Args:
        output: ``-`` for stdout, or a path; pipes and devices are written as streams. A file is
            compressed if its name ends in ``.gz`` or ``.zst``.
        encoding: of the records.
        checkpoint: its file; None: the export cannot be continued, and a file appears when complete.

    Raises:
        ExportError: a pipe or device has the name of a compressed file.
    """
    compression = compression_of(output)
    is_special = os.path.exists(output) and not os.path.isfile(output)
    if is_special and compression.ending and not os.path.isdir(output):
        raise ExportError(f"{output} is not a regular file, and only those can be compressed")
    if output == "-" or is_special:
        return StreamSink(output, encoding, checkpoint)
    if checkpoint is None:
        return AtomicFile(output, encoding, compression)
    return ResumableFile(output, encoding, checkpoint, compression)


def checkpoint_format(output: str, encoding: Encoding[Any]) -> str:
    """The name of a format in a checkpoint: ``jsonl``, ``csv.gz`` and so on."""
    return f"{encoding.format}{compression_of(output).ending}"


def display_name(output: str) -> str:
    """The output's name for people: without a password."""
    return open_database(output).name if _URL.match(output) else output


def _encoding(format: Format, direction: str) -> Encoding[Any]:
    encodings: Mapping[Format, Encoding[Any]] = ENTRIES if direction == "both" else PAYMENTS
    return encodings[format]


def _text_sink(output: str, direction: str, format: Format, checkpoint: str | None) -> Sink[Any]:
    encoding = _encoding(format, direction)
    if not checkpoint:
        return make_sink(output, encoding, None)
    kind = checkpoint_format(output, encoding)
    return make_sink(output, encoding, CheckpointFile(checkpoint, format=kind, direction=direction))


def _text_table(output: str, direction: str, format: Format) -> Table[Any]:
    if os.path.isdir(output):
        raise ExportError(f"cannot open {output}: Is a directory")
    encoding = _encoding(format, direction)
    checkpoint = CheckpointFile(
        f"{output}.checkpoint", format=checkpoint_format(output, encoding), direction=direction
    )
    return ResumableFile(output, encoding, checkpoint, compression_of(output))


def _xlsx_sink(output: str, direction: str, _format: Format, checkpoint: str | None) -> Sink[Any]:
    module = _xlsx()
    if not checkpoint:
        sink: Sink[Any] = module.XlsxFile(output, direction)
        return sink
    return _xlsx_table_with(output, direction, checkpoint)


def _xlsx_table(output: str, direction: str, _format: Format) -> Table[Any]:
    return _xlsx_table_with(output, direction, f"{output}.checkpoint")


def _xlsx_table_with(output: str, direction: str, checkpoint: str) -> Table[Any]:
    file = CheckpointFile(checkpoint, format="xlsx", direction=direction)
    rows = _encoding(Format.JSONL, direction)
    table: Table[Any] = _xlsx().XlsxTable(output, direction, rows, file)
    return table


def _xlsx() -> Any:
    try:
        from paywint_async.export import _xlsx as module
    except ModuleNotFoundError:
        raise ConfigurationError(
            "Excel files need an extra: pip install 'paywint-async[xlsx]'"
        ) from None
    return module


def _parquet_table(path: str, direction: str, _format: Format) -> Table[Any]:
    to_arrow: Any = entries_to_arrow if direction == "both" else payments_to_arrow
    to_arrow([])  # raises where the extra is missing
    from paywint_async.export._parquet import ParquetTable

    return ParquetTable(path, direction=direction, to_arrow=to_arrow)


def _sql_table(url: str, direction: str, _format: Format) -> Table[Any]:
    database = open_database(url)
    from paywint_async.export._sql import SqlTable

    return SqlTable(database, direction=direction)


def open_database(url: str) -> Any:
    """Returns the `Database` of a URL, without connecting.

    Raises:
        ConfigurationError: the URL cannot be used, or an extra is missing; names it.
    """
    extra = find_destination(url).extra
    try:
        from paywint_async.export._database import Database

        return Database(url)
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"databases need an extra: pip install 'paywint-async[{extra}]'"
        ) from None


_TEXT_COMPANIONS = (".tmp", ".part", ".checkpoint", ".checkpoint.tmp")
JSON_LINES = Destination(
    name="JSON lines",
    examples=("payments.jsonl", "payments.jsonl.gz", "payments.jsonl.zst"),
    description="a file with a JSON object a line",
    endings=(".jsonl",),
    is_compressible=True,
    reader="jsonl",
    make_table=_text_table,
    make_sink=_text_sink,
    formats=(Format.JSONL,),
    companions=_TEXT_COMPANIONS,
)
CSV = Destination(
    name="CSV",
    examples=("payments.csv", "payments.csv.gz", "payments.csv.zst"),
    description="a file with comma-separated values",
    endings=(".csv",),
    is_compressible=True,
    reader="csv",
    make_table=_text_table,
    make_sink=_text_sink,
    formats=(Format.CSV, Format.SPREADSHEET),
    companions=_TEXT_COMPANIONS,
)
DESTINATIONS = (
    JSON_LINES,
    CSV,
    Destination(
        name="Excel",
        examples=("payments.xlsx",),
        description="a workbook, with its rows beside it",
        endings=(".xlsx",),
        extra="xlsx",
        reader="xlsx",
        make_table=_xlsx_table,
        make_sink=_xlsx_sink,
        companions=(
            *(".tmp", ".part", ".sheets", ".checkpoint", ".checkpoint.tmp"),
            *(".rows.jsonl.gz", ".rows.jsonl.gz.tmp"),
        ),
    ),
    Destination(
        name="Parquet",
        examples=("payments.parquet", "payments/"),
        description="a directory of Parquet files, one for each commit",
        endings=(".parquet", "/"),
        extra="parquet",
        reader="parquet",
        make_table=_parquet_table,
        companions=(".tmp",),
    ),
    Destination(
        name="SQLite",
        examples=("sqlite:///payments.db",),
        description="the table paywint_payments of a database file",
        schemes=("sqlite",),
        companions=("-journal", "-wal", "-shm"),  # SQLite's own
        extra="sql",
        reader="sql",
        make_table=_sql_table,
    ),
    Destination(
        name="PostgreSQL",
        examples=("postgresql://user@host/database",),
        description="the table paywint_payments of a database",
        schemes=("postgresql", "postgres"),
        extra="sql",
        reader="sql",
        make_table=_sql_table,
    ),
    Destination(
        name="MySQL and MariaDB",
        examples=("mysql://user@host/database",),
        description="the table paywint_payments of a database",
        schemes=("mysql", "mariadb"),
        extra="mysql",
        reader="sql",
        make_table=_sql_table,
    ),
)
