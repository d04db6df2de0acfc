"""What an examination says of one assumption."""

from __future__ import annotations

from enum import StrEnum

import attrs


class Verdict(StrEnum):
    """Whether an assumption holds for the account, as far as this examination can see."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    NOT_SEEN = "not to be seen here"


@attrs.frozen
class Judgement:
    """A verdict and what it rests on. Names no payer, no id, no text and no amount of a payment."""

    verdict: Verdict
    detail: str


def confirmed(detail: str) -> Judgement:
    """The assumption holds."""
    return Judgement(Verdict.CONFIRMED, detail)


def contradicted(detail: str) -> Judgement:
    """The assumption does not hold."""
    return Judgement(Verdict.CONTRADICTED, detail)


def not_seen(reason: str) -> Judgement:
    """Nothing was seen that shows it."""
    return Judgement(Verdict.NOT_SEEN, reason)
