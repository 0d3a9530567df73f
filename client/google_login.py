"""Who a client is to Google: the credentials that Google's own tools use on this computer."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from client.errors import AskAgain, NotStarted

if TYPE_CHECKING:
    from google.auth.credentials import Credentials

#: As gcloud has it: an access token that somebody else has asked for.
ACCESS_TOKEN = "CLOUDSDK_AUTH_ACCESS_TOKEN"  # noqa: S105  The name of a variable.
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
INSTALL = "Install it beside the client: .venv/bin/pip install --require-hashes -r requirements-client.txt"


def login() -> Credentials:
    """Return the credentials of this computer, or the token that was handed over. Raises NotStarted."""
    try:
        import google.auth  # noqa: PLC0415  Only who speaks to Google waits a third of a second for it.
        from google.auth.exceptions import GoogleAuthError  # noqa: PLC0415
        from google.oauth2.credentials import Credentials as Granted  # noqa: PLC0415
    except ImportError as error:
        told = f"Google's library is not installed ({error.name})."
        raise NotStarted(told, hint=INSTALL) from None
    if token := os.environ.get(ACCESS_TOKEN):
        return Granted(token=token)  # type: ignore[no-untyped-call]
    try:
        credentials: Credentials = google.auth.default(scopes=[SCOPE])[0]
    except GoogleAuthError as error:
        raise _unknown(error) from None
    token_of(credentials)
    return credentials


def token_of(credentials: Credentials) -> str:
    """Return a token that holds for now: another one when the last is over, mostly after an hour.

    Raises NotStarted with what to type; AskAgain when Google could not be reached.
    """
    if credentials.valid:
        return str(credentials.token)
    from google.auth.exceptions import GoogleAuthError, TransportError  # noqa: PLC0415
    from google.auth.transport.requests import Request  # noqa: PLC0415

    try:
        credentials.refresh(Request())  # type: ignore[no-untyped-call]
    except TransportError as error:
        raise AskAgain(f"Google could not be asked for a token: {_first_line(error)}") from None
    except GoogleAuthError as error:
        raise _unknown(error) from None
    return str(credentials.token)


def _unknown(error: Exception) -> NotStarted:
    told = f"Google does not know who asks: {_first_line(error)}"
    return NotStarted(told, hint="Log in: gcloud auth application-default login")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
