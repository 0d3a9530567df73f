from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from core.environment import clean_environment
from core.jobs import Job, JobError, State
from core.wardens import wardens
from queues.memory import MemoryEngine
from tests.core.workbench import Workbench

ROOT = Path(__file__).parents[2]
PATIENCE = 30_000  # milliseconds


@pytest.fixture
def bench(tmp_path: Path) -> Workbench:
    return Workbench(tmp_path)


def error_of(job: Job) -> tuple[str, str]:
    assert job.error is not None
    return job.error.code, job.error.message


def gone(*pids: int) -> bool:
    """Wait until the processes have ended; zombies have."""
    poll = select.poll()
    waiting = 0
    for pid in pids:
        try:
            poll.register(os.pidfd_open(pid), select.POLLIN)
            waiting += 1
        except ProcessLookupError:
            continue
    while waiting:
        ended = poll.poll(PATIENCE)
        for number, _ in ended:
            poll.unregister(number)
            os.close(number)
        waiting -= len(ended)
        if not ended:
            return False
    return True


def descriptors() -> int:
    """Return how many descriptors this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def ended_already(pid: int) -> bool:
    """Say whether a process is gone now, a zombie counting as gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_an_attempt_runs_in_a_process_of_its_own_session_with_a_home_of_its_own(bench: Workbench) -> None:
    job = bench.perform(
        """
        import os, tempfile
        def run() -> dict:
            return {
                "pid": os.getpid(), "session": os.getsid(0), "home": os.environ["HOME"],
                "temporary": tempfile.mkdtemp(), "here": os.getcwd(),
            }
        """
    )

    assert job.result["pid"] != os.getpid()
    assert job.result["session"] != os.getsid(0)
    assert job.result["home"] != os.environ["HOME"]
    assert job.result["temporary"].startswith(job.result["here"])
    assert not Path(job.result["home"]).parent.exists()


def test_what_an_action_prints_is_in_the_jobs_log_without_terminal_escapes(bench: Workbench) -> None:
    job = bench.perform(
        r"""
        import logging, os, sys
        def run(*, job) -> None:
            job.warning("mind the gap")
            print("plain\x1b[31m red\x1b[0m \x07bell")
            sys.stderr.write("no line end")
            os.system("echo from a program")
            os.write(1, b"\xff\n")
            logging.getLogger("library").info("by logging")
        """
    )

    assert job.state is State.SUCCEEDED
    assert sorted(bench.log(job)) == sorted(
        [
            ("action", "mind the gap"),
            ("stdout", "plain red bell"),
            ("stderr", "no line end"),
            ("stdout", "from a program"),
            ("stdout", "\ufffd"),
            ("action", "by logging"),
        ]
    )


def test_a_flood_of_output_is_cut_with_a_note(bench: Workbench) -> None:
    job = bench.perform("def run() -> str:\n    print('x\\n' * 1_000_000)\n    return 'done'\n")

    log = bench.log(job)
    assert job.result == "done"
    assert len(log) == 10_001
    assert log[-1] == ("bus", "The log is full (10,000 lines or 1,048,576 bytes): the rest is left out.")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("raise ValueError('bad page')", "action_error", "ValueError: bad page"),
        ("raise MemoryError", "action_error", "MemoryError"),
        ("raise KeyboardInterrupt", "action_error", "KeyboardInterrupt"),
        ("import sys; sys.exit(3)", "exited", "The action called sys.exit(3)."),
        ("import os; os._exit(0)", "exited", "The action ended its process with exit code 0 and no result."),
        ("import os; os._exit(7)", "exited", "The action ended its process with exit code 7 and no result."),
        ("import os; os.kill(os.getpid(), 11)", "killed", "The action was killed by SIGSEGV (11)."),
        ("import ctypes; ctypes.string_at(0)", "killed", "The action was killed by SIGSEGV (11)."),
        ("import os; os.kill(os.getpid(), 40)", "killed", "The action was killed by signal (40)."),
        ("import os; os.abort()", "killed", "The action was killed by SIGABRT (6)."),
        (
            "import os; os.kill(os.getpid(), 9)",
            "killed",
            "The action was killed by SIGKILL (9), not by the bus: the usual cause is that memory ran out.",
        ),
    ],
)
def test_however_an_action_ends_the_error_says_so(
    bench: Workbench, body: str, code: str, message: str
) -> None:
    job = bench.perform(f"def run() -> None:\n    {body}\n", max_attempts=1)

    assert job.state is State.FAILED
    assert error_of(job) == (code, message)


