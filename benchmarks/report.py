"""Writes a run for people: docs/benchmarks.md, and a chart for each figure in docs/benchmarks/."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.charts import Bar, bars, shown
from benchmarks.contenders import ALL, RQ_DEBIAN
from benchmarks.cut import figure_of
from benchmarks.figures import OURS, Row, more_is_better
from benchmarks.figures import rows as rows_of
from benchmarks.goals import Standing, standings
from benchmarks.http import UNKEPT
from benchmarks.runs import Run
from benchmarks.sections import OPENING, POWER_CUT, REMARKS, SECTIONS, Section
from benchmarks.verdicts import NOISE, advantage, defeats, durable, is_cut

_SETTINGS = {contender.name: contender.durability for contender in (*ALL, RQ_DEBIAN)}
_NEEDED_FOR_A_CHART = 2  # rows


@dataclass(frozen=True, slots=True)
class _Figures:
    """All rows of a run, and who keeps his jobs."""

    rows: Sequence[Row]
    durable: frozenset[str]

    def of(self, figure: str) -> list[Row]:
        """Return the rows of one figure, the best first."""
        some = [row for row in self.rows if row.figure == figure]
        return sorted(some, key=lambda row: row.median, reverse=bool(some) and more_is_better(some[0].unit))

    @property
    def names(self) -> list[str]:
        """The figures that are no power cuts, in the order in which they were taken."""
        return list(dict.fromkeys(row.figure for row in self.rows if not is_cut(row)))

    def keeps(self, who: str) -> bool:
        """Return whether what a contender or a reference acknowledges is on the disk."""
        return who in self.durable or (who not in _SETTINGS and who != UNKEPT)


def write_report(run: Run, folder: Path) -> Path:
    """Write the page and its charts into a folder, in place of those that are there; return the page."""
    rows = rows_of(run.readings)
    figures = _Figures(rows, frozenset(durable(rows)))
    charts = folder / "benchmarks"
    charts.mkdir(parents=True, exist_ok=True)
    for old in charts.glob("*.svg"):
        old.unlink()
    for name in figures.names:
        if len(figures.of(name)) >= _NEEDED_FOR_A_CHART:
            (charts / f"{_slug(name)}.svg").write_text(_chart(figures, name), encoding="utf-8")
    page = folder / "benchmarks.md"
    page.write_text("\n".join(_page(run, figures)).rstrip() + "\n", encoding="utf-8")
    return page


def _page(run: Run, figures: _Figures) -> Iterator[str]:
    yield from ("# Benchmarks", "", OPENING, "")
    yield from _circumstances(run)
    yield from _goals(standings(figures.rows, figures.durable))
    yield from _defeats(figures)
    yield from _cuts(figures)
    left = figures.names
    for section in SECTIONS:
        names = [name for name in left if section.holds(name)]
        left = [name for name in left if name not in names]
        if names:
            yield from _section(section, figures, names)
    yield from ("## What the figures do not say", "", REMARKS)


def _circumstances(run: Run) -> Iterator[str]:
    depth = "a glance, not a measurement" if run.quick else f"medians of {run.rounds} rounds"
    yield from (f"Taken on {run.date}: {depth}, by", "", "```sh", run.command, "```", "")
    yield from (f"- {fact}" for fact in run.machine)
    yield "- " + ", ".join(f"{name} {version}" for name, version in run.versions.items())
    yield ""


def _goals(standing: Sequence[Standing]) -> Iterator[str]:
    if not standing:
        return
    yield from ("## Goals", "", "Ours divided by the reference, both of the same run.", "")
    yield "| figure | aafai-bus | reference | ratio | goal | reached |"
    yield "|---|--:|---|--:|--:|---|"
    for each in standing:
        sign = "≥" if more_is_better(each.ours.unit) else "≤"
        reference = f"{each.reference.who}: {shown(each.reference.median)}"
        if each.goal.other:
            reference = f"{each.goal.other}: {shown(each.reference.median)}"
        yield (
            f"| {each.goal.figure} | {_value(each.ours)} | {reference} | {each.ratio:.2f} "
            f"| {sign} {each.goal.limit:g} | {'yes' if each.reached else '**no**'} |"
        )
    yield ""


def _defeats(figures: _Figures) -> Iterator[str]:
    everybody = {row.who for row in figures.rows}
    yield from ("## Where a peer wins", "", f"By more than {NOISE:.0%}, which is what chance may do.", "")
    kept = [_defeat(*pair) for pair in defeats(figures.rows, figures.durable)]
    yield from kept or ["- Nowhere, among those that keep their jobs when the power goes."]
    yield from (_defeat(*pair, lossy=True) for pair in defeats(figures.rows, everybody - figures.durable))
    yield ""


def _defeat(ours: Row, rival: Row, *, lossy: bool = False) -> str:
    remark = ", which loses jobs at a power cut" if lossy else ""
    return f"- {ours.figure}: {rival.who} {_value(rival)} against {shown(ours.median)}{remark}."


def _cuts(figures: _Figures) -> Iterator[str]:
    cuts = {(row.who, row.figure): row for row in figures.rows if is_cut(row)}
    kinds = [kind for kind in ("ext4", "xfs") if any(figure_of(kind) == figure for _, figure in cuts)]
    if not kinds:
        return
    yield from ("## What remains after the power goes", "", POWER_CUT, "")
    yield "| queue | setting | " + " | ".join(kinds) + " |"
    yield "|---|---|" + "--:|" * len(kinds)
    for who in dict.fromkeys(who for who, _ in cuts):
        found = [cuts.get((who, figure_of(kind))) for kind in kinds]
        counts = " | ".join(f"{row.median:.0f} {row.unit}" if row else "not taken" for row in found)
        yield f"| {_emphasised(who)} | {_SETTINGS[who]} | {counts} |"
    yield ""


def _section(section: Section, figures: _Figures, names: Sequence[str]) -> Iterator[str]:
    yield from (f"## {section.title}", "", section.prose, "")
    for name in names:
        some = figures.of(name)
        if len(some) >= _NEEDED_FOR_A_CHART:
            yield from (f"![{name}](benchmarks/{_slug(name)}.svg)", "")
        yield from _table(some)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    ours = next((row for row in rows if row.who == OURS), None)
    unit = rows[0].unit
    yield from ("<details>", f"<summary>{rows[0].figure}</summary>", "")
    yield f"| | setting | {unit} | least to most | aafai-bus is | load |"
    yield "|---|---|--:|--:|--:|--:|"
    for row in rows:
        against = f"{advantage(ours, row):.2f} times as good" if ours and row.who != OURS else ""
        yield (
            f"| {_emphasised(row.who)} | {_SETTINGS.get(row.who, '')} | {shown(row.median)} "
            f"| {shown(row.least)} to {shown(row.most)} | {against} | {row.load:.1f} |"
        )
    yield from ("", "</details>", "")


def _chart(figures: _Figures, name: str) -> str:
    some = figures.of(name)
    drawn = [
        Bar(who=row.who, median=row.median, least=row.least, most=row.most, durable=figures.keeps(row.who))
        for row in some
    ]
    return bars(name[0].upper() + name[1:], drawn, some[0].unit)


def _value(row: Row) -> str:
    return f"{shown(row.median)} {row.unit}"


def _emphasised(who: str) -> str:
    return f"**{who}**" if who == OURS else who


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace(",", "")).strip("-")
