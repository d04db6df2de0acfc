"""Destinations of payments: sinks, and the transfer that fills one and can be continued.

Uses the public API and three small private modules. Knows nothing of command lines, terminals, signals
or exit codes.

Read it in this order: `sink` (the protocol) · `transfer` (from a reading into a sink) · `reading`
(listings page by page) · `encoding` and `compression` (pages as bytes) · `resumable`, `atomic_file`,
`stream` (the sinks of bytes), over `output` · `parquet`, over `parts`, and `sql`, over `database`
(those of tables) · `checkpoint` and `files` (crash safety) · `changes` and `refresh` (updates of
payments that were not final) · `destination` (which sink for an output).
"""

from paywint_async.export._atomic_file import AtomicFile, partial_path
from paywint_async.export._checkpoint import CheckpointFile
from paywint_async.export._destination import (
    DESTINATIONS,
    Destination,
    checkpoint_format,
    display_name,
    find_destination,
    make_export_sink,
    make_sink,
    make_table,
)
from paywint_async.export._encoding import ENTRIES, PAYMENTS, Encoding, Format
from paywint_async.export._errors import ExportError, OutputClosedError, OutputInUseError
from paywint_async.export._reading import HistoryReading, PaymentReading, Reading, reader
from paywint_async.export._refresh import Refresh
from paywint_async.export._resumable import ResumableFile
from paywint_async.export._sink import Checkpoint, Sink, Table
from paywint_async.export._stream import Stream, StreamSink, open_stdout
from paywint_async.export._transfer import transfer

__all__ = [
    "AtomicFile",
    "Checkpoint",
    "CheckpointFile",
    "DESTINATIONS",
    "Destination",
    "ENTRIES",
    "Encoding",
    "ExportError",
    "Format",
    "HistoryReading",
    "OutputClosedError",
    "OutputInUseError",
    "PAYMENTS",
    "PaymentReading",
    "Reading",
    "Refresh",
    "ResumableFile",
    "Sink",
    "Stream",
    "StreamSink",
    "Table",
    "checkpoint_format",
    "display_name",
    "find_destination",
    "make_export_sink",
    "make_sink",
    "make_table",
    "open_stdout",
    "partial_path",
    "reader",
    "transfer",
]
