"""Speed, guarded by counts: how many calls, requests and bytes a record, a page or a call costs.

Time is too noisy for a test; `nox -s bench` measures it. The bounds are what was counted when they
were written, and a fifth more, or just that. The client is the real one with its whole chain, but an
innermost middleware answers in the network's place, so every run counts the same.
"""

from __future__ import annotations

import gc
import json
import random
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import FrameType, ModuleType, SimpleNamespace
from typing import Any

import aiohttp
import msgspec
import pytest
from fault_server import FaultServer
from virtual_time import pass_time

import paywint_async
from paywint_async import Handler, PaywintClient, Request, Response
from paywint_async._codec import ListEnvelope, PaymentEnvelope, own_converter
from paywint_async._config import Credentials
from paywint_async._pagination import window
from paywint_async._transport import Transport

PACKAGE = str(Path(paywint_async.__file__).parent)
AIOHTTP = str(Path(aiohttp.__file__).parent)
BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
PAGES = 40


@pytest.fixture
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """No real time passes for a listing, which lets the loop turn after so much of it."""
    monkeypatch.setattr(window, "time", SimpleNamespace(perf_counter=lambda: 0.0))


@pytest.fixture(scope="module", autouse=True)
def benchmarks() -> Iterator[None]:
    """The benchmarks' own modules can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield


def load(name: str) -> Any:
    module: ModuleType = import_module(name)
    return module


class Account:
    """Answers in the network's place, from a history of ``total`` payments.

    Args:
        total: how many there are at first.
        arrives_every: requests after which one more payment has arrived.
        is_unsteady: answers take their time, and overtake one another.
    """

    def __init__(
        self, total: int, *, arrives_every: int | None = None, is_unsteady: bool = False
    ) -> None:
        self.total = total
        self.requests = 0
        self._arrives_every = arrives_every
        self._delay = random.Random(1).random if is_unsteady else None
        self._history = load("_history")
        self._page = self._history.page if arrives_every else _remembered(self._history.page)

    async def __call__(self, request: Request, handler: Handler) -> Response:
        self.requests += 1
        if self._arrives_every and self.requests % self._arrives_every == 0:
            self.total += 1
        if self._delay:
            await pass_time(self._delay())
        if request.body is None:
            body = self._history.one(request.path.rpartition("/")[2])
        else:
            asked = json.loads(request.body)
            body = self._page(self.total, asked["page_no"], asked["rows_per_page"])
        if self._delay:
            await pass_time(self._delay())
        return Response(status=200, body=body)

    def client(self) -> PaywintClient:
        """A client that asks here."""
        return PaywintClient("key", "secret", attempt_middlewares=[self])


def _remembered(make: Any) -> Any:
    made: dict[tuple[int, ...], bytes] = {}

    def page(*asked: int) -> bytes:
        if asked not in made:
            made[asked] = make(*asked)
        return made[asked]

    return page


async def read(client: PaywintClient, **options: Any) -> int:
    count = 0
    async for _payment in client.payments.received(**options):
        count += 1
    return count


@contextmanager
def counted(*folders: str) -> Iterator[dict[str, int]]:
    """How often the package's code was entered or resumed (call), and what it called in C (c_call).

    Args:
        folders: whose code counts; none: the package's.
    """
    counting = folders or (PACKAGE,)
    calls = {"call": 0, "c_call": 0}

    def note(frame: FrameType, event: str, _argument: object) -> None:
        if event in calls and frame.f_code.co_filename.startswith(counting):
            calls[event] += 1

    gc.collect()  # whatever earlier tests left does not end while it is counted
    gc.disable()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)
        gc.enable()


async def calls_of_a_listing(rows: int) -> dict[str, int]:
    account = Account(PAGES * rows - 1)
    async with account.client() as client:
        await read(client, rows_per_page=rows)
        with counted() as calls:
            await read(client, rows_per_page=rows)
    return calls


async def test_a_record_costs_one_step_of_one_iterator(standing_clock: None) -> None:
    few, many = await calls_of_a_listing(50), await calls_of_a_listing(100)

    per_record = {event: (many[event] - few[event]) / (PAGES * 50) for event in many}

    # The tenth is the first page's alone: the order of the list is told from all of its times.
    assert per_record["call"] <= 1.11
    assert per_record["c_call"] <= 0


async def test_a_page_costs_few_calls(standing_clock: None) -> None:
    calls = await calls_of_a_listing(100)

    assert calls["call"] / PAGES - 100 <= 131
    assert calls["c_call"] / PAGES <= 85


async def test_a_call_costs_few_calls() -> None:
    wanted = load("_history").payment_id(7)
    async with Account(10).client() as client:
        await client.payments.get(wanted)
        with counted() as calls:
            for _ in range(20):
                await client.payments.get(wanted)

    assert calls["call"] / 20 <= 46  # with a middleware for each attempt
    assert calls["c_call"] / 20 <= 33


async def test_a_request_costs_little_more_than_aiohttp_takes_by_itself() -> None:
    headers = {"Accept": "x", "X-Api-Key": "key", "X-Api-Secret": "secret"}
    request = Request(operation="x", method="POST", path="/x-sent", body=b"{}", is_bounded=True)
    async with FaultServer() as server, aiohttp.ClientSession(headers=headers) as session:
        transport = Transport(Credentials("key", "secret"), server.url, request_timeout=30)
        await transport.send(request)
        with counted(PACKAGE, AIOHTTP) as ours:
            for _ in range(20):
                await transport.send(request)
        with counted(AIOHTTP) as theirs:
            for _ in range(20):
                async with session.post(f"{server.url}/x-sent", data=b"{}") as response:
                    await response.read()
        await transport.aclose()

    assert sum(ours.values()) <= 1.3 * sum(theirs.values())


@pytest.mark.slow
async def test_memory_does_not_grow_with_the_records_delivered() -> None:
    peaks = {}
    for pages in (20, 100):
        account = Account(pages * 100 - 1, arrives_every=10**9)  # answers are not kept
        async with account.client() as client:
            gc.collect()
            tracemalloc.start()
            await read(client)
            peaks[pages] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()

    assert peaks[100] - peaks[20] <= 0.2 * peaks[20]


@pytest.mark.parametrize(("total", "requests"), [(40 * 100 - 1, 40), (40 * 100, 41), (0, 1)])
async def test_a_quiet_history_costs_as_many_requests_as_pages(total: int, requests: int) -> None:
    account = Account(total)

    async with account.client() as client:
        count = await read(client)

    assert (count, account.requests) == (total, requests)


async def test_arrivals_cost_few_requests() -> None:
    """One payment per 5 round trips with 8 requests in flight, answered in any order."""
    pages, in_flight = 200, 8
    account = Account(pages * 100 - 37, arrives_every=5 * in_flight, is_unsteady=True)

    async with account.client() as client:
        count = await read(client, max_concurrency=in_flight)

    assert count == pages * 100 - 37
    assert account.requests / pages <= 1.15


@pytest.mark.parametrize("envelope", [ListEnvelope, PaymentEnvelope])
def test_wire_types_are_decoded_by_msgspec_alone(envelope: type[Any]) -> None:
    hook: Any = own_converter().get_loads_hook(envelope)

    assert isinstance(hook.__self__, msgspec.json.Decoder)


def test_the_client_imports_nothing_that_its_dependencies_do_not() -> None:
    program = (
        "import aiohttp, attrs, backoff, cattrs.preconf.msgspec, msgspec, sys\n"
        "before = set(sys.modules)\n"
        "from paywint_async import PaywintClient\n"
        "assert PaywintClient.__module__ in sys.modules\n"
        "print(*(m for m in set(sys.modules) - before if not m.startswith('paywint_async')))"
    )

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )

    assert loaded.stdout.split() == []


@pytest.mark.real_time
async def test_the_benchmarks_measure_the_same_work() -> None:
    server, peers, ours = load("_server"), load("_peers"), load("_ours")
    with server.serving(pinned=False) as address:
        url = server.place(address, records=1_063, latency_ms=1)
        async with ours.client(url) as paywint, peers.aiohttp_session() as session:
            counts = [await ours.read(paywint, 4), await peers.hand_written(session, url, 4)]
            pages = await peers.bytes_only(session, url, 4) / peers.ROWS

    assert counts == [1_063, 1_063]
    assert pages == 11
