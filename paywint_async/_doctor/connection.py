"""Judges the connection to the API: keys, address, proxy, clock, latency, limits, compression."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from email.utils import parsedate_to_datetime
from statistics import median
from urllib.parse import urlsplit

from paywint_async import Environment, TransportError
from paywint_async._doctor.exchanges import Exchange
from paywint_async._doctor.observations import Observations
from paywint_async._doctor.verdicts import Judgement, confirmed, contradicted, not_seen

CLOCK_TOLERANCE = 60.0
"""Seconds: a fifth of the age at which a webhook is refused."""
SLOW = 2.0
"""Seconds for a page: a fifteenth of the default ``request_timeout``."""

_LATEST = 10**15  # seconds: beyond any calendar, and far from overflowing a float

_REFUSED = (401, 403)
_GATEWAY = (407, 511)
_TOO_MANY = 429
_LIMIT_HEADER = re.compile(r"(?:x-)?rate-?limit.*|retry-after")
_LIMIT_VALUE = re.compile(r'(?:[0-9.]+|limit|remaining|reset|policy|default|[a-z]{1,2}=|[ ,;="])+')
_ENCODING = re.compile(r"[a-z0-9, -]{1,30}")


def judge_credentials(observations: Observations) -> Judgement:
    """Checks that the API accepts the key and the secret: 401 and 403 mean that it does not."""
    refused = [each.status for each in observations.exchanges if each.status in _REFUSED]
    if refused and not observations.successes:
        return contradicted(f"the API answered {refused[0]}")
    if not observations.successes:
        return not_seen(observations.reason())
    return confirmed("the API accepts the key and the secret")


def judge_environment(observations: Observations) -> Judgement:
    """Checks that the address belongs to the environment, and that the API answers there."""
    setup = observations.setup
    other = [
        each
        for each in Environment
        if each != setup.environment
        and urlsplit(each.base_url).hostname == urlsplit(setup.base_url).hostname
    ]
    if other:
        return contradicted(
            f"the environment is {setup.environment}, but {setup.base_url} is the address of {other[0]}"
        )
    answers = [each for each in observations.exchanges if each.status not in _GATEWAY]
    if not answers:
        return not_seen(observations.reason())
    if 300 <= answers[0].status < 400:
        return contradicted(f"{setup.base_url} answers with a redirect ({answers[0].status})")
    if answers[0].status in (404, 405) or not answers[0].fields:
        if answers[0].status >= 500:
            return not_seen(observations.reason())
        what = "in JSON" if answers[0].fields else "with something else than a JSON object"
        return contradicted(f"{setup.base_url} answers {answers[0].status}, {what}")
    return confirmed(_address(observations))


def _address(observations: Observations) -> str:
    setup = observations.setup
    if setup.base_url.startswith("http:"):  # a client refuses it for any other machine
        return f"{setup.base_url}, on this machine (an emulator)"
    is_hosted = setup.base_url == Environment(setup.environment).base_url
    return f"{setup.environment}, {setup.base_url}{'' if is_hosted else ', which is set by hand'}"


def judge_proxy_and_tls(observations: Observations) -> Judgement:
    """Checks that nothing between this machine and the API answers in its place or breaks TLS."""
    setup = observations.setup
    proxy = setup.proxy_source
    way = f"through the proxy of {proxy}" if proxy else "without a proxy"
    gateways = [each.status for each in observations.exchanges if each.status in _GATEWAY]
    if gateways:
        return contradicted(f"something on the way to the API answered {gateways[0]}")
    if not observations.exchanges:
        error = observations.first.error if observations.first else None
        # A permanent failure: a certificate, a proxy's password, no TLS.
        if isinstance(error, TransportError) and not error.is_transient:
            return contradicted(error.args[0])
        return not_seen(observations.reason())
    if setup.base_url.startswith("https:"):
        return confirmed(f"https, the certificate is valid; {way}")
    return confirmed("plain http, which stays on this machine; without a proxy")


def judge_clock(observations: Observations) -> Judgement:
    """Checks that the server's clock agrees with this machine's."""
    by_body = _offset(observations, _generated_time)
    by_header = _offset(observations, _date_header)
    offset = by_header if by_body is None else by_body
    if offset is None:
        return not_seen(observations.reason())
    seen: dict[str, list[str]] = {}
    for source, seconds in (("queryGeneratedTime", by_body), ("the Date header", by_header)):
        if seconds is not None:
            seen.setdefault(_ahead(seconds), []).append(source)
    parts = (f"{what} by {' and '.join(sources)}" for what, sources in seen.items())
    detail = f"the server's clock {', '.join(parts)}"
    return contradicted(detail) if abs(offset) > CLOCK_TOLERANCE else confirmed(detail)


def _offset(observations: Observations, read: Callable[[Exchange], float | None]) -> float | None:
    """Seconds by which the server's clock is ahead, from the fastest answer that has its time."""
    found: list[tuple[float, float]] = []
    for each in observations.exchanges:
        moment = read(each)
        if moment is not None:
            found.append((each.seconds, moment - (each.received_at - each.seconds / 2)))
    return min(found)[1] if found else None


