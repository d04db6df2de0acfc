"""Proxies, given by the caller or by the environment."""

from __future__ import annotations

import base64
import copy
import pickle
import re
from collections.abc import AsyncIterator

import pytest
from fault_catalogue import certificate_of, trusting
from fault_server import (
    API_KEY,
    API_SECRET,
    CLOSE_UNANSWERED,
    CLOSE_UNREAD,
    PAYMENT_ID,
    RESET_UNANSWERED,
    SILENCE,
    Fault,
    FaultServer,
    answer,
    drip,
    sends,
)
from forward_proxy import URL, tunnel

from paywint_async import (
    ConfigurationError,
    OutcomeUnknownError,
    PaywintClient,
    PaywintError,
    RequestTimeoutError,
    RetryPolicy,
    TransportError,
)
from paywint_async._transport.proxies import Proxy, find_proxy

PASSWORD = "THE-PASSWORD:OF-THE-PROXY"
USER = "us@er"
LOGIN = "us%40er:THE-PASSWORD%3AOF-THE-PROXY"
ONCE = RetryPolicy(max_attempts=1)
VARIABLES = [
    name
    for lower in ("http_proxy", "https_proxy", "all_proxy", "no_proxy")
    for name in (lower, lower.upper())
]


@pytest.fixture(autouse=True)
def no_proxy_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def api() -> AsyncIterator[FaultServer]:
    """The API behind the proxy, with TLS."""
    async with FaultServer(tls=certificate_of("api.example")) as server:
        yield server


def address(server: FaultServer, login: str = "") -> str:
    return server.url.replace("http://", f"http://{login}@" if login else "http://")


def client_of(proxy: FaultServer | None, **options: object) -> PaywintClient:
    if proxy is not None:
        options["proxy"] = address(proxy, LOGIN)
    options = {"ssl_context": trusting(), "base_url": URL, "retry": ONCE, **options}
    return PaywintClient(API_KEY, API_SECRET, **options)  # type: ignore[arg-type]


class TestARequestThroughAProxy:
    async def test_shows_the_credentials_to_the_api_only(self, api):
        async with FaultServer(tunnel(api)) as proxy, client_of(proxy) as client:
            await client.payments.create_link(5)
            await client.payments.page("sent", 1)
        assert [seen.method for seen in proxy.requests] == ["CONNECT", "CONNECT"]
        assert [seen.headers["x-api-secret"] for seen in api.requests] == [API_SECRET] * 2
        for seen in proxy.requests:
            assert seen.path == "api.example:443"
            assert not re.search("paywint|api-key|secret", repr(seen.headers).lower())

    async def test_shows_the_proxys_user_and_password_to_the_proxy_only(self, api):
        async with FaultServer(tunnel(api)) as proxy, client_of(proxy) as client:
            await client.payments.page("sent", 1)
        scheme, _, encoded = proxy.requests[0].headers["proxy-authorization"].partition(" ")
        assert (scheme, base64.b64decode(encoded).decode()) == ("Basic", f"{USER}:{PASSWORD}")
        assert "proxy-authorization" not in api.requests[0].headers

    async def test_keeps_its_connection_for_the_next_read(self, api):
        async with FaultServer(tunnel(api)) as proxy, client_of(proxy) as client:
            for _ in range(3):
                await client.payments.page("sent", 1)
        assert (len(proxy.requests), len(api.requests)) == (1, 3)

    async def test_does_not_trust_a_certificate_made_by_the_proxy(self):
        stranger = certificate_of("proxy.example")
        async with (
            FaultServer(tls=stranger) as other,
            FaultServer(tunnel(other)) as proxy,
            client_of(proxy) as client,
        ):
            with pytest.raises(TransportError, match=r"not valid for 'api\.example'") as caught:
                await client.payments.create_link(5)
        assert (caught.value.sent, other.requests) == (False, [])

    async def test_bypasses_the_proxy_for_loopback(self):
        async with (
            FaultServer() as proxy,
            FaultServer() as server,
            client_of(proxy, base_url=server.url) as client,
        ):
            await client.payments.page("sent", 1)
        assert (proxy.connections, len(server.requests)) == (0, 1)


GARBAGE = sends("garbage", lambda _: b"\x00\xff\x13garbage\r\n\r\n" * 20)
FAULTS: list[tuple[Fault, type[PaywintError], str]] = [
    (answer(407, b""), TransportError, "answered 407; check the proxy's user and password"),
    (answer(502, b""), TransportError, "answered 502"),
    (answer(403, b""), TransportError, "answered 403"),
    (GARBAGE, TransportError, "through the proxy"),
    (CLOSE_UNANSWERED, TransportError, "through the proxy"),
    (CLOSE_UNREAD, TransportError, "through the proxy"),
    (RESET_UNANSWERED, TransportError, "through the proxy"),
    (SILENCE, RequestTimeoutError, "through the proxy"),
    (drip(1, headers_too=True), RequestTimeoutError, "through the proxy"),
]


