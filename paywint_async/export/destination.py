"""Which sink an output needs."""

from __future__ import annotations

import os
from typing import TypeVar

from paywint_async.export.checkpoint import CheckpointFile
from paywint_async.export.encoding import Encoding
from paywint_async.export.replaced import ReplacedFile
from paywint_async.export.resumable import ResumableFile
from paywint_async.export.sink import Sink
from paywint_async.export.stream import StreamSink

R = TypeVar("R")


def make_sink(output: str, encoding: Encoding[R], checkpoint: CheckpointFile | None) -> Sink[R]:
    """The sink for an output; nothing is opened yet.

    Args:
        output: ``-`` for stdout, or a path; pipes and devices are written as streams.
        encoding: of the records.
        checkpoint: None: the export cannot be continued, and a file appears when it is complete.
    """
    is_special = os.path.exists(output) and not os.path.isfile(output)
    if output == "-" or is_special:
        return StreamSink(output, encoding, checkpoint)
    if checkpoint is None:
        return ReplacedFile(output, encoding)
    return ResumableFile(output, encoding, checkpoint)
