"""A wake alarm that Google Cloud Scheduler rings: one of its jobs starts the machine at a given minute."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from cloud.google_api import Google, Machine, Reply
from cloud.google_refusal import GoogleFailed, Grant
from cloud.moments import as_cron, minute_to_set
from core.errors import AlarmFailed

_GRANT = Grant(
    "aafaiBusAlarm",
    (
        "cloudscheduler.jobs.get",
        "cloudscheduler.jobs.create",
        "cloudscheduler.jobs.update",
        "cloudscheduler.jobs.enable",
        "cloudscheduler.jobs.pause",
        # The job starts the machine in the name of the machine's own account.
        "iam.serviceAccounts.actAs",
        "compute.instances.start",
        "compute.instances.resume",
    ),
)


@dataclass(frozen=True, slots=True)
class SchedulerAlarm:
    """Keep one job of Cloud Scheduler, made when it is first needed, and paused while nothing is due.

    Its schedule is a cron expression that comes true once a year. Once it has rung it is left as it is: the
    next stop sets or pauses it, and a machine that nobody stops any more costs one start a year.
    """

    google: Google
    job: str
    #: The region of the job; that of the machine when empty.
    location: str = ""
    #: Whether a machine that was suspended is to be resumed, which is asked for in another word than a start.
    resumes: bool = False

    @property
    def name(self) -> str:
        """What the setting calls it."""
        return f"gcp-scheduler:{self.location}/{self.job}" if self.location else f"gcp-scheduler:{self.job}"

    def check(self) -> str | None:
        """Return a sentence when the job cannot be read, is not ours, or last failed to start the machine."""
        try:
            machine = self.google.this_machine()
            found = self._found(machine)
            if found is not None:
                self._must_be_ours(found, machine)
                _must_have_worked(found)
        except GoogleFailed as error:
            return f"{self.name}: {error}"
        return None

    def arm(self, when: float | None) -> None:
        """Have the machine started in the minute of `when`, or not at all. Raises AlarmFailed."""
        try:
            machine = self.google.this_machine()
            if when is None:
                self._disarm(machine)
            else:
                self._arm(machine, when)
        except GoogleFailed as error:
            raise AlarmFailed(error.message, hint=error.hint) from None

    def _arm(self, machine: Machine, when: float) -> None:
        job = self._found(machine) or self._made(machine)
        self._must_be_ours(job, machine)
        schedule = as_cron(minute_to_set(when, job.now))
        change = {"schedule": schedule, "timeZone": "Etc/UTC"}
        url = f"{self._url(machine)}?updateMask=schedule,timeZone"
        changed = machine.ask("PATCH", url, change, grant=_GRANT).document
        if changed.get("state") == "PAUSED":
            changed = machine.ask("POST", f"{self._url(machine)}:resume", {}, grant=_GRANT).document
        if changed.get("state") != "ENABLED" or changed.get("schedule") != schedule:
            is_now = f"{changed.get('state')} for {changed.get('schedule')}"
            told = f"The job {self.job} was to be ENABLED for {schedule}, and is {is_now}."
            hint = f"Delete it, and it is made anew: {self._delete(machine)}"
            raise GoogleFailed(told, hint=hint)

    def _disarm(self, machine: Machine) -> None:
        job = self._found(machine)
        if job is not None and job.document.get("state") == "ENABLED":
            self._must_be_ours(job, machine)
            machine.ask("POST", f"{self._url(machine)}:pause", {}, grant=_GRANT)

    def _found(self, machine: Machine) -> Reply | None:
        try:
            return machine.ask("GET", self._url(machine), grant=_GRANT)
        except GoogleFailed as error:
            if error.status == 404:
                return None
            raise

    def _made(self, machine: Machine) -> Reply:
        """Make the job, for a time that is set right afterwards."""
        collection, _, _ = self._url(machine).rpartition("/")
        token = {"serviceAccountEmail": machine.account.email}
        document = {
            "name": self._path(machine),
            "description": "Starts the machine for the next job of its aafai-bus.",
            "schedule": "0 0 1 1 *",
            "timeZone": "Etc/UTC",
            "httpTarget": {"uri": self._target(machine), "httpMethod": "POST", "oauthToken": token},
            "retryConfig": {"retryCount": 3, "minBackoffDuration": "30s"},
        }
        return machine.ask("POST", collection, document, grant=_GRANT)

    def _must_be_ours(self, job: Reply, machine: Machine) -> None:
        told = str(job.part("httpTarget").get("uri", "no URL"))
        if _after_the_host(told) != _after_the_host(self._target(machine)):
            hint = f"Name another job, or delete this one, and it is made anew: {self._delete(machine)}"
            message = f"The job {self.job} calls {told[:200]} and not this machine's {self._verb}."
            raise GoogleFailed(message, hint=hint)

    @property
    def _verb(self) -> str:
        return "resume" if self.resumes else "start"

    def _target(self, machine: Machine) -> str:
        return f"{machine.instance}/{self._verb}"

    def _path(self, machine: Machine) -> str:
        location = self.location or machine.place.region
        return f"projects/{quote(machine.place.project, safe=':')}/locations/{location}/jobs/{self.job}"

    def _url(self, machine: Machine) -> str:
        return f"{self.google.scheduler}/v1/{self._path(machine)}"

    def _delete(self, machine: Machine) -> str:
        location = self.location or machine.place.region
        return f"gcloud scheduler jobs delete {self.job} --location={location}"


def _after_the_host(url: str) -> list[str]:
    """Return what follows the host of a URL, for Google has several; nothing when it is no URL."""
    return url.split("/", 3)[3:]


def _must_have_worked(job: Reply) -> None:
    """Raise GoogleFailed when the job rang and was refused: the next time it would be, too."""
    status = job.part("status")
    if status.get("code"):
        told = f"gRPC code {status['code']} {status.get('message', '')}".strip()
        hint = "Its service account needs compute.instances.start on this machine."
        raise GoogleFailed(f"When it last rang, the job could not start the machine ({told}).", hint=hint)
