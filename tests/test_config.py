from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

from config import Config, find, settings
from config.__main__ import main
from core.errors import ConfigError
from core.token_file import change_tokens
from core.tokens import minted

ROOT = Path(__file__).parents[1]
TOKEN = "canary-0123456789abcdef"
PRODUCTION = {"APP_ENV": "production", "QUEUE_BASE_PATH": "/srv/queues", "DOWNLOAD_DIR": "/srv/downloads"}


def problems_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as refusal:
        Config.load(environ)
    return refusal.value.problems


def test_nothing_needs_to_be_set_in_development() -> None:
    config = Config.load({})

    assert not config.production
    assert (config.host, config.port) == ("127.0.0.1", 8000)
    assert config.engine == f"file:{Path.cwd()}/var/queues"
    assert config.slots == {"default": 3, "browser": 1}
    assert config.default_timeout == 1_800
    assert (config.default_max_steps, config.task_action) == (30, "solve_problem")
    assert config.max_body == 10 * 2**20
    assert config.power_switch == ("none",)
    assert config.token is None
    assert config.warnings == ()


def test_production_runs_with_the_names_of_the_card_alone() -> None:
    config = Config.load(PRODUCTION)

    assert config.production
    assert config.engine == "file:/srv/queues"
    assert config.power_switch == ("systemd",)
    assert config.runtime_dir == Path("/run/aafai-bus")
    assert config.log_format == "json"


def test_production_asks_for_its_folders() -> None:
    queues, downloads = problems_of({"APP_ENV": "production"})

    assert queues.startswith("QUEUE_BASE_PATH: production needs it: set it to an absolute path")
    assert downloads.startswith("DOWNLOAD_DIR: production needs it")


def test_production_refuses_a_relative_folder() -> None:
    problems = problems_of(PRODUCTION | {"DOWNLOAD_DIR": "downloads"})

    assert problems == ("DOWNLOAD_DIR: 'downloads' is relative: production needs an absolute path.",)


def test_paths_are_absolute_wherever_the_bus_was_started(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert Config.load({"QUEUE_BASE_PATH": "jobs"}).queue_base_path == tmp_path / "jobs"


def test_all_problems_are_told_at_once_each_naming_its_variable() -> None:
    problems = problems_of(
        {"AAFAI_PORT": "80x", "AAFAI_LEASE": "soon", "APP_ENV": "prod", "AAFAI_SLOTS": "a=b"}
    )

    assert [problem.split(":")[0] for problem in problems] == [
        "APP_ENV",
        "AAFAI_SLOTS",
        "AAFAI_PORT",
        "AAFAI_LEASE",
    ]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "bus.example"])
@pytest.mark.parametrize("rest", [{}, PRODUCTION])
def test_an_address_open_to_other_machines_needs_a_token(host: str, rest: Mapping[str, str]) -> None:
    (problem,) = problems_of({**rest, "AAFAI_HOST": host})

    assert problem.startswith(f"AAFAI_TOKEN: other machines can reach '{host}'")
    assert Config.load({**rest, "AAFAI_HOST": host, "AAFAI_TOKEN": TOKEN}).token == TOKEN
    assert Config.load({**rest, "AAFAI_HOST": host, "AAFAI_ALLOW_ANONYMOUS": "1"}).allow_anonymous


def a_tokens_file(path: Path) -> Path:
    token, _ = minted(name="anne", scopes=["read"], now=0.0)
    change_tokens(path, lambda tokens: {token.id: token})
    return path


@pytest.mark.parametrize("rest", [{}, PRODUCTION])
def test_a_token_of_the_file_is_a_token_too(rest: Mapping[str, str], tmp_path: Path) -> None:
    environ = {**rest, "AAFAI_HOST": "0.0.0.0", "AAFAI_TOKENS_FILE": str(a_tokens_file(tmp_path / "t.json"))}

    assert Config.load(environ).tokens_file == tmp_path / "t.json"
    change_tokens(tmp_path / "t.json", lambda tokens: {})
    assert problems_of(environ)[0].startswith("AAFAI_TOKEN: other machines can reach")


def test_a_tokens_file_that_cannot_be_taken_is_told_of(tmp_path: Path) -> None:
    path = a_tokens_file(tmp_path / "t.json")
    path.chmod(0o644)
    environ = {"AAFAI_TOKENS_FILE": str(path)}

    damaged, without = problems_of({**environ, "AAFAI_HOST": "0.0.0.0"})

    assert Config.load(environ).warnings == (damaged,)
    assert damaged == f"AAFAI_TOKENS_FILE: {path} is not its owner's alone: chmod 600 {path}"
    assert without.startswith("AAFAI_TOKEN: ")


def test_a_command_before_a_stop_may_take_an_hour_and_no_more() -> None:
    (problem,) = problems_of({"AAFAI_BEFORE_STOP_LIMIT": "61 minutes"})

    assert problem == "AAFAI_BEFORE_STOP_LIMIT: '61 minutes' is too long: write 1 hour at most."
    assert Config.load({"AAFAI_BEFORE_STOP_LIMIT": "1 hour"}).before_stop_limit == 3_600


@pytest.mark.parametrize(("host", "bind"), [("127.0.0.1", "127.0.0.1:8000"), ("::1", "[::1]:8000")])
def test_an_address_is_told_from_its_port(host: str, bind: str) -> None:
    assert Config.load({"AAFAI_HOST": host}).bind == bind


def test_the_number_of_workers_is_that_of_the_default_queue() -> None:
    assert Config.load({"NUM_INTERNAL_WORKERS": "5"}).slots == {"default": 5, "browser": 1}


