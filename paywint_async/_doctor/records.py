"""Judges the payments themselves. Details name fields, statuses and methods, never a payment's texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import attrs

from paywint_async import Payment, PaymentMethod, PaymentStatus, ResponseDecodeError
from paywint_async._doctor.observations import Observations, Question, QuestionKind
from paywint_async._doctor.verdicts import Judgement, confirmed, contradicted, not_seen
from paywint_async._strict_json import UUID_PATTERN

REQUIRED: Final = ("payment_id", "amount", "status", "created_at")
_FIELDS = tuple(field.name for field in attrs.fields(Payment))
_ENVELOPE = frozenset(
    {"success", "status_code", "message", "records", "totalRecords", "queryGeneratedTime", "data"}
)
_UUID = re.compile(UUID_PATTERN)
_CURRENCY = re.compile(r"[A-Za-z]{1,5}")
# What a field's name, a status or a method may look like: anything else may be a payer's text.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,39}")
_SHOWN = 12

_JsonObject = Mapping[str, Any]


def judge_null_fields(observations: Observations) -> Judgement:
    """Checks that the four fields every payment needs are present and not null."""
    records = observations.records
    if not records:
        return not_seen(observations.reason())
    missing = {
        name: sum(each.get(name) is None for each in records)
        for name in REQUIRED
        if any(each.get(name) is None for each in records)
    }
    if missing:
        counts = ", ".join(f"{name} in {count}" for name, count in missing.items())
        return contradicted(f"null or absent: {counts} of {len(records)} payments")
    nulls = [
        name
        for name in _FIELDS
        if name not in REQUIRED and any(name in each and each[name] is None for each in records)
    ]
    absent = [name for name in _FIELDS if all(name not in each for each in records)]
    remarks = [
        f"{what}: {', '.join(names)}"
        for what, names in (("null at times", nulls), ("never there", absent))
        if names
    ]
    return confirmed("; ".join([f"{', '.join(REQUIRED)} are always there", *remarks]))


def judge_amounts(observations: Observations) -> Judgement:
    """Checks that amounts are JSON numbers, and not negative."""
    return _judge_each(
        observations,
        "amount",
        lambda value: (
            isinstance(value, int | Decimal) and not isinstance(value, bool) and value >= 0
        ),
        good="JSON numbers, none negative",
        bad="are not JSON numbers, or negative",
    )


def judge_times(observations: Observations) -> Judgement:
    """Checks that times are ISO 8601 with a zone."""
    return _judge_each(
        observations,
        ("created_at", "payment_date"),
        _is_moment,
        good="ISO 8601 with a zone",
        bad="are not ISO 8601 times with a zone",
    )


def _is_moment(value: Any) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def judge_ids(observations: Observations) -> Judgement:
    """Checks that ids are UUIDs."""
    return _judge_each(
        observations,
        ("payment_id", "payer_id", "payee_id"),
        lambda value: isinstance(value, str) and _UUID.fullmatch(value) is not None,
        good="UUIDs",
        bad="are not UUIDs",
    )


def judge_currency(observations: Observations) -> Judgement:
    """Checks that all payments are in US dollars."""
    seen = {
        each["currency"] for each in observations.records if isinstance(each.get("currency"), str)
    }
    if others := seen - {"USD"}:
        return contradicted(f"payments in {_names(others, _CURRENCY)}")
    return _judge_each(
        observations, "currency", lambda value: value == "USD", good="USD", bad="are not text"
    )


def _judge_each(
    observations: Observations,
    fields: str | tuple[str, ...],
    is_good: Callable[[Any], bool],
    *,
    good: str,
    bad: str,
) -> Judgement:
    """Checks the values of some fields in all payments; null is ignored."""
    names = (fields,) if isinstance(fields, str) else fields
    wrong: list[str] = []
    count = 0
    for name in names:
        values = [each[name] for each in observations.records if each.get(name) is not None]
        count += len(values)
        if failing := sum(not is_good(value) for value in values):
            wrong.append(f"{failing} of {len(values)} values of {name} {bad}")
    if wrong:
        return contradicted("; ".join(wrong))
    return confirmed(f"{', '.join(names)}: {good}") if count else not_seen(observations.reason())


def judge_get_payment(observations: Observations) -> Judgement:
    """Checks that Get Payment returns the same amount, currency and time as the list."""
    asked = observations.of_kind(QuestionKind.PAYMENT)
    answered = [each for each in asked if each.records]
    for each in answered:
        if difference := _difference(each):
            return contradicted(difference)
    if not answered:
        return not_seen(observations.reason(asked))
    return confirmed("it tells the same amount, currency and time as the lists")


def _difference(question: Question) -> str | None:
    listed, got = question.listed, question.records[0]
    if str(got.get("payment_id")).lower() != str(listed.get("payment_id")).lower():
        return "it answers with another payment than was asked for"
    amounts = listed.get("amount"), got.get("amount")
    if amounts[0] != amounts[1]:
        return f"its amount is {_ratio(*amounts)} that of the list"
    for name in ("currency", "created_at"):
        if listed.get(name) != got.get(name):
            return f"its {name} is not that of the list"
    return None


def _ratio(listed: Any, got: Any) -> str:
    try:
        for power in (2, 3):
            if Decimal(got) == times_ten(Decimal(listed), power):
                return f"{10**power} times"
    except (ArithmeticError, TypeError, ValueError):
        pass
    return "not"


def times_ten(number: Decimal, power: int) -> Decimal:
    """Multiplies by a power of ten, exactly: the caller's decimal context may be too narrow for it."""
    sign, digits, exponent = number.as_tuple()
    return Decimal((sign, digits, exponent + power)) if isinstance(exponent, int) else number


