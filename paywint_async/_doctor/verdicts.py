"""The verdict of an examination on one assumption."""

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
    """A verdict with its evidence. Contains no payer, id, text or amount of a payment."""

    verdict: Verdict
    detail: str


def confirmed(detail: str) -> Judgement:
    """Returns the judgement that the assumption holds."""
    return Judgement(Verdict.CONFIRMED, detail)


def contradicted(detail: str) -> Judgement:
    """Returns the judgement that the assumption does not hold."""
    return Judgement(Verdict.CONTRADICTED, detail)


def not_seen(reason: str) -> Judgement:
    """Returns the judgement that no observation shows whether the assumption holds."""
    return Judgement(Verdict.NOT_SEEN, reason)
