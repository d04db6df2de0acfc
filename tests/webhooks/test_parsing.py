"""A delivery is parsed into an exact, typed event, or raises an error that names the problem."""

from __future__ import annotations

import copy
import json
import pickle
import re
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import attrs
import pytest
from webhook_deliveries import ID, NOW, PAYMENT_ID, RETRY_ID, clock, delivery

from paywint_async import ConfigurationError, PaymentStatus
from paywint_async.webhooks import (
    MAX_BODY,
    WebhookDecodeError,
    WebhookError,
    WebhookEvent,
    WebhookEventName,
    WebhookTimestampError,
    parse_event,
)

# The fields that are None where the delivery has no usable text. An amount may be a number, and so may
# a refund's id: without it, a second refund of the same payment would look like a repeat of the first.
OPTIONAL_TEXTS = [
    field.name
    for field in attrs.fields(WebhookEvent)
    if str(field.type).endswith("| None") and not field.name.startswith(("amount", "refund"))
]


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
        assert event.id == ID
        assert event.event is WebhookEventName.SUCCESS
        assert event.payment_id == UUID(PAYMENT_ID)
        assert event.status is PaymentStatus.SUCCESS
        assert (event.amount_sent, event.amount) == ("599", None)
        assert event.event_generated_time == datetime.fromtimestamp(NOW, UTC)
        assert event.event_generated_time.tzinfo is not None
        assert (event.failed_reason, event.retry_payment_id) == (None, None)

    def test_of_a_failure_has_its_reason(self):
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

    def test_keeps_an_unpublished_name_and_status(self):
        event = parse(delivery(event="payment.refunded", status="refunded"))
        assert (event.event, event.status) == ("payment.refunded", "refunded")
        assert isinstance(event.event, WebhookEventName)
        assert isinstance(event.status, PaymentStatus)
        assert pickle.loads(pickle.dumps(event)) == event

    def test_ignores_unknown_fields(self):
        body = json.loads(delivery())
        body |= {"version": 2, "more": [{"amount": "x", "deep": None}]}
        assert parse(json.dumps(body)) == parse(delivery())

    def test_keeps_all_data_frozen_and_exact(self):
        body = delivery(fee=0).replace(
            b'"fee": 0', b'"fee": 1.10, "more": [1, {"deep": [12345678901234567.89, null, "x"]}]'
        )
        data = parse(body).data
        assert (data["fee"], str(data["fee"]), data["payment_id"]) == (
            Decimal("1.1"),
            "1.10",
            PAYMENT_ID,
        )
        assert data["more"] == (1, {"deep": (Decimal("12345678901234567.89"), None, "x")})
        assert (
            json.loads(json.dumps(data, default=str))["more"][1]["deep"][0]
            == "12345678901234567.89"
        )

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("1e400", Decimal("1e400")),
            ("-1e-400", Decimal("-1e-400")),
            ("1e10001", "1e10001"),
            ("1e-999999999", "1e-999999999"),
            ("9" * 20_000, Decimal("9" * 20_000)),
        ],
    )
    def test_keeps_huge_numbers_as_text(self, written, read):
        data = parse(delivery(n="@").replace(b'"@"', written.encode())).data
        assert (data["n"], type(data["n"])) == (read, type(read))

    @pytest.mark.parametrize(
        "change",
        [
            lambda data: data.__setitem__("amount", 1),
            lambda data: data["more"].__setitem__("a", 1),
            lambda data: data.__delitem__("amount"),
            lambda data: data.update(amount=1),
            lambda data: data.pop("amount"),
            lambda data: data.popitem(),
            lambda data: data.setdefault("x", 1),
            lambda data: data.clear(),
            lambda data: data.__ior__({"x": 1}),
        ],
    )
    def test_has_immutable_data(self, change):
        event = parse(delivery(more={"a": 0}))
        with pytest.raises(TypeError, match="frozen"):
            change(event.data)
        assert event == parse(delivery(more={"a": 0}))

    def test_is_a_value_with_its_data(self):
        event = parse(delivery(more=[{"a": [0.5]}]))
        assert event != parse(delivery(more=[{"a": [0.6]}]))
        assert len({event, pickle.loads(pickle.dumps(event)), copy.deepcopy(event)}) == 1

    def test_shows_none_of_its_data(self):
        assert "Ann" not in repr(parse(delivery(payer_name="Ann")))

    @pytest.mark.parametrize("name", OPTIONAL_TEXTS)
    @pytest.mark.parametrize("value", [None, True, 0, 1.5, [], {}, ["success"]])
    def test_has_none_for_a_field_of_another_type(self, name, value):
        event = parse(delivery(**{name: value}))
        assert getattr(event, name) is None
        assert event.data[name] == (tuple(value) if isinstance(value, list) else value)

    @pytest.mark.parametrize("without", ["payment_id", "status", "amount", "data"])
    def test_has_none_for_a_missing_field(self, without):
        event = parse(delivery(without=[without]))
        name = "status" if without == "data" else without
        assert getattr(event, name) is None
        assert event.event == "payment.success"

    @pytest.mark.parametrize("name", ["payment_id", "retry_payment_id"])
    @pytest.mark.parametrize(
        "value",
        [
            "",
            "x",
            "pay_93fdc2",
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
    def test_has_none_for_an_id_that_is_not_a_uuid(self, name, value):
        event = parse(delivery(**{name: value}))
        assert (getattr(event, name), event.data[name]) == (None, value)

    @pytest.mark.parametrize(
        "value", ["x", "evt_83a2bfc1", "a891bfc2-ffff-464b-89e4-xxxxx", " ", "😀"]
    )
    def test_accepts_an_id_of_any_form(self, value):
        assert parse(delivery(id=value)).id == value

    def test_whose_id_is_a_number_has_its_digits(self):
        event_id = parse(delivery(id=12345678901234567890)).id
        assert (event_id, type(event_id)) == ("12345678901234567890", str)

    @pytest.mark.parametrize("name", ["status", "failed_reason", "payer_name"])
    @pytest.mark.parametrize(
        ("damage", "read"),
        [(rb"Ann \ud83d", "Ann \ufffd"), (b"Ren\xe9", "Ren\ufffd"), (b"a\x00b", "a\x00b")],
    )
    def test_is_kept_with_a_damaged_text(self, name, damage, read):
        event = parse(delivery(**{name: "@"}).replace(b'"@"', b'"' + damage + b'"'))
        assert (event.data[name], event.payment_id) == (read, UUID(PAYMENT_ID))

    @pytest.mark.parametrize("name", ["event", "id"])
    def test_is_kept_with_a_damaged_name_or_id(self, name):
        assert getattr(parse(delivery(**{name: "x\ud800"})), name) == "x\ufffd"


class TestARefusal:
    @pytest.mark.parametrize(
        ("name", "path"),
        [
            ("event", "$"),
            ("id", "$"),
            ("eventGeneratedTime", "$"),
        ],
    )
    def test_names_a_missing_field(self, name, path):
        assert problem(delivery(without=[name])) == (path, f"the field {name!r} is missing")

    @pytest.mark.parametrize("value", [None, True, 0, 1.5, [], {}, ["payment.success"]])
    def test_names_a_name_that_is_not_text(self, value):
        path, message = problem(delivery(event=value))
        assert (path, message.partition(",")[0]) == ("$.event", "expected text")

    @pytest.mark.parametrize("value", [None, True, "", [], {}])
    def test_names_an_invalid_id(self, value):
        path, message = problem(delivery(id=value))
        assert (path, message.partition(",")[0]) == ("$.id", "expected an id")

    @pytest.mark.parametrize(
        "value", ["now", "1750068284", None, True, -1, -0.5, 1e300, 10**400, 253402300800, [1]]
    )
    def test_names_an_invalid_time(self, value):
        assert problem(delivery(at=value))[0] == "$.eventGeneratedTime"

    @pytest.mark.parametrize("written", ["1e999", "1e99999999999999999999", "NaN", "9" * 5000])
    def test_names_an_infinite_time(self, written):
        body = delivery(at="here").replace(b'"here"', written.encode())
        assert problem(body)[0] in ("$.eventGeneratedTime", "$")

    @pytest.mark.parametrize("data", [[], "x", 5, True])
    def test_names_data_that_are_not_an_object(self, data):
        path, message = problem(json.dumps({**json.loads(delivery()), "data": data}))
        assert (path, message.partition(",")[0]) == ("$.data", "expected an object")

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
    def test_refuses_a_body_that_is_not_a_json_object(self, body):
        assert problem(body)[0] == "$"

    @pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"data":{"amount":['])
    def test_refuses_the_deepest_possible_nesting(self, opening):
        """The depth that Python's parser accepts depends on its version; the refusal must not."""
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
    def test_refuses_a_duplicate_key(self, plain, doubled):
        assert "comes twice" in problem(delivery().replace(plain, doubled))[1]

    def test_refuses_a_body_that_is_too_large(self):
        padding = b" " * (MAX_BODY - len(delivery()))
        assert parse(delivery() + padding) == parse(delivery())
        assert problem(delivery() + padding + b" ") == (
            "$",
            "the body has 65,537 bytes, more than 65,536",
        )

    @pytest.mark.parametrize("body", [None, {}, json.loads(delivery()), 5, ["x"]])
    def test_refuses_a_body_that_a_framework_has_parsed(self, body):
        assert "must be the request's bytes" in problem(body)[1]

    @pytest.mark.parametrize(
        ("levels", "is_read"), [(1, True), (99, True), (100, False), (500, False)]
    )
    def test_refuses_data_nested_too_deeply(self, levels, is_read):
        body = delivery(deep="@").replace(b'"@"', b"[" * levels + b"]" * levels)
        if is_read:
            assert hash(parse(body))
        else:
            assert problem(body) == ("$.data", "it is nested too deeply")

    def test_is_shown_in_one_short_line(self):
        message = problem(delivery(at="x\n" * 1000))[1]
        assert "\n" not in message
        assert len(message) < 80

    def test_shortens_a_long_key(self):
        body = b'{"%s": 1, "%s": 2}' % (b"k" * 1000, b"k" * 1000)
        assert len(problem(body)[1]) < 120


class TestTheWindow:
    @pytest.mark.parametrize("age", [-900, -899, 0, 360, 899, 900])
    def test_is_a_quarter_of_an_hour_without_a_signed_time(self, age):
        assert parse(delivery(at=NOW - age)).status == "success"

    @pytest.mark.parametrize(("age", "message"), [(901, "901 s old"), (-901, "901 s ahead")])
    @pytest.mark.parametrize("verifier", [None, lambda body, headers: True])
    def test_refuses_events_outside_it(self, age, message, verifier):
        with pytest.raises(WebhookTimestampError, match=message) as caught:
            parse(delivery(at=NOW - age), verifier=verifier)
        assert caught.value.sent_at == datetime.fromtimestamp(NOW - age, UTC)
        assert caught.value.tolerance == 900

    @pytest.mark.parametrize(("age", "is_let_in"), [(300, True), (301, False), (-300, True)])
    def test_is_five_minutes_with_a_signed_time(self, age, is_let_in):
        signed_at = datetime.fromtimestamp(NOW - age, UTC)
        old = delivery(at=NOW - 3600)
        if is_let_in:
            assert parse(old, verifier=lambda body, headers: signed_at).is_verified
            return
        with pytest.raises(WebhookTimestampError) as caught:
            parse(old, verifier=lambda body, headers: signed_at)
        assert caught.value.tolerance == 300

    def test_can_be_narrower_or_wider_or_none(self):
        old = delivery(at=NOW - 1000)
        assert parse(old, tolerance=1000).status == "success"
        assert parse(old, tolerance=None).status == "success"
        with pytest.raises(WebhookTimestampError):
            parse(delivery(at=NOW - 2), tolerance=1)

    def test_uses_the_wall_clock_by_default(self):
        with pytest.raises(WebhookTimestampError):
            parse_event(delivery(at=NOW), {})

    @pytest.mark.parametrize("tolerance", ["300", [], True, "Auto"])
    def test_that_is_invalid_is_a_configuration_error(self, tolerance):
        with pytest.raises(ConfigurationError, match="tolerance"):
            parse(delivery(), tolerance=tolerance)

    def test_that_is_not_a_number_is_refused(self):
        with pytest.raises(WebhookTimestampError):
            parse(delivery(), tolerance=float("nan"))
