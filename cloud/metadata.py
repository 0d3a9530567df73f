"""The metadata server of a Google machine: where it is, its token, and whether it is being preempted."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from cloud.http import Answer, Request, ask
from core.strict_json import BadJson, parse

#: Its address rather than its name: a machine whose names cannot be resolved still finds it.
ADDRESS = "http://169.254.169.254"
_FLAVOR = {"Metadata-Flavor": "Google"}
_NAME = re.compile(r"[a-z0-9.:_-]{1,100}")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]{1,100}@[A-Za-z0-9.-]{1,200}")
_TOKEN = re.compile(r"[!-~]{1,8192}")


class NoMetadata(Exception):
    """The metadata server is not there, or does not tell what was asked; the message is one sentence."""


class NotThere(NoMetadata):
    """The metadata server has no such entry."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the machine is, in Google's words."""

    project: str
    zone: str
    #: The name of the instance.
    instance: str

    @property
    def region(self) -> str:
        """The region of the zone: `us-central1` of `us-central1-a`."""
        return self.zone.rpartition("-")[0]


@dataclass(frozen=True, slots=True)
class Account:
    """The machine's service account."""

    email: str
    #: Proves for an hour at most that the machine is who it is. A secret.
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Preempted:
    """Whether the machine is being taken away, and what to ask with for the next change."""

    yes: bool
    etag: str


@dataclass(frozen=True, slots=True)
class MetadataServer:
    """Asks the metadata server. Every method raises NoMetadata."""

    address: str = ADDRESS
    #: Seconds that each answer may take.
    limit: float = 3.0

    def place(self) -> Place:
        """Return where the machine is."""
        zone = self._read("instance/zone").rpartition("/")[2]
        names = (self._read("project/project-id"), zone, self._read("instance/name"))
        for name in names:
            if not _NAME.fullmatch(name):
                raise NoMetadata(f"The metadata server tells an odd name: {name[:100]!r}.")
        return Place(*names)

    def account(self) -> Account:
        """Return the service account; NotThere when the machine has none."""
        email = self._read("instance/service-accounts/default/email")
        document = self._ask("instance/service-accounts/default/token", self.limit).body
        try:
            token = parse(document)["access_token"]
        except (BadJson, KeyError, TypeError):
            token = ""
        # What is not shown here is a token too, or nearly one.
        if not isinstance(token, str) or not _TOKEN.fullmatch(token) or not _EMAIL.fullmatch(email):
            raise NoMetadata("The metadata server gives no token for the machine's service account.")
        return Account(email, token)

    def preempted(self, *, since: Preempted | None = None, wait: int = 60) -> Preempted:
        """Return whether the machine is being preempted; wait for a change `since` for that many seconds."""
        change = f"?wait_for_change=true&last_etag={since.etag}&timeout_sec={wait}" if since else ""
        answer = self._ask(f"instance/preempted{change}", self.limit + (wait if since else 0))
        etag = answer.headers.get("etag", "0")
        return Preempted(_text(answer) == "TRUE", etag if _NAME.fullmatch(etag) else "0")

    def _read(self, entry: str) -> str:
        return _text(self._ask(entry, self.limit))

    def _ask(self, entry: str, seconds: float) -> Answer:
        url = f"{self.address}/computeMetadata/v1/{entry}"
        try:
            answer = ask(Request("GET", url, _FLAVOR), seconds=seconds)
        except OSError as error:
            raise NoMetadata(f"There is no metadata server here: {error.strerror or error}.") from None
        # Other clouds have something at this address too; what does not say that it is Google's is not.
        if answer.headers.get("metadata-flavor") != "Google":
            raise NoMetadata("There is no metadata server of Google here: something else answers.")
        if answer.status == 404:
            raise NotThere(f"The metadata server has no {entry.partition('?')[0]}.")
        if answer.status != 200:
            raise NoMetadata(f"The metadata server answers with status {answer.status}.")
        return answer


def _text(answer: Answer) -> str:
    return answer.body.decode("utf-8", "replace").strip()