class TestAProxyThatFails:
    @pytest.mark.parametrize(("fault", "kind", "words"), FAULTS, ids=str)
    async def test_leaves_no_doubt_that_a_create_never_reached_the_api(self, fault, kind, words):
        async with FaultServer(fault) as proxy, client_of(proxy) as client:
            with pytest.raises(TransportError) as caught:
                await client.payments.create_link(5)
        assert (type(caught.value), caught.value.sent) == (kind, False)
        assert words in str(caught.value)
        assert proxy.url in str(caught.value)

    async def test_is_reported_as_such_if_it_cannot_be_reached(self):
        async with FaultServer() as proxy:
            pass
        async with client_of(proxy) as client:
            with pytest.raises(TransportError) as caught:
                await client.payments.create_link(5)
        assert str(caught.value) == (
            f"create_link: cannot connect to the proxy {proxy.url} (Connection refused)"
        )
        assert not caught.value.sent

    @pytest.mark.parametrize(("status", "asked"), [(407, 1), (403, 1), (502, 3), (503, 3)])
    async def test_is_retried_if_that_may_help(self, status, asked):
        retry = RetryPolicy(max_attempts=3, base_delay=0.1)
        async with (
            FaultServer(answer(status, b"")) as proxy,
            client_of(proxy, retry=retry) as client,
        ):
            with pytest.raises(TransportError):
                await client.payments.create_link(5)
        assert len(proxy.requests) == asked

    @pytest.mark.parametrize("fault", [CLOSE_UNANSWERED, answer(502)], ids=str)
    async def test_is_distinguished_from_an_api_that_fails_behind_it(self, fault):
        """Through an open tunnel the API may have processed the create, whoever lost the answer."""
        async with (
            FaultServer(fault, tls=certificate_of("api.example")) as api,
            FaultServer(tunnel(api)) as proxy,
            client_of(proxy) as client,
        ):
            with pytest.raises(OutcomeUnknownError):
                await client.payments.create_link(5)
        assert len(api.requests) == 1


class TestThePassword:
    @pytest.mark.parametrize("fault", [each[0] for each in FAULTS], ids=str)
    async def test_is_in_nothing_that_an_error_shows(self, fault, shown):
        async with FaultServer(fault) as proxy, client_of(proxy) as client:
            with pytest.raises(TransportError) as caught:
                await client.payments.create_link(5)
            seen = shown(caught.value) + repr(client) + repr(vars(client._core.transport))
        assert [s for s in secrets() if s in seen] == []

    @pytest.mark.parametrize("bad", ["socks5://{}@h:1", "https://{}@h:1", "http://{}@h:x", "{}@"])
    @pytest.mark.parametrize("how", ["argument", "from_env", "variable"])
    def test_is_in_nothing_that_a_configuration_error_shows(self, shown, monkeypatch, bad, how):
        url = bad.format(LOGIN)
        monkeypatch.setenv("PAYWINT_API_KEY", API_KEY)
        monkeypatch.setenv("PAYWINT_API_SECRET", API_SECRET)
        with pytest.raises(ConfigurationError) as caught:
            if how == "variable":
                monkeypatch.setenv("HTTPS_PROXY", url)
                PaywintClient.from_env()
            elif how == "from_env":
                PaywintClient.from_env(proxy=url)
            else:
                PaywintClient(API_KEY, API_SECRET, proxy=url)
        assert ("HTTPS_PROXY" if how == "variable" else "proxy") in str(caught.value)
        assert [s for s in secrets() if s in shown(caught.value)] == []

    def test_is_not_copied(self):
        for copier in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError):
                copier(Proxy(f"http://{LOGIN}@h:1"))


def secrets() -> list[str]:
    encoded = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    return [PASSWORD, LOGIN.partition(":")[2], encoded, API_SECRET, API_KEY]


class TestAProxysUrl:
    @pytest.mark.parametrize(
        ("given", "url"),
        [
            ("http://proxy:3128", "http://proxy:3128"),
            ("http://user:pw@proxy:3128/", "http://proxy:3128"),
            ("proxy:3128", "http://proxy:3128"),
            ("user:pw@proxy:3128", "http://proxy:3128"),
            ("http://proxy", "http://proxy:1080"),
            ("http://[::1]:3128", "http://[::1]:3128"),
        ],
    )
    def test_is_read_as_curl_reads_it(self, given, url):
        proxy = Proxy(given)
        proxy.check()
        assert proxy.url == url

    @pytest.mark.parametrize(
        "given",
        [
            "",
            "http://",
            "socks5://h:1",
            "https://h:1",
            "http://h:1/x",
            "http://h:0x",
            "http://a b",
            5,
        ],
    )
    def test_that_cannot_be_used_is_refused(self, given):
        with pytest.raises(ConfigurationError, match="proxy"):
            PaywintClient(API_KEY, API_SECRET, proxy=given)


