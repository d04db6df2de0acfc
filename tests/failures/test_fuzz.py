"""Any answer becomes a record or a PaywintError."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from operation_samples import SAMPLES

from paywint_async import PaywintError, Response, _protocol
from paywint_async._codec import decode
from paywint_async._models import Payment
from paywint_async._pagination.checkpoint import from_json

pytestmark = pytest.mark.slow

CALLS: list[_protocol.Call[Any]] = [sample.call for sample in SAMPLES.values()]
ANSWERS = [sample.answer for sample in SAMPLES.values()]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
FIELDS = st.sampled_from(
    ["success", "message", "detail", "data", "records", "totalRecords", "amount"]
)


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Any bytes, a good answer with some bytes changed, or any JSON under keys of the API."""
    kind = draw(st.integers(0, 2))
    if kind == 0:
        return draw(st.binary(max_size=200))
    if kind == 1:
        good = bytearray(draw(st.sampled_from(ANSWERS)))
        for _ in range(draw(st.integers(1, 5))):
            good[draw(st.integers(0, len(good) - 1))] = draw(st.integers(0, 255))
        return bytes(good)
    return json.dumps(draw(st.dictionaries(FIELDS, JSON, max_size=5))).encode()


HEADERS = st.dictionaries(st.sampled_from(["retry-after", "content-type"]), st.text(max_size=30))


@given(call=st.sampled_from(CALLS), status=st.integers(100, 599), body=bodies(), headers=HEADERS)
@settings(max_examples=1500)
def test_any_answer_is_a_record_or_a_paywint_error(
    call: _protocol.Call[Any], status: int, body: bytes, headers: dict[str, str]
) -> None:
    try:
        call.read(Response(status=status, headers=headers, body=body))
    except PaywintError as error:
        assert str(error)


@given(headers=HEADERS)
def test_any_retry_after_is_finite_seconds_or_none(headers: dict[str, str]) -> None:
    seconds = _protocol.retry_after_seconds(Response(status=429, headers=headers))
    assert seconds is None or 0 <= seconds < float("inf")


@given(body=bodies())
@settings(max_examples=300)
def test_any_bytes_are_a_payment_or_a_paywint_error(body: bytes) -> None:
    try:
        assert isinstance(decode(body, Payment), Payment)
    except PaywintError:
        return


@given(value=JSON)
def test_any_json_is_a_checkpoint_or_a_paywint_error(value: object) -> None:
    try:
        from_json(value, "sent")
    except PaywintError:
        return
    raise AssertionError("nothing that Hypothesis makes has the right check")
