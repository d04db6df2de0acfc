"""Makes the plots of a report from the counts of `activity`. Knows no HTML except the plots' SVG."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from decimal import Decimal

import attrs

from paywint_async.reconcile._activity import Activity
from paywint_async.reconcile._buckets import Buckets, buckets_between
from paywint_async.reconcile._charts import Bar, Flow, bars, flow, line
from paywint_async.reconcile._explanation import money
from paywint_async.reconcile._records import MatchOutcome
from paywint_async.reconcile._totals import SideTotals, Sum, sum_of

_LARGEST = 1e300
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
_STEPS = (
    (_MINUTE, "1 min"),
    (10 * _MINUTE, "10 min"),
    (_HOUR, "1 h"),
    (6 * _HOUR, "6 h"),
    (_DAY, "1 day"),
    (3 * _DAY, "3 days"),
    (7 * _DAY, "7 days"),
)
# The order of the statuses on the left of the flow.
_STATUSES = (
    "success",
    "processing",
    "opened",
    "initiated",
    "pending",
    "failed",
    "rejected",
    "expired",
    "retried",
)
_ENDS = {  # the labels on the right of the flow, and their colours
    MatchOutcome.AGREED: ("agrees", "good"),
    MatchOutcome.NOT_PAID: ("needs no row", "plain"),
    MatchOutcome.AMOUNT: ("amount differs", "bad"),
    MatchOutcome.STATUS: ("status differs", "bad"),
    MatchOutcome.AMBIGUOUS: ("ambiguous", "wait"),
    MatchOutcome.MISSING_IN_LEDGER: ("not in ledger", "bad"),
}


@attrs.frozen(kw_only=True)
class Plot:
    """A plot with a caption, and its numbers as a table."""

    title: str
    caption: str
    svg: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def plots(direction: str, activity: Activity, paywint: SideTotals) -> list[Plot]:
    """Return the plots of a direction that have data."""
    found: list[Plot] = []
    if activity.days is not None:
        spans = buckets_between(*activity.days)
        found += _over_time(direction, activity, spans)
    if activity.durations.count:
        found.append(_time_to_payment(direction, activity))
    if flows := list(_flows(direction, paywint)):
        found.append(_status_flow(direction, flows))
    return found


def _over_time(direction: str, activity: Activity, spans: Buckets) -> Iterator[Plot]:
    paid: defaultdict[date, Sum] = defaultdict(Sum)
    ended: defaultdict[date, list[int]] = defaultdict(lambda: [0, 0])
    for day, part in activity.paid.items():
        paid[spans.of(day)].take(part.amount, part.count)
    for day, success, count in activity.ended():
        ended[spans.of(day)][0] += success
        ended[spans.of(day)][1] += count
    volumes = [(start, paid[start].amount) for start in spans.starts]
    counts = [(start, paid[start].count) for start in spans.starts]
    yield _by_span(
        f"{direction}-volume",
        f"Volume by {spans.unit}",
        f"{money(sum_of(part.amount for part in paid.values()))} USD paid",
        [
            Bar(label=spans.label(at), value=_float(amount), text=money(amount))
            for at, amount in volumes
        ],
        (spans.unit.capitalize(), "Paid, USD"),
    )
    yield _by_span(
        f"{direction}-count",
        f"Payments by {spans.unit}",
        f"{sum(count for _, count in counts):,} payments paid",
        [Bar(label=spans.label(at), value=count, text=f"{count:,}") for at, count in counts],
        (spans.unit.capitalize(), "Paid"),
    )
    yield _success_rate(direction, spans, ended)


def _by_span(
    name: str, title: str, caption: str, values: Sequence[Bar], head: tuple[str, ...]
) -> Plot:
    svg = bars(name, title, values, compact)
    if 'class="bar cut"' in svg:
        caption = f"{caption}; bars with a mark are cut off, their values are in the table"
    rows = tuple((each.label, each.text) for each in values)
    return Plot(title=title, caption=caption, svg=svg, head=head, rows=rows)


def _success_rate(direction: str, spans: Buckets, ended: dict[date, list[int]]) -> Plot:
    values, rows = [], []
    for start in spans.starts:
        success, count = ended.get(start, [0, 0])
        share = success / count if count else math.nan
        text = f"{share:.1%}" if count else "–"
        values.append(Bar(label=spans.label(start), value=share, text=text))
        rows.append((spans.label(start), f"{success:,}", f"{count:,}", text))
    success, count = (sum(each[side] for each in ended.values()) for side in (0, 1))
    return Plot(
        title=f"Success rate by {spans.unit}",
        caption=f"{success / count:.1%} of the {count:,} payments that were paid, failed, rejected or "
        "expired were paid; of a retried payment only the retry counts",
        svg=line(f"{direction}-success", f"Success rate by {spans.unit}", values),
        head=(spans.unit.capitalize(), "Paid", "Ended", "Success rate"),
        rows=tuple(rows),
    )


def _time_to_payment(direction: str, activity: Activity) -> Plot:
    durations = activity.durations
    below = [durations.below(seconds) for seconds, _ in _STEPS]
    counts = [high - low for low, high in zip([0, *below], [*below, durations.count], strict=True)]
    labels = [f"< {name}" for _, name in _STEPS] + [f"≥ {_STEPS[-1][1]}"]
    values = [
        Bar(label=label, value=count, text=f"{count:,} ({count / durations.count:.0%})")
        for label, count in zip(labels, counts, strict=True)
    ]
    return Plot(
        title="Time to payment",
        caption=f"half were paid within about {lasting(durations.quantile(0.5))}, nine of ten within "
        f"about {lasting(durations.quantile(0.9))} of their creation",
        svg=bars(f"{direction}-time", "Time from creation to payment", values, compact),
        head=("Within", "Payments"),
        rows=tuple((each.label, each.text) for each in values),
    )


def _flows(direction: str, paywint: SideTotals) -> Iterator[Flow]:
    found = [
        (cell.status, cell.outcome, total.count)
        for cell, total in paywint
        if cell.direction == direction and cell.outcome in _ENDS
    ]
    known = {status: number for number, status in enumerate(_STATUSES)}
    ends = list(_ENDS)
    found.sort(key=lambda each: (known.get(each[0], len(known)), each[0], ends.index(each[1])))
    for status, outcome, count in found:
        target, css = _ENDS[outcome]
        yield Flow(source=status, target=target, count=count, css=css)


def _status_flow(direction: str, flows: Sequence[Flow]) -> Plot:
    paid = sum(each.count for each in flows if each.source == "success")
    total = sum(each.count for each in flows)
    return Plot(
        title="How each status is booked",
        caption=f"{paid:,} of {total:,} payments are paid, and need a row in the ledger",
        svg=flow(f"{direction}-flow", "How the payments of each status are booked", flows),
        head=("Status", "In the books", "Payments"),
        rows=tuple((each.source, each.target, f"{each.count:,}") for each in flows),
    )


def _float(amount: Decimal) -> float:
    """Convert an amount for a plot; a huge one is limited, never infinite."""
    return min(float(amount), _LARGEST)


def compact(value: float) -> str:
    """Format a number in about six characters: 1.5k, 20M."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{round(value / size, 2):,g}{letter}" if value < 1e17 else f"{value:.0e}"
    return f"{value:g}"


def lasting(seconds: float) -> str:
    """Format a duration in its largest unit."""
    for size, name in ((_DAY, "days"), (_HOUR, "hours"), (_MINUTE, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds:.0f} seconds"
