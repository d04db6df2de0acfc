"""The logger ``paywint_async``, the fields of its records, and what ``PAYWINT_LOG`` switches on.

Nothing that is logged carries a credential, a body, a query, or a header but the request's id.
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
logger.addHandler(logging.NullHandler())  # whether anything is printed is the application's choice


def fields(**values: Any) -> dict[str, Any]:
    """The ``extra`` of a log record. The prefix keeps names apart from those that applications add."""
    return {f"paywint_{name}": value for name, value in values.items()}


def set_up_log() -> None:
    """Prints the log to standard error from the level in ``PAYWINT_LOG`` on, where that is set.

    Raises:
        ConfigurationError: that is no level.
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
    """Prints to whatever is standard error at that moment.

    Only where the application has set up no logging: that prints these records, too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logging.Formatter(_FORMAT))

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            print(self.format(record), file=sys.stderr)
