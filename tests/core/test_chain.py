"""The middleware chain between the caller and the transport."""

from __future__ import annotations

import attrs
import pytest
from fault_server import API_KEY, API_SECRET, CLOSE_UNANSWERED, LINK, FaultServer, answer

from paywint_async import APIError, PaymentLink, RateLimit, Request, Response
from paywint_async._middleware import compose

REQUEST = Request(operation="get", method="GET", path="/x")


async def echo(request: Request) -> Response:
    return Response(status=200, body=request.path.encode())


def appends(letter: str):
    """A middleware that adds its letter to the request and to the answer."""

    async def middleware(request, handler):
        response = await handler(attrs.evolve(request, path=request.path + letter))
        return attrs.evolve(response, body=response.body + letter.upper().encode())

    return middleware


async def test_the_first_middleware_is_the_outermost():
    handler = compose([appends("a"), appends("b"), appends("c")], echo)
    assert (await handler(REQUEST)).body == b"/xabcCBA"


async def test_an_empty_chain_is_the_handler():
    assert compose([], echo) is echo


async def test_a_chain_can_be_reused():
    handler = compose(iter([appends("a")]), echo)
    assert [(await handler(REQUEST)).body for _ in range(2)] == [b"/xaA", b"/xaA"]


async def test_a_middleware_may_answer_without_sending(connect):
    async def cached(request, handler):
        return Response(status=200, body=LINK)

    async with FaultServer() as server:
        link = await connect(server, middlewares=[cached]).payments.create_link(5)
    assert (type(link), server.requests) == (PaymentLink, [])


async def test_a_middleware_may_change_the_request(connect):
    async def trace(request, handler):
        return await handler(attrs.evolve(request, headers={"X-Trace": "7"}))

    async with FaultServer() as server:
        await connect(server, middlewares=[trace]).payments.page("sent", 1)
    assert server.requests[0].headers["x-trace"] == "7"


async def test_a_middleware_may_change_the_answer(connect):
    async def down(request, handler):
        return attrs.evolve(await handler(request), status=404, body=b"")

    async with FaultServer() as server:
        with pytest.raises(APIError) as caught:
            await connect(server, middlewares=[down]).payments.page("sent", 1)
    assert caught.value.status == 404


async def test_a_middlewares_own_error_reaches_the_caller(connect):
    async def broken(request, handler):
        raise LookupError("mine")

    async with FaultServer() as server:
        with pytest.raises(LookupError, match="mine"):
            await connect(server, middlewares=[broken]).payments.create_link(5)


async def test_a_middleware_is_called_once_for_all_attempts_of_an_operation(connect):
    seen = []

    async def count(request, handler):
        seen.append(request.operation)
        return await handler(request)

    async with FaultServer(CLOSE_UNANSWERED, answer(503), answer()) as server:
        await connect(server, middlewares=[count]).payments.page("received", 1)
    assert (seen, len(server.requests)) == (["received"], 3)


async def test_a_middleware_sees_no_credentials(connect):
    seen = []

    async def spy(request, handler):
        response = await handler(request)
        seen.append(repr((request, handler, response, attrs.asdict(request))))
        return response

    async with FaultServer() as server:
        client = connect(server, middlewares=[spy], rate_limit=RateLimit(100))
        await client.payments.create_link(5)
    assert server.requests[0].headers["x-api-secret"] == API_SECRET
    assert [secret for secret in (API_KEY, API_SECRET) if secret in seen[0]] == []


async def test_a_middleware_cannot_replace_the_credentials(connect):
    async def impostor(request, handler):
        return await handler(attrs.evolve(request, headers={"X-Api-Secret": "other"}))

    async with FaultServer() as server:
        await connect(server, middlewares=[impostor]).payments.create_link(5)
    assert server.requests[0].headers["x-api-secret"] == API_SECRET
