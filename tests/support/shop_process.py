"""Simulates the example shop's process, which can be killed at any await and is restarted later.

Orders and their refunds survive, as a real shop has them in a database. All else is lost when the
process is killed: the client, tasks, and which webhooks were processed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, Literal, TypeVar

from example_modules import load
from shop_books import PAID, cents
from shop_world import EmulatedApi, client_of, refused

from paywint_async.webhooks import StandardWebhooks, WebhookReceiver

T = TypeVar("T")

SECRET = "a secret of the year"


class OrderTable(dict[str, Any]):
    """The orders by number, and an index of those that have not been paid."""

    def __init__(self) -> None:
        self.unpaid: dict[str, None] = {}

    def __setitem__(self, number: str, order: Any) -> None:
        super().__setitem__(number, order)
        self.unpaid[number] = None

    def give_up(self, before: datetime) -> None:
        """Remove orders that were not paid, as the example advises for a real shop."""
        for number in list(self.unpaid):
            order = self[number]
            is_over = order.status.is_final and order.created_at < before
            if order.status in PAID or is_over:
                del self.unpaid[number]
            if order.status not in PAID and is_over:
                del self[number]


class Numbers:
    """Replaces the module `secrets`, so that order numbers follow from the seed."""

    def token_hex(self, size: int) -> str:
        """Like `secrets.token_hex`."""
        return random.randbytes(size).hex()


class ShopProcess:
    """The shop's process, which can be killed at any await and is restarted later.

    Args:
        api: the API for its client.
        clock: Unix seconds, which can be wrong.
        unit: the receiver's setting for the unit of webhooks' amounts.
    """

    def __init__(
        self, api: EmulatedApi, clock: Callable[[], float], unit: Literal["cents", "dollars"] | None
    ) -> None:
        self._unit: Literal["cents", "dollars"] | None = unit
        self._api = api
        self._clock = clock
        self._module: Any = load("shop")
        self._module.secrets = Numbers()
        self._tasks: dict[asyncio.Task[Any], None] = {}  # an ordered set
        self.orders = OrderTable()
        self.shop: Any = None
        self.kills = 0

    async def start(self) -> None:
        """Start with the orders in the database."""
        self._client = client = client_of(self._api, kill=self.kill)
        self.shop = self._module.Shop(client)
        self.shop.orders = self.orders
        verifier = StandardWebhooks(SECRET)
        self._receiver = WebhookReceiver(
            self.shop.on_event, verifier=verifier, amounts=self._unit, clock=self._clock
        )

    def kill(self) -> None:
        """Kill the process at once; it is restarted after half a minute."""
        if self.shop is None:
            return
        self.kills += 1
        self.shop = None
        for task in list(self._tasks):
            task.cancel()
        loop = asyncio.get_running_loop()
        loop.call_later(30.0, lambda: loop.create_task(self.start()))

    async def do(self, work: Callable[[Any], Coroutine[Any, Any, T]]) -> T:
        """Run a coroutine in the process.

        Raises:
            ClientConnectionError: the process is not running, or is killed meanwhile.
        """
        if self.shop is None:
            raise refused()
        task = asyncio.ensure_future(work(self.shop))
        self._tasks[task] = None
        task.add_done_callback(self._tasks.pop)
        await asyncio.wait([task])
        if task.cancelled():
            raise refused()
        return task.result()

    async def receive(self, headers: dict[str, str], body: bytes) -> int:
        """Pass a webhook to the receiver, and return the HTTP status."""
        receiver = self._receiver
        return await self.do(lambda _shop: receiver.handle("POST", headers, body))

    @property
    def paid(self) -> list[Any]:
        """The orders that were paid, including those refunded later."""
        return [order for order in self.orders.values() if order.status in PAID]

    @property
    def refunds(self) -> dict[str, int]:
        """The refunded amounts in cents, by the refund's id."""
        parts = (part for order in self.paid for part in order.refunds.items())
        return {refund_id: cents(amount) for refund_id, amount in parts}

    def cents_of(self, order: Any) -> int:
        """The price of an order in cents."""
        return cents(self._module.PRICES[order.item])

    @property
    def items(self) -> list[str]:
        """The items on sale."""
        return list(self._module.PRICES)
