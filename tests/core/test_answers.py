"""Each answer becomes a record, or the error that says what the caller can do."""

from __future__ import annotations

import json
import sys
import time
from email.utils import formatdate

import pytest
from fault_server import LINK, PAGE, PAYMENT_ID
from hypothesis import given
from hypothesis import strategies as st

from paywint_async import (
    APIError,
    AuthenticationError,
    Direction,
    NotFoundError,
    PaywintError,
    PermissionDeniedError,
    RateLimitedError,
    Response,
    ResponseDecodeError,
    ServerError,
    UnexpectedRedirectError,
    UnprocessableRequestError,
    _protocol,
)


def link() -> _protocol.Call:
    return _protocol.create_link(5, None, None)


def error_of(status: int, body: bytes = b"", **headers: str) -> APIError:
    return _protocol.api_error(Response(status=status, body=body, headers=headers))


class TestARefusal:
    @pytest.mark.parametrize(
        ("status", "kind"),
        [
            (299, APIError),
            (300, UnexpectedRedirectError),
            (301, UnexpectedRedirectError),
            (399, UnexpectedRedirectError),
            (304, UnexpectedRedirectError),
            (400, APIError),
            (401, AuthenticationError),
            (403, PermissionDeniedError),
            (404, NotFoundError),
            (409, APIError),
            (422, UnprocessableRequestError),
            (429, RateLimitedError),
            (500, ServerError),
            (503, ServerError),
            (599, ServerError),
            (700, ServerError),
            (100, APIError),
        ],
    )
    def test_has_the_class_of_its_status(self, status, kind):
        error = error_of(status)
        assert (type(error), error.status) == (kind, status)

    def test_reaches_each_api_error_class_by_some_status(self):
        kinds = {type(error_of(status)) for status in range(300, 600)}
        assert kinds == {APIError, *APIError.__subclasses__()}

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (b'{"success":false,"message":"No."}', "No."),
            (b'{"detail":"No."}', "No."),
            (b'{"detail":[{"loc":["body","amount"],"msg":"Too much"}]}', "amount: Too much"),
            (b'{"message":"","detail":"No."}', "No."),
            (b'{"message":5,"detail":"No."}', "No."),
            (b'{"message":null,"detail":{}}', '{"message":null,"detail":{}}'),
            (b'{"detail":[5,null]}', '{"detail":[5,null]}'),
            (b"  <html>\n<h1>502</h1>", "<html>"),
            (b"\xff\xfe", "��"),
            (b"[" * 100_000, "[" * 200),
            (b"x" * 100_000, "x" * 200),
            (b" \r\n ", "no message"),
            (b"", "no message"),
        ],
    )
    def test_has_the_message_of_the_api(self, body, message):
        assert error_of(400, body).message == message

    def test_keeps_a_bounded_part_of_the_body(self):
        assert error_of(400, "ü".encode() * 5_000).body == "ü" * 2_000

    def test_has_a_bounded_message(self):
        body = json.dumps({"message": "x" * 5_000}).encode()
        assert error_of(400, body).message == "x" * 2_000

    @pytest.mark.parametrize("status", [300, 302, 399])
    def test_of_a_redirect_names_the_setting_to_check(self, status):
        assert error_of(status).message == "a redirect, which is not followed; check base_url"

    @pytest.mark.parametrize("status", [299, 400])
    def test_of_another_status_does_not_mention_a_redirect(self, status):
        assert error_of(status).message == "no message"

    @pytest.mark.parametrize("status", [400, 404, 422, 429, 503])
    def test_has_body_headers_and_request_id_whatever_its_class(self, status):
        body = b'{"message":"No."}'
        error = error_of(status, body, **{"x-request-id": "r-1", "retry-after": "7"})
        assert (error.message, error.body) == ("No.", '{"message":"No."}')
        assert (error.request_id, error.headers["retry-after"]) == ("r-1", "7")

    def test_lists_the_problems_of_all_fields(self):
        body = b'{"detail":[{"loc":["body","a"],"msg":"A"},{"loc":["body","b"],"msg":"B"}]}'
        assert error_of(422, body).message == "a: A; b: B"

    @pytest.mark.parametrize(
        ("detail", "problems"),
        [
            ('[{"loc":["body","amount"],"msg":"Too much"}]', {"amount": "Too much"}),
            ('[{"loc":["body","items",0,"id"],"msg":"No"}]', {"items.0.id": "No"}),
            ('[{"loc":["body"],"msg":"Not JSON"}]', {"body": "Not JSON"}),
            ('[{"loc":"amount","msg":"No"}]', {"amount": "No"}),
            (
                '[{"loc":["query","a"],"msg":"A"},{"loc":["b"],"msg":"B"}]',
                {"query.a": "A", "b": "B"},
            ),
            ("[5,null]", {}),
            ('"text"', {}),
            ("null", {}),
        ],
    )
    def test_of_422_names_the_fields(self, detail, problems):
        assert error_of(422, b'{"detail":%s}' % detail.encode()).problems == problems

    @pytest.mark.parametrize(
        ("retry_after", "seconds"),
        [
            ("5", 5),
            ("0", 0),
            ("1.5", 1.5),
            (" 7 ", 7),
            ("999999999", 999_999_999),
            ("9999999999", 9_999_999_999),
            ("123456789012.5", 123_456_789_012.5),
            ("9" * 400, sys.float_info.max),
        ],
    )
    def test_of_429_has_the_seconds_to_wait(self, retry_after, seconds):
        assert error_of(429, **{"retry-after": retry_after}).retry_after == seconds

    def test_of_429_may_have_a_date(self):
        moment = formatdate(time.time() + 60, usegmt=True)
        assert error_of(429, **{"retry-after": moment}).retry_after == pytest.approx(60, abs=2)

    @pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
    @pytest.mark.parametrize(
        "moment",
        [
            "Sun, 06 Nov 1994 08:50:37 GMT",
            "Sunday, 06-Nov-94 08:50:37 GMT",
            "Sun Nov  6 08:50:37 1994",
            "Sun, 06 Nov 1994 08:50:37 -0000",
        ],
    )
    def test_of_429_reads_the_date_as_utc_in_any_time_zone(self, monkeypatch, moment, zone):
        response = Response(status=429, headers={"retry-after": moment})
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        try:
            assert _protocol.retry_after_seconds(response, now=784_111_777.0) == 60
        finally:
            monkeypatch.undo()
            time.tzset()

    @pytest.mark.parametrize(
        ("now", "seconds"), [(784_111_836.5, 0.5), (784_111_837.0, None), (784_111_838.0, None)]
    )
    def test_of_429_ignores_a_date_that_has_passed(self, now, seconds):
        response = Response(status=429, headers={"retry-after": "Sun, 06 Nov 1994 08:50:37 GMT"})
        assert _protocol.retry_after_seconds(response, now=now) == seconds

    @pytest.mark.parametrize(
        "retry_after",
        [
            "-1",
            "soon",
            "",
            "nan",
            "inf",
            "1e3",
            "0x10",
            "٣",
            "5, 6",
            "Mon, 01 Jan 2001 00:00:00 GMT",
            "Mon, 99 Jan 2099 00:00:00 GMT",
            "Mon, 01 Jan 99999 00:00:00 GMT",
        ],
    )
    def test_of_429_with_an_invalid_retry_after_has_none(self, retry_after):
        assert error_of(429, **{"retry-after": retry_after}).retry_after is None

    @given(st.text())
    def test_of_429_never_fails_whatever_retry_after_is(self, text):
        seconds = error_of(429, **{"retry-after": text}).retry_after
        assert seconds is None or 0 <= seconds < float("inf")

    def test_of_429_may_lack_retry_after(self):
        assert error_of(429).retry_after is None


