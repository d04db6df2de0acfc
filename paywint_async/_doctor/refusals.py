"""Judges how the API refuses requests: the status and the shape of the body, never its text."""

from __future__ import annotations

from typing import Any

from paywint_async._doctor.observations import Observations, Question, QuestionKind
from paywint_async._doctor.verdicts import Judgement, confirmed, contradicted, not_seen


def judge_404(observations: Observations) -> Judgement:
    """Checks that a payment that does not exist is answered 404, with a message."""
    asked = observations.of_kind(QuestionKind.UNKNOWN_PAYMENT)
    return _judge(observations, asked, 404, "an id that no payment has is answered")


def judge_422(observations: Observations) -> Judgement:
    """Checks that an invalid value is answered 422, with a message or a list of problems."""
    asked = observations.of_kind(QuestionKind.INVALID_ID, QuestionKind.INVALID_PAGE_SIZE)
    # It is not published which of the two values the API refuses: one of them is enough.
    refused = [each for each in asked if _status(each) in (400, 409, 415, 422)]
    refused.sort(key=lambda each: _status(each) != 422)
    return _judge(observations, refused or asked[:1], 422, "an invalid value is answered")


def _judge(observations: Observations, asked: list[Question], status: int, what: str) -> Judgement:
    exchange = asked[0].exchange if asked else None
    if exchange is None or exchange.status in (401, 403, 429) or exchange.status >= 500:
        return not_seen(observations.reason(asked))
    if exchange.status != status:
        is_other_question = status == 422 and exchange.status in (200, 404)
        if is_other_question:
            return not_seen(f"nothing that was asked is invalid to the API ({exchange.status})")
        return contradicted(f"{what} {exchange.status}, not {status}")
    shape = _shape(exchange.json)
    if shape is None:
        return contradicted(f"{what} {status}, but not with a message or detail in JSON")
    return confirmed(f"{what} {status}, with {shape}")


def _status(question: Question) -> int:
    return 0 if question.exchange is None else question.exchange.status


def _shape(body: Any) -> str | None:
    if not isinstance(body, dict):
        return None
    detail = body.get("detail")
    if isinstance(detail, list) and all(isinstance(each, dict) for each in detail):
        return "a detail that lists problems"
    if isinstance(detail, str):
        return "a detail as text"
    return "a message" if isinstance(body.get("message"), str) else None