def _generated_time(exchange: Exchange) -> float | None:
    moment = exchange.fields.get("queryGeneratedTime")
    if isinstance(moment, bool) or not isinstance(moment, int | Decimal):
        return None
    # A number beyond any calendar is limited, so that it is reported instead of overflowing a float.
    return float(max(min(moment, _LATEST), -_LATEST))


def _date_header(exchange: Exchange) -> float | None:
    try:
        return parsedate_to_datetime(exchange.headers.get("date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _ahead(seconds: float) -> str:
    if abs(seconds) < 2:  # the header has whole seconds
        return "agrees with this machine's"
    return f"is {abs(seconds):,.0f} s {'ahead' if seconds > 0 else 'behind'}"


def judge_latency(observations: Observations) -> Judgement:
    """Checks that answers take far less than ``request_timeout``."""
    times = [each.seconds for each in observations.successes]
    if not times:
        return not_seen(observations.reason())
    seen = f"{_time(median(times))} in the median, {_time(max(times))} at most"
    return contradicted(seen) if median(times) > SLOW else confirmed(seen)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def judge_rate_limit(observations: Observations) -> Judgement:
    """Checks that so few requests meet no rate limit; reports the headers that announce one."""
    if not observations.exchanges:
        return not_seen(observations.reason())
    refused = [each for each in observations.exchanges if each.status == _TOO_MANY]
    announced = sorted(set(_limit_headers(observations.exchanges)))
    headers = f"headers: {', '.join(announced)}" if announced else "no header announces one"
    count = len(observations.exchanges)
    if refused:
        return contradicted(f"{len(refused)} of {count} requests were answered 429; {headers}")
    if not observations.successes:
        return not_seen(observations.reason())
    return confirmed(f"none of {count} requests was answered 429; {headers}")


def _limit_headers(exchanges: Iterable[Exchange]) -> Iterator[str]:
    latest: dict[str, str] = {}
    for each in exchanges:
        for name, value in each.headers.items():
            if _LIMIT_HEADER.fullmatch(name):
                latest[name[:40]] = value if _LIMIT_VALUE.fullmatch(value) else "…"
    return (f"{name}: {value}" for name, value in latest.items())


def judge_compression(observations: Observations) -> Judgement:
    """Checks that bodies are compressed only as the request allows."""
    compressible = [
        each for each in observations.exchanges if "Accept-Encoding" in each.request.headers
    ]
    asked = [each for each in compressible if each in observations.successes]
    if not asked:
        reason = (
            f"the API answered {compressible[-1].status}" if compressible else observations.reason()
        )
        return not_seen(reason)
    for each in asked:
        got, allowed = _encoding(each), each.request.headers["Accept-Encoding"]
        if got not in ("identity", allowed):
            shown = got if _ENCODING.fullmatch(got) else "something else"
            return contradicted(f"asked for {allowed}, the API answered with {shown}")
    gzip = [each for each in asked if each.request.headers["Accept-Encoding"] == "gzip"]
    if gzip and _encoding(gzip[0]) == "gzip":
        return confirmed("pages come as gzip when asked for")
    return confirmed("pages come uncompressed, which the API may choose")


def _encoding(exchange: Exchange) -> str:
    return exchange.headers.get("content-encoding", "identity").strip().lower() or "identity"


def judge_keep_alive(observations: Observations) -> Judgement:
    """Checks that a connection serves more than one request."""
    if not observations.successes:
        return not_seen(observations.reason())
    closing = [
        each
        for each in observations.successes
        if "close" in each.headers.get("connection", "").lower()
    ]
    count = len(observations.successes)
    if closing:
        return contradicted(f"{len(closing)} of {count} answers end their connection")
    timeout = next(
        (
            each.headers["keep-alive"]
            for each in observations.successes
            if "keep-alive" in each.headers
        ),
        "",
    )
    seconds = re.search(r"timeout=([0-9]{1,6})", timeout)
    kept = f", for {seconds[1]} s when idle" if seconds else ""
    return confirmed(f"connections stay open{kept}")
