"""Translates errors of aiohttp, ssl and the resolver into this SDK's, with the next step.

The original exceptions are not kept, since they refer to the request's headers.
"""

from __future__ import annotations

import os
import socket
import ssl
import traceback
from collections.abc import Callable

import aiohttp
import msgspec

from paywint_async._errors import (
    PaywintError,
    RequestTimeoutError,
    ResponseDecodeError,
    TransportError,
)

_FOREIGN = (aiohttp.ClientError, OSError, UnicodeError)
_EXPIRED = {9, 10}  # X509_V_ERR_CERT_NOT_YET_VALID, X509_V_ERR_CERT_HAS_EXPIRED
_OTHER_NAME = {62, 63, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, …_EMAIL_…, …_IP_ADDRESS_MISMATCH
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
_MAX_WORDS = 300
_NO_HTTP = "the answer is not valid HTTP"
_LOST: dict[type[Exception], str] = {
    aiohttp.ClientPayloadError: "the answer was cut off",
    aiohttp.ServerDisconnectedError: "the server closed the connection without an answer",
    aiohttp.ClientResponseError: _NO_HTTP,
}


class ConnectionLostError(aiohttp.ClientConnectionError):
    """A connection was lost before the response began; ``cause`` is the original error."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause


class TooLargeError(Exception):
    """A response is larger than allowed; never leaves this package."""


def is_foreign(error: Exception) -> bool:
    """Whether an error is of the connection or of aiohttp, not of code attached to it, or of this SDK."""
    # Some errors that aiohttp raises for invalid HTTP have no documented class.
    of_aiohttp = type(error).__module__.partition(".")[0] == "aiohttp"
    return of_aiohttp or isinstance(error, (*_FOREIGN, TooLargeError, ConnectionLostError))


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """The facts of an attempt for an error's message.

    ``proxy`` is the proxy's URL without its password; ``is_unsent`` says that certainly nothing was sent;
    ``redact`` removes all secrets from a text (None: it cannot, so no unknown text is shown).
    """

    operation: str
    url: str
    proxy: str | None = None
    is_unsent: bool = False
    redact: Callable[[str], str] | None = None


def translate(attempt: Attempt, error: Exception) -> PaywintError:
    """Translates the error of an attempt."""
    what = attempt.operation
    if isinstance(error, TooLargeError):
        return ResponseDecodeError(f"more than {error} bytes")
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return RequestTimeoutError(f"{what}: no connection to {_way(attempt)} in time", sent=False)
    if isinstance(error, TimeoutError):
        return RequestTimeoutError(f"{what}: no whole answer in time", sent=not attempt.is_unsent)
    if isinstance(error, aiohttp.InvalidURL):
        message = f"{what}: {attempt.url} names no host; check base_url"
        return TransportError(message, sent=False, is_transient=False)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return _proxy_refusal(attempt, error)
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        is_of_proxy = isinstance(error, aiohttp.ClientProxyConnectionError)
        where = f"the proxy {attempt.proxy}" if is_of_proxy else _way(attempt)
        message = f"{what}: cannot connect to {where} ({_reason(cause)})"
        return TransportError(message, sent=False, is_transient=_is_transient(cause))
    if isinstance(error, ConnectionLostError):
        error = error.cause
    if not is_foreign(error):
        origin = f"{_origin(error)}{_quote(attempt, error)}"
        message = f"{what}: aiohttp, or code attached to it, raised {origin}"
        return TransportError(message, sent=not attempt.is_unsent)
    if attempt.is_unsent:
        message = f"{what}: cannot connect to {_way(attempt)} ({_loss(error)})"
        return TransportError(message, sent=False)
    return TransportError(f"{what}: {_loss(error)}")


def _quote(attempt: Attempt, error: Exception) -> str:
    words = attempt.redact(str(error))[:_MAX_WORDS] if attempt.redact else ""
    return f": {words}" if words else ""


def _origin(error: Exception) -> str:
    """The class of an exception, and the line that raised it."""
    kind = type(error)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    return f"{module}{kind.__qualname__} at {os.path.basename(frame.f_code.co_filename)}:{line}"


def _way(attempt: Attempt) -> str:
    through = f" through the proxy {attempt.proxy}" if attempt.proxy else ""
    return f"{attempt.url}{through}"


def _proxy_refusal(attempt: Attempt, error: aiohttp.ClientHttpProxyError) -> TransportError:
    status = error.status
    step = "; check the proxy's user and password" if status == 407 else ""
    message = f"{attempt.operation}: the proxy {attempt.proxy} answered {status}{step}"
    is_transient = status >= 500 or status in (408, 425, 429)
    return TransportError(message, sent=False, is_transient=is_transient)


def _loss(error: Exception) -> str:
    for kind, words in _LOST.items():
        if isinstance(error, kind):
            return words
    if isinstance(error, OSError | aiohttp.ClientError):
        return f"the connection was lost ({_reason(error)})"
    return _NO_HTTP


def _is_transient(cause: BaseException) -> bool:
    """Whether connecting again may help; it does not if the certificate is not trusted."""
    is_lost = isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError | ssl.SSLSyscallError)
    return is_lost or not isinstance(cause, ssl.SSLError)


def _reason(cause: BaseException) -> str:
    """The original message, and the next step if there is one."""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"{cause.verify_message.rstrip('.')}; {_step_for_certificate(cause.verify_code)}"
    if isinstance(cause, ssl.SSLError):
        return _reason_of_tls(cause)
    if isinstance(cause, socket.gaierror):
        return f"{_words(cause)}; check the host's name and this machine's DNS"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return _words(cause)


def _step_for_certificate(code: int) -> str:
    if code in _OTHER_NAME:
        return "base_url must have the name that is in the server's certificate"
    if code in _EXPIRED:
        return "check this machine's clock; if it is right, the server needs a new certificate"
    return "if the certificate authority is a private one, pass it in ssl_context"


def _reason_of_tls(cause: ssl.SSLError) -> str:
    reason = getattr(cause, "reason", None) or _words(cause)
    words = reason.replace("_", " ").lower()
    if reason in _NO_TLS:
        return f"TLS: {words}; the server does not speak https at this port: check base_url"
    return f"TLS: {words}"


def _words(cause: BaseException) -> str:
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
