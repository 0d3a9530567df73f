"""Words in, words out: how every dialect reads a request strictly and answers in JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import IO, TYPE_CHECKING

from flask import Response, current_app, request

from api.errors import Refused
from core import strict_json
from core.errors import InvalidRequest
from core.ids import JOB_ID
from core.jobs import State
from core.submission import submission_from

if TYPE_CHECKING:
    from core.jobs import Json, Summary

_PIECE = 65_536
_WHOLE = re.compile(r"-?[0-9]+")
_MOST_DIGITS = 20  # more than any limit has
_encoded = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def read_object(example: str) -> dict[str, Json]:
    """Return the JSON object that the request carries; `example` is the valid body that hints show.

    Raises Refused for what is wrong with the transport, BadJson or InvalidRequest for what is wrong inside.
    """
    document = strict_json.parse(read_body(example))
    if not isinstance(document, dict):
        raise InvalidRequest("body", "must be a JSON object.", hint=f"Try {example}", code="must_be_object")
    return document


def read_optional_object(example: str) -> dict[str, Json]:
    """Return the JSON object that the request carries, an empty one without a body; else as read_object."""
    return read_object(example) if _has_body() else {}


def read_body(example: str) -> bytes:
    """Return the whole body of a request that says it is JSON, at most MAX_CONTENT_LENGTH bytes of it."""
    _refuse_encoded()
    length = _announced_length()
    body = b"" if length == 0 else _received(length)
    if not body.strip():
        raise Refused("empty_body", "The request has no body.", hint=f"Send JSON, such as {example}")
    return body


def kept_body() -> bytes:
    """Return the body of any request, empty without one, and leave it to be read. Raises as `read_body`."""
    body = _taken(_announced_length()) if _has_body() else b""
    request.environ["wsgi.input"] = BytesIO(body)
    return body


def allow_only(document: Mapping[str, Json], *known: str) -> None:
    """Raise InvalidRequest when the object holds a field that is not known here."""
    for name in document:
        if name not in known:
            hint = f"Known: {', '.join(known)}."
            raise InvalidRequest(name, "is not a field of this request.", hint=hint, code="unknown_field")


def allow_only_query(*known: str) -> None:
    """Raise InvalidRequest when the query holds a parameter that is not known here."""
    for name in request.args:
        if name not in known:
            hint = f"Known: {', '.join(known)}."
            raise InvalidRequest(name, "is not a parameter of this request.", hint=hint, code="unknown_field")


def query_value(name: str) -> str | None:
    """Return a query parameter, None when it is absent or empty. Raises Refused when it is given twice."""
    values = request.args.getlist(name)
    if len(values) > 1:
        raise Refused(
            "repeated_parameter", f"{name}: is given {len(values)} times.", hint=f"Give {name} once."
        )
    return values[0] or None if values else None


def query_given(name: str) -> str | None:
    """Return a query parameter as given, perhaps empty, None when it is absent; else as query_value."""
    return (query_value(name) or "") if name in request.args else None


def query_number(name: str, *, most: float) -> float:
    """Return a query parameter as a number from 0 to `most`, 0 when it is absent."""
    text = query_value(name)
    if text is None:
        return 0.0
    try:
        number = float(text)
    except ValueError:
        raise InvalidRequest(name, "must be a number.", code="wrong_type") from None
    if not 0 <= number <= most:
        raise InvalidRequest(name, f"must be from 0 to {most:g}.", code="out_of_range")
    return number


def query_whole(name: str, *, least: int = 0, most: int, default: int) -> int:
    """Return a query parameter as a whole number from `least` to `most`, `default` when it is absent."""
    text = query_given(name)
    if text is None:
        return default
    if not _WHOLE.fullmatch(text):
        raise InvalidRequest(name, "must be a whole number.", code="wrong_type")
    number = int(text) if len(text) <= _MOST_DIGITS else most + 1
    if not least <= number <= most:
        raise InvalidRequest(name, f"must be from {least} to {most:,}.", code="out_of_range")
    return number


def query_choice(name: str, choices: Collection[str]) -> str | None:
    """Return a query parameter that is one of the choices, None when it is absent. Raises InvalidRequest."""
    given = query_given(name)
    if given is not None and given not in choices:
        raise InvalidRequest(name, f"must be one of {', '.join(choices)}.", code="out_of_range")
    return given


def job_id_from(given: Json, *, field: str = "job_id") -> str:
    """Return a job id in its one spelling; upper case is folded. Raises Refused for all that is no job id."""
    if isinstance(given, str) and JOB_ID.fullmatch(folded := given.lower()):
        return folded
    hint = "Use the job_id exactly as POST /inbound answered it."
    raise Refused("bad_job_id", f"{field}: this is not a job id.", hint=hint)


def batch_from(given: Json) -> str:
    """Return the name of a batch, checked as a submission's is. Raises InvalidRequest."""
    return submission_from({"action": "", "batch": given}, now=0.0).batch or ""


