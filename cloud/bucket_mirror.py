"""A mirror that is a bucket of Google Cloud Storage, asked by its JSON interface in the machine's name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote, urlencode

from cloud.google_api import Google, Machine, Reply
from cloud.google_refusal import GoogleFailed, Grant
from cloud.http import Answer, Request
from cloud.uploads import LONGEST_WAIT, upload
from core.mirror import INBOX, REFUSED, Left, MirrorFailed

#: The least of Google's own roles that holds what it takes.
ROLE = "roles/storage.objectUser"
_PERMISSIONS = tuple(f"storage.objects.{verb}" for verb in ("create", "delete", "get", "list"))
#: Names have up to 1,024 bytes, and so a page no more than cloud.http reads of an answer.
_LISTED = {"delimiter": "/", "maxResults": "500", "fields": "items(name,size,generation),nextPageToken"}
_GONE = {404, 412}  # of an object that is no more, or no more the one that was listed

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class BucketGrant(Grant):
    """What a service account must be allowed in a bucket."""

    bucket: str

    def command(self, project: str, email: str) -> str:
        """Return what an owner of the bucket types to grant it."""
        return (
            f"gcloud storage buckets add-iam-policy-binding gs://{self.bucket} --project={project}"
            f" --member=serviceAccount:{email} --role={self.role}"
        )


class BucketMirror:
    """Keep a mirror below a prefix of a bucket. For one thread."""

    #: A look is charged for as ten thousandth of five cents.
    interval = 60.0

    def __init__(self, google: Google, bucket: str, prefix: str) -> None:
        self._google = google
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._grant = BucketGrant(ROLE, _PERMISSIONS, bucket)
        self._known: Machine | None = None

    @property
    def name(self) -> str:
        """What the setting calls it."""
        return f"gs://{self._bucket}/{self._prefix}".rstrip("/")

    def check(self) -> str | None:
        """Return a sentence when the bucket is not there, or the machine may not do all that it takes."""
        permissions = urlencode([("permissions", one) for one in _PERMISSIONS])
        try:
            held = self._asked(f"{self._url}/iam/testPermissions?{permissions}").listed("permissions")
            account, place = self._machine().account, self._machine().place
        except (MirrorFailed, GoogleFailed) as error:
            return str(error)
        missing = sorted(set(_PERMISSIONS).difference(held))
        if not missing:
            return None
        grant = self._grant.command(place.project, account.email)
        return f"{self.name}: {account.email} lacks {' and '.join(missing)}. Grant it: {grant}"

    def put(self, path: str, source: BinaryIO, *, size: int, content_type: str) -> None:
        """Write an object. Raises MirrorFailed."""
        query = urlencode({"name": f"{self._prefix}{path}"})
        url = f"{self._google.storage}/upload/storage/v1/b/{quote(self._bucket)}/o?{query}"

        def send(machine: Machine) -> None:
            source.seek(0)
            upload(machine, url, source, size=size, content_type=content_type, grant=self._grant)

        self._do(send)

    def names(self, folder: str) -> list[str]:
        """Return the names of the objects in a folder. Raises MirrorFailed."""
        return [name for name, _ in self._listed(folder)]

    def left(self) -> list[Left]:
        """Return what lies in the mailbox, by name. Raises MirrorFailed."""
        return [
            Left(name=name, size=int(item.get("size", 0)), tag=str(item.get("generation", "")))
            for name, item in sorted(self._listed(INBOX), key=lambda found: found[0])
        ]

    def get(self, left: Left) -> bytes | None:
        """Return what lies in the mailbox; None when it has gone. Raises MirrorFailed."""
        query = {"alt": "media", "generation": left.tag}
        answer = self._send("GET", self._object(INBOX, left.name, query), also=_GONE)
        return None if answer.status in _GONE else answer.body

    def remove(self, left: Left) -> None:
        """Remove something from the mailbox, unless it has changed. Raises MirrorFailed."""
        self._send("DELETE", self._object(INBOX, left.name, {"ifGenerationMatch": left.tag}), also=_GONE)

    def put_aside(self, left: Left) -> None:
        """Move something to the folder of what was refused, without reading it. Raises MirrorFailed."""
        to = f"b/{quote(self._bucket)}/o/{self._quoted(REFUSED, left.name)}"
        query = urlencode({"sourceGeneration": left.tag})
        url = f"{self._object(INBOX, left.name, {})}/rewriteTo/{to}?{query}"
        # Within one bucket nothing is copied in truth, so it is done at once, whatever the size.
        if self._send("POST", url, also=_GONE).status not in _GONE:
            self.remove(left)

    def _listed(self, folder: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        prefix, page = f"{self._prefix}{folder}/", ""
        while True:
            query = {**_LISTED, "prefix": prefix, **({"pageToken": page} if page else {})}
            document = self._asked(f"{self._url}/o?{urlencode(query)}").document
            for item in document.get("items", ()):
                # Consoles put an object of no name where they show a folder.
                if name := str(item.get("name", "")).removeprefix(prefix):
                    yield name, item
            page = str(document.get("nextPageToken", ""))
            if not page:
                return

    def _asked(self, url: str) -> Reply:
        return self._do(lambda machine: machine.ask("GET", url, grant=self._grant))

    def _send(self, method: str, url: str, *, also: set[int]) -> Answer:
        request = Request(method, url)
        return self._do(
            lambda machine: machine.send(request, grant=self._grant, limit=LONGEST_WAIT, also=also)
        )

    def _do(self, ask: Callable[[Machine], _T]) -> _T:
        """Ask, and once more with a new token when the old one has run out. Raises MirrorFailed."""
        try:
            try:
                return ask(self._machine())
            except GoogleFailed as error:
                if error.status != 401:
                    raise
                self._known = None
                return ask(self._machine())
        except GoogleFailed as error:
            raise MirrorFailed(f"{self.name}: {error}") from None

    def _machine(self) -> Machine:
        self._known = self._known or self._google.this_machine()
        return self._known

    @property
    def _url(self) -> str:
        return f"{self._google.storage}/storage/v1/b/{quote(self._bucket)}"

    def _object(self, folder: str, name: str, query: Mapping[str, str]) -> str:
        return f"{self._url}/o/{self._quoted(folder, name)}?{urlencode(query)}".rstrip("?")

    def _quoted(self, folder: str, name: str) -> str:
        return quote(f"{self._prefix}{folder}/{name}", safe="")