class TestTheEnvironment:
    @pytest.mark.parametrize(
        ("variables", "url"),
        [
            ({}, None),
            ({"HTTPS_PROXY": "http://a:1"}, "http://a:1"),
            ({"https_proxy": "http://a:1"}, "http://a:1"),
            ({"https_proxy": "http://a:1", "HTTPS_PROXY": "http://b:1"}, "http://a:1"),
            ({"https_proxy": "", "HTTPS_PROXY": "http://b:1"}, "http://b:1"),
            ({"HTTPS_PROXY": "", "ALL_PROXY": "http://c:1"}, "http://c:1"),
            ({"ALL_PROXY": "http://c:1"}, "http://c:1"),
            ({"all_proxy": "socks5://c:1", "HTTPS_PROXY": "http://b:1"}, "http://b:1"),
            ({"HTTP_PROXY": "http://a:1", "http_proxy": "http://a:1"}, None),
            ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "paywint.com"}, None),
            ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "wint.com"}, "http://a:1"),
            ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": ".paywint.com"}, None),
            ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "x, API.paywint.com."}, None),
            ({"HTTPS_PROXY": "http://a:1", "no_proxy": "x y api.paywint.com"}, None),
            ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "*"}, None),
            ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": "x,*"}, "http://a:1"),
            ({"HTTPS_PROXY": "http://a:1", "NO_PROXY": ""}, "http://a:1"),
            ({"HTTPS_PROXY": "socks5://a:1", "NO_PROXY": "paywint.com"}, None),
        ],
        ids=str,
    )
    def test_is_read_as_curl_reads_it(self, monkeypatch, variables, url):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        proxy = find_proxy("api.paywint.com", None, trust_env=True)
        assert (None if proxy is None else proxy.url) == url

    @pytest.mark.parametrize(
        ("host", "entry", "is_excepted"),
        [
            ("10.1.2.3", "10.0.0.0/8", True),
            ("10.1.2.3", "10.1.2.3", True),
            ("11.1.2.3", "10.0.0.0/8", False),
            ("fd00::1", "fd00::/8", True),
            ("fd00::1", "[fd00::1]", True),
            ("10.1.2.3", "2.3", False),
        ],
    )
    def test_excepts_networks(self, monkeypatch, host, entry, is_excepted):
        monkeypatch.setenv("HTTPS_PROXY", "http://a:1")
        monkeypatch.setenv("NO_PROXY", entry)
        assert (find_proxy(host, None, trust_env=True) is None) == is_excepted

    def test_with_a_proxy_that_cannot_be_used_is_an_error(self, monkeypatch):
        monkeypatch.setenv("ALL_PROXY", "socks5h://proxy:1080")
        with pytest.raises(
            ConfigurationError, match="ALL_PROXY names a proxy of the scheme socks5h"
        ):
            PaywintClient(API_KEY, API_SECRET)

    @pytest.mark.parametrize("options", [{"trust_env": False}, {"base_url": "http://127.0.0.1:1"}])
    def test_is_not_read_without_trust_env_or_for_loopback(self, monkeypatch, options):
        monkeypatch.setenv("HTTPS_PROXY", "socks5h://proxy:1080")
        assert PaywintClient(API_KEY, API_SECRET, **options)._core.transport._proxy is None

    def test_is_overridden_by_the_argument_whatever_no_proxy_says(self, monkeypatch):
        monkeypatch.setenv("HTTPS_PROXY", "http://a:1")
        monkeypatch.setenv("NO_PROXY", "*")
        client = PaywintClient(API_KEY, API_SECRET, proxy="http://b:1")
        assert client._core.transport._proxy.url == "http://b:1"

    async def test_sends_a_request_through_its_proxy(self, monkeypatch, api):
        async with FaultServer(tunnel(api)) as proxy:
            monkeypatch.setenv("HTTPS_PROXY", address(proxy))
            async with client_of(None) as client:
                await client.payments.get(PAYMENT_ID)
        assert len(proxy.requests) == 1
        assert "proxy-authorization" not in proxy.requests[0].headers

    async def test_adds_no_authorization_from_netrc(self, monkeypatch, tmp_path, api):
        netrc = tmp_path / ".netrc"
        netrc.write_text("default login somebody password something\n")
        monkeypatch.setenv("NETRC", str(netrc))
        monkeypatch.setenv("HOME", str(tmp_path))
        async with FaultServer(tunnel(api)) as proxy, client_of(proxy) as client:
            await client.payments.get(PAYMENT_ID)
        assert "authorization" not in api.requests[0].headers
