"""The document of the guarantees: written from evidence, loud when a promise is broken, never out of date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.faults import guarantees
from tests.faults.evidence import FILE, Proof, read, record
from tests.faults.guarantees import BEGIN, DOCUMENT, END, complaints, rewritten, summed, tables
from tests.faults.promises import PROMISES

ROOT = DOCUMENT.parents[1]


def a_proof(promise: str = "P4", **fields: object) -> Proof:
    values: dict[str, object] = {
        "promise": promise,
        "what": "kills",
        "trials": 10,
        "test": "tests/a.py::test_b",
    }
    return Proof(**(values | fields))  # type: ignore[arg-type]


def generated() -> list[list[str]]:
    """Return the rows of the generated tables, as lists of cells."""
    _, _, rest = DOCUMENT.read_text().partition(BEGIN)
    table, found, _ = rest.partition(END)
    assert found
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if "|" in line
    ]


def test_every_promise_has_its_row_in_its_own_words_and_was_tried() -> None:
    rows = generated()

    promised = {row[0]: row[1] for row in rows if row[1] in PROMISES.values()}
    tried = {row[0] for row in rows if row[-1].startswith("`tests/")}
    assert promised == PROMISES
    assert tried == PROMISES.keys()


@pytest.mark.parametrize("promise", PROMISES)
def test_every_promise_is_still_tried_by_a_test(promise: str) -> None:
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)]

    assert any(f'"{promise}"' in path.read_text() for path in tests)


def test_every_row_names_a_test_that_exists() -> None:
    named = [row[-1].strip("`").split("::") for row in generated() if row[-1].startswith("`tests/")]

    missing = [
        f"{file}::{test}"
        for file, test in named
        if not (ROOT / file).is_file()
        or not re.search(rf"^def {test}\(", (ROOT / file).read_text(), re.MULTILINE)
    ]

    assert named
    assert missing == []


def test_no_row_tells_of_a_broken_promise() -> None:
    counted = [row[3] for row in generated() if row[-1].startswith("`tests/")]

    broken = [cell for cell in counted if re.search(r"\b(lost|duplicated|stuck|torn|swallowed) [1-9]", cell)]

    assert counted
    assert broken == []


def test_the_evidence_of_a_run_is_read_as_it_was_taken_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FILE, str(tmp_path / "evidence"))
    proofs = [a_proof(figures={"lost": 0, "slowest": "3 ms"}), a_proof("P5")]

    for proof in proofs:
        record(proof)

    assert list(read(tmp_path / "evidence")) == proofs


def test_proofs_of_one_test_are_added_up_and_its_mutants_stand_on_one_line() -> None:
    sums = summed(
        [
            a_proof(test="tests/a.py::test_b[ext4]", figures={"lost": 0}),
            a_proof(test="tests/a.py::test_b[xfs]", figures={"lost": 2}),
            a_proof(what="mutant one", test="tests/a.py::test_c[1]", figures={"mutants": 1, "caught": 1}),
            a_proof(what="mutant two", test="tests/a.py::test_c[2]", figures={"mutants": 1, "caught": 0}),
        ]
    )

    assert sums == [
        a_proof(trials=20, figures={"lost": 2}),
        a_proof(
            what="mutant one; mutant two",
            test="tests/a.py::test_c",
            trials=20,
            figures={"mutants": 2, "caught": 1},
        ),
    ]


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"lost": 1}, "P4, kills: {'lost': 1}"),
        ({"mutants": 2, "caught": 1}, "'caught': 1"),
        ({"stuck": 0, "acked": 7}, ""),
    ],
)
def test_a_broken_promise_and_a_mutant_that_got_away_are_complained_of(
    figures: dict[str, int], words: str
) -> None:
    others = [a_proof(promise) for promise in PROMISES if promise != "P4"]

    found = "\n".join(complaints([a_proof(figures=figures), *others]))

    assert words in found
    assert bool(found) == bool(words)


def test_a_promise_that_nobody_tried_is_complained_of() -> None:
    found = list(complaints([a_proof(promise) for promise in PROMISES if promise != "P7"]))

    assert found == ["P7 was not tried."]


def test_the_document_is_rewritten_between_its_marks_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    document, evidence = tmp_path / "guarantees.md", tmp_path / "evidence"
    document.write_text(f"before\n{BEGIN}\noutdated\n{END}\nafter\n")
    monkeypatch.setattr(guarantees, "DOCUMENT", document)
    monkeypatch.setenv(FILE, str(evidence))
    record(a_proof(figures={"lost": 1}))

    status = guarantees.main([str(evidence)])

    text = document.read_text()
    assert text.startswith(f"before\n{BEGIN}\nRun on 2")
    assert text.endswith(f"{END}\nafter\n")
    assert "outdated" not in text
    assert status == 1
    assert "NOT KEPT: P4, kills" in capsys.readouterr().err


def test_a_document_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="begin"):
        rewritten("nothing", "tables")


def test_the_tables_show_what_was_counted_and_what_was_not() -> None:
    lines = list(tables([a_proof(figures={"lost": 0, "mutants": 3, "caught": 3})], "Run."))

    (promise,) = (line for line in lines if line.startswith("| P4 |") and PROMISES["P4"] in line)
    assert promise.endswith("| 0 | - | - | - | - | 3 of 3 |")
    assert "| P4 | kills | 10 | 3 of 3 caught, lost 0 | `tests/a.py::test_b` |" in lines
