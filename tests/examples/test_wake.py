"""The shell client that wakes the machine, with a gcloud that starts a real bus."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from examples.running import ROOT
from tests.cloud.fake_compute import INSTANCE, PROJECT
from tests.examples.gcloud import Call, Gcloud, Said
from tests.examples.machine import NAME, Machine

pytestmark = pytest.mark.alone

Wake = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    with Machine(tmp_path) as machine:
        yield machine


@pytest.fixture
def gcloud(machine: Machine, tmp_path: Path) -> Iterator[Gcloud]:
    def answer(call: Call) -> Said:
        return machine.gcloud(call)  # Tests change it.

    with Gcloud(tmp_path / "bin", answer) as gcloud:
        yield gcloud


@pytest.fixture
def wake(machine: Machine, gcloud: Gcloud) -> Wake:
    """Run wake.sh, with a command perhaps."""

    def wake(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
        known = {
            **gcloud.environment,
            "AAFAI_CLIENT_INSTANCE": NAME,
            "AAFAI_PORT": str(machine.port),
            "AAFAI_CLIENT_PAUSE": "0",
            **settings,
        }
        argv = ["examples/wake.sh", *command]
        return subprocess.run(
            argv, cwd=ROOT, env=known, capture_output=True, text=True, check=False, timeout=100
        )

    return wake


def verbs(gcloud: Gcloud) -> list[str]:
    return [call.words[2] for call in gcloud.calls]


def test_a_machine_that_is_off_is_started_and_given_the_job(
    wake: Wake, machine: Machine, gcloud: Gcloud
) -> None:
    done = wake("examples/curl.sh", "fakejob", '{"delay_seconds": 0}')

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == {"waited": 0}
    assert verbs(gcloud) == ["describe", "start", "describe"]
    assert all(
        (call.option("project"), call.words[3]) == (PROJECT, INSTANCE) and "--quiet" in call.argv
        for call in gcloud.calls
    )


def test_without_a_command_it_tells_where_the_bus_is(wake: Wake, machine: Machine) -> None:
    done = wake()

    assert (done.returncode, done.stdout) == (0, f"http://127.0.0.1:{machine.port}\n")


def test_a_machine_that_is_on_is_not_started(wake: Wake, machine: Machine, gcloud: Gcloud) -> None:
    wake()
    gcloud.calls.clear()

    done = wake()

    assert done.returncode == 0
    assert verbs(gcloud) == ["describe"]
    assert machine.boots == 1


def test_a_suspended_machine_is_resumed(wake: Wake, machine: Machine, gcloud: Gcloud) -> None:
    machine.google.compute.instance()["status"] = "SUSPENDED"

    done = wake()

    assert done.returncode == 0, done.stderr
    assert verbs(gcloud) == ["describe", "resume", "describe"]


def test_a_machine_for_which_there_is_no_room_is_tried_again(
    wake: Wake, machine: Machine, gcloud: Gcloud
) -> None:
    machine.out_of_stock = 2

    done = wake()

    assert done.returncode == 0, done.stderr
    assert verbs(gcloud).count("start") == 3


def test_another_zone_is_tried_where_there_is_no_room(wake: Wake, machine: Machine, gcloud: Gcloud) -> None:
    machine.out_of_stock = 1
    machine.google.compute.add_instance(INSTANCE, zone="europe-west1-c", status="TERMINATED")

    done = wake(AAFAI_CLIENT_INSTANCE=f"{PROJECT}/europe-west1-b,europe-west1-c/{INSTANCE}")

    assert done.returncode == 0, done.stderr
    assert [call.option("zone")[-1] for call in gcloud.calls] == ["b", "b", "c", "c", "c"]


def test_a_machine_that_stops_is_waited_for_and_started_again(
    wake: Wake, machine: Machine, gcloud: Gcloud
) -> None:
    statuses = iter(["STOPPING", "STOPPING"])
    answer = machine.gcloud

    def slow(call: Call) -> Said:
        status = next(statuses, None)
        return Said(f"{status} \n") if status else answer(call)

    machine.gcloud = slow  # type: ignore[method-assign]

    done = wake()

    assert done.returncode == 0, done.stderr
    assert verbs(gcloud) == ["describe", "describe", "describe", "start", "describe"]


@pytest.mark.parametrize(
    ("settings", "status", "said"),
    [
        ({"AAFAI_CLIENT_INSTANCE": ""}, 2, "write project/zone/instance"),
        ({"AAFAI_CLIENT_INSTANCE": "bus"}, 2, "write project/zone/instance"),
        ({"AAFAI_CLIENT_INSTANCE": "a/b/c/d"}, 2, "write project/zone/instance"),
        ({"AAFAI_CLIENT_INSTANCE": f"{PROJECT}/us-east1-a/{INSTANCE}"}, 4, "was not found"),
        ({"AAFAI_CLIENT_INSTANCE": f"{PROJECT}/europe-west1-b/nobody"}, 4, "was not found"),
    ],
)
def test_what_cannot_be_started_is_told(wake: Wake, settings: dict[str, str], status: int, said: str) -> None:
    done = wake(**settings)

    assert done.returncode == status
    assert said in done.stderr
    assert done.stdout == ""


def test_a_right_that_is_missing_is_told_in_google_s_words(wake: Wake, machine: Machine) -> None:
    answer = machine.gcloud
    denied = "ERROR: (gcloud.compute.instances.start) Required 'compute.instances.start' permission\n"

    def denying(call: Call) -> Said:
        return Said(err=denied, status=1) if "start" in call.words else answer(call)

    machine.gcloud = denying  # type: ignore[method-assign]

    done = wake()

    assert done.returncode == 4
    assert "Required 'compute.instances.start' permission" in done.stderr


def test_a_machine_that_never_accepts_is_given_up(wake: Wake, machine: Machine) -> None:
    machine.google.compute.instance()["status"] = "RUNNING"

    done = wake(AAFAI_CLIENT_LIMIT="2")

    assert done.returncode == 3
    assert "does not accept jobs" in done.stderr


def test_a_machine_without_an_address_is_told(wake: Wake, machine: Machine) -> None:
    instance = machine.google.compute.instance()
    instance["status"] = "RUNNING"
    instance["networkInterfaces"][0]["accessConfigs"] = [{}]

    done = wake()

    assert done.returncode == 4
    assert "add-access-config" in done.stderr


def test_the_command_s_own_status_is_told(wake: Wake) -> None:
    assert wake("sh", "-c", "exit 7").returncode == 7


def test_a_job_is_left_in_a_bucket_by_gcloud(tmp_path: Path) -> None:
    with Gcloud(tmp_path / "bin", lambda call: Said()) as gcloud:
        argv = ["examples/drop_a_file.sh", "gs://quiet-results/bus", "fakejob"]
        done = subprocess.run(
            argv, cwd=ROOT, env=gcloud.environment, capture_output=True, text=True, check=True, timeout=60
        )

    (call,) = gcloud.calls
    assert call.argv == ["storage", "cp", "-", f"gs://quiet-results/bus/inbox/{done.stdout.strip()}"]
    assert json.loads(call.stdin) == {"action": "fakejob", "params": {}}
