"""Through a real forward proxy with authentication, `proxy.py` from PyPI: `nox -s proxy`.

The API has this machine's host name, which the proxy resolves; loopback would bypass the proxy.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fault_catalogue import certificate_of, trusting
from fault_server import API_KEY, API_SECRET, FaultServer

from paywint_async import PaywintClient, RetryPolicy, TransportError

pytestmark = pytest.mark.real_time
HOST = socket.gethostname()
LOGIN = "somebody:the-password"
SECONDS = 30  # the longest time to start
ONCE = RetryPolicy(max_attempts=1)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Host and port of a proxy that requires a password."""
    port_file = tmp_path_factory.mktemp("proxy") / "port"
    options = ["--hostname", "127.0.0.1", "--port", "0", "--num-workers", "1"]
    options += ["--port-file", str(port_file), "--basic-auth", LOGIN, "--log-level", "ERROR"]
    process = subprocess.Popen([sys.executable, "-m", "proxy", *options])
    try:
        yield f"127.0.0.1:{_port_in(port_file, process)}"
    finally:
        process.terminate()
        process.wait(SECONDS)


def _port_in(file: Path, process: subprocess.Popen[bytes]) -> str:
    async def wait() -> str:
        async with asyncio.timeout(SECONDS):
            while not (file.exists() and file.read_text().strip()):
                assert process.poll() is None, "the proxy has ended"
                await asyncio.sleep(0.05)
            return file.read_text().strip()

    return asyncio.run(wait())


@pytest.fixture
async def api() -> AsyncIterator[FaultServer]:
    async with FaultServer(tls=certificate_of(HOST)) as server:
        server.url = f"https://{HOST}:{urlsplit(server.url).port}"
        yield server


def client_of(api: FaultServer, proxy: str | None) -> PaywintClient:
    return PaywintClient(
        API_KEY,
        API_SECRET,
        base_url=api.url,
        proxy=proxy,
        ssl_context=trusting(),
        retry=ONCE,
    )


async def test_reads_and_creates_reach_the_api_by_tls(api: FaultServer, proxy: str) -> None:
    async with client_of(api, f"http://{LOGIN}@{proxy}") as client:
        assert (await client.payments.page("sent", 1)).total_records == 1
        await client.payments.create_link(Decimal("150.75"))
        assert len(await client.payments.received().collect()) == 1
    assert [seen.headers["x-api-secret"] for seen in api.requests] == [API_SECRET] * 3
    assert not any("proxy" in name for seen in api.requests for name in seen.headers)


async def test_the_environment_can_name_the_proxy(
    api: FaultServer, proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://{LOGIN}@{proxy}")
    async with client_of(api, None) as client:
        await client.payments.create_link(5)
    assert len(api.requests) == 1


@pytest.mark.parametrize("login", ["", "somebody:another-password@"])
async def test_a_wrong_password_is_reported_and_nothing_was_created(
    api: FaultServer, proxy: str, login: str
) -> None:
    async with client_of(api, f"http://{login}{proxy}") as client:
        with pytest.raises(TransportError, match="answered 407; check") as caught:
            await client.payments.create_link(5)
    assert not caught.value.sent
    assert "another-password" not in str(caught.value)
    assert api.requests == []


async def test_an_api_that_the_proxy_cannot_reach_has_created_nothing(
    api: FaultServer, proxy: str
) -> None:
    api.url = f"https://{HOST}:1"
    async with client_of(api, f"http://{LOGIN}@{proxy}") as client:
        with pytest.raises(TransportError) as caught:
            await client.payments.create_link(5)
    assert not caught.value.sent
    assert f"the proxy http://{proxy}" in str(caught.value)
