"""`Emulator`: the emulated API's life cycle, and the handles that demos and tests turn.

It owns the listening socket and wires the parts; the account is the ledger's, HTTP is `Api`'s.
"""

import asyncio
from types import TracebackType
from typing import Self

from aiohttp import web

from paywint_async.emulator.api import Api
from paywint_async.emulator.identity import Direction, Identity
from paywint_async.emulator.ledger import Arrivals, Ledger, Order
from paywint_async.emulator.settings import Settings
from paywint_async.emulator.traffic import Exchange, Journal, TokenBucket

_SHUTDOWN_SECONDS = 0.25


class Emulator:
    """The Paywint API on loopback, with a made-up account behind it.

    `async with Emulator(payments=10_000) as emulator:` serves until the block ends. The same seed
    gives the same history byte for byte, and a longer history of the same seed begins with the
    shorter one. Times begin in 2015 and go on by five minutes a payment.

    Args:
        payments: Length of the history at the start, in each direction; 0 to 100,000,000.
        seed: Any integer; decides keys, ids and every record.
        latency: Seconds each request waits before state is read and answered, up to 3600.
        rate_limit: Requests per second, from 0.001; above it, after a burst of one second's worth,
            the answer is 429 with `Retry-After`. None: no limit.
        arrivals: Payments per second that keep coming in each direction while it runs, up to
            10,000.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.
        order: Which end page 1 of a listing shows: "newest" (assumed of Paywint) or "oldest".

    Raises:
        ValueError: An argument is out of its range; the message names it.

    Source: the API is `paywint-api.md`, error shapes and limits of it are assumed there.
    """

    def __init__(
        self,
        *,
        payments: int = 0,
        seed: int = 1,
        latency: float = 0.0,
        rate_limit: float | None = None,
        arrivals: float = 0.0,
        host: str = "127.0.0.1",
        port: int = 0,
        order: Order = "newest",
    ) -> None:
        self._settings = Settings(
            payments=payments,
            seed=seed,
            latency=latency,
            rate_limit=rate_limit,
            arrivals=arrivals,
            host=host,
            port=port,
            order=order,
        )
        self._identity = Identity(seed)
        self._arrivals = Arrivals(arrivals)
        self._ledger = Ledger(self._identity, payments, arrivals=self._arrivals, order=order)
        self._journal = Journal()
        self._port = port
        self._runner: web.AppRunner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def url(self) -> str:
        """Where it listens, such as `http://127.0.0.1:40123`; it stays the same after a restart.

        Raises:
            RuntimeError: It was never started with `port=0`, so there is no port yet.
        """
        if not self._port:
            raise RuntimeError("the emulator has no url before it is started: await start() first")
        host = self._settings.host
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    @property
    def api_key(self) -> str:
        """The `X-Api-Key` it accepts, in UUID form; follows from the seed."""
        return self._identity.api_key

    @property
    def api_secret(self) -> str:
        """The `X-Api-Secret` it accepts; follows from the seed."""
        return self._identity.api_secret

    @property
    def requests(self) -> list[Exchange]:
        """The latest 10,000 requests, in the order in which they were finished."""
        return list(self._journal.exchanges)

    @property
    def request_count(self) -> int:
        """How many requests have come, all counted."""
        return self._journal.request_count

    @property
    def in_flight(self) -> int:
        """How many requests are being served now."""
        return self._journal.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most requests that were being served at one time."""
        return self._journal.peak_in_flight

    async def start(self) -> None:
        """Begin to serve. After `aclose` it may be started again: same history, same port.

        Raises:
            RuntimeError: It is running.
            OSError: The port is taken, or the host is not this machine's.
        """
        if self._runner is not None:
            raise RuntimeError(f"the emulator is already running at {self.url}")
        loop = asyncio.get_running_loop()
        runner = self._runner = self._make_runner(loop)
        try:
            await runner.setup()
            await web.TCPSite(runner, self._settings.host, self._port).start()
        except BaseException:
            await self.aclose()
            raise
        self._port = runner.addresses[0][1]
        self._arrivals.start(loop.time())
        self._loop = loop

    async def aclose(self) -> None:
        """Stop serving and close every connection; closing twice is harmless.

        Requests in flight have a quarter of a second to finish, then they are cut off.
        """
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._settle()
        self._loop = None
        await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def arrive(self, direction: Direction, count: int = 1) -> None:
        """Let that many payments of a direction come now. For tests.

        Raises:
            ValueError: No such direction, or a negative count.
        """
        if count < 0:
            raise ValueError(f"count must not be negative: {count}")
        self._settle()
        self._ledger.history(direction).grow(count)

    def delete(self, direction: Direction, rank: int) -> None:
        """Take a payment out, which no API call can do. For tests of what clients make of it.

        Args:
            rank: Its number counted from the oldest payment ever, from 1; others keep theirs.

        Raises:
            ValueError: No such direction or rank.
        """
        self._settle()
        self._ledger.history(direction).delete(rank)

    def history(self, direction: Direction) -> list[str]:
        """Every id of a direction, newest first whatever `order` is. For tests: takes O(N).

        Raises:
            ValueError: No such direction.
        """
        self._settle()
        return self._ledger.ids(direction)

    def _settle(self) -> None:
        if self._loop is not None:
            self._ledger.settle(self._loop.time())

    def _make_runner(self, loop: asyncio.AbstractEventLoop) -> web.AppRunner:
        rate = self._settings.rate_limit
        api = Api(
            self._ledger,
            self._identity,
            journal=self._journal,
            clock=loop.time,
            origin=lambda: self.url,
            latency=self._settings.latency,
            bucket=None if rate is None else TokenBucket(rate),
        )
        # A client that goes away ends its request: `in_flight` is what somebody still waits for.
        return web.AppRunner(
            api.application(),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_SECONDS,
        )
