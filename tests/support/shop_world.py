"""The environment of the simulated shop, without sockets: the emulated API and the webhooks.

A year of requests over HTTP would take an hour. So the client's innermost middleware answers from the
emulator's account, and the emulator's deliveries reach the shop's receiver by a function call. Both
take virtual time and fail at random: the API is down for hours, answers are lost after their effect,
and the shop's process is killed at any step.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from queue import SimpleQueue
from typing import Any

import aiohttp
import attrs
from virtual_time import SocketlessLoop, pass_time

from paywint_async import Handler, PaywintClient, Request, Response
from paywint_async.emulator import Emulator, _wire
from paywint_async.emulator._validation import link_request, page_request

MESSAGE = {"content-type": "application/json"}


@attrs.define
class Dangers:
    """The probability of each failure for one request."""

    fails: float = 0.004
    answer_is_lost: float = 0.002
    process_dies: float = 0.002


class EmulatedApi:
    """Answers a client from an emulator's account, as its HTTP server does.

    Args:
        emulator: the emulator with the account.
        chance: the random source of failures.
        dangers: the probabilities of failures.
        on_step: called before and after each effect, for each client; may raise `CancelledError`.
    """

    def __init__(self, emulator: Emulator, chance: random.Random, dangers: Dangers) -> None:
        self._emulator = emulator
        self._chance = chance
        self._dangers = dangers
        self.is_down = False
        self.requests = 0

    def middleware(self, kill: Callable[[], object] | None = None) -> Any:
        """The innermost middleware of a client of this API.

        Args:
            kill: kills the client's process; called at random before or after an effect.
        """

        async def answer(request: Request, _handler: Handler) -> Response:
            self.requests += 1
            await pass_time(self._chance.uniform(0.05, 0.4))
            self._maybe_kill(kill)
            if self.is_down or self._happens(self._dangers.fails):
                return Response(
                    status=503, headers=MESSAGE, body=b'{"success":false,"message":"down"}'
                )
            body = self._effect(request)
            self._maybe_kill(kill)
            await pass_time(self._chance.uniform(0.05, 0.4))
            if self._happens(self._dangers.answer_is_lost):
                return Response(status=502, headers=MESSAGE, body=b"<html>bad gateway</html>")
            return Response(status=200, headers=MESSAGE, body=body)

        return answer

    def _happens(self, probability: float) -> bool:
        return self._chance.random() < probability

    def _maybe_kill(self, kill: Callable[[], object] | None) -> None:
        if kill is not None and self._happens(self._dangers.process_dies / 2):
            kill()

    def _effect(self, request: Request) -> bytes:
        emulator = self._emulator
        now_us = emulator._settle_request()
        if request.operation == "create_link":
            asked = link_request(request.body or b"")
            payment = emulator._book.create_link(
                "received",
                amount=asked.amount,
                description=asked.description,
                invoice_number=asked.invoice_number,
                now_us=now_us,
            )
            emulator._lifecycle.create(payment)
            emulator._changed()
            link = f"https://pay.example/{payment.payment_id}"
            return _wire.envelope(_wire.payment_link(payment.payment_id, link), "made", now_us)
        if request.method == "GET":
            row = emulator._book.find(request.path.rpartition("/")[2])
            assert row is not None
            return _wire.envelope(row, "found", now_us)
        page = page_request(request.body or b"")
        found = emulator._book.page("received", page.page_no, page.rows_per_page)
        return _wire.payment_list(found.rows, found.total, now_us)


class HeldQueue(SimpleQueue[Any]):
    """Replaces the queue of aiosqlite's threads: the virtual clock waits for their jobs."""

    def put_nowait(self, item: Any) -> None:
        """Like `SimpleQueue.put_nowait`."""
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SocketlessLoop)
        future, function = item
        super().put_nowait((future, loop.hold(function, future)))


@attrs.define
class _Answer:
    status: int


class WebhookRoute:
    """Replaces the emulator's HTTP session: passes deliveries to a coroutine function.

    Args:
        receive: takes headers and body, returns the HTTP status.
    """

    def __init__(self, receive: Callable[[dict[str, str], bytes], Awaitable[int]]) -> None:
        self._receive = receive

    @asynccontextmanager
    async def post(self, _url: str, *, data: bytes, headers: dict[str, str], **_: Any) -> Any:
        """Like `aiohttp.ClientSession.post`."""
        async with asyncio.timeout(5):
            yield _Answer(await self._receive(headers, data))

    async def close(self) -> None:
        """Like `aiohttp.ClientSession.close`."""


def refused() -> aiohttp.ClientOSError:
    """The error of a delivery to a process that is not running or is killed."""
    return aiohttp.ClientOSError("nobody listens")


def client_of(api: EmulatedApi, kill: Callable[[], object] | None = None) -> PaywintClient:
    """A client whose requests are answered by the emulated API, without a network."""
    return PaywintClient(
        "4f0c2c5e-6f51-4b43-9a57-6d3c5f0f8a10",
        "secret",
        base_url="http://127.0.0.1:1",
        attempt_middlewares=[api.middleware(kill)],
    )
