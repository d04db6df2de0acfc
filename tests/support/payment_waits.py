"""Helpers for tests of waits: shortcuts, an API in memory, checks for leaked tasks and timers."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from uuid import UUID

from fault_server import PAYMENT, PAYMENT_ID, Fault, answer
from virtual_time import pass_time

from paywint_async import Payment, PaymentWatch, PaywintClient, Request, Response
from paywint_async.emulator import Emulator, RecordedExchange


def now() -> float:
    """The loop's time."""
    return asyncio.get_running_loop().time()


def status(name: str) -> Fault:
    """An answer with one payment in that status."""
    replacement = b'"status":' + json.dumps(name).encode()
    return answer(body=lambda good: good.replace(b'"status":"success"', replacement), name=name)


def wait(client: PaywintClient, payment_id: UUID | str, **options: Any) -> asyncio.Future[Payment]:
    """Starts a wait."""
    options = {"timeout": 3600, **options}
    return asyncio.ensure_future(client.payments.wait_until_final(payment_id, **options))


async def final(watch: PaymentWatch) -> Payment:
    """The last state of a watch."""
    return [payment async for payment in watch][-1]


async def states(watch: PaymentWatch) -> list[tuple[str, str]]:
    """Id and status of each state of a watch."""
    return [(str(payment.payment_id), str(payment.status)) async for payment in watch]


def looks(emulator: Emulator) -> list[RecordedExchange]:
    """The requests for single payments that an emulator has received."""
    return [exchange for exchange in emulator.requests if exchange.operation == "get"]


def looks_under_way() -> list[asyncio.Task[Any]]:
    """The tasks of looks that are running."""
    return [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "_look"]


def check_that_nothing_is_left(client: PaywintClient) -> None:
    """Checks that no look and no timer of a waiter is left."""
    loop: Any = asyncio.get_running_loop()
    timers = [repr(timer) for timer in loop._scheduled if not timer.cancelled()]
    assert looks_under_way() == []
    assert [timer for timer in timers if "Poller" in timer or "Waiter" in timer] == []
    for poller in client._tracker._pollers.values():
        assert (poller._looks, any(poller._lines)) == (set(), False)


class Remembered:
    """An API in memory, for tests in which HTTP would take most of the time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.asked: list[tuple[float, str]] = []
        self.in_flight = self.peak = 0
        self.final_at = float("inf")

    async def __call__(self, request: Request) -> Response:
        payment_id = request.path.rpartition("/")[2]
        self.asked.append((now(), payment_id))
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            await pass_time(self.seconds)
        finally:
            self.in_flight -= 1
        payment = PAYMENT.replace(PAYMENT_ID.encode(), payment_id.encode())
        if now() < self.final_at:
            payment = payment.replace(b"success", b"pending")
        return Response(status=200, body=b'{"success":true,"data":%s}' % payment)
