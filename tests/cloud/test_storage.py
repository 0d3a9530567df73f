"""The mirror in a bucket: what it asks of Cloud Storage, and what it makes of every answer."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pytest

from cloud.bucket_mirror import BucketMirror
from cloud.google_api import Google
from cloud.mirrors import open_mirror
from cloud.uploads import PIECE
from core.mirror import Mirror, MirrorFailed
from tests.cloud.fake_door import Asked, Content, Fault
from tests.cloud.fake_google import FakeGoogle
from tests.cloud.fake_metadata import ACCOUNT
from tests.cloud.refused import Refused

BUCKET = "quiet-results"


@pytest.fixture
def mirror(google: FakeGoogle) -> Mirror:
    google.storage.buckets[BUCKET] = {}
    return open_mirror(f"gs://{BUCKET}/bus", google=google.url)


def put(mirror: Mirror, content: bytes, path: str = "files/1/a.bin") -> None:
    mirror.put(path, BytesIO(content), size=len(content), content_type="text/plain")


def stored(google: FakeGoogle, path: str = "files/1/a.bin") -> bytes:
    return google.storage.buckets[BUCKET][f"bus/{path}"].content


def test_an_object_bears_its_type(google: FakeGoogle, mirror: Mirror) -> None:
    put(mirror, b"hello")

    assert google.storage.buckets[BUCKET]["bus/files/1/a.bin"].content_type == "text/plain"


@pytest.mark.parametrize("size", [PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 777])
def test_a_large_object_goes_piece_by_piece(google: FakeGoogle, mirror: Mirror, size: int) -> None:
    content = bytes(range(251)) * (size // 251 + 1)

    put(mirror, content[:size])

    assert stored(google) == content[:size]
    assert google.storage.largest <= PIECE


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CUT_WHEN_DONE, Refused(503, "backendError"), Fault.HALF])
@pytest.mark.parametrize("size", [100, PIECE + 100])
def test_an_upload_that_is_cut_off_is_sent_again(
    google: FakeGoogle, mirror: Mirror, fault: Fault | Refused, size: int
) -> None:
    google.fail("/upload/", fault)

    put(mirror, b"x" * size)

    assert stored(google) == b"x" * size


def test_a_piece_that_arrived_and_was_not_acknowledged_is_sent_again(
    google: FakeGoogle, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytes(range(256)) * (PIECE // 128)
    take, taken = google.storage._piece, []

    def in_vain_at_first(asked: Asked) -> object:
        taken.append(asked.headers["content-range"])
        answer = take(asked)
        if len(taken) == 1:
            raise Refused(503, "backendError")
        return answer

    monkeypatch.setattr(google.storage, "_piece", in_vain_at_first)

    put(mirror, content)

    assert stored(google) == content
    assert taken[0] == taken[1] != taken[2]


def test_an_upload_goes_on_where_google_has_lost_hold_of_it(google: FakeGoogle, mirror: Mirror) -> None:
    google.storage.keeps = PIECE // 2
    content = bytes(range(251)) * (PIECE // 100)

    put(mirror, content)

    assert stored(google) == content


def test_an_upload_of_which_nothing_is_kept_is_given_up(google: FakeGoogle, mirror: Mirror) -> None:
    google.storage.keeps = 0

    with pytest.raises(MirrorFailed, match=r"Byte 0 of .* was not taken"):
        put(mirror, b"x" * (2 * PIECE))


def test_an_upload_that_google_has_whole_and_does_not_end_is_given_up(
    google: FakeGoogle, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(asked: Asked) -> Content:
        last = asked.headers["content-range"].partition("-")[2].partition("/")[0]
        return Content(308, {"Range": f"bytes=0-{last}"}, b"")

    monkeypatch.setattr(google.storage, "_piece", endless)

    with pytest.raises(MirrorFailed, match="was not taken"):
        put(mirror, b"x" * (2 * PIECE))


def test_names_as_long_as_google_allows_make_no_list_too_long(google: FakeGoogle, mirror: Mirror) -> None:
    for number in range(1_500):
        google.storage.put(BUCKET, f"bus/inbox/{number:06}{'x' * 990}.json", b"{}")

    assert len(mirror.left()) == 1_500


def test_lists_go_on_page_by_page(google: FakeGoogle, mirror: Mirror) -> None:
    google.storage.page = 3
    for number in range(10):
        google.storage.put(BUCKET, f"bus/statuses/{number}.json", b"{}")

    assert sorted(mirror.names("statuses")) == [f"{number}.json" for number in range(10)]
    assert google.calls().count("GET o") == 4


def test_the_folders_of_a_console_and_what_lies_deeper_are_no_mail(
    google: FakeGoogle, mirror: Mirror
) -> None:
    for name in ("bus/inbox/", "bus/inbox/deep/a.json", "bus/inbox/b.json"):
        google.storage.put(BUCKET, name, b"{}")

    assert [left.name for left in mirror.left()] == ["b.json"]


def test_a_token_that_has_run_out_is_renewed(google: FakeGoogle, mirror: Mirror) -> None:
    put(mirror, b"1")
    google.fail("/upload/", Refused(401, "authError", "Invalid Credentials"))

    put(mirror, b"2")

    assert stored(google) == b"2"
    assert google.metadata.asked.count("instance/service-accounts/default/token") == 2


def test_the_machine_is_asked_for_once(google: FakeGoogle, mirror: Mirror) -> None:
    for _ in range(5):
        put(mirror, b"1")

    assert google.metadata.asked.count("instance/service-accounts/default/token") == 1


def test_a_right_that_is_missing_is_named_with_its_remedy(google: FakeGoogle, mirror: Mirror) -> None:
    google.forbidden = {"storage.objects.create", "storage.objects.delete"}

    problem = mirror.check()

    assert problem == (
        f"gs://{BUCKET}/bus: {ACCOUNT} lacks storage.objects.create and storage.objects.delete. Grant it:"
        f" gcloud storage buckets add-iam-policy-binding gs://{BUCKET} --project=quiet-project"
        f" --member=serviceAccount:{ACCOUNT} --role=roles/storage.objectUser"
    )
    with pytest.raises(MirrorFailed, match=r"storage\.objects\.create.*Grant it to .*add-iam-policy-binding"):
        put(mirror, b"1")


def test_all_rights_are_no_problem(mirror: Mirror) -> None:
    assert mirror.check() is None


def test_a_bucket_that_is_not_there_is_named(google: FakeGoogle) -> None:
    mirror = open_mirror("gs://nowhere", google=google.url)

    assert "gs://nowhere: " in (mirror.check() or "")
    with pytest.raises(MirrorFailed, match="The specified bucket does not exist"):
        put(mirror, b"1")


@pytest.mark.parametrize(
    "fault",
    [
        Refused(429, "rateLimitExceeded", "Slow down."),
        Refused(403, "accessNotConfigured", "The API is disabled."),
        Refused(500, "backendError", "We are sorry."),
    ],
)
def test_what_google_refuses_is_told(google: FakeGoogle, mirror: Mirror, fault: Refused) -> None:
    google.fail("/storage/v1/", fault, fault)

    with pytest.raises(MirrorFailed, match=fault.message):
        mirror.left()


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.FLOOD, Fault.REDIRECT, Fault.HALF])
def test_what_is_no_answer_of_google_s_is_refused(google: FakeGoogle, mirror: Mirror, fault: Fault) -> None:
    google.fail("/storage/v1/", fault, fault)

    with pytest.raises(MirrorFailed):
        mirror.left()


@pytest.mark.parametrize("fault", [Fault.HANG, Fault.DRIP])
def test_a_bucket_that_does_not_answer_is_given_up(google: FakeGoogle, fault: Fault) -> None:
    hasty = BucketMirror(Google.at(google.url), BUCKET, "bus")
    hasty._known = replace(hasty._machine(), google=Google.at(google.url, limit=0.05))
    google.fail("/storage/v1/", fault)

    with pytest.raises(MirrorFailed, match=r"did not answer within 0\.05 s"):
        hasty.left()


def test_without_a_metadata_server_there_is_no_bucket(google: FakeGoogle, mirror: Mirror) -> None:
    google.metadata.set("instance/service-accounts/default/email", None)

    assert "no service account" in (mirror.check() or "")
    with pytest.raises(MirrorFailed, match="no service account"):
        mirror.left()


def test_pieces_go_nowhere_but_to_google(
    google: FakeGoogle, mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = "http://127.0.0.1:9/elsewhere"
    monkeypatch.setattr(google.storage, "_begin", lambda *_: Content(200, {"Location": where}, b""))

    with pytest.raises(MirrorFailed, match="no place for the upload"):
        put(mirror, b"x" * (PIECE + 1))
