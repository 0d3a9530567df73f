"""The files of a job: /api/jobs/<id>/files, in whole or in part, and never as a page of ours."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from flask import Blueprint, Response, request
from werkzeug.datastructures import Range
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from api import files_doc
from api.desk import Desk
from api.errors import Refused
from api.feeds import Audience, fed
from api.http import answer, iso
from api.openapi import documented
from core.job_files import JobFile, files_in, opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from api.places import Places
    from core.jobs import Json
    from core.kernel import Kernel

MOST_LISTED = 1_000
MOST_DOWNLOADS = 64
#: A file is saved, not shown; what shows it all the same must neither run nor load anything.
POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"

_PIECE = 65_536  # bytes


def files_blueprint(kernel: Kernel, downloads: Path, *, places: Places) -> Blueprint:
    """Return the routes of files; each job's are in a folder of its own below `downloads`."""
    files = Files(kernel, downloads, places)
    blueprint = Blueprint("files", __name__)
    blueprint.add_url_rule("/api/jobs/<job_id>/files", view_func=files.find, methods=["GET"])
    blueprint.add_url_rule("/api/jobs/<job_id>/files/<path:name>", view_func=files.one, methods=["GET"])
    return blueprint


class Files:
    """Answer with what jobs have made."""

    def __init__(self, kernel: Kernel, downloads: Path, places: Places) -> None:
        self._kernel = kernel
        self._desk = Desk(kernel)
        self._downloads = downloads
        self._audience = Audience(MOST_DOWNLOADS, places)

    @documented(files_doc.FIND)
    def find(self, job_id: str) -> Response:
        """List the files of a job."""
        folder = self._folder(job_id)
        found = list(islice(files_in(folder), MOST_LISTED + 1))
        views = [_view(one) for one in found[:MOST_LISTED]]
        return answer({"files": views, "more": len(found) > MOST_LISTED})

    @documented(files_doc.ONE)
    def one(self, job_id: str, name: str) -> Response:
        """Send a file, or the part of it that was asked for."""
        found = opened(self._folder(job_id), name)
        if found is None:
            hint = "GET /api/jobs/<job_id>/files lists those there are."
            raise Refused("unknown_file", "The job has no such file.", hint=hint)
        descriptor, file = found
        try:
            response = _head(file)
            first, length = _part(response, file)
            feed = FileFeed(descriptor, first, length, leave=self._audience.seat())
        except BaseException:
            os.close(descriptor)
            raise
        return fed(response, feed, self._kernel.clock)

    def _folder(self, job_id: str) -> Path:
        return self._downloads / self._desk.peek(job_id).id


class FileFeed:
    """A part of an open file, piece by piece."""

    def __init__(self, descriptor: int, first: int, length: int, *, leave: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._leave = leave
        self._place = first
        self._end = first + length

    def read(self) -> bytes | None:
        """Return the next piece. Raises OSError when the file has become shorter than was announced."""
        wanted = min(_PIECE, self._end - self._place)
        if wanted == 0:
            return None
        piece = os.pread(self._descriptor, wanted, self._place)
        if not piece:
            raise OSError("the file was cut while it was sent")
        self._place += len(piece)
        return piece

    def when_more(self, ring: object) -> None:
        """Take no notice: all of it is there."""

    def close(self) -> None:
        """Close the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._leave()


def _view(file: JobFile) -> dict[str, Json]:
    return {
        "name": file.name,
        "size": file.size,
        "type": file.content_type,
        "modified": iso(file.modified),
    }


def _head(file: JobFile) -> Response:
    response = Response(mimetype=file.content_type)
    base = quote(file.name.rpartition("/")[2], safe="")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{base}"
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "private, no-cache"
    response.set_etag(file.tag)
    response.last_modified = datetime.fromtimestamp(file.modified, UTC)
    return response


def _part(response: Response, file: JobFile) -> tuple[int, int]:
    """Note in the head which part of the file follows; return its first byte and its length."""
    try:
        response.make_conditional(_conditions(file), accept_ranges=True, complete_length=file.size)
    except RequestedRangeNotSatisfiable:
        headers = {"Content-Range": f"bytes */{file.size}"}
        message = f"The file has {file.size:,} bytes."
        raise Refused("bad_range", message, hint="Ask for less, or for all.", headers=headers) from None
    if response.status_code == 206:
        return response.content_range.start or 0, response.content_length or 0
    if response.status_code == 200:
        response.content_length = file.size
    return 0, file.size


def _conditions(file: JobFile) -> dict[str, Any]:
    """Return the request with what can be kept of its conditions; of the rest no notice is taken.

    Who asks for more last bytes than there are gets all: RFC 9110, section 14.1.2.
    """
    left_out = {"HTTP_IF_MATCH", "HTTP_RANGE"}
    conditions = {name: value for name, value in request.environ.items() if name not in left_out}
    wanted = request.range
    if wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1:
        first, end = wanted.ranges[0]
        conditions["HTTP_RANGE"] = Range("bytes", [(max(first, -file.size), end)]).to_header()
    return conditions
