"""Connects a `WebhookReceiver` to web frameworks, each of which is imported only when it is used.

This module does not postpone annotations, since FastAPI reads those of the endpoint.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, MutableMapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeAlias

from paywint_async.webhooks._parsing import MAX_BODY
from paywint_async.webhooks._receiver import BAD_REQUEST, NOT_ALLOWED, WebhookReceiver

if TYPE_CHECKING:
    from aiohttp.web import Request as AiohttpRequest
    from aiohttp.web import Response as AiohttpResponse
    from starlette.requests import Request as StarletteRequest
    from starlette.responses import Response as StarletteResponse

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]


def aiohttp_handler(
    receiver: WebhookReceiver,
) -> "Callable[[AiohttpRequest], Awaitable[AiohttpResponse]]":
    """For aiohttp: ``app.router.add_post("/webhooks", aiohttp_handler(receiver))``."""
    from aiohttp import web

    async def handle(request: web.Request) -> web.Response:
        try:
            # If a middleware has read the body, the stream is empty, and aiohttp has kept the body.
            body = await _read(request.content.iter_any()) or await request.read()
        except (ConnectionError, web.RequestPayloadError):  # disconnected, or invalid HTTP
            return web.Response(status=BAD_REQUEST)
        status = await receiver.handle(request.method, request.headers.items(), body)
        return web.Response(status=status, headers=_headers(status))

    return handle


def starlette_endpoint(
    receiver: WebhookReceiver,
) -> "Callable[[StarletteRequest], Awaitable[StarletteResponse]]":
    """For Starlette and FastAPI: ``app.add_route("/webhooks", endpoint, methods=["POST"])``."""
    from starlette.requests import ClientDisconnect, Request
    from starlette.responses import Response

    async def endpoint(request: Request) -> Response:
        try:
            async with aclosing(
                request.stream()
            ) as chunks:  # works also if the body was read before
                body = await _read(chunks)
        except ClientDisconnect:
            return Response(status_code=BAD_REQUEST)
        status = await receiver.handle(request.method, request.scope["headers"], body)
        return Response(status_code=status, headers=_headers(status))

    return endpoint


def asgi_app(receiver: WebhookReceiver) -> "Callable[[_Message, _Receive, _Send], Awaitable[None]]":
    """Makes an ASGI application, to serve or mount: ``app.mount("/webhooks", …)``."""

    async def app(scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(f"webhooks come by http, not by {scope['type']}")
        status = await _take(receiver, scope, receive)
        headers = [(name.encode(), value.encode()) for name, value in _headers(status).items()]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body"})

    return app


async def _take(
    receiver: WebhookReceiver, scope: MutableMapping[str, Any], receive: _Receive
) -> int:
    async with aclosing(_chunks(receive)) as chunks:  # ends early if the body is too large
        body = await _read(chunks)
    return await receiver.handle(scope["method"], scope["headers"], body)


async def _chunks(receive: _Receive) -> AsyncGenerator[bytes, None]:
    """Yields the body; one that the sender cuts off stays incomplete, so that it is refused."""
    is_more = True
    while is_more:
        message = await receive()
        yield message.get("body", b"")
        is_more = message.get("more_body", False)


async def _read(chunks: AsyncIterable[bytes]) -> bytes:
    """Reads the body, but not much beyond the allowed size."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY:
            break
    return bytes(body)


def _headers(status: int) -> dict[str, str]:
    return {"Allow": "POST"} if status == NOT_ALLOWED else {}
