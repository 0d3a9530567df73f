"""Bar charts as SVG: self-contained, readable in light and in dark, and by a screen reader."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from benchmarks.figures import OURS, more_is_better


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One contender of a chart, in the unit of the chart."""

    who: str
    median: float
    least: float
    most: float
    #: Whether what it acknowledged survives a power cut.
    durable: bool = True


def bars(title: str, rows: Sequence[Bar], unit: str) -> str:
    """Return an SVG with a bar for each row, the best on top, and a whisker from its least to its most.

    Our own bar stands out, and what is not durable is hatched. Few that would dwarf all others are broken.
    """
    ranked = sorted(rows, key=lambda row: row.median, reverse=more_is_better(unit))
    frame = _Frame(ranked, unit)
    size = f'viewBox="0 0 {_WIDTH} {frame.height}" width="{_WIDTH}" height="{frame.height}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(_described(ranked, unit))}</desc>',
            f"<style>{_STYLE}</style>",
            _HATCH,
            f'<rect class="card" x="0.5" y="0.5" width="{_WIDTH - 1}" height="{frame.height - 1}" rx="10"/>',
            _text(_MARGIN, 32, title, "title"),
            _text(_MARGIN, 51, _explained(unit), "note"),
            *_grid(frame),
            *(piece for number, row in enumerate(ranked) for piece in _row(frame, number, row)),
            *_legend(frame, ranked),
            "</svg>\n",
        ]
    )


