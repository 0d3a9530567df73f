"""tasks.yaml: what is wrong with a task is told by file, line and reason, and spoils no other task."""

from __future__ import annotations

from textwrap import dedent

import pytest

from core.errors import ConfigError
from core.functions import Functions, built_in
from core.schedule_check import report
from core.schedule_file import read_tasks
from core.scheduler import TaskScheduler
from core.scheduler_models import CatchUp
from core.strict_yaml import MAX_BYTES, BadYaml, parse
from tests.core.agenda import Process
from tests.factories import NOW

OF_THE_SEED = """
tasks:
  - name: process_pending_emails
    description: Process pending emails every 5 minutes
    enabled: true
    type: interval
    schedule: "5 minutes"
    function: "app.services.email_service:process_pending_emails_task"
    kwargs:
      batch_size: 10

  - name: daily_report
    description: Generate daily report at 9 AM
    enabled: true
    type: cron
    schedule: "0 9 * * *"
    function: "app.services.report_service:generate_report_task"
"""
GOOD = """
  - name: good
    schedule: 0 9 * * *
    action: slow
"""


@pytest.fixture
def functions(tmp_path):
    services = tmp_path / "app" / "services"
    services.mkdir(parents=True)
    for package in (services.parent, services):
        (package / "__init__.py").touch()
    (services / "email_service.py").write_text(
        "raise RuntimeError('imported')\n"
        "def process_pending_emails_task(batch_size=10): ...\n"
        "async def later(): ...\n"
    )
    (services / "report_service.py").write_text(
        "from elsewhere import generate_report_task\nif True:\n    other = lambda: 1\n"
    )
    (services / "broken.py").write_text("def (:\n")
    return Functions(["app"], tmp_path)


@pytest.fixture
def process(bus, clock, functions, registry):
    registry._built_in = built_in(functions)
    registry.load()
    return Process(bus, clock, functions=functions)


@pytest.fixture
def tasks_yaml(tmp_path):
    """Write a tasks.yaml and return its path."""

    def write(text):
        path = tmp_path / "tasks.yaml"
        path.write_text(dedent(text))
        return path

    return write


@pytest.fixture
def problems(process, tasks_yaml):
    """Read a tasks.yaml and return what is wrong with it, as line and reason; its good task must be there."""

    def read(text):
        found = read_tasks(tasks_yaml(text), "tester", check=process.schedules.check)
        if "name: good" in text:
            assert "good" in {task.task_name for task in found.tasks}
        return [(problem.line, problem.reason) for problem in found.problems]

    return read


def test_the_tasks_of_the_seed_are_read(process, events, tasks_yaml):
    scheduler = TaskScheduler(process.schedules, events)

    emails, report = scheduler.load_tasks_from_yaml(str(tasks_yaml(OF_THE_SEED)), agent_name="email-agent")

    assert process.told == []
    assert emails.id == "email-agent:process_pending_emails"
    assert (emails.task_type, emails.schedule, emails.enabled) == ("interval", "5 minutes", True)
    assert emails.description == "Process pending emails every 5 minutes"
    assert emails.function_path == "app.services.email_service:process_pending_emails_task"
    assert emails.kwargs == {"batch_size": 10}
    assert (report.task_type, report.schedule, report.kwargs) == ("cron", "0 9 * * *", {})


def test_a_task_is_a_cron_task_of_utc_that_catches_up_once_unless_it_says_otherwise(process, tasks_yaml):
    (task,) = read_tasks(tasks_yaml("tasks:" + GOOD), "tester").tasks

    assert (task.task_type, task.timezone, task.catch_up, task.catch_up_window) == (
        "cron",
        "UTC",
        CatchUp.ONCE,
        86_400.0,
    )


def test_everything_can_be_said_in_the_file(process, tasks_yaml):
    text = """
        tasks:
          - name: all
            schedule: 0 9 * * 1-5
            timezone: Europe/Berlin
            catch_up: all
            catch_up_window: 2 days
            action: double
            params: {number: 4}
            priority: 9
            timeout: 10m
            max_attempts: 2
            enabled: false
        """

    (task,) = read_tasks(tasks_yaml(text), "tester", check=process.schedules.check).tasks

    assert (task.catch_up, task.catch_up_window, task.timezone) == (CatchUp.ALL, 172_800.0, "Europe/Berlin")
    assert (task.action, task.params) == ("double", {"number": 4})
    assert (task.priority, task.timeout, task.max_attempts, task.enabled) == (9, 600.0, 2, False)


