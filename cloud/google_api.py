"""Google's REST interfaces, asked in the machine's own name.

Without Google's libraries: to import those takes 2.5 s and 158 MiB, and a server that asks for little more
than to stop its own machine does well without.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import Any, Self
from urllib.parse import quote, urlsplit

from cloud import metadata
from cloud.google_refusal import GoogleFailed, Grant, refusal
from cloud.http import Answer, Request, ask
from cloud.metadata import Account, MetadataServer, NoMetadata, NotThere, Place
from core.strict_json import BadJson, parse

_JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Reply:
    """What Google said."""

    document: Mapping[str, Any]
    #: What time it is there, in Unix seconds; None when it does not tell.
    now: float | None

    def part(self, name: str) -> Mapping[str, Any]:
        """Return the object of that name; an empty one when there is none."""
        found = self.document.get(name)
        return found if isinstance(found, dict) else {}

    def listed(self, name: str) -> list[str]:
        """Return the texts in the list of that name; an empty one when there is none."""
        found = self.document.get(name)
        return [str(one) for one in found] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Google:
    """Where Google's services are asked, and how long each answer may take, in seconds."""

    metadata: str = metadata.ADDRESS
    compute: str = "https://compute.googleapis.com"
    scheduler: str = "https://cloudscheduler.googleapis.com"
    storage: str = "https://storage.googleapis.com"
    limit: float = 10.0

    @classmethod
    def at(cls, address: str, *, limit: float = 10.0) -> Self:
        """Return all of them at one address; each at its own for the empty text."""
        return cls(address, address, address, address, limit) if address else cls(limit=limit)

    def metadata_server(self) -> MetadataServer:
        """Return the metadata server, which is near and answers sooner."""
        return MetadataServer(self.metadata, limit=min(3.0, self.limit))

    def this_machine(self) -> Machine:
        """Return the machine as its metadata server knows it. Raises GoogleFailed."""
        server = self.metadata_server()
        try:
            return Machine(self, server.place(), server.account())
        except NotThere as error:
            hint = "Give it one while it is off: gcloud compute instances set-service-account."
            raise GoogleFailed(f"The machine has no service account. {error}", hint=hint) from None
        except NoMetadata as error:
            hint = "This works on machines of Google's Compute Engine only."
            raise GoogleFailed(str(error), hint=hint) from None


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine that we are on. It may ask Google for as long as its token holds: for one errand."""

    google: Google
    place: Place
    account: Account

    @property
    def instance(self) -> str:
        """The URL of the instance."""
        return f"{self._project}/zones/{self.place.zone}/instances/{self.place.instance}"

    @property
    def region(self) -> str:
        """The URL of its region."""
        return f"{self._project}/regions/{self.place.region}"

    @property
    def _project(self) -> str:
        return f"{self.google.compute}/compute/v1/projects/{quote(self.place.project, safe=':')}"

    def ask(
        self,
        method: str,
        url: str,
        body: Mapping[str, Any] | None = None,
        *,
        grant: Grant,
        limit: float | None = None,
    ) -> Reply:
        """Ask, and once more when Google hangs up or fails: so ask only what may be asked twice.

        `grant` is what it takes to be answered; the answer may take `limit` seconds. Raises GoogleFailed.
        """
        content = None if body is None else json.dumps(body).encode()
        answer = self.send(Request(method, url, _JSON, content), grant=grant, limit=limit)
        return Reply(_document(answer, urlsplit(url).netloc), _date(answer))

    def send(
        self, request: Request, *, grant: Grant, limit: float | None = None, also: Collection[int] = ()
    ) -> Answer:
        """Send what is no JSON, or wants an answer that is none; else as `ask`.

        `also` are statuses that are no refusals, beside those of success.
        """
        host = urlsplit(request.url).netloc
        headers = {**request.headers, "Authorization": f"Bearer {self.account.token}"}
        try:
            answer = _asked_twice(replace(request, headers=headers), limit or self.google.limit)
        except OSError as error:
            hint = "To reach it takes an external address, Cloud NAT or Private Google Access."
            told = error.strerror or str(error)
            raise GoogleFailed(f"{host} could not be asked: {told}.", hint=hint) from None
        if answer.status >= 300 and answer.status not in also:
            raise refusal(answer, host, self.place, self.account, grant)
        return answer

    def lacks(self, grant: Grant, resource: str) -> str | None:
        """Return a sentence with the remedy when a permission on a resource is missing.

        Raises GoogleFailed.
        """
        wanted = {"permissions": list(grant.permissions)}
        held = self.ask("POST", f"{resource}/testIamPermissions", wanted, grant=grant)
        missing = set(grant.permissions).difference(held.listed("permissions"))
        if not missing:
            return None
        email = self.account.email
        command = grant.command(self.place.project, email)
        return f"{email} lacks {' and '.join(sorted(missing))}. Grant it: {command}"


def _asked_twice(request: Request, limit: float) -> Answer:
    """Return the answer to the second try if the first one was cut off, or was an error of the server's."""
    try:
        answer = ask(request, seconds=limit)
    except TimeoutError:
        # Who has waited that long in vain need not wait as long again.
        raise
    except OSError:
        return ask(request, seconds=limit)
    return ask(request, seconds=limit) if answer.status >= 500 else answer


def _document(answer: Answer, host: str) -> Mapping[str, Any]:
    try:
        document = parse(answer.body or b"{}")
    except BadJson:
        document = None
    if not isinstance(document, dict):
        raise GoogleFailed(f"{host} answered with status {answer.status} and what is no JSON object.")
    return document


def _date(answer: Answer) -> float | None:
    try:
        return parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return None
