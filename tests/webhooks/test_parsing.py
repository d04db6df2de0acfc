"""A delivery becomes a typed event, exactly, or an error that names what is wrong with it."""

from __future__ import annotations

import json
import pickle
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_deliveries import ID, NOW, PAYMENT_ID, RETRY_ID, clock, delivery

from paywint_async import ConfigurationError, PaymentStatus
from paywint_async.webhooks import (
    MAX_BODY,
    WebhookDecodeError,
    WebhookError,
    WebhookEventName,
    WebhookTimestampError,
    parse_event,
)


def parse(body, **options):
    return parse_event(body, {}, clock=clock, **options)


def problem(body):
    with pytest.raises(WebhookDecodeError) as caught:
        parse(body)
    assert isinstance(caught.value, WebhookError)
    return caught.value.path, caught.value.problem


class TestAnEvent:
    def test_has_the_fields_of_the_delivery_typed(self):
        event = parse(delivery())
        assert event.id == UUID(ID)
        assert event.event is WebhookEventName.SUCCESS
        assert event.payment_id == UUID(PAYMENT_ID)
        assert event.status is PaymentStatus.SUCCESS
        assert event.amount == Decimal("5.99")
        assert event.event_generated_time == datetime.fromtimestamp(NOW, UTC)
        assert event.event_generated_time.tzinfo is not None
        assert (event.failed_reason, event.retry_payment_id) == (None, None)

    def test_of_a_failure_says_why(self):
        event = parse(delivery(status="failed", event="payment.failed", failed_reason="no funds"))
        assert (event.status, event.failed_reason) == ("failed", "no funds")

    def test_of_a_retry_names_the_new_payment(self):
        event = parse(delivery(status="retried", retry_payment_id=RETRY_ID))
        assert event.retry_payment_id == UUID(RETRY_ID)

    def test_is_a_value(self):
        event, same = parse(delivery()), parse(delivery())
        assert (event, hash(event)) == (same, hash(same))
        assert pickle.loads(pickle.dumps(event)) == event
        with pytest.raises(AttributeError):
            event.amount = Decimal(1)

    def test_keeps_a_name_and_a_status_that_nobody_has_published(self):
        event = parse(delivery(event="payment.refunded", status="refunded"))
        assert (event.event, event.status) == ("payment.refunded", "refunded")
        assert isinstance(event.event, WebhookEventName)
        assert isinstance(event.status, PaymentStatus)
        assert pickle.loads(pickle.dumps(event)) == event

    def test_does_not_mind_fields_it_does_not_know(self):
        body = json.loads(delivery())
        body |= {"version": 2, "more": [{"amount": "x", "deep": None}]}
        body["data"]["fee"] = 1.5
        assert parse(json.dumps(body)) == parse(delivery())

    @pytest.mark.parametrize("name", ["failed_reason", "retry_payment_id"])
    def test_takes_null_for_what_only_some_events_have(self, name):
        assert getattr(parse(delivery(**{name: None})), name) is None

    @pytest.mark.parametrize("kind", [bytes, bytearray, memoryview, bytes.decode])
    def test_comes_from_bytes_or_their_text(self, kind):
        assert parse(kind(delivery())) == parse(delivery())

    def test_is_not_verified_where_nobody_vouches_for_it(self):
        assert parse(delivery()).is_verified is False


