"""What holds for every operation of the API: its answer is exact, and is that of its own request."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest
from operation_samples import SAMPLES

from paywint_async import Response, ResponseDecodeError

OF_ONE_RECORD = [name for name, sample in SAMPLES.items() if sample.record_id is not None]
READS_BY_POST = {"page"}
WITH_AMOUNTS = [name for name, sample in SAMPLES.items() if b'"amount":' in sample.answer]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_good_answer_is_read(name: str) -> None:
    sample = SAMPLES[name]

    assert sample.call.read(Response(status=200, body=sample.answer)) is not None


@pytest.mark.parametrize("name", WITH_AMOUNTS)
def test_an_amount_that_is_text_is_refused(name: str) -> None:
    sample = SAMPLES[name]
    body = re.sub(rb'("amount":)([0-9.]+)', rb'\1"\2"', sample.answer)

    with pytest.raises(ResponseDecodeError, match="Expected `number`, got `str`"):
        sample.call.read(Response(status=200, body=body))


@pytest.mark.parametrize("name", SAMPLES)
def test_only_what_reads_may_be_sent_again(name: str) -> None:
    """A request that creates or changes something, sent twice, could move money twice."""
    request = SAMPLES[name].call.request

    assert request.repeatable is (request.method == "GET" or name in READS_BY_POST)


@pytest.mark.parametrize("name", OF_ONE_RECORD)
def test_the_answer_to_a_request_for_another_record_is_refused(name: str) -> None:
    sample = SAMPLES[name]
    record_id = str(sample.record_id)
    other = str(uuid4())
    body = sample.answer.replace(record_id.encode(), other.encode())

    assert sample.call.request.expects == record_id.encode()  # the transport looks for it, too
    with pytest.raises(ResponseDecodeError, match=f"{other}, and {record_id} was asked for"):
        sample.call.read(Response(status=200, body=body))
