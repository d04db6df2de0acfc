"""Stateful test: Hypothesis interleaves arrivals, reading, stopping and resuming over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from virtual_time import VirtualTimeLoop

from paywint_async import Payment, PaymentListing, PaywintClient
from paywint_async.emulator import Emulator

pytestmark = pytest.mark.slow

ROWS = st.sampled_from((10, 20, 50, 100))


class ChangingHistory(RuleBasedStateMachine):
    """Reads one account in parts; each round delivers its payments once and in order."""

    @initialize(
        payments=st.sampled_from((0, 1, 10, 99, 250)), order=st.sampled_from(("newest", "oldest"))
    )
    def open(self, payments: int, order: str) -> None:
        self.runner = asyncio.Runner(loop_factory=VirtualTimeLoop)
        self.order = order
        self.emulator = Emulator(hostile=True, payments=payments, order=order, latency=0.01)
        self.runner.run(self.emulator.start())
        keys = self.emulator.api_key, self.emulator.api_secret
        self.client = PaywintClient(*keys, base_url=self.emulator.url)
        self.checkpoint: dict[str, Any] | None = None
        self.listing: PaymentListing | None = None
        self.iterator: AsyncIterator[Payment] | None = None
        self.rounds: list[list[str]] = [[]]
        self.known = 0

    @rule(count=st.sampled_from((1, 2, 17, 150)))
    def payments_arrive(self, count: int) -> None:
        self.emulator.arrive("received", count)

    @precondition(lambda self: self.iterator is None)
    @rule(rows=ROWS, max_concurrency=st.integers(1, 9))
    def start_or_resume(self, rows: int, max_concurrency: int) -> None:
        self.listing = self.client.payments.received(
            rows_per_page=rows, max_concurrency=max_concurrency, checkpoint=self.checkpoint
        )
        self.iterator = aiter(self.listing)

    @precondition(lambda self: self.iterator is not None)
    @rule(count=st.integers(1, 120))
    def read_some(self, count: int) -> None:
        self.runner.run(self._read(count))

    @precondition(lambda self: self.iterator is not None)
    @rule()
    def stop_and_keep_the_checkpoint(self) -> None:
        assert self.listing is not None
        if self.rounds[-1] and self.listing.checkpoint is not None:
            self.checkpoint = json.loads(json.dumps(self.listing.checkpoint))
            if self.checkpoint["finished"]:  # stopped at the very last payment
                self.rounds.append([])
        self.runner.run(self._stop())

    async def _read(self, count: int) -> None:
        assert self.iterator is not None
        for _ in range(count):
            payment = await anext(self.iterator, None)
            if payment is None:
                self._finish()
                return
            self.rounds[-1].append(str(payment.payment_id))

    def _finish(self) -> None:
        assert self.listing is not None
        assert self.listing.checkpoint is not None
        assert self.listing.checkpoint["finished"]
        self.checkpoint, self.iterator = json.loads(json.dumps(self.listing.checkpoint)), None
        self.known += len(self.rounds[-1])
        self.rounds.append([])

    async def _stop(self) -> None:
        assert self.iterator is not None
        await self.iterator.aclose()  # type: ignore[attr-defined]
        self.iterator = None

    @invariant()
    def each_payment_once_and_in_order(self) -> None:
        if not hasattr(self, "emulator"):
            return
        oldest_first = self.emulator.history("received")[::-1]
        known = 0
        for finished in self.rounds[:-1]:
            part = oldest_first[known : known + len(finished)]
            assert finished == (part if self.order == "oldest" else part[::-1])
            known += len(finished)
        current = self.rounds[-1]
        if self.order == "oldest":
            assert current == oldest_first[known : known + len(current)]
        elif current:
            top = oldest_first.index(current[0])
            assert current == oldest_first[: top + 1][::-1][: len(current)]
            assert top + 1 - len(current) >= known

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            if self.iterator is not None:
                self.runner.run(self._stop())
            self.runner.run(self.client.aclose())
            self.runner.run(self.emulator.aclose())
            self.runner.close()


TestChangingHistory = ChangingHistory.TestCase
TestChangingHistory.settings = settings(max_examples=60, stateful_step_count=25)
