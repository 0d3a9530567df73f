"""The fake Cloud Storage, driven by Google's own library: what it understands, our mirror may rely on."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.cloud import storage
from google.oauth2.credentials import Credentials

from tests.cloud.fake_compute import PROJECT
from tests.cloud.fake_google import TOKEN, FakeGoogle

BUCKET = "quiet-results"


@pytest.fixture
def bucket(google: FakeGoogle) -> storage.Bucket:
    """A bucket as Google's library sees it."""
    google.storage.buckets[BUCKET] = {}
    client = storage.Client(
        project=PROJECT,
        credentials=Credentials(token=TOKEN),
        client_options=ClientOptions(api_endpoint=google.url),
    )
    return client.bucket(BUCKET)


def test_the_library_writes_and_reads_an_object(bucket: storage.Bucket) -> None:
    blob = bucket.blob("results/ä b.json")

    blob.upload_from_string(b'{"a": 1}', content_type="application/json")

    assert blob.download_as_bytes() == b'{"a": 1}'
    assert (blob.content_type, blob.size) == ("application/json", 8)


def test_the_library_writes_piece_by_piece(bucket: storage.Bucket) -> None:
    blob = bucket.blob("film.mp4", chunk_size=256 * 1024)

    blob.upload_from_string(b"0123456789" * 100_000)

    assert bucket.blob("film.mp4").download_as_bytes() == b"0123456789" * 100_000


def test_the_library_goes_on_after_a_piece_of_which_not_all_was_kept(
    google: FakeGoogle, bucket: storage.Bucket
) -> None:
    google.storage.keeps = 256 * 1024
    blob = bucket.blob("film.mp4", chunk_size=512 * 1024)

    blob.upload_from_string(b"0123456789" * 100_000)

    assert bucket.blob("film.mp4").download_as_bytes() == b"0123456789" * 100_000


@pytest.mark.parametrize("name", ["x" * 1025, "a\rb"])
def test_the_library_is_refused_names_that_no_object_can_have(bucket: storage.Bucket, name: str) -> None:
    with pytest.raises(exceptions.BadRequest, match="Invalid object name"):
        bucket.blob(name).upload_from_string(b"")


def test_the_library_lists_page_by_page(google: FakeGoogle, bucket: storage.Bucket) -> None:
    google.storage.page = 2
    for name in ("inbox/a.json", "inbox/b.json", "inbox/c.json", "inbox/deep/d.json", "else.json"):
        bucket.blob(name).upload_from_string(b"{}")

    found = bucket.client.list_blobs(BUCKET, prefix="inbox/", delimiter="/")

    assert [blob.name for blob in found] == ["inbox/a.json", "inbox/b.json", "inbox/c.json"]
    assert found.prefixes == {"inbox/deep/"}


def test_the_library_removes_only_what_it_has_seen(bucket: storage.Bucket) -> None:
    blob = bucket.blob("inbox/a.json")
    blob.upload_from_string(b"1")
    seen = blob.generation
    bucket.blob("inbox/a.json").upload_from_string(b"2")

    with pytest.raises(exceptions.PreconditionFailed):
        bucket.blob("inbox/a.json").delete(if_generation_match=seen)
    with pytest.raises(exceptions.NotFound):
        bucket.blob("inbox/a.json", generation=seen).download_as_bytes()
    bucket.get_blob("inbox/a.json").delete()

    assert bucket.get_blob("inbox/a.json") is None


def test_the_library_moves_an_object(bucket: storage.Bucket) -> None:
    bucket.blob("inbox/a.json").upload_from_string(b"odd")

    _, written, total = bucket.blob("refused/a.json").rewrite(bucket.blob("inbox/a.json"))

    assert (written, total) == (3, 3)
    assert bucket.blob("refused/a.json").download_as_bytes() == b"odd"


def test_the_library_tests_permissions(google: FakeGoogle, bucket: storage.Bucket) -> None:
    google.forbidden = {"storage.objects.create"}

    held = bucket.test_iam_permissions(["storage.objects.create", "storage.objects.get"])

    assert held == ["storage.objects.get"]


def test_the_library_reads_refusals(google: FakeGoogle, bucket: storage.Bucket) -> None:
    google.forbidden = {"storage.objects.list"}

    with pytest.raises(exceptions.Forbidden, match=r"storage\.objects\.list"):
        list(bucket.client.list_blobs(BUCKET))
    with pytest.raises(exceptions.NotFound):
        bucket.client.bucket("nowhere").blob("a").upload_from_string(b"")
