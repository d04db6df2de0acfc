"""Fixtures: the command in this process or as a separate one, and an emulated account."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import attrs
import pytest

from paywint_async import PaywintClient
from paywint_async._cli import main
from paywint_async.emulator import Emulator

TIMEOUT = 30  # seconds: reached only by a hanging test


@attrs.frozen(kw_only=True)
class Outcome:
    """The exit code and output of a command."""

    code: int
    out: str
    err: str


class Account:
    """An emulator in a separate thread, so that commands in any process can use it."""

    def __init__(self, emulator: Emulator, loop: asyncio.AbstractEventLoop) -> None:
        self._emulator = emulator
        self._loop = loop
        self.environment = {
            "PAYWINT_API_KEY": emulator.api_key,
            "PAYWINT_API_SECRET": emulator.api_secret,
            "PAYWINT_BASE_URL": emulator.url,
        }

    def _call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def call() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(TIMEOUT)

    def ids(self, direction: str = "received") -> list[str]:
        """Every id, newest first."""
        ids: list[str] = self._call(self._emulator.history, direction)
        return ids

    def arrive(self, count: int, direction: str = "received") -> None:
        self._call(self._emulator.arrive, direction, count)

    def truth(self, direction: str = "received") -> dict[str, str]:
        """The status of every payment by its id, newest first."""
        return asyncio.run(self._statuses(direction))

    async def _statuses(self, direction: str) -> dict[str, str]:
        keys = self._emulator.api_key, self._emulator.api_secret
        async with PaywintClient(*keys, base_url=self._emulator.url) as client:
            list_ = client.payments.sent if direction == "sent" else client.payments.received
            return {str(each.payment_id): each.status.value async for each in list_()}

    def let(self, event: str, payment_id: str) -> Any:
        """Applies ``pay``, ``fail``, ``retry`` or another event of the emulator to a payment."""
        happens = getattr(self._emulator, event)(payment_id)
        return asyncio.run_coroutine_threadsafe(happens, self._loop).result(TIMEOUT)

    def note_arrivals(self) -> list[float]:
        """A list to which the time of each further request is added, by the emulator's clock."""
        times: list[float] = []
        self._call(self._emulator.journal.subscribe, lambda each: times.append(each.started))
        return times

    @property
    def request_count(self) -> int:
        return self._emulator.request_count

    @property
    def peak_in_flight(self) -> int:
        return self._emulator.peak_in_flight

    def after_requests(self, count: int, act: Callable[[Emulator], Any]) -> None:
        """Calls `act` once this many more requests have arrived, answered or not."""
        asyncio.run_coroutine_threadsafe(self._act_after(count, act), self._loop)

    async def _act_after(self, count: int, act: Callable[[Emulator], Any]) -> None:
        emulator = self._emulator
        seen = emulator.request_count + emulator.in_flight
        while emulator.request_count + emulator.in_flight < seen + count:
            await asyncio.sleep(0)
        if inspect.isawaitable(result := act(emulator)):
            await result


@contextmanager
def served(**arguments: Any) -> Iterator[Account]:
    started = threading.Event()
    accounts: list[Account] = []
    ends: list[asyncio.Event] = []

    async def serve() -> None:
        async with Emulator(**{"hostile": True} | arguments) as emulator:
            ends.append(asyncio.Event())
            accounts.append(Account(emulator, asyncio.get_running_loop()))
            started.set()
            await ends[0].wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert started.wait(TIMEOUT)
    try:
        yield accounts[0]
    finally:
        accounts[0]._loop.call_soon_threadsafe(ends[0].set)
        thread.join(TIMEOUT)


@pytest.fixture
def serve() -> Iterator[Callable[..., Account]]:
    """`serve(payments=..., latency=...)`: an emulated account, stopped when the test ends."""
    with ExitStack() as running:
        yield lambda **arguments: running.enter_context(served(**arguments))


@pytest.fixture(autouse=True)
def no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """Removes the environment variables of the developer who runs the tests."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    for name in list(os.environ):
        if name.startswith("PAYWINT_") and name != "PAYWINT_CRASH_RUNS":
            monkeypatch.delenv(name)


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], None]:
    """`use(environment)`: sets these environment variables until the test ends."""

    def set_all(environment: dict[str, str]) -> None:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    return set_all


@pytest.fixture
def paywint(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """`paywint(*arguments)`: runs the command in this process."""

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = main([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Outcome(code=code, out=out, err=err)

    return run


Process = subprocess.Popen[str]


@pytest.fixture
def start() -> Iterator[Callable[..., Process]]:
    """`start(*arguments, **options)`: the command as a process, killed when the test ends."""
    processes: list[Process] = []

    def popen(*arguments: object, **options: Any) -> Process:
        command = [sys.executable, "-W", "error", "-m", "paywint_async", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        process = subprocess.Popen(command, text=True, **{**pipes, **options})
        processes.append(process)
        return process

    yield popen
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def end() -> Callable[[Process], Outcome]:
    """`end(process)`: waits for the process; its output and exit code."""

    def wait(process: Process) -> Outcome:
        out, err = process.communicate(timeout=TIMEOUT)
        return Outcome(code=process.returncode, out=out or "", err=err or "")

    return wait


@pytest.fixture
def wait_until() -> Callable[[Process, Callable[[], bool]], None]:
    """`wait_until(process, condition)`: polls; fails if the process ends before."""

    def poll(process: Process, condition: Callable[[], bool]) -> None:
        for _ in range(TIMEOUT * 200):
            if condition():
                return
            try:
                process.wait(timeout=0.005)
            except subprocess.TimeoutExpired:
                continue
            break
        assert condition(), "the process ended or timed out before the condition was true"

    return poll
