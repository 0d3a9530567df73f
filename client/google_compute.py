"""Machines of Google's Compute Engine: looked at by one REST request, started by Google's own library.

To import the library takes 2.5 s and 158 MiB, so it is loaded when a machine must be started and never else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from client.errors import NotStarted
from client.google_login import INSTALL, login, token_of
from client.google_refusals import Where, failed_operation, refused_call, refused_look, unanswered
from client.instances import Instance
from cloud.http import Answer, Request, ask

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

#: Google answers a wait when the operation is done, and after two minutes at the latest.
_MOST_WAITS = 5
ADDRESS = "https://compute.googleapis.com"


@dataclass(frozen=True)
class GoogleCompute:
    """The instances of one name in one project."""

    project: str
    instance: str
    #: Where Compute Engine is asked; elsewhere only in tests.
    url: str = ADDRESS
    #: Seconds that an answer may take; and an operation, such as a start.
    limit: float = 20.0
    operation_limit: float = 180.0
    #: Whether the machine is reached by its address inside the network, from another machine of it.
    internal: bool = False
    given: Credentials | None = field(default=None, repr=False)

    def look(self, zone: str) -> Instance:
        """Return the machine in that zone as it is now. Raises NotStarted."""
        parts = (self.project, "zones", zone, "instances", self.instance)
        path = "/".join(quote(part, safe=":") for part in parts)
        headers = {"Authorization": f"Bearer {token_of(self._credentials)}"}
        request = Request("GET", f"{self.url}/compute/v1/projects/{path}", headers)
        try:
            answer = ask(request, seconds=self.limit)
        except OSError as error:
            raise unanswered(error) from None
        if answer.status >= 300:
            raise refused_look(answer, self._where(zone))
        return _instance(zone, _document(answer), internal=self.internal)

    def bring_up(self, zone: str, verb: str, request_id: str) -> None:
        """Start or resume the machine through Google's library. Raises OutOfStock, or NotStarted."""
        try:
            from google.api_core import exceptions  # noqa: PLC0415  See above.
            from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415
            from google.cloud import compute_v1  # noqa: PLC0415
        except ImportError as error:
            told = f"Google's library is not installed ({error.name})."
            raise NotStarted(told, hint=INSTALL) from None
        options: dict[str, Any] = {
            "transport": "rest",
            "credentials": self._credentials,
            "client_options": {"api_endpoint": self.url},
        }
        asked = {"project": self.project, "zone": zone, "instance": self.instance, "request_id": request_id}
        try:
            call = getattr(compute_v1.InstancesClient(**options), f"{verb}_unary")
            operation = call(request=asked, timeout=self.limit)
            done = self._awaited(compute_v1.ZoneOperationsClient(**options), zone, operation)
        except (OSError, TransportError) as error:
            raise unanswered(error) from None
        except (exceptions.GoogleAPICallError, GoogleAuthError) as error:
            if isinstance(error, exceptions.Forbidden) and "zoneOperations" in str(error):
                return  # Who may start, and not look at operations, sees by the machine what became of it.
            raise refused_call(error, self._where(zone), verb) from None
        if done.error.errors:
            raise failed_operation(done.error.errors, self._where(zone), verb)

    def _awaited(self, operations: Any, zone: str, operation: Any) -> Any:
        """Return the operation when it is done, or after some minutes as it is then.

        `start().result()` of the library would ask Google's own address, whatever it was told.
        """
        where = {"project": self.project, "zone": zone, "operation": operation.name}
        for _ in range(_MOST_WAITS):
            if operation.status.name == "DONE":
                break
            operation = operations.wait(**where, timeout=self.operation_limit)
        return operation

    def _where(self, zone: str) -> Where:
        return Where(self.project, zone, self.instance)

    @cached_property
    def _credentials(self) -> Credentials:
        return self.given or login()


def _document(answer: Answer) -> dict[str, Any]:
    try:
        document = json.loads(answer.body)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise NotStarted("Compute Engine answered with what is no JSON object.")
    return document


def _instance(zone: str, document: dict[str, Any], *, internal: bool) -> Instance:
    status = str(document.get("status", "UNKNOWN"))
    for interface in document.get("networkInterfaces") or ():
        external = [one.get("natIP") for one in interface.get("accessConfigs") or ()]
        for address in [interface.get("networkIP")] if internal else external:
            if address:
                return Instance(zone, status, str(address))
    return Instance(zone, status)
