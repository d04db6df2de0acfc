"""Layer 5: where payments go: sinks, and the transfer that fills one and can be continued.

Over the public API only. Knows nothing of command lines, terminals, signals or exit codes.

Read it in this order: `sink` (the protocol) · `transfer` (from a reading into a sink) · `reading`
(listings page by page) · `encoding` and `compression` (pages as bytes) · `resumable`, `replaced`,
`stream` (the sinks of bytes), over `output` · `parquet`, over `parts`, and `sql`, over `database`
(those of tables) · `checkpoint` and `files` (what makes them safe) · `changes` and `refresh` (what
was not final yet) · `destination` (which sink for an output).
"""

from paywint_async.export.checkpoint import CheckpointFile
from paywint_async.export.destination import is_dataset, kind_of, make_sink, make_table, shown
from paywint_async.export.encoding import ENTRIES, PAYMENTS, Encoding, Format, format_of
from paywint_async.export.errors import ExportError, OutputClosedError, OutputInUseError
from paywint_async.export.reading import HistoryReading, PaymentReading, Reading, reader
from paywint_async.export.refresh import Refresh
from paywint_async.export.replaced import ReplacedFile, part_of
from paywint_async.export.resumable import ResumableFile
from paywint_async.export.sink import Checkpoint, Sink, Table
from paywint_async.export.stream import Stream, StreamSink, open_stdout
from paywint_async.export.transfer import transfer

__all__ = [
    "Checkpoint",
    "CheckpointFile",
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
    "ReplacedFile",
    "ResumableFile",
    "Sink",
    "Stream",
    "StreamSink",
    "Table",
    "format_of",
    "is_dataset",
    "kind_of",
    "make_sink",
    "make_table",
    "open_stdout",
    "part_of",
    "reader",
    "shown",
    "transfer",
]
