"""A `WebhookReceiver` in a web framework; each is imported only by whoever uses it.

Annotations are not postponed in this module: FastAPI reads those of the endpoint.
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
            # Nothing is left where a middleware has read the body, which aiohttp then keeps.
            body = await _read(request.content.iter_any()) or await request.read()
        except (ConnectionError, web.RequestPayloadError):  # it went away, or wrote no proper HTTP
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
            async with aclosing(request.stream()) as chunks:  # also where it was read already
                body = await _read(chunks)
        except ClientDisconnect:
            return Response(status_code=BAD_REQUEST)
        status = await receiver.handle(request.method, request.scope["headers"], body)
        return Response(status_code=status, headers=_headers(status))

    return endpoint


def asgi_app(receiver: WebhookReceiver) -> "Callable[[_Message, _Receive, _Send], Awaitable[None]]":
    """A whole ASGI application, to be served by itself or mounted: ``app.mount("/webhooks", …)``."""

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
    async with aclosing(_chunks(receive)) as chunks:  # of a body that is too large it is left early
        body = await _read(chunks)
    return await receiver.handle(scope["method"], scope["headers"], body)


async def _chunks(receive: _Receive) -> AsyncGenerator[bytes, None]:
    """Reads the body; one that the sender breaks off stays cut, so that it is refused."""
    is_more = True
    while is_more:
        message = await receive()
        yield message.get("body", b"")
        is_more = message.get("more_body", False)


async def _read(chunks: AsyncIterable[bytes]) -> bytes:
    """The body, or as much of it as shows that it is too large."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY:
            break
    return bytes(body)


def _headers(status: int) -> dict[str, str]:
    return {"Allow": "POST"} if status == NOT_ALLOWED else {}
