"""While the machine is off, jobs that have ended are read in its mirror, and no machine is started for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client.bus_client import BusClient
from client.errors import MachineOff, Unreachable
from client.mirror import MirrorReader
from core.mirror_views import encoded, result_view, status_view
from tests.client.cloud import Cloud
from tests.cloud.fake_google import TOKEN

UNKNOWN = "01935a7e-0000-7000-8000-000000000000"


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror"
    for name in ("results", "statuses"):
        (folder / name).mkdir(parents=True)
    return folder


def client(cloud: Cloud, mirror: Path) -> BusClient:
    return BusClient(machine=cloud.machine(), mirror=MirrorReader(f"folder:{mirror}"), clock=cloud.clock)


def published(cloud: Cloud, mirror: Path, job_id: str) -> None:
    job: Any = cloud.engine.get(job_id)
    (mirror / "statuses" / f"{job_id}.json").write_bytes(encoded(status_view(job, [])))
    (mirror / "results" / f"{job_id}.json").write_bytes(encoded(result_view(job)))


def test_the_result_of_a_job_is_read_while_the_machine_is_off(cloud: Cloud, mirror: Path) -> None:
    bus = client(cloud, mirror)
    job_id = bus.submit("fakejob")
    cloud.boots[0].stage.succeeded(job_id, {"waited": 1})
    published(cloud, mirror, job_id)
    cloud.power_off()

    assert client(cloud, mirror).result(job_id) == {"waited": 1}
    assert client(cloud, mirror).get(job_id.upper())["action"] == "fakejob"
    assert cloud.starts() == 1


def test_a_job_that_failed_is_told_as_the_bus_tells_it(cloud: Cloud, mirror: Path) -> None:
    bus = client(cloud, mirror)
    job_id = bus.submit("fakejob")
    cloud.boots[0].stage.failed(job_id, "action_error", "no")
    published(cloud, mirror, job_id)
    cloud.power_off()

    assert client(cloud, mirror).get(job_id)["error"] == {"code": "action_error", "message": "no"}


@pytest.mark.parametrize("job_id", [UNKNOWN, "../statuses/x", ""])
def test_a_job_that_is_not_in_the_mirror_waits_for_the_machine(
    cloud: Cloud, mirror: Path, job_id: str
) -> None:
    with pytest.raises(MachineOff):
        client(cloud, mirror).get(job_id)


@pytest.mark.parametrize("text", ["", "[]", '{"a"'])
def test_a_damaged_file_is_named(mirror: Path, text: str) -> None:
    (mirror / "statuses" / f"{UNKNOWN}.json").write_text(text)

    with pytest.raises(Unreachable, match=f"statuses/{UNKNOWN}.json in the mirror"):
        MirrorReader(f"folder:{mirror}").job(UNKNOWN)


def test_a_bucket_is_read_in_the_name_of_whoever_asks(
    cloud: Cloud, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", TOKEN)
    job_id = cloud.client().submit("fakejob")
    cloud.boots[0].stage.succeeded(job_id, {"waited": 1})
    published(cloud, mirror, job_id)
    for path in mirror.rglob("*.json"):
        name = f"a/prefix/{path.relative_to(mirror).as_posix()}"
        cloud.google.storage.put("a-bucket", name, path.read_bytes())

    reader = MirrorReader("gs://a-bucket/a/prefix", cloud.google.url)

    found = reader.job(job_id)
    assert found is not None
    assert found["result"] == {"waited": 1}
    assert reader.job(UNKNOWN) is None


def test_a_bucket_that_is_not_shown_is_named_with_the_right_that_it_takes(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDSDK_AUTH_ACCESS_TOKEN", "another")
    cloud.google.storage.buckets["a-bucket"] = {}

    with pytest.raises(Unreachable, match=r"Google does not show the mirror gs://a-bucket \(status 401\)"):
        MirrorReader("gs://a-bucket", cloud.google.url).job(UNKNOWN)