class TestASuccess:
    @pytest.mark.parametrize(
        "body",
        [
            b'{"success":false,"message":"No."}',
            b'{"success":false,"message":"No.","data":null}',
            b'{"success":false,"message":"No.","data":%s}' % LINK[LINK.index(b'{"payment_id') : -1],
        ],
    )
    def test_with_success_false_is_an_api_error(self, body):
        with pytest.raises(APIError) as caught:
            link().read(Response(status=200, body=body))
        assert (type(caught.value), caught.value.status) == (APIError, 200)
        assert (caught.value.message, caught.value.__cause__) == ("No.", None)

    @pytest.mark.parametrize("status", [200, 201, 202, 299])
    def test_has_a_2xx_status(self, status):
        assert str(link().read(Response(status=status, body=LINK)).payment_id) == PAYMENT_ID

    @pytest.mark.parametrize("status", [199, 300])
    def test_has_no_other_status(self, status):
        with pytest.raises(APIError) as caught:
            link().read(Response(status=status, body=LINK))
        assert caught.value.status == status

    @pytest.mark.parametrize(
        ("body", "path"),
        [
            (b"", "$"),
            (b"<html>", "$"),
            (b"{}", "$"),
            (b'{"data":null}', "$.data"),
            (b'{"success":true,"data":{}}', "$.data"),
            (b'{"success":null,"data":{}}', "$.success"),
            (b'{"success":"false"}', "$.success"),
        ],
    )
    def test_of_another_shape_is_an_error(self, body, path):
        with pytest.raises(ResponseDecodeError) as caught:
            link().read(Response(status=200, body=body))
        assert caught.value.path == path

    def test_with_an_amount_as_text_is_refused(self):
        body = PAGE.replace(b"150.75", b'"150.75"')
        with pytest.raises(ResponseDecodeError) as caught:
            _protocol.page(Direction.SENT, 1, 10).read(Response(status=200, body=body))
        assert caught.value.path == "$.records[0].amount"


TOKEN_CALL = _protocol.create_checkout_token(
    5, email="a@example.com", phone=None, phone_country_code=None, currency="USD"
)
READERS = [link(), TOKEN_CALL, _protocol.get(PAYMENT_ID), _protocol.page(Direction.SENT, 1, 10)]
bodies = st.binary() | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.sampled_from(["success", "message", "detail", "data", "loc"]), inner)
    ),
).map(lambda value: json.dumps(value).encode())


@pytest.mark.slow
@given(st.integers(100, 999), bodies, st.sampled_from(READERS))
def test_any_answer_is_a_record_or_a_paywint_error(status, body, call):
    with pytest.raises(PaywintError):
        call.read(Response(status=status, body=body))