def shown(value: float) -> str:
    """Return a number as people read it: thousands set apart, three digits of what is below a hundred."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.{2 - math.floor(math.log10(abs(value)))}f}"


_WIDTH = 760
_MARGIN = 24
_TOP = 68  # of the first row
_PITCH = 30  # from one row to the next
_THICK = 16  # a bar
_BELOW = 62  # for the scale and the legend
_CHARACTER = 6.9  # the width of an average one in a name
_DWARFING = 6  # times the next longest: such a bar, and those beyond it, are broken

_STYLE = """
svg { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; font-size: 13px;
      --card: #ffffff; --edge: #d8dee6; --ink: #1c2430; --soft: #5b6675; --line: #e8ecf1;
      --ours: #0f766e; --peer: #9db0c6; --whisker: #3c4858; }
@media (prefers-color-scheme: dark) {
  svg { --card: #14181f; --edge: #2c3441; --ink: #e7ecf3; --soft: #96a2b3; --line: #242b36;
        --ours: #2dd4bf; --peer: #56687f; --whisker: #c3ccd8; }
}
.card { fill: var(--card); stroke: var(--edge); }
.title { fill: var(--ink); font-size: 16px; font-weight: 650; }
.note, .tick { fill: var(--soft); font-size: 12px; }
.name, .value { fill: var(--ink); }
.value { font-variant-numeric: tabular-nums; }
.us { font-weight: 700; }
.line { stroke: var(--line); }
.ours { fill: var(--ours); }
.peer { fill: var(--peer); }
.lax { fill: url(#hatch); stroke: var(--peer); }
.hatch { stroke: var(--peer); stroke-width: 3; }
.whisker { stroke: var(--whisker); stroke-width: 1.5; fill: none; }
.halo { stroke: var(--card); stroke-width: 3.5; stroke-opacity: 0.55; fill: none; }
.gap { stroke: var(--card); stroke-width: 4; }
"""
_HATCH = (
    '<defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" '
    'patternTransform="rotate(45)"><line class="hatch" x1="1.5" y1="0" x2="1.5" y2="7"/></pattern></defs>'
)


class _Frame:
    """Where things lie in one chart."""

    def __init__(self, rows: Sequence[Bar], unit: str) -> None:
        self.left = _MARGIN + 12 + round(_CHARACTER * max(len(row.who) for row in rows))
        #: Room behind the longest bar for its value.
        self.right = _WIDTH - _MARGIN - 62
        self.bottom = _TOP + _PITCH * len(rows)
        self.height = self.bottom + _BELOW
        self.unit = unit
        self.ticks = _ticks(_reach(rows))

    def x(self, value: float) -> float:
        """Return where a value lies; one beyond the scale lies at its end."""
        share = min(1.0, value / self.ticks[-1])
        return round(self.left + share * (self.right - self.left), 1)


def _reach(rows: Sequence[Bar]) -> float:
    """Return how far the scale must go: to the longest bar, unless a third or less would dwarf the others."""
    lengths = sorted(row.most for row in rows)
    for shorter, longer in pairwise(lengths[-(len(lengths) // 3) - 1 :]):
        if longer > _DWARFING * shorter > 0:
            return shorter
    return lengths[-1]


def _ticks(reach: float) -> list[float]:
    """Return round numbers from 0 to `reach` or just beyond it, five to eight of them."""
    rough = (reach or 1.0) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    return [step * number for number in range(math.ceil(reach / step - 1e-9) + 1)] if reach else [0.0, 1.0]


def _grid(frame: _Frame) -> Iterator[str]:
    for tick in frame.ticks:
        x = frame.x(tick)
        yield f'<line class="line" x1="{x}" y1="{_TOP - 6}" x2="{x}" y2="{frame.bottom}"/>'
        yield _text(x, frame.bottom + 16, f"{tick:,.10g}", "tick", anchor="middle")


def _row(frame: _Frame, number: int, row: Bar) -> Iterator[str]:
    top = _TOP + number * _PITCH
    middle, end = top + _THICK / 2, frame.x(row.median)
    us = " us" if row.who == OURS else ""
    yield _text(frame.left - 12, middle + 4.5, row.who, f"name{us}", anchor="end")
    yield (
        f'<rect class="{_kind(row)}" x="{frame.left}" y="{top}" '
        f'width="{max(1.0, end - frame.left):.1f}" height="{_THICK}" rx="2"/>'
    )
    if row.median > frame.ticks[-1]:
        yield f'<path class="gap" d="M{end - 26} {top + _THICK + 3}l8 {-_THICK - 6}"/>'
        yield _text(end + 8, middle + 4.5, shown(row.median), f"value{us}")
        return
    low, high = frame.x(row.least), frame.x(row.most)
    path = f"M{low} {middle}H{high}M{low} {middle - 4}v8M{high} {middle - 4}v8"
    yield f'<path class="halo" d="{path}"/><path class="whisker" d="{path}"/>'
    yield _text(max(end, high) + 8, middle + 4.5, shown(row.median), f"value{us}")


def _legend(frame: _Frame, rows: Iterable[Bar]) -> Iterator[str]:
    """Yield a sample of each kind of bar that is there, and of the whisker."""
    kinds = {_kind(row) for row in rows}
    x, y = float(_MARGIN), frame.height - 20
    for kind, meaning in _KINDS.items():
        if kind in kinds:
            yield f'<rect class="{kind}" x="{x}" y="{y - 10}" width="18" height="11" rx="2"/>'
            yield _text(x + 25, y, meaning, "note")
            x += 46 + _CHARACTER * len(meaning) * 0.9
    yield f'<path class="whisker" d="M{x} {y - 4}h18m-18 -4v8m18 -8v8"/>'
    yield _text(x + 25, y, "least to most", "note")


_KINDS = {"ours": OURS, "peer": "durable", "lax": "loses jobs at a power cut"}


def _kind(row: Bar) -> str:
    if row.who == OURS:
        return "ours"
    return "peer" if row.durable else "lax"


def _explained(unit: str) -> str:
    return f"{unit} · {'more' if more_is_better(unit) else 'less'} is better · medians"


def _described(rows: Iterable[Bar], unit: str) -> str:
    """Return in words what the chart shows."""
    told = "; ".join(
        f"{row.who} {shown(row.median)} ({shown(row.least)} to {shown(row.most)})"
        + ("" if row.durable else ", not durable")
        for row in rows
    )
    return f"Medians in {unit}, with their spreads, the best first: {told}."


def _text(x: float, y: float, words: str, kind: str, *, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{escape(words)}</text>'
