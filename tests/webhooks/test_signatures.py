"""Verifiers of any kind, and the signatures of Standard Webhooks."""

from __future__ import annotations

import base64
import hmac
import re
import time
import traceback
from datetime import UTC, datetime, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webhook_deliveries import ID, NOW, SECRET, clock, delivery, signature, signed

from paywint_async import ConfigurationError, InvalidRequestError
from paywint_async.webhooks import (
    Headers,
    StandardWebhooks,
    WebhookDecodeError,
    WebhookSignatureError,
    WebhookTimestampError,
    parse_event,
)

BODY = delivery()
AT = datetime.fromtimestamp(int(NOW), UTC)
KEY = bytes(range(24))
STANDARD_SECRET = "whsec_" + base64.b64encode(KEY).decode()


def parse(headers, *, verifier=None, body=BODY, **options):
    verifier = StandardWebhooks(SECRET) if verifier is None else verifier
    return parse_event(body, headers, verifier=verifier, clock=clock, **options)


def refusal(headers, **options):
    with pytest.raises(WebhookSignatureError) as caught:
        parse(headers, **options)
    return str(caught.value)


class TestStandardWebhooks:
    def test_accept_a_delivery_signed_with_the_secret(self):
        assert parse(signed(BODY)).is_verified is True

    @pytest.mark.parametrize("change", [str.lower, str.upper, str.title])
    def test_find_their_headers_in_any_case(self, change):
        headers = {change(name): value for name, value in signed(BODY).items()}
        assert parse(headers).is_verified

    def test_accept_headers_as_pairs_and_as_bytes(self):
        pairs = [(name.encode(), value.encode()) for name, value in signed(BODY).items()]
        assert parse(pairs).is_verified

    @pytest.mark.parametrize("name", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
    @pytest.mark.parametrize("value", [None, ""])
    def test_name_a_missing_header(self, name, value):
        headers = signed(BODY)
        headers.pop(name)
        assert f"{name.lower()} is missing" in refusal(
            headers if value is None else headers | {name: value}
        )

    def test_refuse_another_body(self):
        assert "no v1 signature of this body" in refusal(signed(BODY), body=BODY + b" ")

    @pytest.mark.parametrize(("name", "value"), [("Webhook-Id", "x"), ("Webhook-Timestamp", "1")])
    def test_refuse_headers_that_were_not_signed_with_it(self, name, value):
        assert "no v1 signature" in refusal(signed(BODY) | {name: value})

    def test_refuse_another_secret(self):
        assert "no v1 signature" in refusal(signed(BODY, secret="other"))

    @pytest.mark.parametrize("spoil", [str.swapcase, lambda s: s[:-4], lambda s: s[3:], str.upper])
    def test_refuse_a_slightly_different_signature(self, spoil):
        headers = signed(BODY)
        headers["Webhook-Signature"] = spoil(headers["Webhook-Signature"])
        assert "no v1 signature" in refusal(headers)

    @given(st.text(min_size=1))
    def test_refuse_any_other_text_as_a_signature(self, text):
        refusal(signed(BODY) | {"Webhook-Signature": text})

    def test_find_their_signature_among_several(self):
        good = signed(BODY)["Webhook-Signature"]
        several = f"v1,AAAA v1a,{good[3:]} {good} v2,BBBB"
        assert parse(signed(BODY) | {"Webhook-Signature": several}).is_verified
        refusal(signed(BODY) | {"Webhook-Signature": several.replace(good, "")})

    @pytest.mark.parametrize("joint", [" ", ",", ", ", " , ", ",\t"])
    @pytest.mark.parametrize("others", [["v1,AAAA"], ["v1a,BBBB", "v2,CCCC"], ["v1,v1AA"]])
    def test_find_it_in_headers_that_a_proxy_has_joined(self, joint, others):
        good = signed(BODY)["Webhook-Signature"]
        for place in range(len(others) + 1):
            joined = joint.join([*others[:place], good, *others[place:]])
            assert parse(signed(BODY) | {"Webhook-Signature": joined}).is_verified
        refusal(signed(BODY) | {"Webhook-Signature": joint.join(others)})

    @pytest.mark.parametrize("is_first", [True, False])
    def test_find_it_in_a_repeated_header(self, is_first):
        headers = list(signed(BODY).items())
        other = ("webhook-signature", "v1,AAAA")
        assert parse([*headers, other] if is_first else [other, *headers]).is_verified

    def test_find_one_that_is_a_prefix_of_another(self):
        bodies = (delivery(amount=n) for n in range(10**6))
        body = next(b for b in bodies if re.match("v1,v[0-9]", signed(b)["Webhook-Signature"]))
        assert parse(signed(body), body=body).is_verified

    def test_check_at_most_32_signatures(self):
        good = signed(BODY)["Webhook-Signature"]
        assert parse(signed(BODY) | {"Webhook-Signature": "v1,A " * 31 + good}).is_verified
        refusal(signed(BODY) | {"Webhook-Signature": "v1,A " * 32 + good})

    def test_accept_several_secrets_during_a_rotation(self):
        verifier = StandardWebhooks("new", SECRET)
        assert parse(signed(BODY), verifier=verifier).is_verified
        assert parse(signed(BODY, secret="new"), verifier=verifier).is_verified
        refusal(signed(BODY, secret="newer"), verifier=verifier)

    def test_read_the_standards_own_secrets(self):
        headers = signed(BODY) | {"Webhook-Signature": signature(BODY, secret=KEY)}
        assert parse(headers, verifier=StandardWebhooks(STANDARD_SECRET)).is_verified
        assert parse(headers, verifier=StandardWebhooks(KEY)).is_verified

    @pytest.mark.parametrize("secret", ["whsec_", "whsec_dGVzdA==", "whsec_AAAA"])
    def test_do_not_use_a_decoded_key_that_is_too_short(self, secret):
        short = base64.b64decode(secret.removeprefix("whsec_"))
        headers = signed(BODY) | {"Webhook-Signature": signature(BODY, secret=short)}
        refusal(headers, verifier=StandardWebhooks(secret))
        assert parse(signed(BODY, secret=secret), verifier=StandardWebhooks(secret)).is_verified

    @pytest.mark.parametrize("moment", ["now", "-1", "1.5", "1" * 12, "１７５", " 1", "1e9"])
    def test_refuse_a_signed_timestamp_that_is_malformed(self, moment):
        assert "not well-formed" in refusal(signed(BODY, at=moment))

    def test_refuse_an_id_with_a_separator(self):
        assert "not well-formed" in refusal(signed(BODY, delivery_id="a.b"))

    def test_refuse_a_repeated_header(self):
        pairs = [*signed(BODY).items(), ("webhook-id", ID)]
        assert "no v1 signature" in refusal(pairs)

    def test_return_the_signed_time(self):
        signed_at = StandardWebhooks(SECRET)(BODY, signed(BODY))
        assert signed_at == datetime.fromtimestamp(int(NOW), UTC)

    @pytest.mark.parametrize("age", [-300, 300])
    def test_count_the_window_from_the_signed_time(self, age):
        late = delivery(at=NOW - 3600)  # delivered and signed again after an hour
        assert parse(signed(late, at=int(NOW) - age + (age > 0)), body=late).is_verified

    @pytest.mark.parametrize("age", [-302, 302])
    def test_refuse_a_replayed_delivery(self, age):
        with pytest.raises(WebhookTimestampError):
            parse(signed(BODY, at=int(NOW) - age))

    def test_are_verified_before_the_body_is_parsed(self):
        refusal({}, body=b"{")
        with pytest.raises(WebhookDecodeError):
            parse(signed(b"{"), body=b"{")

    @pytest.mark.parametrize(
        "written",
        [
            "{}\n",
            "{}\r\n",
            "  {} ",
            "\t{}",
            '"{}"',
            "'{}'\n",
            "v1,{}",
            " v1,{}\n",
        ],
        ids=repr,
    )
    @pytest.mark.parametrize("kind", [str, str.encode])
    @pytest.mark.parametrize("secret", [SECRET, STANDARD_SECRET])
    def test_ignore_quotes_and_white_space_around_a_secret(self, secret, kind, written):
        key = KEY if secret == STANDARD_SECRET else secret.encode()
        headers = signed(BODY) | {"Webhook-Signature": signature(BODY, secret=key)}
        verifier = StandardWebhooks(kind(written.format(secret)))

        assert parse(headers, verifier=verifier).is_verified

    @pytest.mark.parametrize("length", range(24, 66))
    @pytest.mark.parametrize(
        "encode",
        [
            base64.b64encode,
            base64.urlsafe_b64encode,
            lambda key: base64.b64encode(key).rstrip(b"="),
            lambda key: base64.urlsafe_b64encode(key).rstrip(b"="),
        ],
    )
    def test_read_every_form_of_base64(self, encode, length):
        key = bytes((251 * i + 62) % 256 for i in range(length))  # has both special characters
        headers = signed(BODY) | {"Webhook-Signature": signature(BODY, secret=key)}

        assert parse(headers, verifier=StandardWebhooks(b"whsec_" + encode(key))).is_verified

    @pytest.mark.parametrize(
        "secret",
        [
            f"{STANDARD_SECRET} {STANDARD_SECRET}",
            f"{STANDARD_SECRET}\n{STANDARD_SECRET}",
            STANDARD_SECRET[:20] + " " + STANDARD_SECRET[20:],
            "whsec_" + 41 * "A",
            "whsec_" + 40 * "ü",
            "whsec_" + 40 * "A" + "!",
        ],
    )
    def test_refuse_a_damaged_secret_at_construction(self, secret):
        with pytest.raises(ConfigurationError, match="damaged") as caught:
            StandardWebhooks(SECRET, secret)
        shown = "".join(traceback.format_exception(caught.value))
        frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
        assert secret[:24] not in shown + repr(frames)

    @pytest.mark.parametrize("secret", [" ", "\n", b"\r\n", '""', " ' ' "])
    def test_refuse_a_blank_secret(self, secret):
        with pytest.raises(ConfigurationError, match="secret is missing"):
            StandardWebhooks(secret)

    @pytest.mark.parametrize("secret", ["", b"", None, 5, ["x"]])
    def test_need_a_secret(self, secret):
        with pytest.raises(ConfigurationError, match="secret is missing"):
            StandardWebhooks(secret)
        with pytest.raises(ConfigurationError, match="secret is missing"):
            StandardWebhooks(SECRET, secret)

    @pytest.mark.parametrize("secret", ["ü", "\ud800", "a b\n", "\0", "whsec_ü"])
    def test_accept_any_text_as_a_secret(self, secret):
        with pytest.raises(WebhookSignatureError):
            StandardWebhooks(secret)(BODY, signed(BODY))


class TestSigning:
    @pytest.mark.parametrize("secret", [SECRET, STANDARD_SECRET, b"bytes", "ü", "whsec_dGVzdA=="])
    def test_makes_headers_that_are_verified(self, secret):
        verifier = StandardWebhooks(secret)
        headers = verifier.sign(BODY, at=AT)
        assert list(headers) == ["webhook-id", "webhook-timestamp", "webhook-signature"]
        assert parse(headers, verifier=verifier).is_verified
        refusal(headers, verifier=verifier, body=BODY + b" ")

    def test_makes_the_same_headers_as_the_reference_libraries(self):
        """Uses a vector of their tests."""
        verifier = StandardWebhooks("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        headers = verifier.sign(
            '{"test": 2432232314}',
            delivery_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
            at=datetime.fromtimestamp(1614265330, UTC),
        )
        assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        assert verifier(b'{"test": 2432232314}', headers).timestamp() == 1614265330

    def test_uses_the_newest_of_several_secrets(self):
        headers = StandardWebhooks("new", SECRET).sign(BODY, at=AT)
        assert parse(headers, verifier=StandardWebhooks("new")).is_verified
        refusal(headers)

    def test_signs_text_as_its_utf_8(self):
        verifier = StandardWebhooks(SECRET)
        assert verifier.sign("é", delivery_id="1", at=AT) == verifier.sign(
            "é".encode(), delivery_id="1", at=AT
        )

    def test_uses_the_current_time_and_a_new_id_by_default(self):
        verifier = StandardWebhooks(SECRET)
        first, second = verifier.sign(BODY), verifier.sign(BODY)
        assert first["webhook-id"] != second["webhook-id"]
        assert abs(int(first["webhook-timestamp"]) - time.time()) < 60

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("delivery_id", ""),
            ("delivery_id", "a.b"),
            ("delivery_id", "a b"),
            ("delivery_id", "é"),
            ("delivery_id", "a\n"),
            ("at", datetime(2025, 6, 16, 10, 4)),
        ],
    )
    def test_refuses_arguments_that_no_verifier_would_accept(self, name, value, shown):
        with pytest.raises(InvalidRequestError, match=name) as caught:
            StandardWebhooks(SECRET).sign(BODY, **{name: value})
        assert SECRET not in shown(caught.value)


