"""Parses URL-encoded form bodies, as browsers send them; anything else is answered with 4xx.

aiohttp's own reader accepts more content types, and raises many kinds of errors on invalid bodies.
"""

from urllib.parse import parse_qsl

from aiohttp import web

_KIND = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100


async def fields(request: web.Request) -> dict[str, str]:
    """Return the form's fields by name; none if the body is empty.

    Raises:
        HTTPException: 413, 415, or 400 if the body is not a valid form.
    """
    try:
        body = await request.read()
    except web.RequestPayloadError:
        problem = web.HTTPBadRequest(text="the body cannot be read: it is not what was announced\n")
        problem.force_close()  # the rest of the connection cannot be separated from the body
        raise problem from None
    if not body:
        return {}
    charset = (request.charset or "utf-8").lower()
    if request.content_type != _KIND or charset not in ("utf-8", "utf8"):
        raise web.HTTPUnsupportedMediaType(text=f"send the form as {_KIND}, in UTF-8\n")
    if body.count(b"&") >= _MOST_FIELDS:
        raise web.HTTPBadRequest(text="the form has too many fields\n")
    try:
        return dict(
            parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, errors="strict")
        )
    except UnicodeDecodeError:
        raise web.HTTPBadRequest(text="the form is not in UTF-8\n") from None
    except ValueError:
        raise web.HTTPBadRequest(text="the body is not a form: send name=value&…\n") from None
