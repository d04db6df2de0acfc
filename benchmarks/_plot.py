"""Draws a bar chart as SVG, without a dependency for a few rectangles."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

_WIDTH, _LABEL, _BAR, _GAP = 760, 170, 18, 8
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#333}.title{font-weight:600}"
    ".bar{fill:#9bb3cc}.ours{fill:#1f6feb}"
    "@media(prefers-color-scheme:dark){text{fill:#ddd}.bar{fill:#5b708a}.ours{fill:#58a6ff}}"
)


def bars(charts: Mapping[str, Mapping[str, float]], *, ours: str, unit: str) -> str:
    """Charts one below the other; the bars of a chart have the same scale, the longest first."""
    parts: list[str] = []
    top = 10
    for title, values in charts.items():
        top = _chart(parts, top, f"{title}: {unit}", values, ours)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{top}">'
    return "\n".join([head, f"<style>{_STYLE}</style>", *parts, "</svg>\n"])


def _chart(parts: list[str], top: int, title: str, values: Mapping[str, float], ours: str) -> int:
    parts.append(f'<text class="title" x="10" y="{top + 14}">{escape(title)}</text>')
    top += 26
    room = (_WIDTH - _LABEL - 90) / max(values.values())
    for name, value in sorted(values.items(), key=lambda item: -item[1]):
        kind = "ours" if name == ours else "bar"
        length, middle = max(1.0, value * room), top + 14
        parts += [
            f'<text x="{_LABEL - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{_LABEL}" y="{top}" width="{length:.1f}" height="{_BAR}"/>',
            f'<text x="{_LABEL + length + 6:.1f}" y="{middle}">{value:,.0f}</text>',
        ]
        top += _BAR + _GAP
    return top + 14
