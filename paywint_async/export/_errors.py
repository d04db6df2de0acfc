"""The errors of outputs; the only module of this folder that translates `OSError`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from paywint_async import PaywintError


class ExportError(PaywintError):
    """An output or its checkpoint cannot be used; the message says which one, and why."""


class OutputInUseError(ExportError):
    """Another export is writing the output; once it has ended, this one can continue."""


class OutputClosedError(ExportError):
    """The reader of the output has closed it: ``paywint export | head -1``."""


@contextmanager
def translated(failure: str) -> Iterator[None]:
    """Translates an `OSError` of the block into an ExportError: ``failure``, and the system's reason."""
    try:
        yield
    except BrokenPipeError:
        raise OutputClosedError(f"{failure}: its reader has gone away") from None
    except OSError as error:
        raise ExportError(f"{failure}: {error.strerror or error}") from None
