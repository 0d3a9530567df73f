"""Cloud Storage: buckets and their objects, as its JSON interface has them; uploads of all three kinds."""

from __future__ import annotations

import base64
import email.parser
import email.policy
import hashlib
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from tests.cloud.fake_door import Content
from tests.cloud.refused import Refused

if TYPE_CHECKING:
    from tests.cloud.fake_compute import Act, Json
    from tests.cloud.fake_door import Asked

_ROUTE = re.compile(
    r"(?P<way>/upload|/download)?/storage/v1/b/(?P<bucket>[^/]+)"
    r"(?:/(?P<kind>o|iam)(?:/(?P<name>[^/]+)(?:/rewriteTo/b/(?P<to_bucket>[^/]+)/o/(?P<to>[^/]+))?)?)?"
)
_RANGE = re.compile(r"bytes (?P<start>\d+)-(?P<end>\d+)/(?P<size>\d+|\*)")
_PIECES = 256 * 1024


@dataclass(frozen=True)
class Stored:
    """An object."""

    content: bytes
    content_type: str
    generation: int


@dataclass
class Session:
    """An upload that has begun."""

    bucket: str
    name: str
    content_type: str
    size: int | None
    content: bytes = b""


class FakeStorage:
    """Its buckets by name, each with its objects by theirs."""

    def __init__(self) -> None:
        self.buckets: dict[str, dict[str, Stored]] = {}
        #: Names on one page of a list.
        self.page = 1_000
        #: The largest body of one request so far.
        self.largest = 0
        #: Of how many bytes of a piece an upload keeps hold at most.
        self.keeps = 1 << 40
        self._numbers = itertools.count(1_763_800_000_000_001)
        self._sessions: dict[str, Session] = {}

    def put(self, bucket: str, name: str, content: bytes, content_type: str = "application/json") -> None:
        """Write an object, as somebody else does; the bucket is made."""
        stored = Stored(content, content_type, next(self._numbers))
        self.buckets.setdefault(bucket, {})[name] = stored

    def read(self, bucket: str, name: str) -> Any:
        """Return the JSON of an object."""
        return json.loads(self.buckets[bucket][name].content)

    def route(self, asked: Asked) -> tuple[str, Act]:
        """Return the permission that a request takes, and what it does. Raises Refused."""
        found = _ROUTE.fullmatch(asked.path)
        if found is None or found["kind"] is None:
            raise Refused(404, "notFound", f"There is no {asked.path} here.")
        bucket, name = found["bucket"], unquote(found["name"] or "")
        if found["kind"] == "iam":
            wanted = [value for key, value in asked.pairs if key == "permissions"]
            return "storage.buckets.get", lambda _, __: {**self._bucket(bucket, {}), "permissions": wanted}
        if found["way"] == "/upload":
            return "storage.objects.create", lambda _, __: self._upload(asked, bucket)
        if found["to"]:
            to = unquote(found["to_bucket"]), unquote(found["to"])
            return "storage.objects.create", lambda query, _: self._rewrite((bucket, name), to, query)
        if asked.method == "DELETE" and name:
            return "storage.objects.delete", lambda query, _: self._delete(bucket, name, query)
        if asked.method == "GET" and name:
            return "storage.objects.get", lambda query, _: self._get(bucket, name, query)
        if asked.method == "GET":
            return "storage.objects.list", lambda query, _: self._list(bucket, query)
        raise Refused(405, "methodNotAllowed", "Not so.")

    def _bucket(self, bucket: str, answer: Json) -> Json:
        if bucket not in self.buckets:
            raise Refused(404, "notFound", "The specified bucket does not exist.")
        return {"kind": "storage#testIamPermissionsResponse", **answer}

    def _found(self, bucket: str, name: str, generation: str | None) -> Stored:
        self._bucket(bucket, {})
        stored = self.buckets[bucket].get(name)
        if stored is None or (generation is not None and int(generation) != stored.generation):
            raise Refused(404, "notFound", f"No such object: {bucket}/{name}")
        return stored

    def _get(self, bucket: str, name: str, query: dict[str, str]) -> Any:
        stored = self._found(bucket, name, query.get("generation"))
        if query.get("alt") != "media":
            return _resource(bucket, name, stored)
        digest = base64.b64encode(hashlib.md5(stored.content).digest()).decode()
        told = {"Content-Type": stored.content_type, "X-Goog-Hash": f"md5={digest}"}
        return Content(200, {**told, "X-Goog-Generation": str(stored.generation)}, stored.content)

    def _list(self, bucket: str, query: dict[str, str]) -> Json:
        self._bucket(bucket, {})
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("pageToken", "")
        names, prefixes = [], set()
        for name in sorted(self.buckets[bucket]):
            rest = name.removeprefix(prefix)
            if name.startswith(prefix) and delimiter and delimiter in rest:
                prefixes.add(f"{prefix}{rest.partition(delimiter)[0]}{delimiter}")
            elif name.startswith(prefix) and name > after:
                names.append(name)
        page = names[: min(self.page, int(query.get("maxResults", "1000")))]
        shown = _shown(query)
        items = [shown(_resource(bucket, name, self.buckets[bucket][name])) for name in page]
        more = {"nextPageToken": page[-1]} if len(page) < len(names) else {}
        return {
            "kind": "storage#objects",
            **({"items": items} if items else {}),
            **({"prefixes": sorted(prefixes)} if prefixes else {}),
            **more,
        }

    def _delete(self, bucket: str, name: str, query: dict[str, str]) -> Any:
        stored = self._found(bucket, name, query.get("generation"))
        expected = query.get("ifGenerationMatch")
        if expected is not None and int(expected) != stored.generation:
            raise Refused(412, "conditionNotMet", "At least one of the conditions did not hold.")
        del self.buckets[bucket][name]
        return Content(204, {}, b"")

    def _rewrite(self, source: tuple[str, str], to: tuple[str, str], query: dict[str, str]) -> Json:
        stored = self._found(*source, query.get("sourceGeneration"))
        self._bucket(to[0], {})
        self.put(*to, stored.content, stored.content_type)
        size = str(len(stored.content))
        return {
            "kind": "storage#rewriteResponse",
            "totalBytesRewritten": size,
            "objectSize": size,
            "done": True,
            "resource": _resource(*to, self.buckets[to[0]][to[1]]),
        }

    def _upload(self, asked: Asked, bucket: str) -> Any:
        self._bucket(bucket, {})
        self.largest = max(self.largest, len(asked.body))
        if asked.method == "PUT":
            return self._piece(asked)
        if asked.query["uploadType"] == "resumable":
            return self._begin(asked, bucket)
        if asked.query["uploadType"] == "multipart":
            told, kind, content = _parts(asked)
            name, kind = told["name"], told.get("contentType", kind)
        else:
            name, kind, content = asked.query["name"], asked.headers.get("content-type", ""), asked.body
        _must_be_a_name(name)
        self.put(bucket, name, content, kind)
        return _resource(bucket, name, self.buckets[bucket][name])

    def _begin(self, asked: Asked, bucket: str) -> Any:
        told = json.loads(asked.body or b"{}")
        size = asked.headers.get("x-upload-content-length")
        kind = asked.headers.get("x-upload-content-type", "application/octet-stream")
        name = asked.query.get("name") or told["name"]
        _must_be_a_name(name)
        number = f"session-{next(self._numbers)}"
        self._sessions[number] = Session(bucket, name, kind, None if size is None else int(size))
        where = f"http://{asked.headers['host']}/upload/storage/v1/b/{quote(bucket)}/o"
        return Content(200, {"Location": f"{where}?uploadType=resumable&upload_id={number}"}, b"")

    def _piece(self, asked: Asked) -> Any:
        session = self._sessions[asked.query["upload_id"]]
        found = _RANGE.fullmatch(asked.headers.get("content-range", ""))
        if found is None or int(found["start"]) > len(session.content):
            raise Refused(400, "invalid", "Failed to parse Content-Range header.")
        if int(found["end"]) - int(found["start"]) + 1 != len(asked.body):
            raise Refused(400, "invalid", "The Content-Range does not fit the Content-Length.")
        session.content = session.content[: int(found["start"])] + asked.body[: self.keeps]
        size = session.size if found["size"] == "*" else int(found["size"])
        if size != int(found["end"]) + 1 and len(asked.body) % _PIECES:
            raise Refused(400, "invalid", "A piece must be a multiple of 256 KiB.")
        if size is None or len(session.content) < size:
            held = {"Range": f"bytes=0-{len(session.content) - 1}"} if session.content else {}
            return Content(308, held, b"")
        self.put(session.bucket, session.name, session.content, session.content_type)
        return _resource(session.bucket, session.name, self.buckets[session.bucket][session.name])


