"""Writes one job that has ended into the mirror: its files, its result, and last of all its status."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path

from core.job_files import JobFile, files_in, opened
from core.jobs import Job, Json
from core.mirror import STATUSES, Mirror
from core.mirror_views import encoded, file_path, is_published, result_path, result_view, status_view

_JSON = "application/json"


def publish(job: Job, mirror: Mirror, downloads: Path) -> None:
    """Write what a mirror shows of a job. Raises MirrorFailed or OSError; then it is to be done again.

    Whoever finds the status of a job finds all the rest of it.
    """
    files = list(files_in(downloads / job.id))
    for file in filter(is_published, files):
        _put_file(job.id, file, mirror, downloads)
    put_document(mirror, result_path(job.id), result_view(job))
    put_document(mirror, f"{STATUSES}/{job.id}.json", status_view(job, files))


def put_document(mirror: Mirror, path: str, document: Mapping[str, Json]) -> None:
    """Write a JSON object into the mirror. Raises MirrorFailed."""
    text = encoded(document)
    mirror.put(path, BytesIO(text), size=len(text), content_type=_JSON)


def _put_file(job_id: str, file: JobFile, mirror: Mirror, downloads: Path) -> None:
    found = opened(downloads / job_id, file.name)
    if found is None:
        return
    descriptor, now = found
    with os.fdopen(descriptor, "rb") as source:
        mirror.put(file_path(job_id, file.name), source, size=now.size, content_type=now.content_type)
