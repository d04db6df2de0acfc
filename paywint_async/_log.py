"""The logger ``paywint_async``, the fields of its records, and the output that ``PAYWINT_LOG`` enables.

No log record contains credentials, a body, a query, or a header other than the request id.
"""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

from paywint_async._errors import ConfigurationError

_VARIABLE = "PAYWINT_LOG"
_LEVELS = ("debug", "info", "warning", "error")
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

logger = logging.getLogger("paywint_async")
logger.addHandler(logging.NullHandler())  # the application decides whether anything is printed


def fields(**values: Any) -> dict[str, Any]:
    """The ``extra`` of a log record. The prefix avoids clashes with fields that applications add."""
    return {f"paywint_{name}": value for name, value in values.items()}


def set_up_log() -> None:
    """Prints the log to standard error from the level in ``PAYWINT_LOG`` on, if that is set.

    Raises:
        ConfigurationError: the variable has no valid level.
    """
    name = os.environ.get(_VARIABLE, "").lower()
    if not name:
        return
    if name not in _LEVELS:
        raise ConfigurationError(f"{_VARIABLE} must be {', '.join(_LEVELS)}, not {name!r}")
    logger.setLevel(name.upper())
    if not any(isinstance(handler, _StandardError) for handler in logger.handlers):
        logger.addHandler(_StandardError())


class _StandardError(logging.Handler):
    """Prints to the current standard error.

    Only if the application has not configured logging, which would print these records as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            print(self.format(record), file=sys.stderr)
