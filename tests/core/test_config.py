"""The configuration of a client: invalid values are refused clearly, secrets never shown."""

from __future__ import annotations

import copy
import pickle
from decimal import Decimal
from typing import get_type_hints

import pytest
from fault_server import API_KEY, API_SECRET

from paywint_async import (
    ClientOptions,
    ConfigurationError,
    Environment,
    PaywintClient,
    RateLimit,
    RetryPolicy,
)
from paywint_async._config import Credentials, check_base_url

VARIABLES = ("API_KEY", "API_SECRET", "ENVIRONMENT", "BASE_URL")


@pytest.fixture
def set_env(monkeypatch):
    """`set_env(API_KEY=…)`: sets these PAYWINT_ variables and removes all others."""

    def replace(**values: str) -> None:
        for name in VARIABLES:
            monkeypatch.delenv(f"PAYWINT_{name}", raising=False)
        for name, value in values.items():
            monkeypatch.setenv(f"PAYWINT_{name}", value)

    return replace


def refusal(**arguments: object) -> ConfigurationError:
    """The error of the constructor for these arguments, one of which is invalid."""
    with pytest.raises(ConfigurationError) as caught:
        PaywintClient(**{"api_key": API_KEY, "api_secret": API_SECRET, **arguments})
    return caught.value


def base_url_of(client: PaywintClient) -> str:
    return repr(client).split()[1]


class TestArguments:
    @pytest.mark.parametrize("name", ["api_key", "api_secret"])
    @pytest.mark.parametrize("value", ["", None])
    def test_a_missing_credential_is_named(self, name, value):
        assert f"{name} is missing" in str(refusal(**{name: value}))

    @pytest.mark.parametrize("name", ["api_key", "api_secret"])
    @pytest.mark.parametrize("value", [5, b"bytes", ["list"]])
    def test_a_credential_must_be_a_string(self, name, value):
        assert f"{name} must be a string" in str(refusal(**{name: value}))

    @pytest.mark.parametrize("name", ["api_key", "api_secret"])
    @pytest.mark.parametrize(
        "value", ["a\r\nX-Evil: 1", "a\nb", "a b", " a", "a\0", "schlüssel", "\ud800", "\x7f"]
    )
    def test_a_credential_with_characters_not_allowed_in_a_header_is_refused(self, name, value):
        assert f"{name} has characters" in str(refusal(**{name: value}))

    @pytest.mark.parametrize("value", ["", "staging", "SANDBOX", None, 5, ["sandbox"]])
    def test_an_unknown_environment_is_refused(self, value):
        assert "environment must be sandbox or production" in str(refusal(environment=value))

    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "8", None])
    def test_max_concurrency_is_a_whole_number_from_one(self, value):
        assert "max_concurrency must be a whole number" in str(refusal(max_concurrency=value))

    @pytest.mark.parametrize(
        "value", [0, -1, float("inf"), float("nan"), 10**400, True, "30", None]
    )
    def test_request_timeout_is_a_number_above_zero(self, value):
        assert "request_timeout must be a finite number" in str(refusal(request_timeout=value))

    @pytest.mark.parametrize("value", [None, 3, RetryPolicy])
    def test_retry_is_a_policy(self, value):
        assert "retry must be a RetryPolicy" in str(refusal(retry=value))

    @pytest.mark.parametrize("value", [5, "5/s", object()])
    def test_rate_limit_is_a_limit(self, value):
        assert "rate_limit must be a RateLimit" in str(refusal(rate_limit=value))

    @pytest.mark.parametrize("environment", ["sandbox", "production"])
    def test_an_environment_may_be_given_by_name(self, environment):
        client = PaywintClient(API_KEY, API_SECRET, environment=environment)
        assert base_url_of(client) == Environment(environment).base_url

    def test_the_default_environment_is_the_sandbox(self):
        assert base_url_of(PaywintClient(API_KEY, API_SECRET)) == "https://api.sandbox.paywint.com"


