"""The findings of an examination: made from what was seen, as lines to read and as JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

import attrs

from paywint_async import TransportError
from paywint_async._doctor.assumptions import ASSUMPTIONS, Assumption
from paywint_async._doctor.observations import Observations
from paywint_async._doctor.verdicts import Judgement, Verdict, not_seen
from paywint_async._transport.user_agent import full_user_agent

_WIDTH = 100


@attrs.frozen
class Finding:
    """An assumption and what an examination says of it."""

    assumption: Assumption
    judgement: Judgement

    @property
    def topic(self) -> str:
        """Of the assumption."""
        return self.assumption.topic

    @property
    def verdict(self) -> Verdict:
        """Whether it holds."""
        return self.judgement.verdict


def find(
    observations: Observations, assumptions: Sequence[Assumption] = ASSUMPTIONS
) -> list[Finding]:
    """A finding for each assumption that is to be judged, in their order."""
    has_delivery = observations.delivery is not None
    findings = [
        Finding(each, each.judge(observations))
        for each in assumptions
        if has_delivery or not each.needs_delivery
    ]
    if not any(is_explanation(each) for each in findings):
        return findings
    explained = not_seen("what is contradicted explains it")
    return [
        attrs.evolve(each, judgement=explained)
        if each.assumption.is_fallback and each.verdict is Verdict.CONTRADICTED
        else each
        for each in findings
    ]


def is_explanation(finding: Finding) -> bool:
    """Whether a contradiction may be why a fallback fails, too."""
    return finding.verdict is Verdict.CONTRADICTED and not finding.assumption.is_fallback


def json_text(findings: Sequence[Finding]) -> str:
    """``{"findings": [{"topic", "verdict", "detail"}]}``, with a line end."""
    rows = [
        {"topic": each.topic, "verdict": each.verdict.value, "detail": each.judgement.detail}
        for each in findings
    ]
    return f"{json.dumps({'findings': rows}, ensure_ascii=False, indent=2)}\n"


def text_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """A report to read: what is contradicted and what to do first, what was not seen last."""
    width = max(len(each.topic) for each in findings) + 2
    for verdict in (Verdict.CONTRADICTED, Verdict.CONFIRMED):
        found = [each for each in findings if each.verdict is verdict]
        if found:
            yield f"{verdict.upper()} ({len(found)})"
        for each in found:
            yield from _wrapped(each.topic, width, each.judgement.detail)
            if verdict is Verdict.CONTRADICTED:
                yield from _wrapped("", width, f"Assumed: {each.assumption.assumed}")
                yield from _wrapped("", width, f"Effect: {each.assumption.consequence}")
                yield from _wrapped("", width, f"To do: {each.assumption.remedy}")
        if found:
            yield ""
    yield from _unseen_lines([each for each in findings if each.verdict is Verdict.NOT_SEEN])


def _unseen_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """The topics by the reason, since one reason may keep most of them from being seen."""
    topics: dict[str, list[str]] = {}
    for each in findings:
        topics.setdefault(each.judgement.detail, []).append(each.topic)
    if topics:
        yield f"{Verdict.NOT_SEEN.upper()} ({len(findings)})"
    for reason, names in topics.items():
        yield from _wrapped("", 0, f"{reason}: {', '.join(names)}")
    if topics:
        yield ""


def _wrapped(label: str, width: int, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=f"  {label:<{width}}",
        subsequent_indent=" " * (2 + width),
        break_long_words=False,
        break_on_hyphens=False,
    )


def header(observations: Observations) -> str:
    """One line: what looked, and at what."""
    setup = observations.setup
    return f"{full_user_agent(None)} · {setup.environment} · {setup.base_url}"


def obstacle(observations: Observations) -> str:
    """Why there was no answer at all."""
    error = observations.first.error if observations.first else None
    if error is None:
        return "no answer in time"
    # What connecting failed by is told; what an API says in its own words is not repeated.
    return str(error) if isinstance(error, TransportError) else observations.reason()


def conclusion(findings: Sequence[Finding]) -> str:
    """One line: how many of each verdict."""
    counts = Counter(each.verdict for each in findings)
    return ", ".join(f"{counts[each]} {each}" for each in Verdict)
