"""Renders the HTML templates, escaped, with a strict content security policy.

The only module here that uses Jinja2, an extra. Without it the API works, and the pages name the extra.
"""

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    import jinja2

_HERE = Path(__file__).parent
_MISSING = "the emulator's pages need an extra: pip install 'paywint-async[emulator]'\n"
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_STATIC = {"console.css": "text/css", "console.js": "text/javascript"}


def page(template: str, *, status: int = 200, **values: Any) -> web.Response:
    """Render a template as a response."""
    environment = _environment()
    if environment is None:
        return web.Response(status=501, text=_MISSING)
    text = environment.get_template(template).render(**values)
    return web.Response(status=status, text=text, content_type="text/html", headers=_HEADERS)


async def static(request: web.Request) -> web.Response:
    """Serve the style sheet and the script."""
    name = request.match_info["name"]
    if name not in _STATIC:
        raise web.HTTPNotFound
    body = (_HERE / "static" / name).read_bytes()
    return web.Response(body=body, content_type=_STATIC[name], headers=_HEADERS)


@lru_cache(maxsize=1)
def _environment() -> "jinja2.Environment | None":
    try:
        import jinja2
    except ImportError:
        return None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(cents=_cents, money=_money, moment=_moment, clock=_clock, ms=_ms)
    return environment


def _money(amount: str) -> str:
    return f"${Decimal(amount):,.2f}"


def _cents(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


def _moment(unix_us: int) -> str:
    return f"{datetime.fromtimestamp(unix_us // 1_000_000, UTC):%d %b %Y, %H:%M:%S}"


def _clock(unix_us: int) -> str:
    return f"{datetime.fromtimestamp(unix_us // 1_000_000, UTC):%H:%M:%S}"


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"
