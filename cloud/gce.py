"""A power switch for machines of Google's Compute Engine: the machine stops or suspends itself."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from cloud.google_api import Google
from cloud.google_refusal import GoogleFailed, Grant, failure_of
from core.errors import SwitchFailed


@dataclass(frozen=True, slots=True)
class GceSwitch:
    """Have Google stop this machine, or suspend it: its memory is kept, and paid for, until it resumes."""

    google: Google
    suspends: bool = False

    @property
    def name(self) -> str:
        """What the setting calls it."""
        return "gcp:suspend" if self.suspends else "gcp"

    def check(self) -> str | None:
        """Return a sentence when the machine may not stop itself, or when nobody can be asked that."""
        try:
            machine = self.google.this_machine()
            lack = machine.lacks(self._grant, machine.instance)
        except GoogleFailed as error:
            return f"{self.name}: {error}"
        return lack and f"{self.name}: {lack}"

    def off(self) -> None:
        """Ask Google, which then presses the machine's power button. Raises SwitchFailed."""
        # Google takes a request once, however often it hears its id: a second try stops no later boot.
        request_id = uuid.uuid4()
        try:
            machine = self.google.this_machine()
            url = f"{machine.instance}/{self._verb}?requestId={request_id}"
            operation = machine.ask("POST", url, grant=self._grant).document
        except GoogleFailed as error:
            raise SwitchFailed(error.message, hint=error.hint) from None
        if said := failure_of(operation):
            raise SwitchFailed(f"Google could not {self._verb} the machine: {said}")

    @property
    def _verb(self) -> str:
        return "suspend" if self.suspends else "stop"

    @property
    def _grant(self) -> Grant:
        return Grant(f"aafaiBus{self._verb.title()}", (f"compute.instances.{self._verb}",))
