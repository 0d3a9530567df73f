"""A wake alarm that Compute Engine rings itself: an instance schedule, which is a resource policy."""

from __future__ import annotations

from dataclasses import dataclass

from cloud.google_api import Google, Machine, Reply
from cloud.google_refusal import GoogleFailed, Grant, failure_of
from cloud.moments import as_cron, as_iso, minute_to_set
from core.errors import AlarmFailed

_DAY = 86_400.0
_ON_POLICY = ("compute.resourcePolicies.get", "compute.resourcePolicies.update")
_GRANT = Grant("aafaiBusAlarm", (*_ON_POLICY, "compute.regionOperations.get", "compute.instances.get"))


@dataclass(frozen=True, slots=True)
class InstanceSchedule:
    """Keep one instance schedule, which its owner made and attached to the machine, set for the next start.

    Google may start the machine some minutes late. The schedule expires a day after its moment, so that it
    does not come true again in a year.
    """

    google: Google
    policy: str

    @property
    def name(self) -> str:
        """What the setting calls it."""
        return f"gcp-schedule:{self.policy}"

    def check(self) -> str | None:
        """Return a sentence when the schedule is not there, not the machine's, or may not be changed."""
        try:
            machine = self.google.this_machine()
            self._found(machine)
            lack = machine.lacks(Grant(_GRANT.role, _ON_POLICY), self._url(machine))
            if lack is None:
                self._must_be_attached(machine)
        except GoogleFailed as error:
            return f"{self.name}: {error}"
        return lack and f"{self.name}: {lack}"

    def arm(self, when: float | None) -> None:
        """Have the machine started in the minute of `when`, or not at all. Raises AlarmFailed."""
        try:
            machine = self.google.this_machine()
            now = self._found(machine).now
            self._must_be_attached(machine)
            if when is not None:
                minute = minute_to_set(when, now)
                self._set(machine, minute, expires=minute + _DAY)
            elif now is not None:
                # A schedule needs a moment: this one was yesterday, and comes again when it has long expired.
                self._set(machine, now - _DAY, expires=now + _DAY)
        except GoogleFailed as error:
            raise AlarmFailed(error.message, hint=error.hint) from None

    def _set(self, machine: Machine, minute: float, *, expires: float) -> None:
        schedule = {
            "timeZone": "UTC",
            "vmStartSchedule": {"schedule": as_cron(minute)},
            "expirationTime": as_iso(expires),
        }
        body = {"instanceSchedulePolicy": schedule}
        operation = machine.ask("PATCH", self._url(machine), body, grant=_GRANT).document
        if operation.get("status") != "DONE":
            url = f"{machine.region}/operations/{operation.get('name')}/wait"
            operation = machine.ask("POST", url, grant=_GRANT, limit=3 * self.google.limit).document
        failure = failure_of(operation)
        if failure or operation.get("status") != "DONE":
            told = failure or "Google takes too long over it."
            raise GoogleFailed(f"The instance schedule {self.policy} was not set: {told}")

    def _found(self, machine: Machine) -> Reply:
        try:
            return machine.ask("GET", self._url(machine), grant=_GRANT)
        except GoogleFailed as error:
            if error.status != 404:
                raise
            place = machine.place
            hint = (
                f"Make it: gcloud compute resource-policies create instance-schedule {self.policy}"
                f' --region={place.region} --vm-start-schedule="0 0 1 1 *" --timezone=UTC'
                f" && {self._attach(machine)}"
            )
            told = f"There is no instance schedule {self.policy} in {place.region}."
            raise GoogleFailed(told, hint=hint, status=404) from None

    def _must_be_attached(self, machine: Machine) -> None:
        """Raise GoogleFailed when the schedule starts others, if anybody: it would be set in vain."""
        attached = machine.ask("GET", machine.instance, grant=_GRANT).listed("resourcePolicies")
        if not any(one.endswith(f"/{self.policy}") for one in attached):
            told = f"The instance schedule {self.policy} is not attached to this machine."
            raise GoogleFailed(told, hint=f"Attach it: {self._attach(machine)}")

    def _attach(self, machine: Machine) -> str:
        place = machine.place
        return (
            f"gcloud compute instances add-resource-policies {place.instance} --zone={place.zone}"
            f" --resource-policies={self.policy}"
        )

    def _url(self, machine: Machine) -> str:
        return f"{machine.region}/resourcePolicies/{self.policy}"