BAD = {
    "bad cron": ("schedule: 61 9 * * *\n    action: slow", 6, "look at its minute"),
    "cron that never comes": ("schedule: 0 0 31 2 *\n    action: slow", 6, "never comes"),
    "bad interval": (
        "type: interval\n    schedule: 5 moments\n    action: slow",
        7,
        "schedule: '5 moments' is no",
    ),
    "unknown zone": (
        "schedule: 0 9 * * *\n    timezone: Mars\n    action: slow",
        7,
        "timezone: 'Mars' is no time",
    ),
    "unknown type": (
        "schedule: 0 9 * * *\n    type: chron\n    action: slow",
        7,
        "type: must be one of cron",
    ),
    "no schedule": ("action: slow", 5, "schedule: is missing"),
    "nothing to run": ("schedule: 0 9 * * *", 5, "function: is missing, and so is action"),
    "unknown key": ("schedule: 0 9 * * *\n    acton: slow", 7, "acton: is not a key of a task"),
    "unknown action": (
        "schedule: 0 9 * * *\n    action: slwo",
        7,
        "no action named 'slwo'. Did you mean 'slow'?",
    ),
    "wrong params": ("schedule: 0 9 * * *\n    action: double\n    params: {number: x}", 8, "params.number"),
    "key twice": ("schedule: 0 9 * * *\n    action: slow\n    action: slow", 8, "'action' stands twice"),
    "Python tag": (
        'schedule: 0 9 * * *\n    action: !!python/object/apply:os.system ["id"]',
        7,
        "bears the tag",
    ),
    "own tag": ("schedule: !every 0 9 * * *\n    action: slow", 6, "bears the tag '!every'"),
    "date": ("schedule: 0 9 * * *\n    description: 2026-01-01", 7, "put it into quotes"),
    "number that is none": (
        "schedule: 0 9 * * *\n    action: slow\n    params: {a: .nan}",
        8,
        "no number of JSON's",
    ),
    "name that is no text": ("schedule: 5\n    action: slow", 6, "schedule: must be a string"),
    "yes for a schedule": ("schedule: yes\n    action: slow", 6, "schedule: must be a string"),
    "function not allowed": (
        "schedule: 0 9 * * *\n    function: os:system",
        7,
        "function: names a package that is not",
    ),
    "function that is none": ("schedule: 0 9 * * *\n    function: app", 7, "function: must name a function"),
    "module not there": (
        "schedule: 0 9 * * *\n    function: app.nope:f",
        7,
        "names the module app.nope, which is not",
    ),
    "function not there": (
        "schedule: 0 9 * * *\n    function: app.services.email_service:nope",
        7,
        "names nope, which",
    ),
    "function that is async": (
        "schedule: 0 9 * * *\n    function: app.services.email_service:later",
        7,
        "names later, which is async",
    ),
    "module that cannot be read": (
        "schedule: 0 9 * * *\n    function: app.services.broken:f",
        7,
        "names a module that cannot be read: SyntaxError",
    ),
    "private function": (
        "schedule: 0 9 * * *\n    function: app.services:_f",
        7,
        "function: must name a function",
    ),
    "both kinds of work": (
        "schedule: 0 9 * * *\n    action: slow\n    function: app.x:f",
        7,
        "stands beside function",
    ),
    "merge key": ("<<: {schedule: 0 9 * * *}\n    action: slow", 6, "put it into quotes"),
}


@pytest.mark.parametrize(("text", "line", "said"), BAD.values(), ids=BAD.keys())
def test_what_is_wrong_with_a_task_is_told_with_its_line_and_the_others_run(problems, text, line, said):
    ((found, reason),) = problems(f"tasks:{GOOD}\n  - name: bad\n    {text}\n".replace("\n\n", "\n"))

    assert said in reason
    assert found == line


TAGS = [
    "!!python/object/apply:os.system ['{command}']",
    "!!python/object/new:os.system ['{command}']",
    "!!python/object:subprocess.Popen {{args: '{command}', shell: true}}",
    "!!python/name:os.system ''",
    "!!python/module:os ''",
    "!<tag:yaml.org,2002:python/object/apply:os.system> ['{command}']",
    "[a, {{b: !!python/object/apply:os.system ['{command}']}}]",
]


@pytest.mark.parametrize("tag", TAGS)
def test_no_tag_makes_anything_run(problems, tmp_path, evidence, tag):
    canary = tmp_path / "canary"
    value = tag.format(command=f"touch {canary}")

    found = problems(
        f"tasks:{GOOD}  - name: bad\n    schedule: 0 9 * * *\n    action: slow\n    params: {value}\n"
    )

    evidence("P18", "Python tags in a file of tasks", trials=1, unexpected=int(canary.exists()))
    assert [line for line, reason in found if "bears the tag" in reason] == [8]
    assert not canary.exists()


def test_the_second_of_two_tasks_of_one_name_is_refused(problems):
    assert problems(f"tasks:{GOOD}{GOOD}") == [
        (6, "name: 'good' is taken by the task on line 2."),
    ]


