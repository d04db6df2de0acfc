"""The lists once more, by `aiohttp.web`: a server such as people write, with its answers encoded ahead.

It takes twice the time of `_server.py` for an answer, so that a client which only fetches waits for it.
"""

from __future__ import annotations

import asyncio
import sys
from functools import lru_cache

import _history
import _server
from aiohttp import web


@lru_cache(maxsize=1_200)
def page(total: int, asked: bytes) -> bytes:
    """A page's JSON."""
    page_no, rows_per_page = _server.asked_page(asked)
    return _history.page(total, page_no, rows_per_page)


async def answer(request: web.Request) -> web.Response:
    """A page."""
    total = int(request.match_info["total"])
    return web.Response(body=page(total, await request.read()), content_type="application/json")


async def _serve() -> None:
    """Until standard input ends, which it does with the process that started this one."""
    app = web.Application()
    app.router.add_post("/l0/n{total}/api/user-api/payment/list/{direction}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=4096).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    _server.pin(to_last=True)
    asyncio.run(_serve())
