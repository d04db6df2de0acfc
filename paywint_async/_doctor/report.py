"""Makes the findings of an examination from its observations, and writes them as text and JSON."""

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
    """An assumption, with the judgement of an examination."""

    assumption: Assumption
    judgement: Judgement

    @property
    def topic(self) -> str:
        """The topic of the assumption."""
        return self.assumption.topic

    @property
    def verdict(self) -> Verdict:
        """The verdict on the assumption."""
        return self.judgement.verdict


def find(
    observations: Observations, assumptions: Sequence[Assumption] = ASSUMPTIONS
) -> list[Finding]:
    """Returns a finding for each assumption that can be judged, in their order."""
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
    """Whether a finding is a contradiction that may also explain a contradicted fallback."""
    return finding.verdict is Verdict.CONTRADICTED and not finding.assumption.is_fallback


def json_text(findings: Sequence[Finding]) -> str:
    """Returns ``{"findings": [{"topic", "verdict", "detail"}]}`` as JSON, with a line end."""
    rows = [
        {"topic": each.topic, "verdict": each.verdict.value, "detail": each.judgement.detail}
        for each in findings
    ]
    return f"{json.dumps({'findings': rows}, ensure_ascii=False, indent=2)}\n"


def text_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """Returns the lines of a report: contradictions with their remedies first, topics not seen last."""
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
    """Groups the topics by reason, as one reason often applies to most of them."""
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
    """Returns one line with the SDK's version, the environment and the base URL."""
    setup = observations.setup
    return f"{full_user_agent(None)} · {setup.environment} · {setup.base_url}"


def obstacle(observations: Observations) -> str:
    """Returns the reason why no answer came at all."""
    error = observations.first.error if observations.first else None
    if error is None:
        return "no answer in time"
    # The message of a connection error is shown; the text of an API's answer is not repeated.
    return str(error) if isinstance(error, TransportError) else observations.reason()


def conclusion(findings: Sequence[Finding]) -> str:
    """Returns one line with the number of findings for each verdict."""
    counts = Counter(each.verdict for each in findings)
    return ", ".join(f"{counts[each]} {each}" for each in Verdict)
