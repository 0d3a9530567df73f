"""What cannot be submitted since the machine cannot be started is left in the mirror, and becomes one job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from client.__main__ import bus
from client.errors import BadInput, Unreachable
from client.google_login import ACCESS_TOKEN
from client.mailbox import leave
from cloud.folder_mirror import FolderMirror
from core.event_bus import EventBus
from core.mailbox import Mailbox
from tests.client.cloud import Cloud, out_of_stock
from tests.client.served import Call
from tests.client.test_handing_in import interrupted
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_door import Fault
from tests.cloud.fake_google import TOKEN


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    (folder / "inbox").mkdir(parents=True)
    return folder


@pytest.fixture
def call(cloud: Cloud, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Call `bus submit --or-leave` for a machine of the cloud; for a moment Google has none to give."""
    settle(monkeypatch, cloud, f"folder:{mirror}")
    cloud.instead += [out_of_stock] * 100
    return submit_or_leave


def settle(monkeypatch: pytest.MonkeyPatch, cloud: Cloud, mirror: str) -> None:
    monkeypatch.setenv("AAFAI_CLIENT_INSTANCE", f"{PROJECT}/{ZONE}/{INSTANCE}")
    monkeypatch.setenv("AAFAI_GOOGLE_URL", cloud.google.url)
    monkeypatch.setenv("AAFAI_PORT", str(cloud.port))
    monkeypatch.setenv("AAFAI_MIRROR", mirror)
    monkeypatch.setenv(ACCESS_TOKEN, TOKEN)


def submit_or_leave(*words: str) -> Result:
    return CliRunner().invoke(bus, ["submit", *words, "--or-leave", "--wake-within", "0.05"])


def taken_in(cloud: Cloud, mirror: Path) -> list[str]:
    """Return the jobs that a machine has after it has been started by somebody and has read its mailbox."""
    cloud.instead.clear()
    stage = cloud.boot().stage
    stage.clock.wall = 4e9  # by when all that lies there has settled
    place = FolderMirror(mirror)
    Mailbox(place, stage.kernel.bus.submit_document, stage.clock, EventBus()).take_in()
    return cloud.jobs()


def test_a_job_that_cannot_be_submitted_is_left_and_becomes_one_at_the_next_start(
    cloud: Cloud, call: Call, mirror: Path
) -> None:
    result = call("fakejob", "delay_seconds=2", "--priority", "7", "--key", "monday")

    path = Path(result.stdout.strip())
    assert (result.exit_code, path.parent) == (0, mirror / "inbox")
    assert "does not have enough resources" in result.stderr
    assert f"{mirror}/receipts/{path.name} will tell what became of it" in result.stderr
    (job_id,) = taken_in(cloud, mirror)
    job = cloud.engine.get(job_id)
    assert (dict(job.params), job.priority, job.idempotency_key) == ({"delay_seconds": 2}, 7, "monday")
    assert json.loads((mirror / "receipts" / path.name).read_text())["job_id"] == job_id


def test_who_submits_after_all_with_the_same_key_has_one_job(cloud: Cloud, call: Call, mirror: Path) -> None:
    call("fakejob", "--key", "monday")
    call("fakejob", "--key", "monday")

    job_ids = taken_in(cloud, mirror)
    again = call("fakejob", "--key", "monday")

    assert [again.stdout.strip()] == job_ids == cloud.jobs()
    assert list((mirror / "inbox").iterdir()) == []


def test_programs_are_told_where_it_lies_and_why(call: Call, mirror: Path) -> None:
    told = json.loads(call("fakejob", "--json").stdout)

    assert told["job_id"] is None
    assert Path(told["left"]).exists()
    assert told["receipt"] == told["left"].replace("inbox", "receipts")
    assert "does not have enough resources" in told["reason"]


def test_who_wants_to_wait_for_it_is_told_that_it_has_not_ended(call: Call, mirror: Path) -> None:
    result = call("fakejob", "--wait")

    assert (result.exit_code, result.stdout) == (3, "")
    assert f"It lies in {mirror}/inbox/" in result.stderr


