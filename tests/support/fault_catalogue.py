"""Every fault of the failure matrix, by name. docs/failures.md has the outcome of each."""

from __future__ import annotations

import gzip
import ssl
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
import fault_server
import trustme
from fault_server import Fault, Wire, answer, drip, head, late, sends

LONG = 100 * 1024


def _chunked(body: bytes, *, size: bytes | None = None, end: bytes = b"0\r\n\r\n") -> bytes:
    start = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    length = b"%x" % len(body) if size is None else size
    return start + length + b"\r\n" + body + b"\r\n" + end


def _raw(name: str, data: bytes) -> Fault:
    return sends(name, lambda body: data)


def _encoded(name: str, encoding: str, encode: object) -> Fault:
    def render(body: bytes) -> bytes:
        content: bytes = encode(body)  # type: ignore[operator]
        return head(len(content), headers=f"Content-Encoding: {encoding}\r\n") + content

    return sends(name, render)


def _bomb(body: bytes) -> bytes:
    return gzip.compress(b"[" * 64 * 1024 * 1024, compresslevel=1)


def _twice(key: bytes) -> Fault:
    name = f"a key twice: {key.decode()}"
    value = {b"amount": b"1", b"success": b"true"}[key]
    new = b'"%s":%s,"%s":' % (key, value, key)
    return answer(body=lambda body: body.replace(b'"%s":' % key, new), name=name)


AUTHORITY = trustme.CA()
_YESTERDAY = datetime.now(UTC) - timedelta(days=1)


def certificate_of(name: str, **options: Any) -> ssl.SSLContext:
    """TLS for a server with a certificate of that name, signed by the tests' own authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    AUTHORITY.issue_cert(name, **options).configure_cert(context)
    return context


def trusting() -> ssl.SSLContext:
    """A client's context that trusts only that authority; the system's are slow to load."""
    return ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode())


async def _speak_plain_http(wire: Wire) -> None:
    """Answers a TLS handshake like a web server's port for plain http."""
    await wire.reader.read(100)
    await wire.send(head(0, 400, "Connection: close\r\n"))
    wire.close()


def _unreachable(name: str, **options: Any) -> Fault:
    return attrs.evolve(fault_server.GOOD, name=name, **options)


PLAIN_HTTP = Fault(
    "plain http behind https",
    _speak_plain_http,
    before_reading=True,
    url="https://127.0.0.1:{port}",
)
UNKNOWN_AUTHORITY = _unreachable(
    "a certificate of an unknown authority", tls=certificate_of("127.0.0.1")
)
OTHER_NAME = _unreachable(
    "a certificate of another name", tls=certificate_of("api.example"), trust=trusting()
)
EXPIRED = _unreachable(
    "an expired certificate",
    tls=certificate_of("127.0.0.1", not_after=_YESTERDAY),
    trust=trusting(),
)


def _proxy(name: str, fault: Fault) -> Fault:
    return attrs.evolve(fault, name=name, is_proxy=True)


