"""What /docs and /openapi.json say of the files of jobs."""

from __future__ import annotations

from api.jobs_schemas import LOOKING, THE_JOB, WHOLE
from api.openapi import Answer, Operation, Parameter
from api.schemas import TEXT, TIME_OR_NULL, shape

_TAG = "jobs"
_FILE = {
    "name": "page.txt",
    "size": 12_345,
    "type": "text/plain",
    "modified": "2026-01-01T12:00:03+00:00",
}

FIND = Operation(
    summary="The files that a job has made",
    tag=_TAG,
    description="At most 1,000; `more` says whether there are others. Links are neither followed nor listed.",
    parameters=[THE_JOB],
    answers={
        200: Answer(
            "The files, by name.",
            shape(
                "files more",
                files={
                    "type": "array",
                    "items": shape(
                        "name size type modified", name=TEXT, size=WHOLE, type=TEXT, modified=TIME_OR_NULL
                    ),
                },
                more={"type": "boolean"},
            ),
            {"one": {"files": [_FILE], "more": False}},
        )
    },
    errors=LOOKING,
)
ONE = Operation(
    summary="A file that a job has made",
    tag=_TAG,
    description="To be saved, not shown: whatever could run in a browser comes as plain bytes. A part of it"
    " is sent when `Range` asks for one; the answer bears an ETag.",
    parameters=[
        THE_JOB,
        Parameter(
            name="name",
            place="path",
            description="Its name, as the list tells it; may hold slashes.",
            schema={"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
            required=True,
            example="page.txt",
        ),
        Parameter(
            name="Range",
            place="header",
            description="The part that is wanted, such as `bytes=0-1023`.",
            schema={"type": "string", "pattern": "^bytes=[0-9]{1,9}-[0-9]{0,9}$"},
        ),
    ],
    answers={
        200: Answer(
            "The file.", {"type": "string"}, {"text": "Hello"}, content_type="application/octet-stream"
        ),
        206: Answer(
            "The part of it.", {"type": "string"}, {"text": "Hel"}, content_type="application/octet-stream"
        ),
    },
    errors=[*LOOKING, "unknown_file", "bad_range", "too_many_streams"],
)
