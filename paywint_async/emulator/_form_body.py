"""Parses URL-encoded form bodies, as browsers send them. Other bodies get a 4xx.

aiohttp's own parser accepts more types, and has many different errors for invalid bodies.
"""

from urllib.parse import parse_qsl

from aiohttp import web

_KIND = "application/x-www-form-urlencoded"
_MOST_FIELDS = 100


async def fields(request: web.Request) -> dict[str, str]:
    """The form's fields by name; empty if there is no body.

    Raises:
        HTTPException: 413, 415, or 400 if the body is not such a form.
    """
    try:
        body = await request.read()
    except web.RequestPayloadError:
        problem = web.HTTPBadRequest(text="the body cannot be read: it is not what was announced\n")
        problem.force_close()  # the rest of the body could be taken for a request
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
        raise web.HTTPBadRequest(text="the body is no form: send name=value&…\n") from None
