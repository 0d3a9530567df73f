"""What Google refuses a client, in plain words with the remedy: no machine, no right, no quota, no stock."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from client.errors import AskAgain, NotStarted, OutOfStock
from cloud.http import Answer

_LONGEST_SAYING = 300
_STOCK = ("RESOURCE_POOL_EXHAUSTED", "STOCKOUT", "does not have enough resources")
_RATE = ("rateLimitExceeded", "RATE_LIMIT_EXCEEDED")
_QUOTA = ("QUOTA_EXCEEDED", "quotaExceeded", "Quota '")
_NOT_READY = ("resourceNotReady", "is not ready", "resourceInUseByAnotherResource")
#: What Google's library puts before Google's sentence.
_REQUEST = re.compile(r"^[A-Z]+ https?://\S+: ")
_PERMISSION = re.compile(r"compute\.[A-Za-z]+\.[A-Za-z]+")
_DISABLED = ("SERVICE_DISABLED", "accessNotConfigured")


@dataclass(frozen=True, slots=True)
class Where:
    """The machine that was asked for."""

    project: str
    zone: str
    instance: str

    def __str__(self) -> str:
        return f"{self.instance} in {self.zone} of {self.project}"


def refused_look(answer: Answer, where: Where) -> NotStarted:
    """Return the error for an answer of Compute Engine's that is no success."""
    return _refusal(answer.status, *_said(answer.body), where, "compute.instances.get")


def refused_call(error: Exception, where: Where, verb: str) -> NotStarted:
    """Return the error for what Google's library raised when the machine was to be started."""
    status = int(getattr(error, "code", 0) or 0)
    told = _REQUEST.sub("", str(getattr(error, "message", error)))
    reasons = str([*getattr(error, "errors", ()), *getattr(error, "details", ())])
    return _refusal(status, told, reasons, where, f"compute.instances.{verb}")


def failed_operation(errors: Iterable[Any], where: Where, verb: str) -> NotStarted:
    """Return the error for a start that Google has begun and given up."""
    told = "; ".join(f"{one.code}: {one.message}" for one in errors)
    return _refusal(0, told, "", where, f"compute.instances.{verb}")


def unanswered(error: Exception) -> NotStarted:
    """Return the error for when Google could not be reached, or broke off."""
    why = getattr(error, "strerror", None) or str(error).strip().partition("\n")[0] or type(error).__name__
    return AskAgain(f"Compute Engine could not be asked: {why}")


def _refusal(status: int, told: str, reasons: str, where: Where, permission: str) -> NotStarted:
    """Return the error for what Google has told people, and what it gives programs as reasons."""
    said, told = f"{told} {reasons}", " ".join(told.split())[:_LONGEST_SAYING]
    if any(word in said for word in _STOCK):
        hint = "Other zones may have one: name them in the settings, with a machine of that name in each."
        return OutOfStock(f"Google has none to spare of the kind of {where}: {told}", hint=hint)
    if any(word in said for word in _QUOTA):
        hint = f"Ask for more: https://console.cloud.google.com/iam-admin/quotas?project={where.project}"
        return NotStarted(f"A quota of {where.project} is used up: {told}", hint=hint)
    if any(word in said for word in _RATE) or status == 429:
        return AskAgain(f"Google is asked too often just now about {where.project}: {told}")
    if any(word in said for word in _NOT_READY):
        return AskAgain(f"{where} is between two states: {told}")
    if any(word in said for word in _DISABLED):
        hint = f"Enable it: gcloud services enable compute.googleapis.com --project={where.project}"
        return NotStarted(f"Compute Engine is not enabled in {where.project}: {told}", hint=hint)
    return _by_status(status, told, where, permission)


def _by_status(status: int, told: str, where: Where, permission: str) -> NotStarted:
    if status == 404:
        hint = f"Those there are: gcloud compute instances list --project={where.project}"
        return NotStarted(f"There is no machine {where}.", hint=hint)
    if status == 403:
        named = _PERMISSION.search(told)
        needed = named[0] if named else permission
        hint = (
            f"It takes {needed}: gcloud projects add-iam-policy-binding {where.project}"
            " --member=user:YOU --role=roles/compute.instanceAdmin.v1"
        )
        return NotStarted(f"Google does not allow that with {where}: {told}", hint=hint)
    if status == 401:
        hint = "Log in anew: gcloud auth application-default login"
        return NotStarted("Google does not accept these credentials.", hint=hint)
    kind = AskAgain if status >= 500 else NotStarted
    return kind(f"Google could not do that with {where}: {told or f'status {status}'}")


def _said(body: bytes) -> tuple[str, str]:
    """Return Google's sentence, and its reasons for programs; nothing of what is no answer of Google's."""
    try:
        error = json.loads(body)["error"]
        listed = (*error.get("errors", ()), *error.get("details", ()))
        return str(error.get("message", "")), str(listed)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", ""
