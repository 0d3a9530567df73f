"""Who a client is to Google: the credentials that Google's own tools use on this computer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from client.errors import NotStarted

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

#: As gcloud has it: an access token that somebody else has asked for.
ACCESS_TOKEN = "CLOUDSDK_AUTH_ACCESS_TOKEN"  # noqa: S105  The name of a variable.
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
INSTALL = "Install it beside the client: pip install --require-hashes -r requirements-client.txt"


def login() -> Credentials:
    """Return credentials that hold for now. Raises NotStarted with what to type."""
    try:
        import google.auth  # noqa: PLC0415  Only who speaks to Google waits a third of a second for it.
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.auth.transport.requests import Request  # noqa: PLC0415
        from google.oauth2.credentials import Credentials as Granted  # noqa: PLC0415
    except ImportError as error:
        told = f"Google's library is not installed ({error.name})."
        raise NotStarted(told, hint=INSTALL) from None
    if token := os.environ.get(ACCESS_TOKEN):
        return Granted(token=token)  # type: ignore[no-untyped-call]
    try:
        credentials, _ = google.auth.default(scopes=[SCOPE])
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except GoogleAuthError as error:
        told = f"Google does not know who asks: {_first_line(error)}"
        raise NotStarted(told, hint="Log in: gcloud auth application-default login") from None
    return credentials


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
