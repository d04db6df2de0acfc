"""The log: what its records contain, how it is enabled, and that it shows no secret."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from fault_server import (
    API_KEY,
    API_SECRET,
    CLOSE_UNANSWERED,
    CUT_BODY,
    GOOD,
    SILENCE,
    FaultServer,
    answer,
)

import paywint_async
from paywint_async import (
    ConfigurationError,
    PaywintClient,
    PaywintError,
    RateLimit,
    RetryPolicy,
)
from paywint_async._log import logger

QUICK = RetryPolicy(max_attempts=3, base_delay=0)
ONE_CALL = """
import asyncio, sys
from paywint_async import PaywintClient
from paywint_async.emulator import Emulator

async def main():
    async with Emulator(payments=1) as emulator:
        keys = emulator.api_key, emulator.api_secret
        async with PaywintClient(*keys, base_url=emulator.url) as client:
            await client.payments.page("sent", 1)

asyncio.run(main())
"""


@pytest.fixture
def records(caplog) -> Iterator[list[logging.LogRecord]]:
    """All records of the SDK's logger, from DEBUG on."""
    caplog.set_level(logging.DEBUG, logger="paywint_async")
    seen: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = seen.append
    logger.addHandler(handler)
    yield seen
    logger.removeHandler(handler)


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """The additional fields of a record."""
    prefix = "paywint_"
    own = {k.removeprefix(prefix): v for k, v in vars(record).items() if k.startswith(prefix)}
    own.pop("seconds", None)
    return own


async def read(client: PaywintClient) -> object:
    return await client.payments.page("received", 1)


class TestARecord:
    async def test_of_an_attempt_describes_request_and_answer(self, connect, records):
        headers = "X-Request-Id: r-1\r\n"
        async with FaultServer(answer(body=b"{}", headers=headers)) as server:
            await connect(server).request("POST", "/a/b?token=hush?", json={"name": "hush"})
        (record,) = records
        assert record.levelno == logging.DEBUG
        assert record.getMessage().startswith("request: attempt 1: POST /a/b: 200 in 0.0")
        assert record.getMessage().endswith(" s (request id r-1)")
        assert fields_of(record) == {
            "event": "attempt",
            "operation": "request",
            "attempt": 1,
            "method": "POST",
            "path": "/a/b",
            "status": 200,
            "bytes_received": record.paywint_bytes_received,
            "request_id": "r-1",
            "error": None,
        }
        assert 0 <= record.paywint_seconds < 1
        assert record.paywint_bytes_received == 2

    async def test_of_an_attempt_without_an_answer_names_the_error(self, connect, records):
        async with FaultServer(CLOSE_UNANSWERED, GOOD) as server:
            await read(connect(server, retry=QUICK))
        attempts = [each for each in records if fields_of(each)["event"] == "attempt"]
        assert [(each.paywint_status, each.paywint_error) for each in attempts] == [
            (None, "TransportError"),
            (200, None),
        ]
        assert ": TransportError in 0." in attempts[0].getMessage()
        assert attempts[1].getMessage().endswith(" s")

    async def test_of_a_retry_is_a_warning(self, connect, records):
        async with FaultServer(answer(503), GOOD) as server:
            await read(connect(server, retry=QUICK))
        (record,) = [each for each in records if each.levelno == logging.WARNING]
        assert fields_of(record) == {
            "event": "retry",
            "operation": "received",
            "attempt": 1,
            "wait": 0.0,
            "reason": "status 503",
        }

    async def test_of_a_cooldown_says_how_long(self, connect, records):
        async with FaultServer(answer(429, headers="Retry-After: 3\r\n"), GOOD) as server:
            await read(connect(server, retry=QUICK))
        (record,) = [each for each in records if each.levelno == logging.INFO]
        assert record.getMessage() == "received: the API answered 429, no request leaves for 3 s"
        assert (record.paywint_event, record.paywint_seconds) == ("cooldown", 3)

    async def test_is_compatible_with_fields_that_the_application_sets(self, connect, records):
        former = logging.getLogRecordFactory()

        def with_request_id(*arguments, **named) -> logging.LogRecord:
            record = former(*arguments, **named)
            record.request_id = record.operation = record.status = "the application's"
            return record

        logging.setLogRecordFactory(with_request_id)
        try:
            async with FaultServer() as server:
                await read(connect(server))
        finally:
            logging.setLogRecordFactory(former)
        assert [each.request_id for each in records] == ["the application's"]

    async def test_is_not_made_below_the_level(self, connect, caplog):
        caplog.set_level(logging.INFO, logger="paywint_async")
        async with FaultServer() as server:
            await read(connect(server))
        assert caplog.records == []

    async def test_is_made_once_the_level_is_lowered(self, connect, caplog):
        caplog.set_level(logging.INFO, logger="paywint_async")
        async with FaultServer() as server:
            client = connect(server)
            caplog.set_level(logging.DEBUG, logger="paywint_async")
            await read(client)
        assert len(caplog.records) == 1