def test_a_bomb_of_anchors_does_not_go_off(problems):
    bomb = "".join(f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))

    found = problems(f"tasks:{GOOD}bomb:\n  - &a0 [lol]\n{bomb}")

    assert found == [(5, "`bomb` is not a key of the file: it holds `tasks` and nothing else.")]


def test_an_alias_spoils_only_the_task_that_uses_it(problems):
    one = "  - name: one\n    schedule: &nine 0 9 * * *\n    action: slow\n"
    two = "  - name: two\n    schedule: *nine\n    action: slow\n"

    assert problems(f"tasks:{GOOD}{one}{two}") == [
        (9, "*nine is an alias, and those are not read: write the value out.")
    ]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("", 1, "is empty"),
        ("# nothing\n", 1, "is empty"),
        ("tasks", 1, "must hold `tasks:`"),
        ("- name: a\n", 1, "must hold `tasks:`"),
        ("tasks: {name: a}", 1, "must be a list"),
        ("tasks: *all\n", 1, "is an alias"),
        ("tasks:\n  - name: a\n\tschedule: b\n", 3, "is not YAML"),
        ("tasks: [\n", 2, "is not YAML"),
        ("tasks: []\n---\ntasks: []\n", 2, "second document"),
        ("tasks: \x01\n", 1, "is not YAML"),
        ("tasks:\n" + "  - a\n" * 20_000, 9_999, "more than 10,000 values"),
        ("tasks: " + "[" * 50_000, 1, "levels"),
        ("#" * MAX_BYTES + "#", 1, "longer than"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_file_that_is_no_list_of_tasks_is_refused_whole_with_the_line(problems, text, line, said):
    ((found, reason),) = problems(text)

    assert said in reason
    assert found == line


def test_bytes_that_are_no_text_are_refused_with_their_line(tmp_path):
    path = tmp_path / "tasks.yaml"
    path.write_bytes(b"tasks:\n  - name: \xff\n")

    (problem,) = read_tasks(path, "tester").problems

    assert (problem.line, problem.reason) == (2, "The file is not UTF-8: byte 17 does not fit.")


@pytest.mark.parametrize("text", ["- a task", "tasks:\n  - just words\n", "tasks:\n  - [a]\n"])
def test_an_entry_that_is_no_task_is_told(problems, text):
    assert len(problems(text)) == 1


def test_values_come_with_their_lines():
    root = parse(b"a: 1\nb:\n  - x\n  - {c: true}\n")

    assert root.plain() == {"a": 1, "b": ["x", {"c": True}]}
    assert [root.value["a"].line, root.value["b"].line, root.value["b"].value[1].line] == [1, 2, 4]


def test_a_value_with_a_flaw_cannot_be_used():
    root = parse(b"a: 1\nb: !!binary aGk=\n")

    with pytest.raises(BadYaml, match="bears the tag '!!binary'") as caught:
        root.plain()
    assert caught.value.line == 2


def test_a_refused_task_is_told_with_file_line_and_reason(process, events, tasks_yaml):
    path = tasks_yaml(f"tasks:{GOOD}  - name: bad\n    schedule: 0 9 * * *\n    action: nope\n")

    TaskScheduler(process.schedules, events).load(path, "tester")

    (told,) = process.told
    assert (told.event_type, told.payload["file"], told.payload["line"], told.payload["name"]) == (
        "system.task_refused",
        str(path),
        7,
        "bad",
    )
    assert told.payload["reason"].startswith("There is no action named 'nope'.")
    assert [schedule.id for schedule in process.store.all().schedules] == ["tester:good"]


def test_a_task_that_becomes_bad_goes_on_as_it_was(process, events, tasks_yaml):
    scheduler = TaskScheduler(process.schedules, events)
    scheduler.load(tasks_yaml("tasks:" + GOOD), "tester")
    before = process.store.all()

    scheduler.load(tasks_yaml("tasks:\n  - name: good\n    schedule: never\n    action: slow\n"), "tester")

    assert process.store.all() == before


def test_loading_a_file_again_and_again_doubles_nothing(process, events, tasks_yaml):
    scheduler = TaskScheduler(process.schedules, events)
    path = tasks_yaml(OF_THE_SEED)

    for _ in range(5):
        scheduler.load(path, "tester")

    assert len(process.store.all().schedules) == 2


TWO = "tasks:" + GOOD + GOOD.replace("good", "second")


@pytest.mark.parametrize(
    ("later", "left"),
    [
        ("tasks:" + GOOD, ["good"]),
        ("tasks: []\n", []),
        ("tasks:\n#  - name: good\n", []),
        (TWO.replace("slow", "unknown"), ["good", "second"]),
        ("tasks: [\n", ["good", "second"]),
        ("", ["good", "second"]),
        ("tasks:\n  - nam: second\n    schedule: 0 9 * * *\n    action: slow\n", ["good", "second"]),
    ],
    ids=["one is gone", "all are", "commented out", "all are bad", "torn", "empty", "one without a name"],
)
def test_a_task_that_is_taken_out_of_the_file_is_removed_unless_a_fault_may_hide_it(
    process, events, tasks_yaml, later, left
):
    scheduler = TaskScheduler(process.schedules, events)
    scheduler.load(tasks_yaml(TWO), "tester")

    scheduler.load(tasks_yaml(later), "tester")

    assert [schedule.task.task_name for schedule in process.store.all().schedules] == left
    assert process.types_told().count("system.task_removed") == 2 - len(left)


def test_a_file_takes_away_only_what_it_has_brought(process, events, tasks_yaml, tmp_path):
    scheduler = TaskScheduler(process.schedules, events)
    elsewhere = tmp_path / "other.yaml"
    elsewhere.write_text("tasks:" + GOOD.replace("good", "elsewhere"))
    scheduler.load(elsewhere, "tester")
    process.register(task_name="by-hand")

    scheduler.load(tasks_yaml(TWO), "somebody")
    scheduler.load(tasks_yaml("tasks: []\n"), "tester")

    names = [schedule.id for schedule in process.store.all().schedules]
    assert names == ["somebody:good", "somebody:second", "tester:by-hand", "tester:elsewhere"]


def test_tasks_go_on_and_are_told_of_when_their_file_is_gone(process, events, tasks_yaml):
    scheduler = TaskScheduler(process.schedules, events)
    path = tasks_yaml(TWO)
    scheduler.load(path, "tester")
    path.unlink()

    scheduler.load(path, "tester")

    assert len(process.store.all().schedules) == 2
    (warning,) = process.told
    assert warning.payload["message"] == (
        f"{path} is not there, and 2 schedules that were read from it go on."
        " A file that says `tasks: []` removes them."
    )


def test_a_file_that_is_moved_switches_nothing_on_again(process, events, tasks_yaml):
    scheduler = TaskScheduler(process.schedules, events)
    path = tasks_yaml("tasks:" + GOOD)
    scheduler.load(path, "tester")
    scheduler.disable_task("tester:good")

    moved = path.rename(path.with_name("moved.yaml"))
    scheduler.load(moved, "tester")

    (schedule,) = process.store.all().schedules
    assert (schedule.enabled, schedule.task.source) == (False, str(moved))


def test_a_file_that_is_not_there_is_no_fault_at_the_start_and_one_when_it_is_named(
    process, events, tmp_path
):
    scheduler = TaskScheduler(process.schedules, events)
    path = tmp_path / "tasks.yaml"

    scheduler.load(path, "tester")

    assert process.told == []
    with pytest.raises(ConfigError, match=r"tasks\.yaml cannot be read: No such file"):
        scheduler.load_tasks_from_yaml(path, "tester")


def test_nothing_of_the_operators_is_imported_by_looking(process, tasks_yaml):
    # The module of the emails raises when it is imported.
    found = read_tasks(tasks_yaml(OF_THE_SEED), "tester", check=process.schedules.check)

    assert (len(found.tasks), found.problems) == (2, ())


def test_the_check_tells_the_next_five_times_and_what_is_wrong(process, tasks_yaml):
    text = f"""tasks:{GOOD}    timezone: Europe/Berlin
  - name: often
    type: interval
    schedule: 90 seconds
    enabled: false
    action: slow
  - name: bad
    schedule: 0 9 * *
    action: slow
"""
    found = read_tasks(tasks_yaml(text), "tester", check=process.schedules.check)

    lines = list(report(found, "tasks.yaml", now=NOW))

    assert lines[:-1] == [
        "tester:good runs slow: 0 9 * * *",
        "    Wed 2023-11-15 09:00:00+01:00 Europe/Berlin",
        "    Thu 2023-11-16 09:00:00+01:00 Europe/Berlin",
        "    Fri 2023-11-17 09:00:00+01:00 Europe/Berlin",
        "    Sat 2023-11-18 09:00:00+01:00 Europe/Berlin",
        "    Sun 2023-11-19 09:00:00+01:00 Europe/Berlin",
        "tester:often runs slow: 90 seconds (disabled)",
        "    Tue 2023-11-14 22:14:50+00:00 UTC",
        "    Tue 2023-11-14 22:16:20+00:00 UTC",
        "    Tue 2023-11-14 22:17:50+00:00 UTC",
        "    Tue 2023-11-14 22:19:20+00:00 UTC",
        "    Tue 2023-11-14 22:20:50+00:00 UTC",
    ]
    assert lines[-1].startswith("tasks.yaml:12: bad: schedule: '0 9 * *' does not have five fields: minute,")