def judge_readability(observations: Observations) -> Judgement:
    """Checks that the SDK can read every answer."""
    unread = [
        each for each in observations.questions if isinstance(each.error, ResponseDecodeError)
    ]
    if unread:
        error = unread[0].error
        assert isinstance(error, ResponseDecodeError)
        place = re.sub(r"[^\w.$\[\]-]", "?", error.path or "$")[:60]
        return contradicted(f"{len(unread)} answers cannot be read, at {place}")
    if not observations.pages():
        return not_seen(observations.reason())
    return confirmed(
        f"{len(observations.questions)} answers, {len(observations.records)} payments in them"
    )


def tell_unknown_fields(observations: Observations) -> Judgement:
    """Reports fields that the SDK does not know."""
    return _tell(observations, "fields", _unknown_fields(observations), "ignored")


def _unknown_fields(observations: Observations) -> set[Any]:
    found = {name for each in observations.records for name in each} - set(_FIELDS)
    for each in observations.pages():
        found |= {f"{name} (envelope)" for name in each.fields if name not in _ENVELOPE}
    return found


def tell_unknown_statuses(observations: Observations) -> Judgement:
    """Reports statuses that the SDK does not know."""
    seen = {each["status"] for each in observations.records if isinstance(each.get("status"), str)}
    return _tell(observations, "statuses", seen - set(PaymentStatus), "kept unchanged, never final")


def tell_unknown_methods(observations: Observations) -> Judgement:
    """Reports payment methods that the SDK does not know."""
    names = ("payment_method", "receiving_method")
    seen = {each[n] for each in observations.records for n in names if isinstance(each.get(n), str)}
    return _tell(observations, "methods", seen - set(PaymentMethod), "kept unchanged")


def _tell(observations: Observations, what: str, unknown: Iterable[Any], effect: str) -> Judgement:
    if not observations.records:
        return not_seen(observations.reason())
    found = set(unknown)
    if not found:
        return confirmed(f"no unknown {what} in {len(observations.records)} payments")
    return confirmed(f"unknown {what}, {effect}: {_names(found)}")


def _names(values: Iterable[Any], form: re.Pattern[str] = _NAME) -> str:
    shown = sorted(v for v in values if isinstance(v, str) and form.fullmatch(v.split(" (")[0]))
    hidden = len(set(values)) - len(shown[:_SHOWN])
    more = [f"{hidden} more that are not shown"] if hidden else []
    return ", ".join([*shown[:_SHOWN], *more])