def test_a_traceback_is_in_the_log(bench: Workbench) -> None:
    job = bench.perform("def run() -> None:\n    raise ValueError('bad page')\n")

    assert any("act.py" in message and "ValueError: bad page" in message for _, message in bench.log(job))


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        # Keeps the interpreter's lock for years: no Python code of the process runs any more.
        "import re; re.match('(a|a)*b', 'a' * 60)",
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n    while True: pass",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "while True: print('x' * 1000)",
        "import threading; threading.Event().wait()",
    ],
)
def test_an_attempt_that_takes_too_long_is_ended_whatever_it_does(bench: Workbench, body: str) -> None:
    job = bench.perform(f"def run() -> None:\n    {body}\n", timeout=0.5, max_attempts=1)

    assert error_of(job) == ("timeout", "The attempt took longer than 0.5 seconds.")


def test_the_limit_of_the_action_holds_when_the_job_has_none(bench: Workbench) -> None:
    job = bench.perform(
        """
        from core import action
        @action(timeout=0.3, max_attempts=1)
        def run() -> None:
            while True: pass
        """,
        max_attempts=1,
    )

    assert error_of(job) == ("timeout", "The attempt took longer than 0.3 seconds.")


FAMILY = """
    import os, signal, subprocess, sys
    def family(folder, *extra):
        code = "import os, signal; print(os.getpid(), flush=True); signal.signal(15, 1); signal.pause()"
        pids = [os.getpid()]
        for own_session in (False, True):
            child = subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, start_new_session=own_session
            )
            pids.append(int(child.stdout.readline()))
        if os.fork() == 0:  # A daemon: its parent is gone at once.
            os.setsid()
            pid = os.fork()
            if pid == 0:
                signal.pause()
            with open(folder / "daemon", "w") as file:
                file.write(str(pid))
            os._exit(0)
        os.wait()
        return [*pids, int((folder / "daemon").read_text())]
"""


def test_nothing_that_an_action_started_outlives_its_attempt(bench: Workbench) -> None:
    job = bench.perform(dedent(FAMILY) + "def run(*, job) -> list:\n    return family(job.files)\n")

    assert len(job.result) == 4
    assert all(ended_already(pid) for pid in job.result)


def test_nothing_that_an_action_started_outlives_its_crash(bench: Workbench) -> None:
    source = "def run(*, job) -> None:\n    print(*family(job.files))\n    os.kill(os.getpid(), 11)\n"

    job = bench.perform(dedent(FAMILY) + source, max_attempts=1)

    pids = [int(word) for word in bench.log(job)[0][1].split()]
    assert error_of(job) == ("killed", "The action was killed by SIGSEGV (11).")
    assert len(pids) == 4
    assert all(ended_already(pid) for pid in pids)


def test_nothing_outlives_a_warden_that_was_killed(bench: Workbench) -> None:
    source = (
        "def run(*, job) -> None:\n    print(*family(job.files), flush=True)\n    os.kill(os.getppid(), 9)\n"
    )

    job = bench.perform(dedent(FAMILY) + source + "    signal.pause()\n", max_attempts=1)

    assert error_of(job) == ("killed", "The process that watches over the attempt died.")
    assert gone(*[int(word) for word in bench.log(job)[0][1].split()])


def test_what_a_lost_attempt_left_behind_is_gone_before_the_next_one_runs(bench: Workbench) -> None:
    bench.write("act", "def run() -> int:\n    return 1\n")
    job = bench.claim("act", errors=(JobError(code="lost", message="The worker died."),))
    folder = Path(tempfile.mkdtemp(prefix=f"aafai-attempt-{job.id[-12:]}-"))
    left = subprocess.Popen(["cat"], stdin=subprocess.PIPE, env={**os.environ, "AAFAI_JOB_ID": job.id})

    bench.runner.perform(job)

    assert left.wait(30) == -signal.SIGKILL
    left.communicate()
    assert not folder.exists()
    assert bench.engine.get(job.id).result == 1


