"""Whatever a user can meet is documented: settings, endpoints, errors, events, metrics, reasons."""

import inspect
import re
from pathlib import Path

import pytest

from api.errors import ERRORS
from config.__main__ import main
from core import errors, idle
from core.jobs import State
from core.logger import WORDING
from core.metrics import LIVE
from tests.house.sources import ROOT


def document(name):
    return Path(ROOT, "docs", name).read_text(encoding="utf-8")


def test_every_setting_is_in_the_table_that_the_program_prints(capsys):
    main(["--markdown"], {})

    assert capsys.readouterr().out in document("configuration.md")


def test_every_endpoint_is_documented(app):
    text = document("http.md")

    for rule in app.url_map.iter_rules():
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            assert f"`{method} {rule.rule}`" in text, f"docs/http.md does not name {method} {rule.rule}"


@pytest.mark.parametrize("code", ERRORS)
def test_every_error_is_documented(code):
    status, meaning = ERRORS[code]

    assert f"| `{code}` | {status} | {meaning} |" in document("http.md")


@pytest.mark.parametrize("event_type", WORDING)
def test_every_event_is_documented(event_type):
    assert f"| `{event_type}` |" in document("architecture.md")


def test_every_event_that_the_kernel_publishes_has_a_wording():
    sources = [path.read_text(encoding="utf-8") for path in Path(ROOT, "core").glob("*.py")]
    published = {name for source in sources for name in re.findall(r'"((?:task|system)\.[a-z_]+)"', source)}

    assert published
    assert published <= set(WORDING)


def test_every_metric_is_documented(app):
    text = document("http.md")
    page, _ = app.extensions["kernel"].metrics.render()
    names = {line.split()[2] for line in page.decode().splitlines() if line.startswith("# TYPE")}

    assert names >= set(LIVE)
    for name in names:
        assert f"`{name}" in text, f"docs/http.md does not name the metric {name}"


def test_every_reason_to_stay_on_is_documented():
    codes = re.findall(r'(?:Reason\(|_(?:until|awaited)\([^"]*)"([a-z_]+)"', inspect.getsource(idle))

    assert len(set(codes)) == 11
    for code in codes:
        assert f"| `{code}` |" in document("architecture.md")
        assert f"| `{code}` |" in document("power.md")


def test_every_test_that_docs_power_names_exists():
    named = set(re.findall(r"`(?:tests/)?(?:\w+/)*(test_\w+\.py)`", document("power.md")))

    assert len(named) > 5
    assert named <= {path.name for path in Path(ROOT, "tests").rglob("test_*.py")}


@pytest.mark.parametrize("state", State)
def test_every_state_is_in_the_state_picture(state):
    assert f"{state.value}" in document("job-lifecycle.md").split("```")[1]


def test_every_error_code_of_the_kernel_has_an_http_status():
    codes = {
        known.code
        for known in vars(errors).values()
        if isinstance(known, type) and issubclass(known, errors.BusError) and known is not errors.BusError
    }

    assert codes - set(ERRORS) <= {"switch_failed", "alarm_failed", "unknown_name"}


def test_the_reading_list_of_the_readme_is_short_and_its_line_counts_are_true():
    text = Path(ROOT, "README.md").read_text(encoding="utf-8")
    listed = re.findall(r"\| \[`([\w/.]+)`\]\(\1\) \| (\d+) \|", text)

    lines = {path: len(Path(ROOT, path).read_text(encoding="utf-8").splitlines()) for path, _ in listed}

    assert {path: int(said) for path, said in listed} == lines
    assert 0 < sum(lines.values()) < 300