class TestAnAmount:
    @pytest.mark.parametrize(
        ("cents", "dollars"),
        [
            ("599", "5.99"),
            ("0", "0.00"),
            ("1", "0.01"),
            ("10", "0.10"),
            ("100", "1.00"),
            ("435", "4.35"),
            ("900719925474099337", "9007199254740993.37"),
            ("123456789012345678901234567890123", "1234567890123456789012345678901.23"),
        ],
    )
    def test_is_cents_turned_into_dollars_exactly(self, cents, dollars):
        body = delivery(amount=0).replace(b'"amount": 0', b'"amount": ' + cents.encode())
        amount = parse(body).amount
        assert (amount, str(amount)) == (Decimal(dollars), dollars)

    @given(st.integers(min_value=0, max_value=10**60))
    def test_is_never_rounded(self, cents):
        amount = parse(delivery(amount=cents)).amount
        assert f"{amount:f}".replace(".", "").lstrip("0") == str(cents).lstrip("0")
        assert amount.as_tuple().exponent == -2

    @pytest.mark.parametrize(
        "written",
        [
            "5.99",
            "599.0",
            "5.99e2",
            "1e2",
            "-599",
            "-0",
            '"599"',
            "true",
            "null",
            "[599]",
            "{}",
            "NaN",
            "Infinity",
            "-Infinity",
            "0599",
            "+599",
            "5_99",
            "0x257",
            "５９９",
            "",
        ],
    )
    def test_that_is_no_whole_number_of_cents_is_refused(self, written):
        body = delivery(amount=0).replace(b'"amount": 0', f'"amount": {written}'.encode())
        path, said = problem(body)
        assert path in ("$.data.amount", "$")
        assert "whole cents" in said or "no valid JSON" in said

    def test_in_dollars_is_named_with_its_place(self):
        assert problem(delivery(amount=5.99)) == ("$.data.amount", "expected whole cents, got 5.99")


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("event", "$"),
            ("id", "$"),
            ("data", "$"),
            ("eventGeneratedTime", "$"),
            ("payment_id", "$.data"),
            ("status", "$.data"),
            ("amount", "$.data"),
        ],
    )
    def test_is_named_where_a_field_is_missing(self, name, path):
        assert problem(delivery(without=[name])) == (path, f"the field {name!r} is missing")

    @pytest.mark.parametrize("value", [None, True, 0, 1.5, [], {}, "x\ud800", ["payment.success"]])
    @pytest.mark.parametrize("name", ["event", "status"])
    def test_is_named_where_a_text_is_something_else(self, name, value):
        path, said = problem(delivery(**{name: value}))
        assert path.endswith(name)
        assert said.startswith("expected text, got ")

    @pytest.mark.parametrize("value", [True, 0, 1.5, [], {}, "\udfff"])
    def test_is_named_where_the_reason_is_something_else(self, value):
        assert problem(delivery(failed_reason=value))[0] == "$.data.failed_reason"

    @pytest.mark.parametrize(
        "value",
        [
            7,
            True,
            "",
            "x",
            ID[:-1],
            f"{ID}0",
            f"{{{ID[1:-1]}}}",
            ID.replace("-", "_"),
            f"urn:uuid:{ID}",
            ID.replace("5", "５"),
            f" {ID[1:]}",
            f"{ID}\n",
        ],
    )
    @pytest.mark.parametrize("name", ["id", "payment_id", "retry_payment_id"])
    def test_is_named_where_an_id_is_no_uuid(self, name, value):
        assert problem(delivery(**{name: value}))[0].endswith(name)

    @pytest.mark.parametrize(
        "value", ["now", "1750068284", None, True, -1, -0.5, 1e300, 10**400, 253402300800, [1]]
    )
    def test_is_named_where_the_time_is_none(self, value):
        assert problem(delivery(at=value))[0] == "$.eventGeneratedTime"

    @pytest.mark.parametrize("written", ["1e999", "1e99999999999999999999", "NaN", "9" * 5000])
    def test_is_named_where_the_time_has_no_end(self, written):
        body = delivery(at="here").replace(b'"here"', written.encode())
        assert problem(body)[0] in ("$.eventGeneratedTime", "$")

    @pytest.mark.parametrize("data", [None, [], "x", 5, True])
    def test_is_named_where_the_payment_is_none(self, data):
        path, said = problem(json.dumps({**json.loads(delivery()), "data": data}))
        assert (path, said.partition(",")[0]) == ("$.data", "expected an object")

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b" ",
            b"null",
            b"[]",
            b"5",
            b'"x"',
            b"{",
            b"\xff\xfe",
            b"\x00",
            b"<html>",
            delivery()[:-1],
            delivery() + b"x",
            b"\xef\xbb\xbf" + delivery(),
            delivery().decode().encode("utf-16"),
            b"event=payment.success",
            b"{'event': 1}",
        ],
    )
    def test_is_said_of_what_is_no_json_object(self, body):
        assert problem(body)[0] == "$"

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"data":{"amount":['])
    def test_is_said_of_what_is_nested_as_deep_as_a_body_can_be(self, opening):
        """How deep Python reads depends on its version and on the stack; the refusal does not."""
        body = opening * (MAX_BODY // len(opening))
        path, text = problem(body)
        assert path == "$"
        assert re.match("it is nested too deeply$|no valid JSON", text)

    @pytest.mark.parametrize(
        ("plain", "doubled"),
        [
            (b'"amount": 599', b'"amount": 1, "amount": 599'),
            (b'"amount": 599', b'"\\u0061mount": 1, "amount": 599'),
            (b'"status"', b'"status": "failed", "status"'),
            (b'"id"', b'"id": 1, "id"'),
            (b'"data"', b'"more": {"a": 1, "a": 1}, "data"'),
        ],
    )
    def test_is_a_key_that_comes_twice(self, plain, doubled):
        assert "comes twice" in problem(delivery().replace(plain, doubled))[1]

    def test_is_a_body_that_is_too_large(self):
        padding = b" " * (MAX_BODY - len(delivery()))
        assert parse(delivery() + padding) == parse(delivery())
        assert problem(delivery() + padding + b" ") == (
            "$",
            "the body has 65,537 bytes, more than 65,536",
        )

    @pytest.mark.parametrize("body", [None, {}, json.loads(delivery()), 5, ["x"]])
    def test_is_a_body_that_a_framework_has_parsed(self, body):
        assert "must be the request's bytes" in problem(body)[1]

    def test_is_text_that_no_bytes_can_be(self):
        assert problem('{"event": "\ud800"}') == ("$", "it is not UTF-8")

    def test_is_shown_in_one_short_line(self):
        said = problem(delivery(amount="x\n" * 1000))[1]
        assert "\n" not in said
        assert len(said) < 80

    def test_names_a_long_key_in_short(self):
        body = b'{"%s": 1, "%s": 2}' % (b"k" * 1000, b"k" * 1000)
        assert len(problem(body)[1]) < 120


class TestTheWindow:
    @pytest.mark.parametrize("age", [-300, -299, 0, 299, 300])
    def test_is_five_minutes_to_both_sides(self, age):
        assert parse(delivery(at=NOW - age)).status == "success"

    @pytest.mark.parametrize(("age", "said"), [(301, "301 s old"), (-301, "301 s ahead")])
    def test_refuses_what_is_outside(self, age, said):
        with pytest.raises(WebhookTimestampError, match=said) as caught:
            parse(delivery(at=NOW - age))
        assert caught.value.sent_at == datetime.fromtimestamp(NOW - age, UTC)
        assert caught.value.tolerance == 300

    def test_can_be_narrower_or_wider_or_none(self):
        old = delivery(at=NOW - 1000)
        assert parse(old, tolerance=1000).status == "success"
        assert parse(old, tolerance=None).status == "success"
        with pytest.raises(WebhookTimestampError):
            parse(delivery(at=NOW - 2), tolerance=1)

    def test_is_of_the_wall_clock_where_no_other_is_given(self):
        with pytest.raises(WebhookTimestampError):
            parse_event(delivery(at=NOW), {})

    @pytest.mark.parametrize("tolerance", ["300", [], True])
    def test_that_is_none_is_a_setting_to_be_mended(self, tolerance):
        with pytest.raises(ConfigurationError, match="tolerance"):
            parse(delivery(), tolerance=tolerance)

    def test_lets_nothing_through_where_it_is_no_number(self):
        with pytest.raises(WebhookTimestampError):
            parse(delivery(), tolerance=float("nan"))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
NAMES = ["event", "id", "data", "eventGeneratedTime", "payment_id", "status", "amount"]
NAMES += ["failed_reason", "retry_payment_id"]


class TestAnythingAtAll:
    @given(st.binary(max_size=200))
    def test_is_an_event_or_our_error(self, body):
        with pytest.raises(WebhookDecodeError):
            parse(body)

    @given(st.binary() | st.text() | JSON, JSON | st.lists(st.tuples(st.text(), st.text())))
    def test_is_our_error_whatever_is_passed(self, body, headers):
        with pytest.raises(WebhookError):
            parse_event(body, headers, clock=clock)

    @given(st.sampled_from(NAMES), JSON)
    def test_in_one_field_is_kept_as_it_came_or_our_error(self, name, value):
        body = delivery(**{name: value})
        try:
            event = parse(body)
        except WebhookError:
            return
        data = json.loads(body)["data"]
        assert (event.event, str(event.id)) == (json.loads(body)["event"], json.loads(body)["id"])
        assert (event.status, str(event.payment_id)) == (data["status"], data["payment_id"])
        assert event.amount * 100 == data["amount"]
        assert event.failed_reason == data.get("failed_reason")

    @given(st.integers(0, 400), st.binary(min_size=1, max_size=3))
    def test_over_a_few_bytes_changes_no_amount_in_silence(self, place, noise):
        body = bytearray(delivery())
        body[place : place + len(noise)] = noise
        try:
            event = parse(bytes(body), tolerance=None)
        except WebhookError:
            return
        written = json.loads(bytes(body))
        assert event.amount.scaleb(2) == written["data"]["amount"]
