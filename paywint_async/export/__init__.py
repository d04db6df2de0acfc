"""Layer 5: where payments go: sinks, and the transfer that fills one and can be continued.

Over the public API only. Knows nothing of command lines, terminals, signals or exit codes.

Read it in this order: `sink` (the protocol) · `transfer` (from a reading into a sink) · `reading`
(listings page by page) · `encoding` (pages as bytes) · `resumable`, `replaced`, `stream` (the three
sinks) · `checkpoint` and `files` (what makes them safe) · `destination` (which sink for an output).
"""

from paywint_async.export.checkpoint import CheckpointFile
from paywint_async.export.destination import make_sink
from paywint_async.export.encoding import ENTRIES, PAYMENTS, Encoding, Format, format_of
from paywint_async.export.errors import ExportError, OutputClosedError
from paywint_async.export.reading import HistoryReading, PaymentReading, Reading
from paywint_async.export.replaced import ReplacedFile, part_of
from paywint_async.export.resumable import ResumableFile
from paywint_async.export.sink import Checkpoint, Sink
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
    "PAYMENTS",
    "PaymentReading",
    "Reading",
    "ReplacedFile",
    "ResumableFile",
    "Sink",
    "Stream",
    "StreamSink",
    "format_of",
    "make_sink",
    "open_stdout",
    "part_of",
    "transfer",
]
