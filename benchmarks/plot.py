"""Draws line charts with logarithmic axes as SVG for the documentation."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

_WIDTH, _HEIGHT = 400, 300  # of a panel, with its labels
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 24, 64, 48
_SHARE = 0.04  # of the axis, free at each end

# Colours of Okabe and Ito, lighter in dark mode. Lines also differ in dashes and marks.
_STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 }
  .grid { stroke: #d0d7de }
  .line { fill: none; stroke-width: 2 }
  .c0 { stroke: #0072b2 } .c1 { stroke: #b35300; stroke-dasharray: 7 3 }
  .c2 { stroke: #007a5a; stroke-dasharray: 2 3 }
  .m0 { fill: #0072b2 } .m1 { fill: #b35300 } .m2 { fill: #007a5a }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .grid { stroke: #3d444d }
    .c0 { stroke: #56b4e9 } .c1 { stroke: #ffa657 } .c2 { stroke: #4fd1a5 }
    .m0 { fill: #56b4e9 } .m1 { fill: #ffa657 } .m2 { fill: #4fd1a5 }
  }
"""


@dataclass(frozen=True)
class Line:
    """A line through positive ``points`` (x, y)."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Panel:
    """At most three lines over the same x axis, which ``title`` names."""

    title: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class _Axis:
    """A logarithmic axis from 10**``first`` to 10**``last``, in pixels from ``start``."""

    first: int
    last: int
    start: float
    length: float

    def at(self, value: float) -> float:
        """The pixel position of a value."""
        share = (log10(value) - self.first) / (self.last - self.first)
        return self.start + self.length * (_SHARE + (1 - 2 * _SHARE) * share)

    @property
    def powers(self) -> list[float]:
        return [10.0**power for power in range(self.first, self.last + 1)]


def draw(title: str, panels: Sequence[Panel]) -> str:
    """The panels side by side, with the same y axis."""
    values = [y for panel in panels for line in panel.lines for _, y in line.points]
    width = _WIDTH * len(panels)
    description = " ".join(_describe(panel) for panel in panels)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}" '
        f'role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(description)}</desc>',
        f"<style>{_STYLE}</style>",
        _text(12, 20, title, "start", "title"),
    ]
    for place, panel in enumerate(panels):
        across = [x for line in panel.lines for x, _ in line.points]
        left, bottom = place * _WIDTH + _LEFT, _HEIGHT - _BOTTOM
        x = _axis(across, left, _WIDTH - _LEFT - _RIGHT)
        y = _axis(values, bottom, _TOP - bottom)
        parts += [_grid(x, y), _text(left + x.length / 2, _HEIGHT - 10, panel.title, "middle")]
        key = float(left)
        for number, line in enumerate(panel.lines):
            parts += _line(number, line, x, y) + _key(key, number, line.name)
            key += 50 + 7 * len(line.name)
    return "\n".join([*parts, "</svg>", ""])


def _describe(panel: Panel) -> str:
    lines = (
        f"{line.name}: {', '.join(f'{y:.2g} at {x:,.0f}' for x, y in line.points)}."
        for line in panel.lines
    )
    return f"{panel.title}. {' '.join(lines)}"


def _axis(values: Sequence[float], start: float, length: float) -> _Axis:
    first = floor(log10(min(values)))
    return _Axis(first, max(ceil(log10(max(values))), first + 1), start, length)


def _grid(x: _Axis, y: _Axis) -> str:
    right, top = x.start + x.length, y.start + y.length
    parts = []
    for value in x.powers:
        at = x.at(value)
        parts.append(f'<path class="grid" d="M{at:.1f} {y.start:.1f}V{top:.1f}"/>')
        parts.append(_text(at, y.start + 18, _short(value), "middle"))
    for value in y.powers:
        at = y.at(value)
        parts.append(f'<path class="grid" d="M{x.start:.1f} {at:.1f}H{right:.1f}"/>')
        parts.append(_text(x.start - 6, at + 4, f"{value:g} s", "end"))
    return "\n".join(parts)


def _short(value: float) -> str:
    return f"{value / 1e6:,.0f} million" if value >= 1e6 else f"{value:,.0f}"


def _line(number: int, line: Line, x: _Axis, y: _Axis) -> list[str]:
    points = [(x.at(across), y.at(value)) for across, value in line.points]
    path = "L".join(f"{across:.1f} {value:.1f}" for across, value in points)
    return [
        f'<path class="line c{number}" d="M{path}"/>',
        *(_mark(across, value, number) for across, value in points),
    ]


def _key(left: float, number: int, name: str) -> list[str]:
    top = _TOP - 20
    return [
        f'<path class="line c{number}" d="M{left:.1f} {top}h24"/>',
        _mark(left + 12, top, number),
        _text(left + 30, top + 4, name, "start"),
    ]


def _mark(x: float, y: float, number: int) -> str:
    """A disc, a square or a triangle."""
    if number == 0:
        return f'<circle class="m0" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    shape = "m-4 -4h8v8h-8z" if number == 1 else "m0 -5l5 9h-10z"
    return f'<path class="m{number}" d="M{x:.1f} {y:.1f}{shape}"/>'


def _text(x: float, y: float, words: str, anchor: str, kind: str = "") -> str:
    class_attribute = f' class="{kind}"' if kind else ""
    return f'<text{class_attribute} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
