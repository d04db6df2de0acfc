"""Payments without a server, and a listing with configurable behaviour."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

import pytest
from sample_payments import make_payment

from paywint_async import Payment


class ScriptedReading:
    """Reads payments from memory, in pages; it can pause or fail before a page.

    Its checkpoint has the number of payments handed over, as a transfer expects of a listing's.
    """

    def __init__(
        self,
        payments: Sequence[Payment],
        start: dict[str, Any] | None,
        *,
        page: int = 10,
        before_page: Callable[[int], Any] | None = None,
    ) -> None:
        self._payments = payments
        self._page = page
        self._before_page = before_page
        self._delivered = 0 if start is None else start["delivered"]
        self.is_closed = False

    @property
    def checkpoint(self) -> dict[str, Any]:
        return {"delivered": self._delivered}

    @property
    def total(self) -> int:
        return len(self._payments)

    async def pages(self) -> AsyncGenerator[Sequence[Payment], None]:
        try:
            for first in range(self._delivered, len(self._payments), self._page):
                if self._before_page is not None:
                    await self._before_page(first)
                page = self._payments[first : first + self._page]
                self._delivered = first + len(page)
                yield page
        finally:
            self.is_closed = True


@pytest.fixture
def payments() -> list[Payment]:
    """205 payments."""
    return [make_payment(number) for number in range(1, 206)]


@pytest.fixture
def read(payments: list[Payment]) -> Callable[..., Callable[[Any], ScriptedReading]]:
    """`read(...)`: a transfer's first argument, which reads the payments."""

    def prepare(
        records: Sequence[Payment] = tuple(payments), **options: Any
    ) -> Callable[[Any], ScriptedReading]:
        return lambda start: ScriptedReading(records, start, **options)

    return prepare


@pytest.fixture
def payment() -> Callable[..., Payment]:
    """`payment(number, **fields)`."""
    return make_payment


@pytest.fixture
def other_tasks() -> Callable[[], set[asyncio.Task[Any]]]:
    """`other_tasks()`: the tasks that a test has not ended."""
    return lambda: asyncio.all_tasks() - {asyncio.current_task()}  # type: ignore[arg-type]
