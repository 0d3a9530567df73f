from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import runs
from benchmarks.contenders import HUEY_FILE, HUEY_REDIS
from benchmarks.cut import figure_of
from benchmarks.figures import OURS, Figure, Reading
from benchmarks.report import write_report
from benchmarks.runs import Run

TAKEN = {
    ("submit, 32 clients", "jobs/s"): {OURS: 9_000, HUEY_REDIS.name: 6_000, HUEY_FILE.name: 20_000},
    ("drain of 2,000", "jobs/s"): {OURS: 1_000, HUEY_REDIS.name: 2_000},
    ("something new", "ms"): {OURS: 3},
    (figure_of("ext4"), "of 300"): {OURS: 300, HUEY_REDIS.name: 300, HUEY_FILE.name: 0},
}


def a_run(*, quick: bool = False) -> Run:
    return Run(
        date="2026-11-22",
        command="python -m benchmarks",
        rounds=3,
        quick=quick,
        machine=["Processor: an old one, 2 cores"],
        versions={"huey": "3.5.4"},
        readings=[
            Reading(number, 0.25, Figure(figure, who, value * (growth if unit.endswith("s") else 1), unit))
            for number, growth in enumerate((1.0, 1.01, 1.02))
            for (figure, unit), values in TAKEN.items()
            for who, value in values.items()
        ],
    )


@pytest.fixture
def page(tmp_path: Path) -> str:
    return write_report(a_run(), tmp_path).read_text()


def section(page: str, title: str) -> str:
    """Return one section of a page, line ends turned into spaces."""
    return " ".join(page.split(f"## {title}\n")[1].split("\n## ", maxsplit=1)[0].split())


def test_a_run_can_be_read_from_its_file_as_it_was(tmp_path: Path) -> None:
    runs.write(a_run(), tmp_path / "deep" / "figures.jsonl")

    assert runs.read(tmp_path / "deep" / "figures.jsonl") == a_run()


def test_the_page_says_how_the_figures_came_about(page: str) -> None:
    for fact in (
        "2026-11-22",
        "medians of 3 rounds",
        "python -m benchmarks",
        "an old one, 2 cores",
        "huey 3.5.4",
    ):
        assert fact in page


def test_a_glance_is_called_one(tmp_path: Path) -> None:
    page = write_report(a_run(quick=True), tmp_path).read_text()

    assert "a glance, not a measurement" in page


def test_goals_stand_beside_their_references(page: str) -> None:
    goals = section(page, "Goals")

    assert "| submit, 32 clients | 9,090 jobs/s | Huey, Redis: 6,060 | 1.50 | ≥ 1 | yes |" in goals
    assert "| drain of 2,000 | 1,010 jobs/s | Huey, Redis: 2,020 | 0.50 | ≥ 1.2 | **no** |" in goals


def test_it_is_said_where_a_peer_wins_and_whether_it_keeps_its_jobs(page: str) -> None:
    wins = section(page, "Where a peer wins")

    assert "drain of 2,000: Huey, Redis 2,020 jobs/s against 1,010." in wins
    assert "Huey, files 20,200 jobs/s against 9,090, which loses jobs at a power cut." in wins


def test_what_a_power_cut_left_is_a_table(page: str) -> None:
    left = section(page, "What remains after the power goes")

    assert "| Huey, files | none to be had | 0 of 300 |" in left
    assert "| **aafai-bus** | journal synced before the answer | 300 of 300 |" in left


def test_rows_show_median_spread_ratio_and_load(page: str) -> None:
    row = "| Huey, Redis | Redis, appendfsync always | 6,060 | 6,000 to 6,120 | 1.50 times as good | 0.2 |"

    assert row in section(page, "Submit")


def test_a_figure_without_a_section_is_not_lost(page: str) -> None:
    assert "something new" in section(page, "Further figures")


def test_each_figure_of_several_has_a_chart_that_the_page_shows(tmp_path: Path) -> None:
    page = write_report(a_run(), tmp_path)

    shown = re.findall(r"!\[[^]]+\]\(([^)]+)\)", page.read_text())

    assert shown == ["benchmarks/submit-32-clients.svg", "benchmarks/drain-of-2000.svg"]
    for chart in shown:
        ET.parse(tmp_path / chart)


def test_charts_of_an_earlier_run_go(tmp_path: Path) -> None:
    old = tmp_path / "benchmarks" / "old.svg"
    old.parent.mkdir()
    old.touch()

    write_report(a_run(), tmp_path)

    assert not old.exists()
