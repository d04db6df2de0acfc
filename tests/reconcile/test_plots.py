"""The parts of the plots: buckets of time, durations, and readable axes."""

from __future__ import annotations

import math
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from comparison_samples import day, paid
from hypothesis import given
from hypothesis import strategies as st

from paywint_async.reconcile._activity import Activity, Durations
from paywint_async.reconcile._buckets import buckets_between
from paywint_async.reconcile._charts import Bar, Flow, bars, flow, line
from paywint_async.reconcile._plots import compact, lasting


@given(st.dates(), st.dates())
def test_spans_are_few_and_each_day_is_in_one(one: date, other: date) -> None:
    first, last = sorted((one, other))

    spans = buckets_between(first, last)

    assert spans.unit == "year" or len(spans.starts) <= 64
    assert spans.starts == tuple(sorted(set(spans.starts)))
    assert {spans.of(first), spans.of(last)} <= set(spans.starts)
    assert [spans.of(each) for each in spans.starts] == list(spans.starts)


@pytest.mark.parametrize(
    ("days", "unit", "label"),
    [
        (1, "day", "05 Jan 2026"),
        (62, "day", "05 Jan 2026"),
        (63, "week", "week of 05 Jan 2026"),
        (500, "month", "Jan 2026"),
        (4000, "year", "2026"),
    ],
)
def test_the_longer_the_history_the_longer_the_spans(days: int, unit: str, label: str) -> None:
    first = date(2026, 1, 5)

    spans = buckets_between(first, first + timedelta(days=days - 1))

    assert (spans.unit, spans.label(spans.starts[0])) == (unit, label)


def test_durations_are_known_to_a_tenth() -> None:
    durations = Durations()
    for minutes in range(1, 101):
        durations.take(minutes * 60)

    assert durations.count == 100
    assert durations.quantile(0.5) == pytest.approx(50 * 60, rel=0.1)
    assert durations.quantile(0.9) == pytest.approx(90 * 60, rel=0.1)
    assert durations.below(600) == pytest.approx(10, abs=1)


def test_payments_in_progress_are_not_in_the_success_rate() -> None:
    activity = Activity()
    for number, status in enumerate(("success", "failed", "pending", "retried")):
        activity.take(paid(number, status=status), None)

    assert list(activity.ended()) == [(day(0).date(), 1, 2)]
    assert activity.by_status.total() == 4


def test_an_outlier_is_cut_off_and_marked() -> None:
    values = [Bar(label=str(n), value=10, text="10") for n in range(20)]
    values.append(Bar(label="the big one", value=1e6, text="1,000,000"))

    drawing = ElementTree.fromstring(bars("a", "A", values, compact))

    assert [each.attrib["class"] for each in drawing.iter("rect")].count("bar cut") == 1
    heights = [float(each.attrib["height"]) for each in drawing.iter("rect")]
    assert max(heights) < 2 * min(heights)


@given(st.lists(st.floats(0, 1e18), min_size=1, max_size=70))
def test_any_values_can_be_drawn_within_the_frame(values: list[float]) -> None:
    made = [
        Bar(label=f"{n} & <{n}>", value=value, text=f"{value}") for n, value in enumerate(values)
    ]

    drawing = ElementTree.fromstring(bars("a", "A & <b>", made, compact))

    for each in drawing.iter("rect"):
        assert float(each.attrib["height"]) >= 0
        assert 0 <= float(each.attrib["y"]) <= 190
    assert len(list(drawing.iter("rect"))) == len(values)


def test_a_line_has_gaps_without_values() -> None:
    values = [Bar(label=str(n), value=v, text="") for n, v in enumerate((1, math.nan, 0.5, 0.25))]

    drawing = ElementTree.fromstring(line("a", "A", values))

    assert len(list(drawing.iter("circle"))) == 3
    assert sum(each.attrib["class"] == "line" for each in drawing.iter("path")) == 1


def test_a_flow_is_as_wide_at_its_end_as_at_its_start() -> None:
    flows = [
        Flow(source="success", target="agrees", count=90, css="good"),
        Flow(source="success", target="missing", count=10, css="bad"),
        Flow(source="failed", target="no row", count=1, css="plain"),
    ]

    drawing = ElementTree.fromstring(flow("a", "A", flows))

    bands = [each for each in drawing.iter("path") if "band" in each.attrib["class"]]
    assert len(bands) == 3
    assert [each.findtext("title") for each in bands][1] == "success → missing: 10"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1500, "1.5k"), (2e6, "2M"), (3.25e9, "3.25B"), (1.8e16, "18,000T")],
)
def test_axes_have_short_numbers(value: float, text: str) -> None:
    assert compact(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(5, "5 seconds"), (600, "10.0 minutes"), (7200, "2.0 hours"), (864_000, "10.0 days")],
)
def test_durations_are_shown_in_their_largest_unit(seconds: float, text: str) -> None:
    assert lasting(seconds) == text
