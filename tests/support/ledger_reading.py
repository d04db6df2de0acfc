"""Reads ledgers as the comparison does, or returns its error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from paywint_async.reconcile import Columns, LedgerError, LedgerFormat, LedgerRow, read_ledger

ID = UUID("d4211545-cfc9-4aa0-8fcc-e4c2639e8052")
Write = Callable[..., str]


def read(path: str, columns: Columns | None = None, **settings: Any) -> list[LedgerRow]:
    return list(read_ledger(path, LedgerFormat(columns=columns or Columns(), **settings)))


def refusal(path: str, columns: Columns | None = None, **settings: Any) -> str:
    with pytest.raises(LedgerError) as error:
        read(path, columns, **settings)
    return str(error.value).removeprefix(path)