WAITS = """
import pathlib, threading
def run(*, job) -> str:
    try:
        job.progress(0.5, "waiting")
        {wait}
    finally:
        (job.files / "finally").write_text("ran")
    return "in vain"
"""


UNTIL_CANCELLED = "while not job.cancelled: threading.Event().wait(0.01)\n        "


@pytest.mark.parametrize(
    "wait",
    [
        UNTIL_CANCELLED + "job.check_cancelled()",
        UNTIL_CANCELLED + "return 'late'",
        "threading.Event().wait()",
    ],
    ids=["cooperative", "late", "signalled"],
)
def test_a_running_attempt_can_be_cancelled_(bench: Workbench, wait: str) -> None:
    bench.write("act", WAITS.format(wait=wait))
    job = bench.claim("act")
    thread = bench.begin(job)
    bench.started.wait(30)

    assert bench.runner.cancel(job.id)
    thread.join(30)

    settled = bench.engine.get(job.id)
    assert settled.state is State.CANCELLED
    assert bench.told()[-1] == "task.cancelled"


def test_finally_clauses_run_when_an_attempt_is_terminated(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, grace=30.0)
    begun = a_pipe(tmp_path)
    bench.write("act", WAITS.format(wait=f"pathlib.Path({begun!r}).write_text(''); threading.Event().wait()"))
    job = bench.claim("act")
    thread = bench.begin(job)
    Path(begun).read_bytes()

    bench.runner.cancel(job.id)
    thread.join(60)

    assert bench.engine.get(job.id).state is State.CANCELLED
    assert (bench.downloads / job.id / "finally").read_text() == "ran"


def test_a_warden_that_was_stopped_obeys_in_the_end(bench: Workbench, tmp_path: Path) -> None:
    stopped = a_pipe(tmp_path)
    bench.write(
        "act",
        f"""
        import os, pathlib, signal, threading
        def run() -> None:
            print(os.getpid(), os.getppid(), os.environ["HOME"], flush=True)
            os.kill(os.getppid(), signal.SIGSTOP)
            pathlib.Path({stopped!r}).write_text("")
            threading.Event().wait()
        """,
    )
    job = bench.claim("act")
    thread = bench.begin(job)
    Path(stopped).read_bytes()

    bench.runner.cancel(job.id)
    thread.join(60)

    action, warden, home = bench.log(job)[0][1].split()
    assert bench.engine.get(job.id).state is State.CANCELLED
    assert gone(int(action))
    assert not Path(home).parent.exists()
    assert bench.perform("import os\ndef run() -> int:\n    return os.getppid()\n").result == int(warden)


def a_pipe(folder: Path) -> str:
    """Return the path of a pipe, of which reading ends when an action has written into it."""
    path = str(folder / "pipe")
    os.mkfifo(path)
    return path


def test_cancelling_what_does_not_run_here_does_nothing(bench: Workbench) -> None:
    assert not bench.runner.cancel("another")


def test_an_attempt_can_be_given_back_and_costs_nothing(bench: Workbench) -> None:
    bench.write("act", "import threading\ndef run() -> None:\n    threading.Event().wait()\n")
    job = bench.claim("act")
    thread = bench.begin(job)
    bench.started.wait(30)

    bench.runner.give_back(grace=0.2)

    settled = bench.engine.get(job.id)
    thread.join(30)
    assert (settled.state, settled.attempt, settled.run_after) == (State.QUEUED, 0, None)
    assert bench.told()[-1] == "task.given_back"
    assert bench.runner.running() == []


def test_an_action_submits_through_its_supervisor(bench: Workbench) -> None:
    job = bench.perform(
        "def run(*, job) -> str:\n    return job.submit('other', {'n': 1}, priority=9)\n",
    )

    assert job.result == "job-1"
    assert bench.submitted == [("other", {"n": 1}, {"priority": 9})]


def test_a_refused_submission_is_an_error_in_the_action(tmp_path: Path) -> None:
    def refuse(action: str, params: Any, **options: Any) -> str:
        from core.errors import UnknownAction

        raise UnknownAction(action)

    bench = Workbench(tmp_path, submit=refuse)

    job = bench.perform(
        """
        from core.errors import BusError
        def run(*, job) -> list:
            try:
                return [job.submit("nothing")]
            except BusError as error:
                return [error.code, error.message]
        """
    )

    assert job.result == ["unknown_action", "There is no action named 'nothing'."]