class NoZone(tzinfo):
    def utcoffset(self, moment):
        return None


class Broken:
    def __bool__(self):
        raise RuntimeError(SECRET)

    __repr__ = __bool__


class BrokenPayload(dict):
    __len__ = __bool__ = __repr__ = Broken.__bool__


class Disguised:
    @property
    def __class__(self):
        raise RuntimeError(SECRET)


class TestAnyVerifier:
    @pytest.mark.parametrize("answer", [True, 1, {"payload": 1}])
    def test_accepts_by_returning_true_or_a_time(self, answer):
        event = parse({}, verifier=lambda body, headers: answer)
        assert event.is_verified

    @pytest.mark.parametrize(
        "answer",
        [
            False,
            None,
            0,
            "",
            {},
            "deadbeef",
            b"\1",
            (False, "why"),
            [0],
            datetime(2025, 6, 16, 10, 4),
        ],
    )
    def test_refuses_by_any_other_result_including_none(self, answer):
        assert "the verifier refuses" in refusal({}, verifier=lambda body, headers: answer)

    @pytest.mark.parametrize(
        "answer",
        [
            (False for _ in "x"),
            ValueError("refused"),
            bytearray(b"\1"),
            hmac.new(b"k", BODY, "sha256"),
            hmac.compare_digest,
            object(),
            2,
            datetime(2025, 6, 16, 10, 4, tzinfo=NoZone()),
        ],
        ids=lambda answer: type(answer).__name__,
    )
    def test_refuses_by_other_truthy_values(self, answer):
        assert "the verifier refuses" in refusal({}, verifier=lambda body, headers: answer)

    @pytest.mark.parametrize("kind", [Broken, BrokenPayload, Disguised])
    def test_refuses_by_a_result_whose_inspection_raises(self, kind, shown):
        with pytest.raises(WebhookSignatureError, match="the verifier refuses") as caught:
            parse({}, verifier=lambda body, headers: kind())
        assert SECRET not in shown(caught.value)

    def test_must_not_be_a_coroutine_function(self):
        async def verifier(body, headers):
            return False

        assert "the verifier refuses" in refusal({}, verifier=verifier)

    def test_refuses_by_raising(self):
        def verifier(body, headers):
            raise KeyError("x-signature")

        assert "raised KeyError" in refusal({}, verifier=verifier)

    def test_may_raise_a_webhook_error(self):
        def verifier(body, headers):
            raise WebhookSignatureError("not from this address")

        assert refusal({}, verifier=verifier) == "not from this address"

    def test_gets_the_bytes_and_the_headers_in_any_case(self):
        seen = []
        parse(
            {"X-Sig": "a"}, verifier=lambda *given: seen.append(given) or True, body=BODY.decode()
        )
        ((body, headers),) = seen
        assert (body, headers["x-sig"], headers.get("X-SIG")) == (BODY, "a", "a")
        assert "X-sig" in headers

    def test_may_return_the_signed_time(self):
        old = datetime.fromtimestamp(NOW - 1000, UTC)
        with pytest.raises(WebhookTimestampError):
            parse({}, verifier=lambda body, headers: old)

    def test_without_a_time_uses_the_time_of_the_event(self):
        with pytest.raises(WebhookTimestampError):
            parse({}, verifier=lambda body, headers: True, body=delivery(at=NOW - 901))


class TestHeaders:
    def test_show_their_names_only(self):
        headers = Headers({"Authorization": "Bearer x", "Host": "y"})
        assert repr(headers) == "<Headers authorization, host>"
        assert (len(headers), list(headers)) == (2, ["authorization", "host"])

    def test_join_repeated_headers(self):
        assert Headers([("A", "1"), (b"a", b"\xff")])["a"] == "1, ÿ"

    @pytest.mark.parametrize("headers", [None, 5, [1], [("a",)], {"a": 1}, {1: "a"}, "ab"])
    def test_must_be_headers(self, headers):
        with pytest.raises(WebhookSignatureError, match="names and values"):
            Headers(headers)