def idempotency_key_from(given: Json) -> str | None:
    """Return an idempotency key, checked as a submission's is. Raises InvalidRequest."""
    return submission_from({"action": "", "idempotency_key": given}, now=0.0).idempotency_key


def answer(body: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response, keys in the order in which they were put.

    Half a character, which UTF-8 cannot carry, is written as JSON's own escape.
    """
    data = _encoded(body).encode("utf-8", "backslashreplace") + b"\n"
    return Response(data, status, headers, mimetype="application/json")


def viewed(version: int | None, body: Callable[[], Json]) -> Response:
    """Return the view of a job at that version, or 304 without a body when the client has it already.

    A view without a version bears no ETag: it may be another one the next time.
    """
    if version is None:
        return answer(body())
    tag = str(version)
    # Tags without quotes, as older clients send them, are read too.
    unchanged = request.if_none_match.contains_weak(tag)
    response = Response(status=304, mimetype="application/json") if unchanged else answer(body())
    response.set_etag(tag)
    return response


def version_with_worker(job: Summary) -> int | None:
    """Return the version of a view that shows the worker; None while who has claimed the job is not said yet.

    An engine may tell that a job runs a moment before it tells who runs it, both under one version.
    """
    return None if job.state is State.RUNNING and job.worker is None else job.version


def iso(at: float | None) -> str | None:
    """Return Unix seconds as an ISO 8601 time in UTC."""
    return None if at is None else datetime.fromtimestamp(at, UTC).isoformat()


def _has_body() -> bool:
    chunked = "chunked" in request.environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    return chunked or bool(request.content_length)


def _refuse_encoded() -> None:
    encoding: str = request.environ.get("HTTP_CONTENT_ENCODING", "identity")
    if encoding.lower() != "identity":
        raise Refused(
            "content_encoding_not_supported",
            f"The body is encoded as {encoding!r}.",
            hint="Send it as it is, without Content-Encoding.",
        )


def _announced_length() -> int | None:
    """Return the Content-Length, None for a chunked body.

    Only a server that frames bodies itself can tell a missing length from none: others leave out a zero.
    """
    framed = request.environ.get("wsgi.input_terminated", False)
    if framed and "chunked" in request.environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        return None
    if framed and request.content_length is None:
        hint = "Send one, 0 for no body, or a chunked body."
        raise Refused("length_required", "The request has no Content-Length.", hint=hint)
    return request.content_length or 0


def _received(length: int | None) -> bytes:
    _refuse_other_types()
    return _taken(length)


def _taken(length: int | None) -> bytes:
    limit: int = current_app.config["MAX_CONTENT_LENGTH"]
    body = b"" if length is not None and length > limit else _read(limit + 1 if length is None else length)
    if max(length or 0, len(body)) > limit:
        hint = "Send less, or in several requests."
        raise Refused("body_too_large", f"The body is longer than {limit:,} bytes.", hint=hint)
    if length is not None and len(body) < length:
        raise Refused(
            "truncated_body",
            f"{length:,} bytes were announced and {len(body):,} arrived.",
            hint="Nothing was queued: send the request again.",
        )
    return body


def _refuse_other_types() -> None:
    if request.mimetype != "application/json":
        raise Refused(
            "not_json_type",
            f"The Content-Type is {request.mimetype or 'missing'}, not application/json.",
            hint="Send Content-Type: application/json. Apps Script's UrlFetchApp sends a form unless told"
            " contentType: 'application/json' and payload: JSON.stringify(…).",
        )


def _read(wanted: int) -> bytes:
    stream: IO[bytes] = request.environ["wsgi.input"]
    pieces: list[bytes] = []
    try:
        while wanted > 0 and (piece := stream.read(min(wanted, _PIECE))):
            pieces.append(piece)
            wanted -= len(piece)
    except Exception as error:  # noqa: BLE001  Broken chunks and lost connections: each server has its own classes.
        raise Refused(
            "truncated_body", f"The body did not arrive whole: {error}", hint="Send it again."
        ) from None
    return b"".join(pieces)
