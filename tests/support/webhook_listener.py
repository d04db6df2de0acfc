"""A web server that records webhooks, with configurable answers. On virtual time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
from aiohttp import web
from virtual_time import pass_time

NEVER = object()


@attrs.define
class Receiver:
    """A web server that gives `answers` in turn, then the last one for ever; NEVER: no answer."""

    url: str = ""
    answers: list[Any] = attrs.field(factory=lambda: [200])
    seen: list[tuple[dict[str, str], bytes]] = attrs.field(factory=list)
    at_once: int = 0
    peak: int = 0
    pause: float = 0.0

    @property
    def events(self) -> list[Any]:
        return [json.loads(body, parse_float=str) for _headers, body in self.seen]

    @property
    def names(self) -> list[str]:
        return [event["event"] for event in self.events]

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            if answer is NEVER:
                await asyncio.Event().wait()
            if self.pause:
                await pass_time(self.pause)
        finally:
            self.at_once -= 1
        return web.Response(status=answer, headers={"Location": f"{self.url}/elsewhere"})


@asynccontextmanager
async def listening() -> AsyncIterator[Receiver]:
    """Serves a receiver; an answer is cancelled when its sender gives up."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.answer)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
