"""Accounts on real Dask clusters: killed workers, cancelled calls, and no secret on the wire."""

from __future__ import annotations

import asyncio
import multiprocessing.spawn
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client, LocalCluster
from many_accounts import Bank, served

from paywint_async import (
    Account,
    AccountReport,
    AuthenticationError,
    ConfigurationError,
    ExportSummary,
    RetryPolicy,
    SecretRef,
    TransportError,
    export_accounts,
)

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

RETRY = RetryPolicy(max_attempts=2, base_delay=0.01)


def worker_processes() -> list[psutil.Process]:
    """The worker processes that this process has started."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # the process has ended meanwhile
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


class KillOne:
    """Kills a worker while each one is running a step of the first account.

    A worker runs two steps at a time, so with three steps in flight each of two workers runs one.
    From the first step on, the account answers so slowly that no step can end before the kill.
    """

    def __init__(self, bank: Bank) -> None:
        self.bank = bank
        self.killed: list[int] = []
        self.begun = 0

    def __call__(self, report: AccountReport) -> None:
        if report.total != 1600 or report.status != "running" or self.killed:
            return
        if not self.begun:
            self.answer_after(3.0)
        self.begun += 1
        workers = worker_processes()  # one, where the other lost its connection as it started
        least = 2 * len(workers) - 1
        if self.begun >= least and self.bank.emulators[0].in_flight >= least:
            workers[0].send_signal(signal.SIGKILL)
            self.killed.append(workers[0].pid)
            self.answer_after(0.0)

    def answer_after(self, seconds: float) -> None:
        settings = self.bank.emulators[0]._fault_settings
        self.bank.call(lambda: settings.set(latency=seconds, rate_limit=None, failures=0.0))


def bad_account(bank: Bank) -> Account:
    """An account with the secret of another account."""
    key, secret = SecretRef.env("TEST_KEY_0"), SecretRef.env("TEST_SECRET_1")
    return Account("bad", api_key=key, api_secret=secret, base_url=bank.emulators[0].url)


def start_processes_by(program: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts workers by this program, but not the semaphore tracker, which outlives this test."""
    resource_tracker.ensure_running()
    monkeypatch.setattr(multiprocessing.spawn, "_python_exe", os.fsencode(program))


@contextmanager
def first_worker_start(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[asyncio.Future[None]]:
    """A future that is done once a worker process has started: it writes its arguments to a pipe."""
    loop = asyncio.get_running_loop()
    begins = loop.create_future()
    os.mkfifo(pipe := folder / "pipe")
    script = folder / "python"
    script.write_text(f'#!/bin/sh\necho "$@" > {pipe}\nexec {sys.executable} "$@"\n')
    script.chmod(0o755)
    start_processes_by(script, monkeypatch)
    reading = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)

    def hear() -> None:
        if b"spawn_main" in os.read(reading, 65536) and not begins.done():
            begins.set_result(None)

    loop.add_reader(reading, hear)
    try:
        yield begins
    finally:
        loop.remove_reader(reading)
        os.close(reading)


async def test_after_a_killed_worker_its_steps_are_repeated_and_no_payment_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served([800, 350, 120, 0], latency=0.05) as bank:
        kill = KillOne(bank)
        accounts = bank.accounts(monkeypatch.setenv)
        summary = await export_accounts(
            [*accounts, bad_account(bank)],
            tmp_path / "{account}.jsonl",
            cluster=2,
            on_progress=kill,
            max_concurrency=1,
            retry=RETRY,
            split_above=400,
        )

        assert len(kill.killed) == 1
        assert [report.account for report in summary.failed] == ["bad"]
        assert isinstance(summary.failed[0].error, AuthenticationError)
        assert [report.new for report in summary] == [1600, 700, 240, 0, 0]
        assert max(report.attempts for report in summary) > 1
        for number, account in enumerate(accounts):
            assert bank.holds_exactly(number, tmp_path / f"{account.name}.jsonl")
    assert worker_processes() == []
    assert not list(tmp_path.glob("*.ranges"))


async def test_a_cancelled_call_leaves_no_process_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served([900], latency=0.1) as bank:
        is_under_way = asyncio.Event()
        call = asyncio.create_task(
            export_accounts(
                bank.accounts(monkeypatch.setenv),
                tmp_path,
                cluster=1,
                max_concurrency=1,
                on_progress=lambda report: report.payments and is_under_way.set(),
            )
        )
        await asyncio.wait_for(is_under_way.wait(), 30)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call

        assert worker_processes() == []


