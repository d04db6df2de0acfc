"""Draws plots as inline SVG, without a library or script, readable on a phone and on paper.

Each plot has a title and a description for screen readers. Colours come from the page's classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import pairwise

import attrs

_WIDTH, _HEIGHT = 350.0, 190.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 8.0, 12.0, 26.0
_GAP = 0.18  # between bars, as a share of a bar's space
_OUTLIER = 6.0  # times the 90th percentile
_SMALLEST = 1e-9  # the top of an axis; smaller values count as 0
_LABEL = 76.0  # width of a label below the axis


@attrs.frozen(kw_only=True)
class Bar:
    """A value with its label; ``text`` is the value as text."""

    label: str
    value: float
    text: str


@attrs.frozen(kw_only=True)
class Flow:
    """A number of items that go from a source to a target; ``css`` is the class of its colour."""

    source: str
    target: str
    count: int
    css: str


def bars(name: str, title: str, values: Sequence[Bar], tick: Callable[[float], str]) -> str:
    """Draw a bar for each value. A few outliers are cut off, with a mark.

    Args:
        name: id of the plot, unique on its page.
        title: of the plot.
        values: from left to right, at least one.
        tick: formats the values of the axis.
    """
    top = _top([each.value for each in values])
    room = (_WIDTH - _LEFT - _RIGHT) / len(values)
    parts = [*_axis(top, tick)]
    for number, each in enumerate(values):
        x = _LEFT + room * (number + _GAP / 2)
        y = _y(min(each.value, top), top)
        css = "bar cut" if each.value > top else "bar"
        parts.append(
            f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{room * (1 - _GAP):.1f}" '
            f'height="{_y(0, top) - y:.1f}"><title>{escape(f"{each.label}: {each.text}")}</title></rect>'
        )
        if each.value > top:
            middle = x + room * (1 - _GAP) / 2
            parts.append(f'<path class="mark" d="M{middle - 3:.1f} 8 l3 -6 l3 6 z"/>')
    parts += _labels([each.label for each in values], room)
    return _svg(name, title, _summary(values), parts)


def line(name: str, title: str, values: Sequence[Bar]) -> str:
    """Draw shares from 0 to 1 as a line; NaN leaves a gap."""
    room = (_WIDTH - _LEFT - _RIGHT) / len(values)
    points = [(_LEFT + room * (n + 0.5), each) for n, each in enumerate(values)]
    parts = [*_axis(1.0, lambda share: f"{share:.0%}")]
    for (x1, one), (x2, other) in pairwise(points):
        if not (math.isnan(one.value) or math.isnan(other.value)):
            y1, y2 = _y(one.value, 1), _y(other.value, 1)
            parts.append(f'<path class="line" d="M{x1:.1f} {y1:.1f} L{x2:.1f} {y2:.1f}"/>')
    for x, each in points:
        if not math.isnan(each.value):
            text = escape(f"{each.label}: {each.text}")
            parts.append(
                f'<circle class="dot" cx="{x:.1f}" cy="{_y(each.value, 1):.1f}" r="2.4">'
                f"<title>{text}</title></circle>"
            )
    parts += _labels([each.label for each in values], room)
    return _svg(name, title, _summary(values), parts)


def flow(name: str, title: str, flows: Sequence[Flow]) -> str:
    """Draw bands from the sources on the left to the targets on the right; their width is the count."""
    left = _nodes([(each.source, each.count) for each in flows])
    right = _nodes([(each.target, each.count) for each in flows])
    height = max(_end(left), _end(right)) + 6
    start, end = 114.0, _WIDTH - 130.0
    parts: list[str] = []
    used = {("left", key): node.y for key, node in left.items()}
    used |= {("right", key): node.y for key, node in right.items()}
    for each in flows:
        widths = left[each.source].scaled(each.count), right[each.target].scaled(each.count)
        y1, y2 = used["left", each.source], used["right", each.target]
        used["left", each.source] += widths[0]
        used["right", each.target] += widths[1]
        text = escape(f"{each.source} → {each.target}: {each.count:,}")
        middle = (start + end) / 2
        parts.append(
            f'<path class="band {each.css}" d="M{start:.1f} {y1:.1f} '
            f"C{middle:.1f} {y1:.1f} {middle:.1f} {y2:.1f} {end:.1f} {y2:.1f} "
            f"L{end:.1f} {y2 + widths[1]:.1f} "
            f"C{middle:.1f} {y2 + widths[1]:.1f} {middle:.1f} {y1 + widths[0]:.1f} "
            f'{start:.1f} {y1 + widths[0]:.1f} Z"><title>{text}</title></path>'
        )
    for nodes, x, anchor, at in ((left, start - 5, "end", -7), (right, end, "start", 12)):
        for key, node in nodes.items():
            parts.append(
                f'<rect class="node" x="{x:.1f}" y="{node.y:.1f}" width="5" height="{node.size:.1f}"/>'
                f'<text x="{x + at:.1f}" y="{node.y + node.size / 2 + 4:.1f}" text-anchor="{anchor}">'
                f'{escape(key)} <tspan class="soft">{node.count:,}</tspan></text>'
            )
    text = "; ".join(f"{each.source} to {each.target}: {each.count:,}" for each in flows)
    return _svg(name, title, text, parts, height)


@attrs.frozen(kw_only=True)
class _Node:
    y: float
    size: float
    count: int

    def scaled(self, count: int) -> float:
        return self.size * count / self.count


def _nodes(counts: Sequence[tuple[str, int]]) -> dict[str, _Node]:
    sums: dict[str, int] = {}
    for key, count in counts:
        sums[key] = sums.get(key, 0) + count
    total = sum(sums.values())
    nodes: dict[str, _Node] = {}
    y = 4.0
    for key, count in sums.items():
        size = max(2.0, 150.0 * count / total)
        nodes[key] = _Node(y=y + max(0.0, (14 - size) / 2), size=size, count=count)
        y += max(size, 14.0) + 6  # as high as its label, at least
    return nodes


def _end(nodes: dict[str, _Node]) -> float:
    return max(node.y + max(node.size, 14.0) for node in nodes.values())


def _top(values: Sequence[float]) -> float:
    most = max(values)
    some = sorted(value for value in values if value > 0)
    usual = some[int(len(some) * 0.9) - 1] if len(some) >= 10 else most
    top = usual * 1.5 if most > _OUTLIER * usual else most
    return top if top > _SMALLEST else 1.0


def _y(value: float, top: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - value / top)


def _axis(top: float, tick: Callable[[float], str]) -> Iterator[str]:
    for value in _ticks(top):
        y = _y(value, top)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f} H{_WIDTH - _RIGHT}"/>'
        yield (
            f'<text class="soft" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">'
            f"{escape(tick(value))}</text>"
        )


def _ticks(top: float) -> Iterator[float]:
    """Yield about four round values from 0 up to the top."""
    rough = top / 4
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 2.5, 5, 10) if unit * factor >= rough * 0.999)
    for number in range(int(top / step + 1e-9) + 1):
        yield number * step


def _labels(labels: Sequence[str], room: float) -> Iterator[str]:
    for number in range(0, len(labels), math.ceil(_LABEL / room)):
        x = _LEFT + room * (number + 0.5)
        anchor = "end" if x + _LABEL / 2 > _WIDTH else "middle"
        x = min(x + _LABEL / 2, _WIDTH) if anchor == "end" else x
        yield (
            f'<text class="soft" x="{x:.1f}" y="{_HEIGHT - 8}" text-anchor="{anchor}">'
            f"{escape(_short(labels[number]))}</text>"
        )


def _short(label: str) -> str:
    return label.removeprefix("week of ")


def _summary(values: Sequence[Bar]) -> str:
    known = [each for each in values if not math.isnan(each.value)]
    if not known:
        return "no values"
    highest = max(known, key=lambda each: each.value)
    lowest = min(known, key=lambda each: each.value)
    return (
        f"{len(values)} values from {values[0].label} to {values[-1].label}; highest "
        f"{highest.text} ({highest.label}), lowest {lowest.text} ({lowest.label})"
    )


def _svg(
    name: str, title: str, description: str, parts: Sequence[str], height: float = _HEIGHT
) -> str:
    return (
        f'<svg role="img" viewBox="0 0 {_WIDTH:.0f} {height:.0f}" '
        f'aria-labelledby="{name}-title {name}-desc"><title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(description)}</desc>{"".join(parts)}</svg>'
    )
