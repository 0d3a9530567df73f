"""What Google refuses, in plain words with the remedy: a missing right, a quota, a scope, a service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloud.http import Answer
from cloud.metadata import Account, Place
from core.strict_json import BadJson, parse

_LONGEST_SAYING = 300
_QUOTA = {"rateLimitExceeded", "quotaExceeded", "userRateLimitExceeded", "RATE_LIMIT_EXCEEDED"}
_SCOPES = {"ACCESS_TOKEN_SCOPE_INSUFFICIENT", "insufficientPermissions"}
_DISABLED = {"SERVICE_DISABLED", "accessNotConfigured"}


class GoogleFailed(Exception):
    """Google refused what was asked, or could not be asked; as text, one sentence and the remedy."""

    def __init__(self, message: str, *, hint: str = "", status: int = 0) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint
        #: The answer's HTTP status; 0 when there was no answer.
        self.status = status


@dataclass(frozen=True, slots=True)
class Grant:
    """What a service account must be allowed, and a role to hold it."""

    role: str
    permissions: tuple[str, ...]

    def command(self, project: str, email: str) -> str:
        """Return what an owner of the project types to grant it."""
        return (
            f"gcloud iam roles create {self.role} --project={project}"
            f" --permissions={','.join(self.permissions)} && gcloud projects add-iam-policy-binding {project}"
            f" --member=serviceAccount:{email} --role=projects/{project}/roles/{self.role}"
        )


def refusal(answer: Answer, host: str, place: Place, account: Account, grant: Grant) -> GoogleFailed:
    """Return the error for an answer that is no success; `grant` is what it takes to be answered."""
    said, reasons = _said(answer)
    message = f"{host} refused with status {answer.status}" + (f": {said}" if said else ".")
    if answer.status == 429 or reasons & _QUOTA:
        hint = "A quota is used up for now: it is tried again later; raise the quota if this lasts."
    elif answer.status == 401:
        hint = (
            f"Look whether {account.email} is enabled: gcloud iam service-accounts describe {account.email}"
        )
    elif reasons & _SCOPES:
        hint = (
            "The machine's access scopes are too narrow; while it is off: gcloud compute instances"
            f" set-service-account {place.instance} --project={place.project} --zone={place.zone}"
            f" --service-account={account.email} --scopes=cloud-platform"
        )
    elif reasons & _DISABLED:
        hint = f"Enable it: gcloud services enable {host} --project={place.project}"
    elif answer.status == 403:
        hint = f"Grant it to {account.email}: {grant.command(place.project, account.email)}"
    else:
        hint = ""
    return GoogleFailed(message, hint=hint, status=answer.status)


def failure_of(operation: Mapping[str, Any]) -> str:
    """Return why an operation of Compute Engine failed, in Google's words; empty while it has not."""
    if not operation.get("error"):
        return ""
    try:
        errors = operation["error"]["errors"]
        return _cut("; ".join(f"{one['code']}: {one.get('message', '')}" for one in errors))
    except (KeyError, TypeError, AttributeError):
        return _cut(str(operation["error"]))


def _said(answer: Answer) -> tuple[str, set[str]]:
    """Return Google's own sentence and its reasons for programs; nothing of what is no answer of Google's."""
    try:
        error = parse(answer.body)["error"]
        listed = (*error.get("errors", ()), *error.get("details", ()))
        return _cut(str(error.get("message", ""))), {str(one["reason"]) for one in listed if "reason" in one}
    except (BadJson, KeyError, TypeError, AttributeError):
        return "", set()


def _cut(text: str) -> str:
    return " ".join(text.split())[:_LONGEST_SAYING]