async def test_a_cancellation_while_the_cluster_starts_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account("a", api_key=SecretRef.env("X"), api_secret=SecretRef.env("X"))
    with first_worker_start(tmp_path, monkeypatch) as worker_begins:
        call = asyncio.create_task(export_accounts([account], tmp_path, cluster=1))
        await asyncio.wait_for(worker_begins, 30)
        assert len(worker_processes()) == 1
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call

    assert worker_processes() == []


async def test_workers_that_do_not_start_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = Account("a", api_key=SecretRef.env("X"), api_secret=SecretRef.env("X"))
    # Like a script without `if __name__ == "__main__":`, the process ends before it is a worker.
    start_processes_by(Path("/bin/false"), monkeypatch)

    with pytest.raises(ConfigurationError, match="the workers did not start"):
        await export_accounts([account], tmp_path, cluster=1)

    assert worker_processes() == []


@asynccontextmanager
async def threads(**options: Any) -> AsyncIterator[LocalCluster]:
    """A cluster in this process, whose worker runs in threads."""
    async with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        asynchronous=True,
        dashboard_address="127.0.0.1:0",
        **options,
    ) as cluster:
        yield cluster


async def export(
    accounts: list[Account], destination: object, cluster: object, **options: Any
) -> ExportSummary:
    return await export_accounts(accounts, destination, cluster=cluster, retry=RETRY, **options)


async def test_an_existing_cluster_is_used_and_not_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served([250, 30]) as bank:
        accounts = bank.accounts(monkeypatch.setenv)
        async with threads() as cluster:
            async with Client(cluster, asynchronous=True) as client:
                first = await export(accounts, tmp_path, client)
                assert await client.submit(int, 5) == 5
            bank.arrive(0, 20)
            second = await export(accounts, tmp_path, cluster)
            third = await export(accounts, tmp_path, cluster.scheduler_address)

        assert [summary.new for summary in (first, second, third)] == [560, 20, 0]
        assert [summary.payments for summary in (first, second, third)] == [560, 580, 580]
        for number, account in enumerate(accounts):
            assert bank.holds_exactly(number, tmp_path / f"{account.name}.jsonl")


async def test_cancelled_tasks_end_on_an_existing_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served([900], latency=0.1) as bank:
        accounts = bank.accounts(monkeypatch.setenv, direction="sent")
        async with threads() as cluster:
            is_under_way = asyncio.Event()
            call = asyncio.create_task(
                export(
                    accounts,
                    tmp_path,
                    cluster,
                    max_concurrency=1,
                    on_progress=lambda report: report.payments and is_under_way.set(),
                )
            )
            await asyncio.wait_for(is_under_way.wait(), 30)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

            # The cancelled thread has committed its payments and closed the file.
            summary = await export(accounts, tmp_path, cluster)

        assert summary.is_complete
        assert 0 < summary.new < 900
        assert bank.holds_exactly(0, tmp_path / "account-000.jsonl", "sent")


async def test_no_secret_is_on_the_wire_or_in_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    seen = bytearray()
    with served([150, 30]) as bank:
        accounts = bank.accounts(monkeypatch.setenv)
        secrets = [each.api_secret for each in bank.emulators]
        async with threads(protocol="tcp://", host="127.0.0.1") as cluster:
            async with wiretap(cluster.scheduler_address, seen) as address:
                summary = await export([*accounts, bad_account(bank)], tmp_path, address)
            told = repr(cluster.scheduler.get_events()) + repr(vars(cluster.scheduler))

    assert [report.account for report in summary.failed] == ["bad"]
    assert b"TEST_SECRET_1" in seen  # the traffic was recorded, uncompressed
    assert not any(secret.encode() in seen for secret in secrets)
    assert not any(secret in told + caplog.text + repr(summary) for secret in secrets)


@asynccontextmanager
async def wiretap(address: str, seen: bytearray) -> AsyncIterator[str]:
    """A proxy to another address that records all bytes."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    pumps: list[asyncio.Task[None]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            seen.extend(data)
            writer.write(data)
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection(host, int(port))
        pumps.append(asyncio.create_task(pump(behind, writer)))
        pumps.append(asyncio.create_task(pump(reader, ahead)))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield f"tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await asyncio.gather(*pumps, return_exceptions=True)


async def test_a_missing_scheduler_is_an_error(tmp_path: Path) -> None:
    account = Account("a", api_key=SecretRef.env("X"), api_secret=SecretRef.env("X"))

    with (
        dask.config.set({"distributed.comm.timeouts.connect": "0.2s"}),
        pytest.raises(TransportError, match=r"cannot reach the scheduler at tcp://127\.0\.0\.1:1"),
    ):
        await export_accounts([account], tmp_path, cluster="tcp://127.0.0.1:1")
