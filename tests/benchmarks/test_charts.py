import xml.etree.ElementTree as ET

import pytest

from benchmarks.charts import Bar, bars, shown
from benchmarks.figures import OURS

SVG = "{http://www.w3.org/2000/svg}"


def a_bar(who: str, median: float, *, durable: bool = True) -> Bar:
    return Bar(who=who, median=median, least=median * 0.9, most=median * 1.1, durable=durable)


def drawn(unit: str, *rows: Bar, title: str = "Durable submit") -> ET.Element:
    return ET.fromstring(bars(title, rows, unit))


def texts(svg: ET.Element, kind: str) -> list[str | None]:
    return [text.text for text in svg.iter(f"{SVG}text") if kind in (text.get("class") or "").split()]


def widths(svg: ET.Element) -> dict[str, float]:
    """Return the width of each bar by its kind, samples of the legend left out."""
    rects = [rect for rect in svg.iter(f"{SVG}rect") if rect.get("height") == "16"]
    return {rect.get("class", ""): float(rect.get("width", "0")) for rect in rects}


@pytest.mark.parametrize(("unit", "order"), [("jobs/s", [OURS, "Slow"]), ("ms", ["Slow", OURS])])
def test_the_best_bar_is_on_top(unit: str, order: list[str]) -> None:
    svg = drawn(unit, a_bar("Slow", 100), a_bar(OURS, 300))

    assert texts(svg, "name") == order


def test_bars_are_as_long_as_their_medians_demand() -> None:
    svg = drawn("jobs/s", a_bar(OURS, 400), a_bar("Peer", 100))

    assert widths(svg)["ours"] == pytest.approx(4 * widths(svg)["peer"], rel=0.01)


def test_our_bar_and_a_peer_that_loses_jobs_are_told_apart_from_durable_peers() -> None:
    svg = drawn("jobs/s", a_bar(OURS, 3), a_bar("Durable", 2), a_bar("Careless", 1, durable=False))

    assert set(widths(svg)) == {"ours", "peer", "lax"}
    assert texts(svg, "note")[1:] == [OURS, "durable", "loses jobs at a power cut", "least to most"]


def test_the_few_bars_that_would_dwarf_the_others_are_broken() -> None:
    svg = drawn("ms", a_bar(OURS, 3), a_bar("Peer", 5), a_bar("Polling", 4500))

    assert [path.get("class") for path in svg.iter(f"{SVG}path")].count("gap") == 1
    assert texts(svg, "value") == ["3.00", "5.00", "4,500"]
    assert texts(svg, "tick")[-1] == "6"


def test_a_lead_is_not_broken_away() -> None:
    svg = drawn("jobs/s", a_bar(OURS, 500), a_bar("Peer", 100))

    assert "gap" not in [path.get("class") for path in svg.iter(f"{SVG}path")]


def test_a_chart_is_told_in_words_and_needs_nothing_from_elsewhere() -> None:
    drawing = bars("Less & more <fast>", [a_bar(OURS, 10), a_bar("Careless", 5, durable=False)], "jobs/s")
    svg = ET.fromstring(drawing)

    described = svg.findtext(f"{SVG}desc")
    assert svg.findtext(f"{SVG}title") == "Less & more <fast>"
    assert described is not None
    assert "aafai-bus 10.0 (9.00 to 11.0); Careless 5.00 (4.50 to 5.50), not durable" in described
    assert svg.get("aria-labelledby") == "title desc"
    assert "prefers-color-scheme: dark" in drawing
    assert drawing.count("http") == 1  # the name of the language


def test_one_bar_of_nothing_is_a_chart_too() -> None:
    svg = drawn("s", Bar(who=OURS, median=0, least=0, most=0))

    assert texts(svg, "value") == ["0"]


@pytest.mark.parametrize(
    ("value", "words"),
    [(12345.6, "12,346"), (345.6, "346"), (99.96, "100.0"), (3.456, "3.46"), (0.0345, "0.0345"), (0, "0")],
)
def test_numbers_are_shown_with_the_digits_that_matter(value: float, words: str) -> None:
    assert shown(value) == words
