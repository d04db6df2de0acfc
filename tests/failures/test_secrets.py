"""The secret is sent to the API and appears nowhere else."""

from __future__ import annotations

import asyncio
import copy
import gc
import io
import logging
import pickle
import traceback
from typing import Any

import attrs
import pytest
from fault_catalogue import CATALOGUE
from fault_server import API_KEY, API_SECRET, GOOD, PAYMENT_ID, FaultServer, answer, redirect

from paywint_async import (
    AuthenticationError,
    ConfigurationError,
    Handler,
    PaywintClient,
    PaywintError,
    Request,
    Response,
    RetryPolicy,
    UnexpectedRedirectError,
)

SECRETS = (API_KEY, API_SECRET)
OWN = "paywint_async"


def shows(text: object) -> bool:
    return any(secret in str(text) for secret in SECRETS)


def frames_show(error: BaseException | None) -> list[str]:
    """The places in the package, along the error's chain, with a secret in a local variable."""
    places = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        for frame, line in traceback.walk_tb(error.__traceback__):
            code = frame.f_code
            is_ours = OWN in code.co_filename
            if is_ours and any(shows(_reach(value)) for value in frame.f_locals.values()):
                places.append(f"{code.co_qualname}:{line}")
        error = error.__cause__ or error.__context__
    return places


def _reach(value: object) -> str:
    """What a debugger or an error reporter shows of a local variable."""
    parts = [repr(value)]
    if hasattr(value, "__dict__"):
        parts.append(repr(vars(value)))
    if attrs.has(type(value)):
        parts.append(repr(attrs.asdict(value)))  # type: ignore[arg-type]
    return " ".join(parts)


@pytest.mark.parametrize("fault", CATALOGUE, ids=str)
async def test_no_error_shows_a_secret(fault: Any) -> None:
    log = io.StringIO()
    handler = logging.StreamHandler(log)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    try:
        async with FaultServer(fault) as server:
            retry = RetryPolicy(max_attempts=2, base_delay=0.01)
            client = PaywintClient(*SECRETS, base_url=server.url, retry=retry, request_timeout=5)
            async with client:
                for call in (client.payments.get(PAYMENT_ID), client.payments.create_link(5)):
                    try:
                        await call
                    except PaywintError as error:
                        assert not shows("".join(traceback.format_exception(error)))
                        assert not shows(repr(error) + str(error) + repr(vars(error)))
                        assert not shows(pickle.dumps(error))
                        assert error.__context__ is None or isinstance(
                            error.__context__, PaywintError
                        )
                        assert frames_show(error) == []
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert not shows(log.getvalue())


@pytest.mark.parametrize("status", [400, 401, 422, 500])
async def test_an_answer_that_echoes_the_secret_is_redacted(status: int) -> None:
    body = f'{{"success":false,"message":"bad secret {API_SECRET} of {API_KEY}"}}'.encode()
    retry = RetryPolicy(max_attempts=1)
    async with (
        FaultServer(answer(status, body), answer(200, body)) as server,
        PaywintClient(*SECRETS, base_url=server.url, retry=retry) as client,
    ):
        for _ in range(2):
            with pytest.raises(PaywintError) as caught:
                await client.payments.get(PAYMENT_ID)
            assert not shows(repr(vars(caught.value)) + str(caught.value))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_sends_nothing_to_another_address(status: int) -> None:
    async with FaultServer(GOOD) as other, FaultServer(redirect(status, other.url)) as server:
        async with PaywintClient(*SECRETS, base_url=server.url) as client:
            for call in (client.payments.get(PAYMENT_ID), client.payments.create_link(5)):
                with pytest.raises(UnexpectedRedirectError):
                    await call
        assert other.connections == 0


async def test_no_middleware_and_no_event_sees_a_secret() -> None:
    seen: list[object] = []

    async def look(request: Request, handler: Handler) -> Response:
        response = await handler(request)
        seen.extend((request, response, request.headers, response.headers))
        return response

    async with (
        FaultServer(GOOD) as server,
        PaywintClient(
            *SECRETS,
            base_url=server.url,
            middlewares=[look],
            attempt_middlewares=[look],
            on_event=seen.append,
        ) as client,
    ):
        await client.payments.get(PAYMENT_ID)
        await client.payments.received().collect()
        assert server.requests[0].headers["x-api-secret"] == API_SECRET
    assert len(seen) > 16
    assert not any(shows(repr(value)) for value in seen)


async def test_no_middleware_can_replace_the_credentials() -> None:
    async def meddle(request: Request, handler: Handler) -> Response:
        return await handler(
            attrs.evolve(request, headers={"X-Api-Secret": "other", "X-Mine": "1"})
        )

    async with (
        FaultServer(GOOD) as server,
        PaywintClient(*SECRETS, base_url=server.url, attempt_middlewares=[meddle]) as client,
    ):
        await client.payments.get(PAYMENT_ID)
    assert server.requests[0].headers["x-api-secret"] == API_SECRET
    assert server.requests[0].headers["x-mine"] == "1"


async def test_nothing_that_can_be_reached_from_a_client_shows_a_secret() -> None:
    async with FaultServer(GOOD) as server, PaywintClient(*SECRETS, base_url=server.url) as client:
        await client.payments.get(PAYMENT_ID)
        listing = client.payments.received()
        await listing.collect()
        for thing in (client, client.payments, listing, *_reachable(client)):
            assert not shows(_reach(thing))
        for copier in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                copier(client._core.transport._credentials)  # type: ignore[operator]


def _reachable(root: object) -> list[object]:
    """Every object of the package that can be reached through attributes and closures."""
    found: list[object] = []
    todo, seen = [root], {id(root)}
    while todo:
        for thing in gc.get_referents(todo.pop()):
            if id(thing) not in seen and type(thing).__module__.startswith(OWN):
                seen.add(id(thing))
                todo.append(thing)
                found.append(thing)
    return found


@pytest.mark.parametrize(
    "arguments",
    [
        {"environment": "moon"},
        {"base_url": "http://example.com"},
        {"base_url": "ftp://x"},
        {"max_concurrency": 0},
        {"request_timeout": -1},
        {"retry": None},
        {"rate_limit": 5},
        {"api_secret": API_SECRET + "\r\nX-Evil: 1"},
        {"api_key": API_KEY + "\x00"},
        {"api_key": ""},
    ],
    ids=str,
)
@pytest.mark.parametrize("from_env", [True, False])
def test_a_client_that_cannot_be_made_shows_no_secret(
    arguments: dict[str, Any], from_env: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYWINT_API_KEY", API_KEY)
    monkeypatch.setenv("PAYWINT_API_SECRET", API_SECRET)
    arguments = {"api_key": API_KEY, "api_secret": API_SECRET} | arguments
    if from_env and not arguments["api_key"]:
        monkeypatch.delenv("PAYWINT_API_KEY")
    make = PaywintClient.from_env if from_env else PaywintClient
    with pytest.raises(ConfigurationError) as caught:
        make(**arguments)
    assert not shows(caught.value)
    assert frames_show(caught.value) == []


async def test_a_refused_key_is_an_authentication_error() -> None:
    async with (
        FaultServer(answer(401, b'{"success":false,"message":"bad key"}')) as server,
        PaywintClient(*SECRETS, base_url=server.url) as client,
    ):
        with pytest.raises(AuthenticationError, match="bad key"):
            await client.payments.get(PAYMENT_ID)