async def test_no_record_of_a_faulty_run_shows_a_secret(connect, records, monkeypatch):
    secrets = ["hush-1", "hush-2", "hush-3", "hush-4", "hush-5", API_KEY, API_SECRET]
    echo = (
        f"Set-Cookie: session=hush-1\r\nX-Auth-Token: hush-1\r\nX-Echo: {API_SECRET}\r\n"
        f"X-Request-Id: {API_KEY}\r\n"
    )
    body = f'{{"message": "hush-2 {API_KEY} {API_SECRET}"}}'.encode()
    faults = [
        answer(503, body=body, headers=echo),
        answer(429, body=body, headers=f"{echo}Retry-After: 1\r\n"),
        CLOSE_UNANSWERED,
        CUT_BODY,
        SILENCE,
        answer(400, body=body, headers=echo),
        answer(401, body=body, headers=echo),
        answer(body=body, headers=echo),
        answer(302, headers=f"{echo}Location: https://hush-2.example/\r\n"),
    ]
    async with FaultServer(*faults * 4) as server:
        limit = RateLimit(50)
        client = connect(server, retry=QUICK, request_timeout=2, rate_limit=limit)
        view = client.with_options(headers={"X-Secret": "hush-3"})
        calls = [
            lambda: view.request("GET", "/x?token=hush-4"),
            lambda: view.payments.create_link(5, description="hush-5"),
            lambda: view.payments.get("d4211545-cfc9-4aa0-8fcc-e4c2639e8052"),
            lambda: view.payments.received().collect(),
        ]
        for call in calls * 4:
            with suppress(PaywintError):
                await call()
    monkeypatch.setenv("HTTPS_PROXY", "http://user:hush-3@127.0.0.1:1")
    async with PaywintClient(
        API_KEY, API_SECRET, base_url="https://api.example", retry=QUICK
    ) as client:
        with pytest.raises(PaywintError):
            await read(client)
    assert len(records) > 20
    shown = [f"{each.getMessage()} {vars(each)}" for each in records]
    assert [text for text in shown if any(secret in text for secret in secrets)] == []


class TestTheVariable:
    def run(self, program: str, **variables: str) -> str:
        package = str(Path(paywint_async.__file__).parents[1])
        finished = subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"PYTHONPATH": package} | variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert finished.stdout == ""
        return finished.stderr

    def test_prints_each_attempt_once_at_its_level(self):
        """All levels in one process, since starting one is slow; a new client for each."""
        levels = ["", "error", "warning", "info", "debug", "DEBUG"]
        each = "asyncio.run(main()); print('---', file=sys.stderr)"
        program = ONE_CALL.replace("import asyncio, sys", "import asyncio, os, sys").replace(
            "asyncio.run(main())", f"for os.environ['PAYWINT_LOG'] in {levels}: {each}"
        )
        *silent, first, second, rest = self.run(program).split("---\n")
        assert (silent, rest) == (["", "", "", ""], "")
        for printed in (first, second):
            (line,) = printed.splitlines()
            assert " DEBUG paywint_async: sent: attempt 1: POST " in line

    def test_prints_nothing_if_the_application_configures_logging(self):
        own = "import logging; logging.basicConfig(format='own: %(message)s')\n"
        (line,) = self.run(own + ONE_CALL, PAYWINT_LOG="debug").splitlines()
        assert line.startswith("own: sent: attempt 1")

    def test_with_an_unknown_level_is_refused(self, monkeypatch):
        monkeypatch.setenv("PAYWINT_LOG", "loud")
        with pytest.raises(ConfigurationError, match=r"PAYWINT_LOG must be debug, .*'loud'"):
            PaywintClient("key", "secret")

    def test_does_not_change_the_level_if_unset(self):
        assert logger.level == logging.NOTSET