def test_a_machine_that_can_be_started_gets_it(cloud: Cloud, call: Call, mirror: Path) -> None:
    cloud.instead.clear()

    result = CliRunner().invoke(bus, ["submit", "fakejob", "--or-leave"])

    assert [result.stdout.strip()] == cloud.jobs()
    assert list((mirror / "inbox").iterdir()) == []


def test_what_a_machine_may_have_stored_is_not_left_since_it_could_become_two_jobs(
    tmp_path: Path, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Cloud(tmp_path / "cut", around=interrupted(power_off=True)) as cloud:
        settle(monkeypatch, cloud, f"folder:{mirror}")
        cloud.boot()
        cloud.instead += [out_of_stock] * 100

        result = submit_or_leave("fakejob")

        assert (result.exit_code, result.stdout) == (4, "")
        assert "can make no second job" in result.stderr
        assert list((mirror / "inbox").iterdir()) == []
        assert len(cloud.jobs()) == 1


def test_what_the_bus_refuses_is_not_left(cloud: Cloud, call: Call, mirror: Path) -> None:
    cloud.instead.clear()
    cloud.boot()

    assert call("fakejop").exit_code == 2
    assert list((mirror / "inbox").iterdir()) == []


def test_a_bucket_takes_it_in_the_name_of_whoever_asks(
    cloud: Cloud, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch, cloud, "gs://a-bucket/a/prefix")
    cloud.google.storage.buckets["a-bucket"] = {}

    result = call("fakejob", "--key", "monday")

    path = result.stdout.strip()
    assert path.startswith("gs://a-bucket/a/prefix/inbox/"), result.output
    lies = cloud.google.storage.read("a-bucket", path.removeprefix("gs://a-bucket/"))
    assert lies == {"action": "fakejob", "params": {}, "idempotency_key": "monday"}


def test_what_a_bucket_may_have_taken_is_left_again_with_the_same_key(
    cloud: Cloud, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(monkeypatch, cloud, "gs://a-bucket")
    cloud.google.storage.buckets["a-bucket"] = {}
    cloud.google.fail("/upload/", Fault.CUT_WHEN_DONE)

    result = call("fakejob", "--key", "monday")

    assert (result.exit_code, result.stdout) == (4, "")
    assert "The same command with --key monday can make no second job." in result.stderr
    assert len(cloud.google.storage.buckets["a-bucket"]) == 1


@pytest.mark.parametrize(
    ("mirror_of", "said"),
    [
        ("folder:/nowhere", "/nowhere/inbox is not there"),
        ("gs://another-bucket", "Google does not take a job into gs://another-bucket"),
    ],
)
def test_a_mirror_that_does_not_take_it_is_named(
    cloud: Cloud, call: Call, monkeypatch: pytest.MonkeyPatch, mirror_of: str, said: str
) -> None:
    settle(monkeypatch, cloud, mirror_of)

    result = call("fakejob")

    assert (result.exit_code, result.stdout) == (4, "")
    assert said in result.stderr


def test_without_a_mirror_nothing_can_be_left(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AAFAI_MIRROR")

    result = call("fakejob")

    assert result.exit_code == 2
    assert "the settings name no mirror" in result.stderr


def test_a_job_that_no_mailbox_takes_is_refused_at_once(mirror: Path) -> None:
    document: Any = {"action": "fakejob", "params": {"text": "x" * (1 << 20)}}

    with pytest.raises(BadInput, match="a mailbox takes 1,048,576"):
        leave(document, f"folder:{mirror}")


def test_a_folder_that_cannot_be_written_is_named(mirror: Path) -> None:
    (mirror / "inbox").rmdir()
    (mirror / "inbox").write_text("a file and no folder")

    with pytest.raises(Unreachable, match="inbox is not there"):
        leave({"action": "fakejob"}, f"folder:{mirror}")