def test_two_settings_for_one_number_are_refused() -> None:
    (problem,) = problems_of({"NUM_INTERNAL_WORKERS": "5", "AAFAI_SLOTS": "default=2"})

    assert problem.startswith("AAFAI_SLOTS:")


@pytest.mark.parametrize(
    ("switch", "alarm", "remedy"),
    [
        ("gcp:suspend", "gcp-schedule:wake-up", "write gcp-scheduler:job, or gcp in AAFAI_POWER_SWITCH"),
        ("gcp:suspend; gcp", "gcp-scheduler:wake", "leave gcp:suspend alone in AAFAI_POWER_SWITCH, or out"),
    ],
)
def test_an_alarm_that_could_not_wake_the_machine_is_refused(switch: str, alarm: str, remedy: str) -> None:
    (problem,) = problems_of({"AAFAI_POWER_SWITCH": switch, "AAFAI_WAKE_ALARM": alarm})

    assert problem.startswith("AAFAI_WAKE_ALARM: ")
    assert remedy in problem


@pytest.mark.parametrize(
    ("switch", "alarm"),
    [
        ("gcp:suspend", "gcp-scheduler:wake"),
        ("gcp;systemd", "gcp-schedule:wake-up"),
        ("gcp:suspend;gcp", "none"),
    ],
)
def test_an_alarm_that_can_wake_the_machine_is_taken(switch: str, alarm: str) -> None:
    config = Config.load({"AAFAI_POWER_SWITCH": switch, "AAFAI_WAKE_ALARM": alarm})

    assert (config.power_switch, config.wake_alarm) == (tuple(switch.split(";")), alarm)


def test_the_platforms_redis_carries_the_events_unless_something_else_is_said() -> None:
    platform = {"REDIS_URL": "redis://localhost:6379/0"}

    taken = Config.load(platform)
    overruled = Config.load({**platform, "AAFAI_EVENTS": "local:"})
    empty = Config.load({"REDIS_URL": " "})

    assert (taken.events, overruled.events) == ("redis://localhost:6379/0", "local:")
    assert empty.events.startswith("journal:/")


def test_an_empty_variable_counts_as_not_set() -> None:
    assert Config.load({"AAFAI_PORT": "", "AAFAI_TOKEN": " "}) == Config.load({})


def test_a_secret_may_be_kept_in_the_credentials_of_the_service(tmp_path: Path) -> None:
    (tmp_path / "aafai_token").write_text(f"{TOKEN}\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert Config.load(environ).token == TOKEN
    assert find(environ)["AAFAI_TOKEN"].source == "credential"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("AAFAI_TOKE", "did you mean AAFAI_TOKEN?"),
        ("AAFAI_QUEUE_BASE_PATH", "did you mean QUEUE_BASE_PATH?"),
        ("AAFAI_XYZZY_PLUGH", "`python -m config` lists those there are."),
    ],
)
def test_a_mistyped_name_is_reported_with_the_nearest_one_and_does_not_stop_the_bus(
    name: str, hint: str
) -> None:
    config = Config.load({name: "x"})

    assert config.warnings == (f"{name} is no setting and is ignored: {hint}",)


def test_secrets_are_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    environ = {"AAFAI_TOKEN": TOKEN, "AAFAI_ENGINE": "postgresql://bus:hunter2@db/jobs"}

    code = main([], environ)

    printed = capsys.readouterr().out
    assert code == 0
    assert "canary" not in printed
    assert "hunter2" not in printed
    assert "postgresql://bus:***@db/jobs" in printed
    assert "canary" not in repr(Config.load(environ))


def test_the_check_shows_every_setting_with_its_value_and_where_it_comes_from(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main([], {"AAFAI_PORT": "9000"})

    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [line[0] for line in lines] == [setting.env for setting in settings()]
    assert ["AAFAI_PORT", "9000", "environment"] in lines
    assert ["AAFAI_HOST", "127.0.0.1", "default"] in lines


def test_the_check_fails_on_problems_and_on_mistyped_names(capsys: pytest.CaptureFixture[str]) -> None:
    code = main([], {"AAFAI_PORT": "0", "AAFAI_PROT": "9000"})

    problem, mistyped = capsys.readouterr().err.splitlines()
    assert code == 1
    assert problem == "AAFAI_PORT: '0' does not fit: write a whole number from 1 to 65535."
    assert mistyped == "AAFAI_PROT is no setting and is ignored: did you mean AAFAI_PORT?"


def test_a_value_cannot_send_escapes_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    main([], {"AAFAI_CHROMEDRIVER": "\x1b[2Jdriver", "AAFAI_\x1b[2J": "x"})

    printed = capsys.readouterr()
    assert "\x1b" not in printed.out + printed.err


def test_the_table_of_the_docs_has_a_row_for_each_setting(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--markdown"], {})

    rows = capsys.readouterr().out.splitlines()[2:]
    assert code == 0
    assert [row.split("`")[1] for row in rows] == [setting.env for setting in settings()]


def test_every_field_is_a_setting_with_a_help_and_a_name_of_its_own() -> None:
    names = [setting.env for setting in settings()]

    assert len(settings()) == len(fields(Config)) - len(["warnings"])
    assert len(set(names)) == len(names)
    assert all(setting.help.endswith(".") for setting in settings())


def test_the_check_runs_from_the_command_line() -> None:
    command = [sys.executable, "-m", "config"]
    environ = {"PATH": os.environ["PATH"], "AAFAI_PORT": "nonsense"}

    checked = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)

    assert checked.returncode == 1
    assert checked.stderr.startswith("AAFAI_PORT: 'nonsense'")
