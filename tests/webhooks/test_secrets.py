"""A refusal shows no secret and no signature."""

from __future__ import annotations

import copy
import pickle
from datetime import UTC, datetime
from functools import partial

import pytest
from webhook_deliveries import SECRET, clock, delivery, signed

from paywint_async import ConfigurationError
from paywint_async.webhooks import (
    Headers,
    StandardWebhooks,
    WebhookDecodeError,
    WebhookSignatureError,
    WebhookTimestampError,
    parse_event,
)

BODY = delivery()


def parse(headers, *, verifier=None, body=BODY):
    verifier = StandardWebhooks(SECRET) if verifier is None else verifier
    return parse_event(body, headers, verifier=verifier, clock=clock)


def refuse(secret, body, headers):
    raise WebhookSignatureError("no")


class Hostile(dict):
    def items(self):
        raise RuntimeError


def broken_off():
    yield ("a", SECRET)
    raise KeyError


SPOILT = [
    lambda: {"webhook-signature": 5, "a": SECRET},
    lambda: {"a": [SECRET]},
    lambda: [("a", SECRET, 1)],
    lambda: [("a", SECRET), ("b", None)],
    lambda: [(SECRET.encode(), 5)],
    lambda: [(["x"], SECRET)],
    lambda: [("a", bytearray(SECRET.encode()))],
    lambda: [SECRET],
    lambda: SECRET,
    lambda: Hostile(a=SECRET),
    broken_off,
]


class TestTheSecret:
    def test_is_in_no_repr_and_no_copy(self):
        verifier = StandardWebhooks(SECRET)
        assert SECRET not in f"{verifier!r} {verifier} {vars(verifier)}"
        with pytest.raises(TypeError, match="not pickled or copied"):
            pickle.dumps(verifier)
        with pytest.raises(TypeError, match="not pickled or copied"):
            copy.deepcopy(verifier)

    @pytest.mark.parametrize(
        "headers",
        [{}, signed(BODY, secret="other"), signed(BODY, at="x"), signed(BODY, at=1)],
    )
    def test_is_not_shown_by_a_refusal(self, headers, shown):
        verifier = StandardWebhooks(SECRET, "another one")
        with pytest.raises((WebhookSignatureError, WebhookTimestampError)) as caught:
            parse(headers, verifier=verifier)
        assert SECRET not in shown(caught.value)

    def test_is_not_shown_when_another_secret_is_invalid(self, shown):
        with pytest.raises(ConfigurationError) as caught:
            StandardWebhooks(SECRET, "")
        assert SECRET not in shown(caught.value)

    def test_in_a_header_is_not_shown(self, shown):
        with pytest.raises(WebhookSignatureError) as caught:
            parse({"Authorization": SECRET}, verifier=lambda body, headers: False)
        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize(
        "take", [Headers, parse, lambda given: StandardWebhooks("x")(BODY, given)]
    )
    @pytest.mark.parametrize("spoil", SPOILT)
    def test_in_malformed_headers_is_not_shown(self, take, spoil, shown):
        with pytest.raises(WebhookSignatureError, match="names and values") as caught:
            take(spoil())
        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize("headers", [{}, signed(BODY, secret="other"), signed(BODY, at="x")])
    def test_in_place_of_a_signature_is_not_shown(self, headers, shown):
        headers = headers | {"Webhook-Signature": f"v1,{SECRET}"}
        with pytest.raises(WebhookSignatureError) as caught:
            StandardWebhooks("x")(BODY, headers)
        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize(
        ("verify", "error"),
        [
            (lambda secret, body, headers: False, WebhookSignatureError),
            (refuse, WebhookSignatureError),
            (lambda secret, body, headers: datetime.fromtimestamp(1, UTC), WebhookTimestampError),
            (lambda secret, body, headers: True, WebhookDecodeError),
        ],
    )
    def test_bound_to_a_verifier_is_not_shown(self, verify, error, shown):
        body = b"{" if error is WebhookDecodeError else BODY
        with pytest.raises(error) as caught:
            parse({}, body=body, verifier=partial(verify, SECRET))
        assert SECRET not in shown(caught.value)

    def test_passed_instead_of_a_verifier_is_not_shown(self, shown):
        with pytest.raises(ConfigurationError, match="verifier must be callable") as caught:
            parse({}, verifier=SECRET)
        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize("body", [5, b" " * 70_000])
    def test_with_an_invalid_body_is_not_shown(self, body, shown):
        with pytest.raises(WebhookDecodeError) as caught:
            parse({"Authorization": SECRET}, body=body)
        assert SECRET not in shown(caught.value)

    @pytest.mark.parametrize("answer", [SECRET, SECRET.encode(), [SECRET], (False, SECRET)])
    def test_returned_by_a_verifier_by_mistake_is_not_shown(self, answer, shown):
        with pytest.raises(WebhookSignatureError) as caught:
            parse({}, verifier=lambda body, headers: answer)
        assert SECRET not in shown(caught.value)
