"""Verifies the sender of a delivery: the verifier's protocol, and the scheme of Standard Webhooks.

Paywint requires verification of a signature, but publishes neither its header nor its algorithm. So the
verifier is an argument; the one here verifies the signatures of `paywint_async.emulator`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import inspect
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise
from typing import NoReturn, Protocol
from uuid import uuid4

from paywint_async import (
    ConfigurationError,
    InvalidRequestError,
    WebhookError,
    WebhookSignatureError,
)
from paywint_async.webhooks._headers import no_headers, read_headers

_ID = re.compile(
    r"[!-\-/-~]+"
)  # visible ASCII but for the point, which separates the parts of the signed text
_UNIX_SECONDS = re.compile(r"[0-9]{1,11}")
_PREFIX = b"whsec_"
_TO_STANDARD = bytes.maketrans(b"-_", b"+/")
_SHORTEST_KEY = 24  # bytes, as in Standard Webhooks: a shorter one could be guessed
_SEEN = 32  # signatures of one delivery that are compared


class Verifier(Protocol):
    """Decides whether a delivery is genuine; any callable with this signature.

    It gets the raw body and the headers (names in any case), and returns the time at which the delivery
    was signed, or True if the signature has no time. It refuses by raising any exception, or by
    returning any other value: None too, so that a forgotten ``return`` accepts nothing, and texts,
    tuples and coroutines. A mapping that is not empty counts as True, since some libraries return the
    payload. Compare signatures by `hmac.compare_digest`.
    """

    def __call__(self, body: bytes, headers: Mapping[str, str], /) -> datetime | bool: ...


class StandardWebhooks:
    """Verifies `Standard Webhooks <https://www.standardwebhooks.com>`_ signatures, version ``v1``.

    ``webhook-signature``, in one or several headers, is a list of ``v1,`` and the base64 of
    HMAC-SHA256(key, "{webhook-id}.{webhook-timestamp}.{body}"). The key is the text of the secret, as for
    the emulator, or, by the standard, the decoded base64 of a secret ``whsec_…``. White space and quotes
    around a secret, ``v1,`` before it, missing padding and the URL-safe alphabet of base64 are accepted.

    Args:
        secret: the secret with which the sender signs.
        older: further secrets that the sender may still use.

    Raises:
        ConfigurationError: a secret is missing or not a text, or begins with ``whsec_`` and is damaged:
            it contains white space, or is not valid base64.
    """

    def __init__(self, secret: str | bytes, *older: str | bytes) -> None:
        self._secrets = _SigningSecrets(secret, *older)
        del secret, older  # a traceback shows local variables
        self._secrets.check()

    def __repr__(self) -> str:
        return "StandardWebhooks(***)"

    def __call__(self, body: bytes, headers: Mapping[str, str], /) -> datetime:
        """Verifies a delivery; returns the time at which it was signed.

        Raises:
            WebhookSignatureError: it is not signed with one of the secrets.
        """
        received = read_headers(headers)
        del headers  # a traceback shows local variables, and headers may contain a secret
        if received is None:
            raise no_headers()
        delivery, moment = (
            _required(received, name) for name in ("webhook-id", "webhook-timestamp")
        )
        if "." in delivery or not _UNIX_SECONDS.fullmatch(
            moment
        ):  # the separators of the signed text
            raise WebhookSignatureError("webhook-id or webhook-timestamp is not well-formed")
        signed = f"{delivery}.{moment}.".encode("utf-8", "surrogatepass") + body
        if not self._secrets.have_signed(signed, _signatures(received)):
            raise WebhookSignatureError(
                "webhook-signature has no v1 signature of this body by a known secret: compare the "
                "secrets of sender and receiver, and pass the body's bytes as they came"
            )
        return datetime.fromtimestamp(int(moment), UTC)

    def sign(
        self, body: bytes | str, *, delivery_id: str | None = None, at: datetime | None = None
    ) -> dict[str, str]:
        """Returns the headers of a signed delivery, for tests of receivers.

        The first secret signs; for ``whsec_…`` its decoded base64, as in the reference libraries, if that
        is long enough for a key.

        Args:
            body: the exact bytes of the request.
            delivery_id: ``webhook-id``; None: a new one.
            at: the time of signing, with a time zone; None: now.

        Raises:
            InvalidRequestError: the id is empty or contains a point, or the time has no time zone.
        """
        identity = f"msg_{uuid4().hex}" if delivery_id is None else delivery_id
        if not _ID.fullmatch(identity):
            raise InvalidRequestError(
                "delivery_id", "must be visible ASCII characters and no point"
            )
        moment = datetime.now(UTC) if at is None else at
        if moment.utcoffset() is None:
            raise InvalidRequestError("at", "must have a zone: datetime.now(UTC)")
        raw = body.encode() if isinstance(body, str) else body
        seconds = str(int(moment.timestamp()))
        return {
            "webhook-id": identity,
            "webhook-timestamp": seconds,
            "webhook-signature": self._secrets.sign(f"{identity}.{seconds}.".encode() + raw),
        }


class _SigningSecrets:
    """The only object that contains the secrets; neither repr, copy nor pickle shows them.

    The constructor never raises, so that no frame with a secret as a local variable is in a traceback.
    """

    __slots__ = ("__secrets",)

    def __init__(self, *secrets: str | bytes) -> None:
        self.__secrets = secrets

    def __repr__(self) -> str:
        return "_SigningSecrets(***)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("secrets are not pickled or copied; make the verifier where it is used")

    def check(self) -> None:
        """Raises ConfigurationError if a secret cannot be used."""
        if not all(map(_is_secret, self.__secrets)):
            raise ConfigurationError("secret is missing: pass what the sender signs with")
        if any(map(_is_broken, self.__secrets)):
            raise ConfigurationError(
                "a secret whsec_… is damaged: it holds white space, or its base64 cannot be decoded; "
                "copy it again, and pass each of several secrets as an argument of its own"
            )

    def sign(self, signed: bytes) -> str:
        """The signature with the first secret."""
        return _signature(_keys(self.__secrets[0])[-1], signed)

    def have_signed(self, signed: bytes, signatures: Iterable[str]) -> bool:
        """Whether one of the signatures is by one of the secrets; compares in constant time."""
        given = [signature.encode("utf-8", "surrogatepass") for signature in signatures]
        expected = [
            _signature(key, signed).encode() for secret in self.__secrets for key in _keys(secret)
        ]
        return sum(hmac.compare_digest(ours, theirs) for ours in expected for theirs in given) > 0


def _signature(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _is_secret(value: object) -> bool:
    return isinstance(value, str | bytes) and len(_trimmed(_bytes(value))) > 0


def _bytes(secret: str | bytes) -> bytes:
    # Encodes any environment variable without an error, which would show the secret.
    return secret if isinstance(secret, bytes) else secret.encode("utf-8", "surrogatepass")


def _trimmed(secret: bytes) -> bytes:
    """The secret without white space, quotes and version (``v1,``) around it."""
    text = secret.strip()
    if len(text) > 1 and text[:1] == text[-1:] and text[:1] in (b'"', b"'"):
        text = text[1:-1].strip()
    return text.removeprefix(b"v1,") if text.startswith(b"v1," + _PREFIX) else text


def _keys(secret: str | bytes) -> list[bytes]:
    """The keys that the sender may derive from the secret: its text, and what its base64 decodes to."""
    text = _bytes(secret)
    trimmed = _trimmed(text)
    decoded = _decoded(trimmed) or b""
    keys = [text, trimmed, decoded if len(decoded) >= _SHORTEST_KEY else trimmed]
    return list(dict.fromkeys(keys))


def _decoded(secret: bytes) -> bytes | None:
    """The decoded base64 after ``whsec_``; None if it is in neither alphabet."""
    text = secret.removeprefix(_PREFIX).rstrip(b"=").translate(_TO_STANDARD)
    if not secret.startswith(_PREFIX):
        return None
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return None


def _is_broken(secret: str | bytes) -> bool:
    """Whether it begins with ``whsec_`` and is truncated, or holds several secrets."""
    text = _trimmed(_bytes(secret))
    is_long = len(text) >= len(_PREFIX) + _SHORTEST_KEY * 4 // 3
    return text.startswith(_PREFIX) and (
        len(text.split()) > 1 or (is_long and _decoded(text) is None)
    )


def _required(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise WebhookSignatureError(f"the header {name} is missing: the delivery is not signed")
    return value


def _signatures(headers: Mapping[str, str]) -> list[str]:
    """The signatures of version 1, separated by spaces, or by the commas of joined headers."""
    entries = [entry.split(",") for entry in _required(headers, "webhook-signature").split()]
    pairs = (pair for entry in entries for pair in pairwise(entry))
    return [f"v1,{digest}" for version, digest in pairs if version == "v1"][:_SEEN]


def check_signature(verifier: Verifier, body: bytes, headers: Mapping[str, str]) -> datetime | None:
    """Calls the verifier; returns the signed time, or None if it accepts without a time.

    Raises:
        WebhookError: the verifier refuses the delivery.
        ConfigurationError: it is not callable.
    """
    if not callable(verifier):
        raise ConfigurationError("verifier must be callable, or None to verify nothing")
    decision = _ask(verifier, body, headers)
    if isinstance(decision, str):
        raise WebhookSignatureError(f"the verifier refuses the delivery: it {decision}")
    return decision


def _ask(verifier: Verifier, body: bytes, headers: Mapping[str, str]) -> datetime | str | None:
    """The signed time, None, or the reason of a refusal, without the value that was returned.

    A verifier might by mistake return a signature, which must not be logged.
    """
    try:
        answer: object = verifier(body, headers)
        if isinstance(answer, datetime) and answer.utcoffset() is not None:
            return answer
        if (isinstance(answer, int) and answer == 1) or (isinstance(answer, Mapping) and answer):
            return None
        if inspect.iscoroutine(answer):
            answer.close()  # an `async def`, whose coroutine is true
        kind = repr(answer) if answer is None or answer is False else f"a {type(answer).__name__}"
        return f"returned {kind}, which is neither True nor a time with a zone"
    except WebhookError:
        raise
    except Exception as error:
        return f"raised {type(error).__name__}"