class TestRetryPolicy:
    @pytest.mark.parametrize("value", [0, -1, 1.5, True, "4"])
    def test_refuses_invalid_attempts(self, value):
        with pytest.raises(ConfigurationError, match=r"RetryPolicy\.max_attempts"):
            RetryPolicy(max_attempts=value)

    @pytest.mark.parametrize("name", ["base_delay", "max_delay", "max_elapsed"])
    @pytest.mark.parametrize(
        "value", [-1, float("inf"), float("nan"), 10**400, True, "1", Decimal(1)]
    )
    def test_refuses_invalid_seconds(self, name, value):
        with pytest.raises(ConfigurationError, match=rf"RetryPolicy\.{name}"):
            RetryPolicy(**{name: value})

    def test_refuses_a_max_elapsed_of_zero(self):
        with pytest.raises(ConfigurationError, match=r"max_elapsed must be .* more than 0"):
            RetryPolicy(max_elapsed=0)

    @pytest.mark.parametrize("name", ["base_delay", "max_delay"])
    def test_may_have_delays_of_zero(self, name):
        assert getattr(RetryPolicy(**{name: 0}), name) == 0

    def test_has_the_documented_defaults(self):
        assert RetryPolicy() == RetryPolicy(
            max_attempts=4, base_delay=0.5, max_delay=30.0, max_elapsed=120.0
        )


class TestRateLimit:
    @pytest.mark.parametrize("name", ["requests", "per_seconds"])
    @pytest.mark.parametrize("value", [0, -1, float("inf"), float("nan"), 10**400, True, "1"])
    def test_refuses_an_invalid_rate(self, name, value):
        with pytest.raises(ConfigurationError, match=rf"RateLimit\.{name}"):
            RateLimit(**{"requests": 1, name: value})

    @pytest.mark.parametrize("value", [0, -1, 1.5, True])
    def test_refuses_an_invalid_burst(self, value):
        with pytest.raises(ConfigurationError, match=r"RateLimit\.burst"):
            RateLimit(1, burst=value)


class TestBaseUrl:
    @pytest.mark.parametrize(
        "url",
        [
            "https://api.example",
            "https://api.example:8443",
            "https://api.example/paywint/v2",
            "https://[2001:db8::1]:8443",
            "https://bücher.example",
            "http://localhost",
            "http://LOCALHOST:8080",
            "http://127.0.0.1:8080",
            "http://127.9.9.9",
            "http://[::1]:8080",
        ],
    )
    def test_is_used_unchanged(self, url):
        assert check_base_url(url) == url

    @pytest.mark.parametrize("slashes", ["/", "//"])
    def test_loses_trailing_slashes(self, slashes):
        assert check_base_url(f"https://api.example/v2{slashes}") == "https://api.example/v2"

    @pytest.mark.parametrize(
        "url",
        [
            "http://api.paywint.com",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example",
            "http://10.0.0.1",
            "http://0.0.0.0",
            "http://127.1",
            "http://2130706433",
        ],
    )
    def test_is_plain_http_only_to_loopback(self, url):
        assert "base_url must be https" in str(refusal(base_url=url))

    @pytest.mark.parametrize(
        "url",
        [
            "https://user:password@api.example",
            "https://user@api.example",
            "http://localhost@evil.example",
            "https://@api.example",
        ],
    )
    def test_has_no_credentials(self, url):
        assert str(refusal(base_url=url)) == "base_url must not contain credentials"

    @pytest.mark.parametrize("url", ["https://x?", "https://x/?a=b", "https://x#", "https://x/#a"])
    def test_has_no_query_and_no_fragment(self, url):
        assert "no query and no fragment" in str(refusal(base_url=url))

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "api.example",
            "//api.example",
            "https://",
            "https:///path",
            "ftp://api.example",
            "file:///etc/passwd",
            "https://api.example/a b",
            "https://api.example/\r\nX: y",
            "https://api.example\\@evil.example",
            "https://api.example/\u2028",
        ],
    )
    def test_is_an_https_url_with_a_host(self, url):
        assert "base_url must" in str(refusal(base_url=url))

    @pytest.mark.parametrize(
        "url",
        [
            "https://x:99999",
            "https://x:port",
            "https://[",
            "https://\ud800",
            "https://a..b",
            f"https://{'x' * 64}.example",
            5,
            b"https://x",
        ],
    )
    def test_must_be_a_valid_url(self, url):
        assert str(refusal(base_url=url)) == "base_url is not a URL"


