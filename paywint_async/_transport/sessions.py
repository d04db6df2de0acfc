"""Makes aiohttp's sessions as this SDK needs them."""

from __future__ import annotations

import ssl

import aiohttp

# Loopback connects in microseconds, the far side of the world in under a second.
_CONNECT_TIMEOUT = 10.0


class SessionFactory:
    """Makes the sessions of one client.

    The credentials are no session's headers: aiohttp would send these to a proxy, too.

    Args:
        request_timeout: seconds for one attempt.
        ssl_context: for a private certificate authority; None: the system's.
    """

    def __init__(self, *, request_timeout: float, ssl_context: ssl.SSLContext | None) -> None:
        self._tls = ssl_context or True
        self._timeout = connect_timeout(request_timeout)

    def open(self, is_for_reads: bool) -> aiohttp.ClientSession:
        """A session for the running event loop, which keeps its connections only for reads."""
        return aiohttp.ClientSession(
            # Without a limit of its own: callers wait before their attempt begins, not within it.
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls, force_close=not is_for_reads),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )


def connect_timeout(request_timeout: float) -> aiohttp.ClientTimeout:
    """The time for connecting, in an attempt of that many seconds.

    Sooner than the whole attempt, so that what was never sent is known as such. From the name's look-up
    to the end of TLS' handshake, and not rounded up to whole seconds.
    """
    connect = min(_CONNECT_TIMEOUT, 0.9 * request_timeout)
    return aiohttp.ClientTimeout(total=None, connect=connect, ceil_threshold=connect)