CATALOGUE: list[Fault] = [
    _proxy("a proxy that asks for a password (407)", answer(407, b"")),
    _proxy("a proxy that reaches nobody (502)", answer(502, b"")),
    _proxy("a proxy that answers garbage", _raw("", b"\x00\xff\x13garbage\r\n\r\n" * 20)),
    _proxy("a proxy that closes", fault_server.CLOSE_UNANSWERED),
    _proxy("a proxy that never answers", fault_server.SILENCE),
    UNKNOWN_AUTHORITY,
    OTHER_NAME,
    EXPIRED,
    PLAIN_HTTP,
    # A name too long to be sent to a resolver, and a port without a listener.
    _unreachable("a name that does not resolve", url=f"https://{'a.' * 130}example"),
    _unreachable("a refused connection", url="http://127.0.0.1:1"),
    fault_server.CLOSE_UNREAD,
    fault_server.RESET_UNREAD,
    fault_server.CLOSE_UNANSWERED,
    fault_server.RESET_UNANSWERED,
    fault_server.KEEP_ALIVE_DROPPED,
    fault_server.CUT_BODY,
    fault_server.SILENCE,
    late(60),
    late(60, unread=True),
    drip(0.5),
    drip(0.5, headers_too=True),
    sends("resets in the body", lambda b: head(len(b)) + b[:20], fault_server.Wire.reset),
    sends("headers, then closes", lambda b: head(len(b))),
    sends("half a status line", lambda b: b"HTTP/1.1 20"),
    _raw("garbage", b"\x00\xff\x13garbage\r\n\r\n" * 20),
    _raw("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28"),
    _raw("HTTP/0.9", b"<html>hello</html>"),
    _raw("an impossible status", b"HTTP/1.1 999999 What\r\n\r\n"),
    sends("a length that is too long", lambda b: head(len(b) + 10) + b),
    sends("a length that is too short", lambda b: head(len(b) - 10) + b),
    sends("a length that is no number", lambda b: head(None, headers="Content-Length: x\r\n") + b),
    sends(
        "two lengths",
        lambda b: head(len(b), headers=f"Content-Length: {len(b) - 3}\r\n") + b,
    ),
    sends("no length", lambda b: head(None) + b),
    sends("chunks without an end", lambda b: _chunked(b, end=b"")),
    sends("a chunk size that is no number", lambda b: _chunked(b, size=b"zz")),
    sends("a chunk longer than it says", lambda b: _chunked(b, size=b"4")),
    _raw("a huge header", head(0, headers="X-Big: " + "x" * LONG + "\r\n")),
    _raw("many headers", head(0, headers="".join(f"X-{i}: y\r\n" for i in range(20_000)))),
    _raw("100 Continue for ever", b"HTTP/1.1 100 Continue\r\n\r\n" * 2_000),
    _encoded("a gzip bomb", "gzip", _bomb),
    _encoded("broken gzip", "gzip", lambda b: b"\x1f\x8b\x08\x00broken"),
    _encoded("truncated gzip", "gzip", lambda b: gzip.compress(b)[:-12]),
    _encoded("broken deflate", "deflate", lambda b: b"\xff\xff\xffbroken"),
    _encoded("good deflate", "deflate", zlib.compress),
    sends("status 101", lambda _: head(None, 101, "Upgrade: x\r\nConnection: upgrade\r\n")),
    answer(204, b""),
    *(answer(status, b"{}") for status in (301, 302, 307, 308, 400, 401, 403, 404, 408)),
    *(answer(status, b"{}") for status in (409, 413, 422, 425, 429, 500, 501, 502, 503, 504)),
    answer(429, b"{}", "Retry-After: 2\r\n", name="status 429, Retry-After: 2"),
    answer(429, b"{}", "Retry-After: 3600\r\n", name="status 429, Retry-After: 3600"),
    answer(429, b"{}", f"Retry-After: {'9' * 400}\r\n", name="status 429, Retry-After: 400 digits"),
    answer(429, b"{}", "Retry-After: -5\r\n", name="status 429, Retry-After: -5"),
    answer(503, b"{}", f"Retry-After: {'9' * 400}\r\n", name="status 503, Retry-After: 400 digits"),
    answer(503, b"<html>Bad Gateway</html>", name="status 503 with a proxy's page"),
    answer(body=b"", name="an empty body"),
    answer(body=b"<html>hello</html>", name="HTML with status 200"),
    answer(body=lambda b: b[: len(b) // 2], name="half the JSON, whole by its length"),
    answer(body=b"{}", name="JSON of another shape"),
    answer(body=b"null", name="null"),
    answer(body=lambda b: b.replace(b"USD", b"\xff\xfe"), name="text that is no UTF-8"),
    answer(body=b'{"data":' + b"[" * LONG + b"]" * LONG + b"}", name="JSON nested too deep"),
    answer(
        body=lambda b: b[:-1] + b',"extra":' + b"[" * LONG + b"]" * LONG + b"}",
        name="an unknown field nested too deep",
    ),
    _twice(b"amount"),
    _twice(b"success"),
    answer(body=lambda b: b.replace(b"150.75", b'"150.75"'), name="an amount that is text"),
    answer(body=lambda b: b.replace(b"150.75", b"NaN"), name="an amount that is NaN"),
    answer(body=lambda b: b.replace(b"150.75", b"null"), name="an amount that is null"),
    answer(body=lambda b: b.replace(b"Z", b""), name="a time without a zone"),
    answer(body=b'{"success":false,"message":"no"}', name="success: false with status 200"),
    answer(
        body=lambda b: b.replace(b'"success":true', b'"success":false'),
        name="success: false, with data",
    ),
]
