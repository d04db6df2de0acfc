"""`client.request`: any path of the API, with the same errors, retries and limits; `sent_path`."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from fault_server import (
    CLOSE_UNANSWERED,
    CUT_BODY,
    GOOD,
    PAYMENT_ID,
    SILENCE,
    FaultServer,
    answer,
    redirect,
)

from paywint_async import (
    APIError,
    ConfigurationError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PaywintClient,
    RateLimitedError,
    ResponseDecodeError,
    RetryPolicy,
    ServerError,
    TransportError,
    UnexpectedRedirectError,
)
from paywint_async.emulator import Emulator

WALLET = "/api/user-api/wallet/get"
PAYEES = "/api/user-api/payee/create"
UNKNOWN_EFFECT = [
    CLOSE_UNANSWERED,
    CUT_BODY,
    SILENCE,
    answer(500),
    answer(408),
    answer(body=b"<html>", name="no JSON"),
]


def says(body: str, status: int = 200):
    return answer(status, body.encode(), name=body[:40])


class TestTheAnswer:
    @pytest.mark.parametrize(
        ("body", "value"),
        [
            ('{"balance":1.10}', {"balance": Decimal("1.10")}),
            ('{"balance":12345678901234567.89}', {"balance": Decimal("12345678901234567.89")}),
            ("[1,2.0,1e2]", [1, Decimal("2.0"), Decimal("1E+2")]),
            ("18446744073709551617", 2**64 + 1),
            ("null", None),
            ('"text"', "text"),
            ('{"success":true,"data":null}', {"success": True, "data": None}),
            (r'{"name":"Ann \ud83d"}', {"name": "Ann \ufffd"}),
            (r'{"name":"Ann \ud83d\ude00"}', {"name": "Ann 😀"}),
        ],
    )
    async def test_is_decoded_with_exact_numbers(self, connect, body, value):
        async with FaultServer(says(body)) as server:
            decoded = await connect(server).request("GET", WALLET)
        assert (decoded, repr(decoded)) == (value, repr(value))

    async def test_of_204_is_none(self, connect):
        async with FaultServer(answer(204, b"")) as server:
            assert await connect(server).request("DELETE", "/api/user-api/payee/1") is None

    @pytest.mark.parametrize(
        "body",
        [
            "",
            "<html>",
            '{"a":1,"a":2}',
            "[NaN]",
            "[-Infinity]",
            "[" * 100_000,
            "[1e99999999999999999999]",
        ],
        ids=lambda body: body[:20],
    )
    async def test_that_is_not_strict_json_is_an_error(self, connect, body):
        async with FaultServer(says(body)) as server:
            with pytest.raises(ResponseDecodeError):
                await connect(server).request("GET", WALLET)
        assert len(server.requests) == 1

    async def test_that_is_not_utf_8_is_read_with_a_replacement(self, connect):
        async with FaultServer(answer(body=b'"a\xff"')) as server:
            assert await connect(server).request("GET", WALLET) == "a\ufffd"

    async def test_too_large_for_the_event_loop_is_read(self, connect):
        async with FaultServer(says('["' + "a" * 300_000 + '"]')) as server:
            (text,) = await connect(server).request("GET", WALLET)
        assert len(text) == 300_000

    async def test_with_success_false_is_an_api_error(self, connect):
        async with FaultServer(says('{"success":false,"message":"No wallet."}')) as server:
            with pytest.raises(APIError, match="No wallet") as caught:
                await connect(server).request("GET", WALLET)
        assert caught.value.status == 200

    async def test_of_the_emulator_equals_the_typed_page(self, connect):
        async with Emulator(hostile=True, payments=3) as emulator:
            client = connect(emulator)
            page = await client.request(
                "POST",
                "/api/user-api/payment/list/payment-received",
                json={"rows_per_page": 10, "page_no": 1},
                repeatable=True,
            )
            typed = await client.payments.page("received", 1, 10)
        assert [(r["payment_id"], r["amount"]) for r in page["records"]] == [
            (str(payment.payment_id), payment.amount) for payment in typed.records
        ]


class TestWhatIsSent:
    async def test_is_the_json_with_its_digits(self, connect):
        async with FaultServer(says("{}")) as server:
            await connect(server).request(
                "PUT",
                PAYEES + "?draft=true",
                json={"amount": Decimal("1.10"), "id": UUID(PAYMENT_ID), "list": [1, None, True]},
            )
        (seen,) = server.requests
        assert (seen.method, seen.path) == ("PUT", PAYEES + "?draft=true")
        assert seen.body == b'{"amount":1.10,"id":"%s","list":[1,null,true]}' % PAYMENT_ID.encode()
        assert seen.headers["content-type"] == "application/json"

    async def test_has_the_credentials(self, connect):
        async with FaultServer(says("{}")) as server:
            await connect(server).request("get", WALLET)
        (seen,) = server.requests
        assert (seen.method, seen.body) == ("GET", b"")
        assert {"x-api-key", "x-api-secret"} <= set(seen.headers)

    @pytest.mark.parametrize(
        ("arguments", "field"),
        [
            ({"path": "api"}, "path"),
            ({"path": ""}, "path"),
            ({"path": None}, "path"),
            ({"path": "https://evil.example/"}, "path"),
            ({"path": "//evil.example/"}, "path"),
            ({"path": "/\\evil.example"}, "path"),
            ({"path": "/a b"}, "path"),
            ({"path": "/a\r\nX-Evil: 1"}, "path"),
            ({"path": "/ä"}, "path"),
            ({"path": "/a#b"}, "path"),
            ({"path": "/api/../admin"}, "path"),
            ({"path": "/api/%2E%2e"}, "path"),
            ({"method": "CONNECT"}, "method"),
            ({"method": "GET / HTTP/1.1\r\n"}, "method"),
            ({"method": None}, "method"),
            ({"repeatable": "yes"}, "repeatable"),
            ({"json": {"amount": 150.75}}, "json"),
            ({"json": [{"amount": float("nan")}]}, "json"),
            ({"json": Decimal("NaN")}, "json"),
            ({"json": {1: "one"}}, "json"),
            ({"json": b"bytes"}, "json"),
            ({"json": {1, 2}}, "json"),
            ({"json": "\ud83d"}, "json"),
            ({"json": 10**5000}, "json"),
        ],
        ids=lambda value: value if isinstance(value, str) else "-".join(value),
    )
    async def test_is_checked_before_it_is_sent(self, connect, arguments, field):
        given = {"method": "POST", "path": PAYEES, **arguments}
        async with FaultServer() as server:
            with pytest.raises(InvalidRequestError) as caught:
                await connect(server).request(given.pop("method"), given.pop("path"), **given)
        assert (caught.value.field, server.connections) == (field, 0)

    async def test_that_contains_itself_is_refused(self, connect):
        endless: list[object] = []
        endless.append(endless)
        async with FaultServer() as server:
            with pytest.raises(InvalidRequestError, match="contains itself"):
                await connect(server).request("POST", PAYEES, json=endless)

    async def test_that_is_refused_has_the_path_of_the_value(self, connect):
        async with FaultServer() as server:
            with pytest.raises(InvalidRequestError, match=r"Decimal\('150.75'\) @ \$.a\[1\].b"):
                await connect(server).request("POST", PAYEES, json={"a": [0, {"b": 150.75}]})


class TestRetries:
    @pytest.mark.parametrize("options", [{"method": "GET"}, {"method": "POST", "repeatable": True}])
    async def test_a_repeatable_request_is_retried(self, connect, options):
        async with FaultServer(CLOSE_UNANSWERED, answer(503), says('{"a":1}')) as server:
            options = {**options, "path": WALLET}
            assert await connect(server).request(**options) == {"a": 1}
        assert len(server.requests) == 3

    @pytest.mark.parametrize("fault", UNKNOWN_EFFECT, ids=str)
    @pytest.mark.parametrize(
        "options",
        [{"method": "POST"}, {"method": "DELETE"}, {"method": "GET", "repeatable": False}],
    )
    async def test_any_other_request_is_sent_once(self, connect, fault, options):
        async with FaultServer(fault, GOOD) as server:
            with pytest.raises(OutcomeUnknownError) as caught:
                await connect(server).request(**options, path=PAYEES, json={"name": "Ann"})
        assert len(server.requests) == 1
        assert caught.value.asked == {
            "method": options["method"],
            "path": PAYEES,
            "json": {"name": "Ann"},
        }

    async def test_a_write_that_was_refused_has_not_happened(self, connect):
        async with FaultServer(answer(404)) as server:
            with pytest.raises(NotFoundError):
                await connect(server).request("DELETE", PAYEES)

    async def test_a_write_is_sent_again_after_a_429(self, connect):
        async with FaultServer(answer(429), answer(204, b"")) as server:
            assert await connect(server).request("DELETE", PAYEES) is None
        assert len(server.requests) == 2

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [
            (answer(429), RateLimitedError),
            (answer(503), ServerError),
            (CLOSE_UNANSWERED, TransportError),
            (redirect(302, "http://127.0.0.1:9/"), UnexpectedRedirectError),
        ],
        ids=str,
    )
    async def test_errors_are_those_of_every_operation(self, connect, fault, kind):
        async with FaultServer(fault) as server:
            client = connect(server, retry=RetryPolicy(max_attempts=1))
            with pytest.raises(kind):
                await client.request("GET", WALLET)

    async def test_the_error_has_a_copy_of_the_json(self, connect):
        asked = {"names": ["Ann"]}
        async with FaultServer(CLOSE_UNANSWERED) as server:
            with pytest.raises(OutcomeUnknownError) as caught:
                await connect(server).request("POST", PAYEES, json=asked)
        asked["names"].clear()
        assert caught.value.asked["json"] == {"names": ["Ann"]}


class TestTheSentPath:
    async def test_is_used_to_read_sent_payments(self, connect):
        async with FaultServer() as server:
            client = connect(server, sent_path="/v2/payment-sent")
            await client.payments.sent().collect()
            await client.payments.page("sent", 1)
            await client.payments.page("received", 1)
        assert [seen.path for seen in server.requests] == [
            "/v2/payment-sent",
            "/v2/payment-sent",
            "/api/user-api/payment/list/payment-received",
        ]

    @pytest.mark.parametrize("path", ["sent", "//evil/x", "/a b", "/a?b=c", "/a#b", None, 5])
    def test_that_is_invalid_is_refused(self, path):
        with pytest.raises(ConfigurationError, match="sent_path"):
            PaywintClient("key", "secret", sent_path=path)