class TestFromEnv:
    def test_reads_all_four_variables(self, set_env):
        set_env(
            API_KEY=API_KEY,
            API_SECRET=API_SECRET,
            ENVIRONMENT="production",
            BASE_URL="https://proxy.example",
        )
        assert base_url_of(PaywintClient.from_env()) == "https://proxy.example"

    def test_reads_the_environment(self, set_env):
        set_env(API_KEY=API_KEY, API_SECRET=API_SECRET, ENVIRONMENT="production")
        assert base_url_of(PaywintClient.from_env()) == "https://api.paywint.com"

    def test_prefers_arguments_to_variables(self, set_env):
        set_env(ENVIRONMENT="production", BASE_URL="https://proxy.example")
        client = PaywintClient.from_env(
            api_key=API_KEY, api_secret=API_SECRET, environment="sandbox", base_url=None
        )
        assert base_url_of(client) == "https://api.sandbox.paywint.com"

    @pytest.mark.parametrize("name", ["API_KEY", "API_SECRET"])
    def test_names_the_variable_that_is_missing(self, set_env, name):
        others = {"API_KEY": API_KEY, "API_SECRET": API_SECRET}
        del others[name]
        set_env(**others)
        with pytest.raises(ConfigurationError, match=f"PAYWINT_{name}"):
            PaywintClient.from_env()

    def test_names_the_variable_that_is_invalid(self, set_env):
        set_env(API_KEY=API_KEY, API_SECRET=API_SECRET, ENVIRONMENT="staging")
        with pytest.raises(ConfigurationError, match=r"PAYWINT_ENVIRONMENT must be .* 'staging'"):
            PaywintClient.from_env()

    @pytest.mark.parametrize("name", ["ENVIRONMENT", "BASE_URL"])
    def test_treats_an_empty_variable_as_unset(self, set_env, name):
        set_env(API_KEY=API_KEY, API_SECRET=API_SECRET, **{name: ""})
        assert base_url_of(PaywintClient.from_env()) == "https://api.sandbox.paywint.com"

    def test_names_an_option_that_does_not_exist(self, set_env):
        set_env(API_KEY=API_KEY, API_SECRET=API_SECRET)
        with pytest.raises(TypeError, match="retires"):
            PaywintClient.from_env(retires=3)

    def test_has_the_options_of_the_constructor(self):
        constructor = get_type_hints(PaywintClient.__init__)
        del constructor["return"]
        assert get_type_hints(ClientOptions) == constructor
        assert ClientOptions.__required_keys__ == set()

    def test_returns_an_instance_of_the_class_it_is_called_on(self, set_env):
        class MyClient(PaywintClient):
            pass

        set_env(API_KEY=API_KEY, API_SECRET=API_SECRET)
        assert type(MyClient.from_env()) is MyClient


class TestTheSecret:
    @pytest.mark.parametrize("show", [repr, str, dir, "{0!r} {0!s}".format])
    def test_is_not_shown_by_the_credentials(self, show):
        assert API_SECRET not in str(show(Credentials(API_KEY, API_SECRET)))

    def test_is_not_among_the_vars_of_the_credentials(self):
        with pytest.raises(TypeError):
            vars(Credentials(API_KEY, API_SECRET))

    @pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
    def test_is_neither_pickled_nor_copied(self, take):
        with pytest.raises(TypeError, match="credentials are not pickled or copied"):
            take(Credentials(API_KEY, API_SECRET))

    def test_is_not_compared(self):
        assert Credentials(API_KEY, API_SECRET) != Credentials(API_KEY, API_SECRET)

    def test_is_nowhere_in_a_client(self):
        client = PaywintClient(API_KEY, API_SECRET)
        shown = [repr(client), *(repr(vars(part)) for part in (client, client._core.transport))]
        assert API_SECRET not in " ".join(shown)

    def test_does_not_get_into_a_pickle(self):
        with pytest.raises((TypeError, AttributeError)) as caught:
            pickle.dumps(PaywintClient(API_KEY, API_SECRET))
        assert API_SECRET not in str(caught.value)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"api_key": ""},
            {"api_key": "two words"},
            {"api_secret": f"{API_SECRET}\n"},
            {"environment": "staging"},
            {"base_url": "http://evil.example"},
            {"request_timeout": 0},
            {"max_concurrency": 0},
            {"retry": None},
            {"rate_limit": 5},
        ],
        ids=str,
    )
    @pytest.mark.parametrize("make", [PaywintClient, PaywintClient.from_env])
    def test_is_not_in_the_traceback_of_a_refusal(self, make, wrong, shown):
        with pytest.raises(ConfigurationError) as caught:
            make(**{"api_key": API_KEY, "api_secret": API_SECRET, **wrong})
        assert API_SECRET not in shown(caught.value)

    def test_is_not_in_the_traceback_of_a_refused_variable(self, set_env, shown):
        set_env(API_KEY=API_KEY, API_SECRET=f"{API_SECRET} ", ENVIRONMENT="sandbox")
        with pytest.raises(ConfigurationError) as caught:
            PaywintClient.from_env()
        assert API_SECRET not in shown(caught.value)


def test_a_client_that_could_not_be_made_still_has_a_repr(shown):
    # Debuggers and error reporters print the locals of the constructor's frame, `self` among them.
    error = refusal(max_concurrency=0, request_timeout=0)
    assert "request_timeout" in shown(error, strict=True)