def test_a_result_of_ten_mebibytes_passes(bench: Workbench) -> None:
    job = bench.perform("def run() -> dict:\n    return {'text': 'ä' * 5_242_880}\n")

    assert len(job.result["text"].encode()) == 10_485_760


@pytest.mark.parametrize(
    ("expression", "code", "message"),
    [
        (
            "'x' * 17_000_000",
            "too_large",
            "The result has 17,000,002 bytes as JSON; at most 16,777,216 are kept.",
        ),
        (
            "{'pages': [{'body': b'x'}]}",
            "bad_result",
            "The result is not JSON: result.pages[0].body is of type bytes.",
        ),
    ],
)
def test_a_result_that_cannot_be_kept_ends_the_job_at_once(
    bench: Workbench, expression: str, code: str, message: str
) -> None:
    job = bench.perform(f"def run() -> object:\n    return {expression}\n", max_attempts=3)

    assert job.state is State.FAILED
    assert error_of(job) == (code, message)


def test_a_process_that_sends_nonsense_fails_and_does_not_fill_the_memory(bench: Workbench) -> None:
    job = bench.perform(
        """
        def run(*, job) -> None:
            while True:
                job._channel._socket.sendall(b"\\xff" * 65_536)
        """,
        max_attempts=1,
    )

    assert error_of(job) == ("action_error", "What the attempt's process sent could not be read.")


def test_arguments_arrive_as_the_types_that_the_signature_names(bench: Workbench) -> None:
    job = bench.perform(
        """
        from datetime import date
        def run(day: date, plus: int = 1) -> list:
            return [day.replace(day=day.day + plus), type(day).__name__]
        """,
        {"day": "2026-02-03"},
    )

    assert job.result == ["2026-02-04", "date"]


class FlockEngine(MemoryEngine):
    """Vouches for workers by a lock on a file, as the file engine does."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.held: int | None = None

    def lifeline(self, job: Job) -> int | None:
        self.held = os.open(self.path, os.O_RDWR | os.O_CREAT)
        fcntl.flock(self.held, fcntl.LOCK_EX)
        return self.held


def test_the_lifeline_is_held_by_the_attempts_processes_and_by_none_that_they_start(tmp_path: Path) -> None:
    bench = Workbench(tmp_path, engine=FlockEngine(tmp_path / "lock"))

    job = bench.perform(
        """
        import os, subprocess
        from contextlib import suppress
        def held(pid):
            links = []
            for number in os.listdir(f"/proc/{pid}/fd"):
                with suppress(FileNotFoundError):  # The listing itself.
                    links.append(os.readlink(f"/proc/{pid}/fd/{number}"))
            return links
        def run() -> list:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
            child = subprocess.Popen(["cat"], **pipes, bufsize=0, close_fds=False)
            child.stdin.write(b"up and running\\n")
            child.stdout.readline()
            links = [held(pid) for pid in (os.getpid(), os.getppid())]
            theirs = os.listdir(f"/proc/{child.pid}/fd")
            child.communicate()
            return [*links, sorted(theirs)]
        """
    )

    own, its_wardens, programs = job.result
    os.close(bench.engine.held)
    assert str(tmp_path / "lock") in own
    assert str(tmp_path / "lock") in its_wardens
    assert programs == ["0", "1", "2"]
    with (tmp_path / "lock").open() as lock:  # The warden is still there, and has let go of it.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


SUPERVISOR = """
import sys
from pathlib import Path
from tests.core.workbench import Workbench

with open(sys.argv[1] + "/mains", "a") as file:
    file.write("x")
