"""Any delivery is parsed into an event with its content, or raises a `WebhookError`."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from webhook_deliveries import NOW, clock, delivery
from webhook_published import PUBLISHED

from paywint_async.webhooks import WebhookDecodeError, WebhookError, WebhookEvent, parse_event

UNITS = [None, "cents", "dollars"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,30})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,6})?", fullmatch=True
)
OURS = {"amount_sent", "event_generated_time", "is_verified"}  # not a name in a delivery
NAMES = [field.name for field in attrs.fields(WebhookEvent) if field.name not in OURS]
NAMES += ["eventGeneratedTime", "currency"]
FIELDS = st.sampled_from(NAMES)


def random_json(draw, levels=3):
    """Any JSON value; unusual ones are more frequent than from a real sender."""
    kinds = [None, True, 0, -1, 1e300, 10**400, float("nan"), 5.99, "", "x\ud800", "1e5", "a" * 500]
    kinds += [draw.random(), draw.getrandbits(70), str(draw.getrandbits(40)), "😀\n\x00"]
    if levels == 0 or draw.random() < 0.8:
        return draw.choice(kinds)
    inner = [random_json(draw, levels - 1) for _ in range(draw.randrange(4))]
    return inner if draw.random() < 0.5 else {str(draw.choice(kinds)): each for each in inner}


def random_payload(draw):
    """A published delivery with random values replaced, or a few bytes damaged."""
    body = json.loads(draw.choice(PUBLISHED).body)
    for name in draw.sample(NAMES, draw.randrange(4)):
        fields = body if name in body or not isinstance(body.get("data"), dict) else body["data"]
        fields[name] = random_json(draw)
    written = bytearray(json.dumps(body).encode())
    if draw.random() < 0.5:
        place = draw.randrange(len(written))
        written[place : place + draw.randrange(4)] = draw.randbytes(draw.randrange(4))
    return bytes(written)


def check(body, amounts):
    try:
        event = parse_event(body, {}, tolerance=None, amounts=amounts)
    except WebhookError:
        return None
    assert isinstance(event, WebhookEvent)
    assert isinstance(hash(event), int)
    assert isinstance(json.loads(event.replay_key), list)
    assert event.amount is None or event.amount_sent is not None
    return event


@pytest.mark.parametrize("seed", range(10))
def test_random_payloads_raise_only_webhook_errors(seed):
    draw = random.Random(seed)
    events = [check(random_payload(draw), draw.choice(UNITS)) for _ in range(1000)]
    assert 200 < sum(event is not None for event in events) < 900


@given(st.binary(max_size=200))
def test_random_bytes_raise_only_webhook_errors(body):
    with pytest.raises(WebhookDecodeError):
        parse_event(body, {}, clock=clock)


@given(st.binary() | st.text() | JSON, JSON | st.lists(st.tuples(st.text(), st.text())))
def test_arguments_of_any_type_raise_only_webhook_errors(body, headers):
    with pytest.raises(WebhookError):
        parse_event(body, headers, clock=clock)


@given(FIELDS, st.text(alphabet=st.characters(codec="utf-8")))
def test_a_text_is_kept_unchanged(name, value):
    body = delivery(**{name: value})
    if name in ("data", "eventGeneratedTime") or (name, value) == ("id", ""):
        return
    event = parse_event(body, {}, clock=clock)
    assert (event.data | {"event": event.event, "id": event.id})[name] == value


@given(NUMBERS, st.sampled_from(UNITS))
@example("1998.9999999999998", "cents")
def test_an_amount_is_exact_in_the_given_unit(written, amounts):
    body = delivery(amount=0).replace(b'"amount": 0', b'"amount": ' + written.encode())
    event = parse_event(body, {}, clock=clock, amounts=amounts)
    assert event.amount_sent == written
    if event.amount is not None:
        sent = Decimal(written).as_tuple()
        places = 2 if amounts == "cents" else 0
        assert event.amount == Decimal((sent.sign, sent.digits, sent.exponent - places))


@given(NUMBERS)
def test_a_unit_changes_no_amount_that_is_known_without(written):
    body = delivery(amount=0, at=NOW).replace(b'"amount": 0', b'"amount": ' + written.encode())
    amounts = {unit: parse_event(body, {}, clock=clock, amounts=unit).amount for unit in UNITS}
    if amounts[None] is not None:
        assert (amounts["dollars"], amounts["cents"]) == (amounts[None], None)