def _must_be_a_name(name: str) -> None:
    if not 0 < len(name.encode()) <= 1024 or {"\r", "\n"} & set(name):
        raise Refused(400, "invalid", f"Invalid object name: {name!a}")


def _parts(asked: Asked) -> tuple[Json, str, bytes]:
    """Return what stands in the two parts of an upload: the object's own words, and its content."""
    head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + asked.body)
    told, content = message.iter_parts()
    body: Any = content.get_payload(decode=True)
    return json.loads(told.get_content()), content.get_content_type(), body


def _shown(query: dict[str, str]) -> Callable[[Json], Json]:
    """Return what picks the fields of an item that are asked for; all without a wish."""
    wish = re.search(r"items\(([^)]*)\)", query.get("fields", ""))
    if wish is None:
        return lambda item: item
    return lambda item: {name: item[name] for name in wish[1].split(",") if name in item}


def _resource(bucket: str, name: str, stored: Stored) -> Json:
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{stored.generation}",
        "name": name,
        "bucket": bucket,
        "generation": str(stored.generation),
        "metageneration": "1",
        "contentType": stored.content_type,
        "storageClass": "STANDARD",
        "size": str(len(stored.content)),
        "md5Hash": base64.b64encode(hashlib.md5(stored.content).digest()).decode(),
    }