bench = Workbench(Path(sys.argv[1]))
bench.registry.load()
bench.runner.perform(bench.claim("act"))
"""


def a_supervisor(folder: Path, source: str, **environment: str) -> subprocess.Popen[str]:
    (folder / "actions").mkdir()
    (folder / "actions" / "act.py").write_text(source)
    (folder / "main.py").write_text(SUPERVISOR)
    return subprocess.Popen(
        [sys.executable, str(folder / "main.py"), str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), **environment},
        text=True,
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "signal.pause()"),
        ("", "import re; re.match('(a|a)*b', 'a' * 60)"),
        ("os.kill(os.getppid(), signal.SIGSTOP)", "signal.pause()"),
    ],
    ids=["waits", "keeps the lock", "stops its warden"],
)
def test_when_the_supervisor_is_killed_the_attempt_and_all_that_it_started_end(
    tmp_path: Path, before: str, after: str
) -> None:
    os.mkfifo(tmp_path / "pids")
    source = dedent(FAMILY) + dedent(f"""
        from pathlib import Path
        def run() -> None:
            pids = [*family(Path.cwd()), os.getppid()]
            {before}
            Path({str(tmp_path / "pids")!r}).write_text(" ".join(map(str, pids)))
            {after}
        """)
    supervisor = a_supervisor(tmp_path, source)
    pids = [int(word) for word in (tmp_path / "pids").read_text().split()]

    supervisor.kill()
    supervisor.wait(30)

    assert len(pids) == 5
    assert gone(*pids)
    assert not list(tmp_path.glob("aafai-attempt-*"))


def test_the_servers_secrets_are_not_in_the_environment_of_an_action(tmp_path: Path) -> None:
    source = f"""
        import json, os, subprocess
        from pathlib import Path
        def run() -> None:
            inherited = subprocess.run(["env"], capture_output=True, text=True).stdout
            Path({str(tmp_path / "seen")!r}).write_text(json.dumps([dict(os.environ), inherited]))
    """

    a_supervisor(tmp_path, dedent(source), AAFAI_TOKEN="s3cret", LC_TIME="C.UTF-8").wait(60)

    own, inherited = json.loads((tmp_path / "seen").read_text())
    assert {"PATH", "HOME", "TMPDIR", "LC_TIME"} <= own.keys()
    assert {"AAFAI_TOKEN", "PYTHONPATH"}.isdisjoint(own)
    assert "s3cret" not in inherited


def test_the_settings_can_pass_variables_on() -> None:
    environment = {"PATH": "/bin", "AAFAI_TOKEN": "s3cret", "EXTRA": "1", "LC_ALL": "C"}

    assert clean_environment(environment) == {"PATH": "/bin", "LC_ALL": "C"}
    assert clean_environment(environment, ("EXTRA",)) == {"PATH": "/bin", "LC_ALL": "C", "EXTRA": "1"}


def test_the_programs_main_file_is_not_run_again_in_an_attempt(tmp_path: Path) -> None:
    supervisor = a_supervisor(tmp_path, "def run() -> int:\n    return 1\n")

    assert supervisor.wait(60) == 0
    assert (tmp_path / "mains").read_text() == "x"


WHO_AND_WHERE = """
import os
from pathlib import Path
def run(*, job, leave: bool = False) -> dict:
    home = Path(os.environ["HOME"])
    found = [*os.listdir(home), *os.listdir(os.environ["TMPDIR"])]
    if leave:
        (home / "left").write_text("x")
    return {"warden": os.getppid(), "folder": home.parent.name, "found": found}
