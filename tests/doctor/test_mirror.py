"""The doctor asks the mirror whether it can be used, and writes nothing into it."""

from __future__ import annotations

from pathlib import Path

from doctor.mirror import check_mirror
from tests.cloud.fake_google import FakeGoogle
from tests.doctor.conftest import Ward
from tests.doctor.test_watchdog import found


def test_without_a_mirror_there_is_nothing_to_ask(ward: Ward) -> None:
    assert found(ward, {}, check=check_mirror) == ["none: results can be read while the machine is on"]


def test_a_folder_is_looked_at_and_left_as_it_is(ward: Ward, tmp_path: Path) -> None:
    mirror = tmp_path / "mirror"
    missing = found(ward, {"AAFAI_MIRROR": f"folder:{mirror}"}, check=check_mirror)
    mirror.mkdir()

    there = found(ward, {"AAFAI_MIRROR": f"folder:{mirror}"}, check=check_mirror)

    assert (missing, there) == (["mirror_refused"], [f"folder:{mirror} may be written"])
    assert list(mirror.iterdir()) == []


def test_a_bucket_is_asked_for_the_rights_that_it_takes(ward: Ward) -> None:
    with FakeGoogle() as google:
        google.storage.buckets["quiet-results"] = {}
        settings = {"AAFAI_MIRROR": "gs://quiet-results/bus", "AAFAI_GOOGLE_URL": google.url}

        allowed = found(ward, settings, check=check_mirror)
        google.forbidden = {"storage.objects.delete"}
        refused = found(ward, settings, check=check_mirror)

    assert (allowed, refused) == (["gs://quiet-results/bus may be written"], ["mirror_refused"])
    assert google.storage.buckets["quiet-results"] == {}
