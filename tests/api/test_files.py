"""The files of a job: listed, sent in whole or in part, and never a way out of the job's folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from api.files import POLICY
from tests.api.stage import Stage
from tests.api.test_jobs import THEN, submitted
from tests.factories import NOW

TEXT = b"0123456789"


@pytest.fixture
def downloads(stage: Stage) -> Path:
    return stage.folder / "downloads"


@pytest.fixture
def client(stage: Stage, downloads: Path) -> FlaskClient:
    return stage.client(downloads=downloads)


@pytest.fixture
def job_id(client: FlaskClient) -> str:
    return submitted(client)


@pytest.fixture
def folder(downloads: Path, job_id: str) -> Path:
    """The folder of the job, with one file in it."""
    folder = downloads / job_id
    folder.mkdir(parents=True)
    written(folder / "page.txt")
    return folder


def written(path: Path, content: bytes = TEXT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (NOW, NOW))
    return path


def test_the_files_of_a_job_are_listed_by_name(client: FlaskClient, job_id: str, folder: Path) -> None:
    written(folder / "images" / "a b.png")

    answer = client.get(f"/api/jobs/{job_id}/files")

    files = [
        {"name": "images/a b.png", "size": 10, "type": "image/png", "modified": THEN},
        {"name": "page.txt", "size": 10, "type": "text/plain", "modified": THEN},
    ]
    assert (answer.status_code, answer.json) == (200, {"files": files, "more": False})


def test_a_job_without_files_has_none(client: FlaskClient, job_id: str) -> None:
    assert client.get(f"/api/jobs/{job_id}/files").json == {"files": [], "more": False}


def test_at_most_a_thousand_files_are_listed(client: FlaskClient, job_id: str, folder: Path) -> None:
    for number in range(1_000):
        (folder / f"{number}.txt").touch()

    answer = client.get(f"/api/jobs/{job_id}/files").json

    assert (len(answer["files"]), answer["more"]) == (1_000, True)


@pytest.mark.parametrize(
    "name", ["page.txt", "images/a b.png", "ünï/😀.txt", "a%2Fb.txt", "-x", ".hidden", "a\\b"]
)
def test_a_file_is_sent_whole_to_be_saved(client: FlaskClient, job_id: str, folder: Path, name: str) -> None:
    written(folder / name)

    answer = client.get(f"/api/jobs/{job_id}/files/{quote(name)}")

    assert (answer.status_code, answer.data, answer.content_length) == (200, TEXT, 10)
    base = quote(name.rpartition("/")[2], safe="")
    assert answer.headers["Content-Disposition"] == f"attachment; filename*=UTF-8''{base}"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Last-Modified"] == "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("a.txt", "text/plain"),
        ("a.png", "image/png"),
        ("a.json", "application/json"),
        ("a.html", "application/octet-stream"),
        ("a.svg", "application/octet-stream"),
        ("a.xml", "application/octet-stream"),
        ("a.js", "application/octet-stream"),
        ("a.xhtml", "application/octet-stream"),
        ("a.txt.gz", "application/octet-stream"),
        ("a", "application/octet-stream"),
    ],
)
def test_nothing_that_could_run_is_sent_as_what_it_is(
    client: FlaskClient, job_id: str, folder: Path, name: str, content_type: str
) -> None:
    written(folder / name, b"<script>alert(1)</script>")

    answer = client.get(f"/api/jobs/{job_id}/files/{name}", headers={"Accept": "text/html"})

    assert answer.mimetype == content_type
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == POLICY
    assert answer.headers["Content-Disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("wanted", "part"),
    [
        *[("0-3", "0-3"), ("4-4", "4-4"), ("7-", "7-9"), ("-3", "7-9"), ("5-99", "5-9"), ("0-", "0-9")],
        *[("-10", "0-9"), ("-11", "0-9"), ("-99999999999999999999", "0-9")],
    ],
)
def test_a_part_of_a_file_is_sent(
    client: FlaskClient, job_id: str, folder: Path, wanted: str, part: str
) -> None:
    answer = client.get(f"/api/jobs/{job_id}/files/page.txt", headers={"Range": f"bytes={wanted}"})

    first, last = map(int, part.split("-"))
    sent = TEXT[first : last + 1]
    assert (answer.status_code, answer.data, answer.content_length) == (206, sent, len(sent))
    assert answer.headers["Content-Range"] == f"bytes {part}/10"


@pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=99-100"])
def test_a_part_that_is_not_there_is_refused_with_the_size(
    client: FlaskClient, job_id: str, folder: Path, wanted: str
) -> None:
    answer = client.get(f"/api/jobs/{job_id}/files/page.txt", headers={"Range": wanted})

    assert (answer.status_code, answer.json["code"]) == (416, "bad_range")
    assert answer.headers["Content-Range"] == "bytes */10"


@pytest.mark.parametrize("wanted", ["bytes=0-1,4-5", "lines=1-2", "bytes=5-2", "bytes=x", "nonsense", ""])
def test_a_range_that_cannot_be_kept_is_overlooked(
    client: FlaskClient, job_id: str, folder: Path, wanted: str
) -> None:
    answer = client.get(f"/api/jobs/{job_id}/files/page.txt", headers={"Range": wanted})

    assert (answer.status_code, answer.data) == (200, TEXT)


def test_an_empty_file_is_sent(client: FlaskClient, job_id: str, folder: Path) -> None:
    written(folder / "empty", b"")

    plain = client.get(f"/api/jobs/{job_id}/files/empty")
    part = client.get(f"/api/jobs/{job_id}/files/empty", headers={"Range": "bytes=0-"})

    assert (plain.status_code, plain.data, plain.content_length) == (200, b"", 0)
    assert (part.status_code, part.data) == (200, b"")


def test_a_file_that_the_client_has_already_is_not_sent_again(
    client: FlaskClient, job_id: str, folder: Path
) -> None:
    url = f"/api/jobs/{job_id}/files/page.txt"
    tag = client.get(url).headers["ETag"]

    same = client.get(url, headers={"If-None-Match": tag})
    written(folder / "page.txt", b"other")
    other = client.get(url, headers={"If-None-Match": tag})
    stale = client.get(url, headers={"Range": "bytes=0-1", "If-Range": tag})

    assert (same.status_code, same.data) == (304, b"")
    assert (other.status_code, other.data) == (200, b"other")
    assert (stale.status_code, stale.data) == (200, b"other")


def test_head_tells_the_size_and_sends_nothing(client: FlaskClient, job_id: str, folder: Path) -> None:
    answer = client.head(f"/api/jobs/{job_id}/files/page.txt")

    assert (answer.status_code, answer.content_length, answer.data) == (200, 10, b"")


def test_no_descriptor_stays_open(client: FlaskClient, job_id: str, folder: Path) -> None:
    url = f"/api/jobs/{job_id}/files"
    client.get(f"{url}/page.txt")
    before = set(Path("/proc/self/fd").iterdir())

    for headers in ({}, {"Range": "bytes=1-2"}, {"Range": "bytes=50-"}, {"If-None-Match": "*"}):
        client.get(f"{url}/page.txt", headers=headers).close()
    client.head(f"{url}/page.txt").close()
    for name in ("none", "page.txt/x", "../page.txt"):
        client.get(f"{url}/{name}")
    client.get(url)

    assert set(Path("/proc/self/fd").iterdir()) == before


@pytest.mark.parametrize(
    "name",
    [
        *("..", "../other.txt", "images/../page.txt", "./page.txt", "images/..", "%2e%2e/other.txt"),
        *("..%2fother.txt", "%2fetc%2fpasswd", "a//page.txt", "page.txt/", "page.txt%00", "none.txt"),
        *("images", "images/", "%ff", "x" * 300, "a/" * 200 + "b", "%0a"),
    ],
)
def test_no_name_leads_out_of_the_folder(
    client: FlaskClient, job_id: str, folder: Path, downloads: Path, name: str
) -> None:
    written(folder / "images" / "a.png")
    written(downloads / "other.txt")

    answer = client.get(f"/api/jobs/{job_id}/files/{name}")

    assert (answer.status_code, answer.json["code"]) == (404, "unknown_file") or (
        answer.json["code"] == "no_such_path" and name.startswith(("..", "%2f"))
    )


def test_links_are_neither_listed_nor_followed(
    client: FlaskClient, job_id: str, folder: Path, downloads: Path
) -> None:
    secret = written(downloads / "secret.txt")
    (folder / "link.txt").symlink_to(secret)
    (folder / "inner.txt").symlink_to(folder / "page.txt")
    (folder / "up").symlink_to(downloads)

    names = [file["name"] for file in client.get(f"/api/jobs/{job_id}/files").json["files"]]
    answers = [
        client.get(f"/api/jobs/{job_id}/files/{name}") for name in ("link.txt", "inner.txt", "up/secret.txt")
    ]

    assert names == ["page.txt"]
    assert [answer.json["code"] for answer in answers] == ["unknown_file"] * 3


def test_a_folder_that_is_a_link_is_not_entered(client: FlaskClient, job_id: str, downloads: Path) -> None:
    written(downloads / "elsewhere" / "secret.txt")
    (downloads / job_id).symlink_to(downloads / "elsewhere")

    assert client.get(f"/api/jobs/{job_id}/files").json["files"] == []
    assert client.get(f"/api/jobs/{job_id}/files/secret.txt").status_code == 404


def test_pipes_and_sockets_are_no_files(
    client: FlaskClient, job_id: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        # The path of a socket may have 107 bytes.
        monkeypatch.chdir(folder)
        server.bind("socket")

    names = [file["name"] for file in client.get(f"/api/jobs/{job_id}/files").json["files"]]
    answers = [client.get(f"/api/jobs/{job_id}/files/{name}") for name in ("pipe", "socket")]

    assert names == ["page.txt"]
    assert [answer.status_code for answer in answers] == [404, 404]


def test_a_name_that_no_url_can_spell_is_left_out(client: FlaskClient, job_id: str, folder: Path) -> None:
    (folder / os.fsdecode(b"\xff.txt")).touch()
    (folder / "two\nlines.txt").touch()

    names = [file["name"] for file in client.get(f"/api/jobs/{job_id}/files").json["files"]]

    assert names == ["page.txt"]


def test_the_files_of_another_job_are_out_of_reach(client: FlaskClient, job_id: str, folder: Path) -> None:
    other = submitted(client)

    assert client.get(f"/api/jobs/{other}/files/page.txt").status_code == 404
    assert client.get(f"/api/jobs/{other}/files/../{job_id}/page.txt").status_code == 404


def test_only_so_many_files_are_on_their_way(
    stage: Stage, downloads: Path, folder: Path, job_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.files.MOST_DOWNLOADS", 1)
    client = stage.client(downloads=downloads)
    url = f"/api/jobs/{job_id}/files/page.txt"

    first = client.get(url)
    refused = client.get(url)
    read = first.data
    again = client.get(url)

    assert (refused.status_code, refused.json["code"]) == (503, "too_many_streams")
    assert (read, again.data) == (TEXT, TEXT)