"""


def spare_folder(seen: dict[str, Any]) -> Path:
    """Return where the warden keeps the folder that WHO_AND_WHERE saw, until the next attempt."""
    return Path(tempfile.gettempdir(), f"aafai-warden-{seen['warden']}-{seen['folder'].rpartition('-')[2]}")


def test_one_warden_watches_over_attempt_after_attempt_and_each_finds_an_empty_folder_of_its_own(
    bench: Workbench,
) -> None:
    bench.write("act", WHO_AND_WHERE)
    jobs = [bench.claim("act", {"leave": leave}) for leave in (False, True, False)]
    for job in jobs:
        bench.runner.perform(job)

    seen = [bench.engine.get(job.id).result for job in jobs]

    assert len({one["warden"] for one in seen}) == 1
    assert [one["found"] for one in seen] == [[], [], []]
    assert all(job.id[-12:] in one["folder"] for job, one in zip(jobs, seen, strict=True))


def test_a_warden_that_died_while_it_was_idle_costs_nothing(bench: Workbench) -> None:
    seen = bench.perform(WHO_AND_WHERE).result
    os.kill(seen["warden"], signal.SIGKILL)
    gone(seen["warden"])

    job = bench.perform(WHO_AND_WHERE)

    assert job.state is State.SUCCEEDED
    assert job.result["warden"] != seen["warden"]
    assert not spare_folder(seen).exists()


def test_idle_wardens_end_when_they_are_dismissed_and_take_their_folders_along(bench: Workbench) -> None:
    wardens.dismiss()  # One whose forkserver was killed cannot be waited for.
    seen = bench.perform(WHO_AND_WHERE).result
    spare = spare_folder(seen)
    kept = spare.exists()

    wardens.dismiss()

    assert kept
    assert not spare.exists()
    assert ended_already(seen["warden"])


def test_a_warden_that_nobody_wanted_for_a_while_retires(bench: Workbench) -> None:
    wardens.dismiss()
    warden = bench.perform(WHO_AND_WHERE).result["warden"]

    wardens.retire()
    kept = bench.perform(WHO_AND_WHERE).result["warden"] == warden
    left = [wardens.retire(), wardens.retire()]

    assert kept
    assert left == [True, False]
    assert ended_already(warden)


def test_what_an_action_changes_in_its_process_is_not_there_in_the_next_attempt(bench: Workbench) -> None:
    source = """
        import builtins, os, signal, sys, tempfile
        def run() -> list:
            before = [hasattr(builtins, "mark"), "MARK" in os.environ, tempfile.tempdir, os.getcwd() == "/"]
            builtins.mark, os.environ["MARK"], tempfile.tempdir = 1, "1", "/nowhere"
            os.chdir("/")
            os.umask(0o777)
            signal.signal(signal.SIGCHLD, signal.SIG_IGN)
            sys.stdout.close()
            return before
    """

    first, second = bench.perform(source), bench.perform(source)

    assert first.result == second.result == [False, False, None, False]


def test_an_edited_action_is_read_anew_by_its_next_attempt(bench: Workbench) -> None:
    bench.write("act", "def run(day: str) -> str:\n    return type(day).__name__\n")
    job = bench.claim("act", {"day": "2026-02-03"})

    (bench.actions / "act.py").write_text(
        "from datetime import date\ndef run(day: date) -> str:\n    return type(day).__name__\n"
    )
    bench.runner.perform(job)

    assert bench.engine.get(job.id).result == "date"


def test_params_of_two_mebibytes_reach_the_action(bench: Workbench) -> None:
    text = "ä" * 2**20

    job = bench.perform("def run(text: str) -> int:\n    return len(text)\n", {"text": text})

    assert job.result == 2**20


def test_threads_of_an_action_ask_and_submit_side_by_side(bench: Workbench) -> None:
    job = bench.perform(
        """
        import threading
        def run(*, job) -> list:
            ids, asked = [], []
            def submit(number):
                for turn in range(20):
                    asked.append(job.cancelled)
                    ids.append(job.submit("other", {"n": number}))
            threads = [threading.Thread(target=submit, args=[number]) for number in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            return [len(set(ids)), any(asked)]
        """
    )

    assert job.result == [80, False]


def test_a_killed_forkserver_costs_an_attempt_and_not_the_bus(bench: Workbench) -> None:
    source = "import os\ndef run() -> int:\n    return os.getppid()\n"
    bench.perform(source)
    from multiprocessing import forkserver

    pid = forkserver._forkserver._forkserver_pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    gone(pid)

    assert bench.perform(source).state is State.SUCCEEDED


def test_attempts_side_by_side_leave_no_descriptor_behind(bench: Workbench) -> None:
    bench.write("act", "def run(number: int) -> int:\n    print(number)\n    return number\n")
    bench.runner.perform(bench.claim("act", {"number": 0}))
    wardens.dismiss()
    gc.collect()  # Else sockets that other tests left would be counted now, and not at the end.
    before = descriptors()
    jobs = [bench.claim("act", {"number": number}) for number in range(24)]

    threads = [
        threading.Thread(target=lambda mine=jobs[n::6]: [*map(bench.runner.perform, mine)]) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    wardens.dismiss()
    assert [bench.engine.get(job.id).result for job in jobs] == list(range(24))
    assert descriptors() == before
