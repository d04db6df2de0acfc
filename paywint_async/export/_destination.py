"""Which sink an output needs, by its name."""

from __future__ import annotations

import os
import re
from typing import Any, TypeVar

from paywint_async import ConfigurationError, entries_to_arrow, payments_to_arrow
from paywint_async.export._atomic_file import ReplacedFile
from paywint_async.export._checkpoint import CheckpointFile
from paywint_async.export._compression import compression_of
from paywint_async.export._encoding import ENTRIES, PAYMENTS, Encoding, format_of
from paywint_async.export._errors import ExportError
from paywint_async.export._resumable import ResumableFile
from paywint_async.export._sink import Sink, Table
from paywint_async.export._stream import StreamSink

R = TypeVar("R")

_URL = re.compile(r"(?:sqlite|postgres|postgresql|[a-z][a-z0-9+]*(?=:/)):", re.IGNORECASE)
_DATABASES = (".db", ".sqlite", ".sqlite3")  # files that are no others' by custom


def make_sink(output: str, encoding: Encoding[R], checkpoint: CheckpointFile | None) -> Sink[R]:
    """The sink for an output of bytes; nothing is opened yet.

    Args:
        output: ``-`` for stdout, or a path; pipes and devices are written as streams. A file is
            compressed where its name ends in ``.gz`` or ``.zst``.
        encoding: of the records.
        checkpoint: None: the export cannot be continued, and a file appears when it is complete.

    Raises:
        ConfigurationError: the file is a database's, by its name.
        ExportError: what cannot be compressed is to be.
    """
    _refuse_database_file(output)
    compression = compression_of(output)
    is_special = os.path.exists(output) and not os.path.isfile(output)
    if is_special and compression.ending and not os.path.isdir(output):
        raise ExportError(f"{output} is no regular file, and only those are compressed")
    if output == "-" or is_special:
        return StreamSink(output, encoding, checkpoint)
    if checkpoint is None:
        return ReplacedFile(output, encoding, compression)
    return ResumableFile(output, encoding, checkpoint, compression)


def is_dataset(output: str) -> bool:
    """Whether it keeps its checkpoint within itself: a Parquet directory, or a database."""
    return _is_database(output) or output.lower().endswith((".parquet", "/"))


def make_table(output: str, direction: str) -> Table[Any]:
    """The table for a destination that is kept up to date; nothing is opened yet.

    Args:
        output: ``sqlite:///…`` or ``postgresql://…``; a name ending in ``.parquet`` or ``/`` is a
            directory of Parquet files; any other is a file, with ``.checkpoint`` beside it.
        direction: ``sent``, ``received`` or ``both``.

    Raises:
        ConfigurationError: an extra is missing, or the URL is wrong, or was forgotten.
        ExportError: a file is asked for where a directory is.
    """
    if _is_database(output):
        return _make_sql_table(output, direction)
    if is_dataset(output):
        return _make_parquet_table(output, direction)
    _refuse_database_file(output)
    if os.path.isdir(output):
        raise ExportError(f"cannot open {output}: Is a directory")
    encodings: dict[Any, Encoding[Any]] = {**(ENTRIES if direction == "both" else PAYMENTS)}
    encoding, compression = encodings[format_of(output)], compression_of(output)
    checkpoint = CheckpointFile(
        f"{output}.checkpoint", format=kind_of(output, encoding), direction=direction
    )
    return ResumableFile(output, encoding, checkpoint, compression)


def kind_of(output: str, encoding: Encoding[Any]) -> str:
    """What a checkpoint remembers of a file: ``jsonl``, ``csv.gz`` and so on."""
    return f"{encoding.format}{compression_of(output).ending}"


def shown(output: str) -> str:
    """The output's name for people: without a password."""
    return _database(output).name if _is_database(output) else output


def _refuse_database_file(output: str) -> None:
    if output.lower().endswith(_DATABASES):
        raise ConfigurationError(
            f"{output} would be a file of text: for a database say sqlite:///{output}"
        )


def _is_database(output: str) -> bool:
    return _URL.match(output) is not None


def _database(url: str) -> Any:
    try:
        from paywint_async.export._database import Database
    except ModuleNotFoundError:
        raise _missing("sql", "databases") from None
    return Database(url)


def _make_sql_table(url: str, direction: str) -> Table[Any]:
    database = _database(url)
    from paywint_async.export._sql import SqlTable

    return SqlTable(database, direction=direction)


def _make_parquet_table(path: str, direction: str) -> Table[Any]:
    to_arrow: Any = entries_to_arrow if direction == "both" else payments_to_arrow
    to_arrow([])  # tells it where the extra is missing
    from paywint_async.export._parquet import ParquetTable

    return ParquetTable(path, direction=direction, to_arrow=to_arrow)


def _missing(extra: str, what: str) -> ConfigurationError:
    return ConfigurationError(f"{what} need an extra: pip install 'paywint-async[{extra}]'")
