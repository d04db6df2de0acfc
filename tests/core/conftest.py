"""Fixtures: clients and transports of a test server, and all that an error could show."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import API_KEY, API_SECRET, FaultServer

from paywint_async import PaywintClient, PaywintError, Request
from paywint_async._config import Credentials
from paywint_async._transport import Transport
from paywint_async.emulator import Emulator

Connect = Callable[..., PaywintClient]
CREATE = Request(
    operation="create_link", method="POST", path="/api/x", body=b"{}", repeatable=False
)
TESTS = str(Path(__file__).parent.parent)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """`connect(server, **options)`: a client of that server, closed when the test ends."""
    clients: list[PaywintClient] = []

    def new_client(server: FaultServer | Emulator, **options: Any) -> PaywintClient:
        key = getattr(server, "api_key", API_KEY)
        secret = getattr(server, "api_secret", API_SECRET)
        clients.append(PaywintClient(key, secret, base_url=server.url, **options))
        return clients[-1]

    yield new_client
    for client in clients:
        await client.aclose()


@pytest.fixture
async def transport_for() -> AsyncIterator[Callable[..., Transport]]:
    """`transport_for(server, **options)`: a transport, closed when the test ends."""
    transports: list[Transport] = []

    def new_transport(server: FaultServer, request_timeout: float = 30.0, **options: Any) -> Any:
        credentials = Credentials(API_KEY, API_SECRET)
        transports.append(
            Transport(credentials, server.url, request_timeout=request_timeout, **options)
        )
        return transports[-1]

    yield new_transport
    for transport in transports:
        await transport.aclose()


@pytest.fixture
def failure_of() -> Callable[..., Awaitable[PaywintError]]:
    """`await failure_of(transport, request=…)`: the error of one attempt, by default of a create."""

    async def send(transport: Transport, request: Request = CREATE) -> PaywintError:
        with pytest.raises(PaywintError) as caught:
            await transport.send(request)
        return caught.value

    return send


@pytest.fixture
def shown() -> Callable[..., str]:
    """`shown(error)`: everything that a log, a pickle or a debugger could show of an error.

    ``strict``: a repr that raises fails the test; otherwise it counts as showing nothing.
    """

    def show(error: BaseException, *, strict: bool = False) -> str:
        show_local = repr if strict else _repr_as_debuggers_do
        parts = [*traceback.format_exception(error), repr(pickle.dumps(error))]
        for link in _chain(error):
            parts += [str(link), repr(link), repr(vars(link)), repr(link.args)]
            parts += [show_local(local) for frame in _frames(link) for local in frame.values()]
        return "\n".join(parts)

    return show


def _repr_as_debuggers_do(value: object) -> str:
    try:
        return repr(value)
    except Exception as error:
        return f"<no repr: {error}>"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _frames(error: BaseException) -> Iterator[dict[str, Any]]:
    """The local variables of each frame outside the tests."""
    for frame, _line in traceback.walk_tb(error.__traceback__):
        if not frame.f_code.co_filename.startswith(TESTS):
            yield frame.f_locals
