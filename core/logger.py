"""Events become log lines: all log wording of the bus is here. `logger` is for actions and schedules too."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import Any

from pythonjsonlogger.json import JsonFormatter

from core.event_bus import KERNEL, EventBus, EventMessage

#: The bus's own logger; what it says goes to standard error.
logger = logging.getLogger("aafai-bus")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

#: Event type → level and wording; the words in braces are fields of the event's payload.
WORDING: Mapping[str, tuple[int, str]] = {
    "task.queued": (logging.INFO, "job {job_id} ({action}) queued"),
    "task.started": (logging.INFO, "job {job_id} ({action}) started, attempt {attempt}, on {worker}"),
    "task.progress": (logging.DEBUG, "job {job_id} ({action}) progress {progress}"),
    "task.completed": (logging.INFO, "job {job_id} ({action}) succeeded after {seconds:.2f} s"),
    "task.retrying": (logging.WARNING, "job {job_id} ({action}) will run again: {reason}"),
    "task.given_back": (logging.INFO, "job {job_id} ({action}) was put back; the attempt does not count"),
    "task.failed": (logging.ERROR, "job {job_id} ({action}) failed: {reason}"),
    "task.cancelled": (logging.INFO, "job {job_id} ({action}) was cancelled"),
    "task.dropped": (
        logging.WARNING,
        "job {job_id} ({action}): a late outcome was dropped, another had settled it",
    ),
    "webhook.delivered": (logging.INFO, "webhook {webhook_id} ({about}) was taken by {to}"),
    "webhook.failed": (
        logging.WARNING,
        "webhook {webhook_id} ({about}) was not taken by {to}; next attempt in {delay:.0f} s: {reason}",
    ),
    "webhook.given_up": (logging.ERROR, "webhook {webhook_id} ({about}) for {to} is given up: {reason}"),
    "system.startup": (logging.INFO, "accepting jobs on engine {engine}: {actions} actions, {slots} slots"),
    "system.broken_action": (logging.ERROR, "action {name} could not be loaded: {reason}"),
    "system.warning": (logging.WARNING, "{message}"),
    "system.quarantined": (logging.WARNING, "{name} is no job and was put into quarantine: {reason}"),
    "system.task_refused": (logging.ERROR, "{file}:{line}: the task {name} is refused: {reason}"),
    "system.task_removed": (logging.WARNING, "{file} holds {task_id} no more: its schedule is removed"),
    "system.schedule_missed": (
        logging.WARNING,
        "schedule {task_id}: {missed} runs were missed; {made_up} are made up for, {skipped} skipped",
    ),
    "system.schedule_refused": (logging.ERROR, "schedule {task_id} is due and cannot be started: {message}"),
    "system.schedule_damaged": (logging.ERROR, "the schedule {name} cannot be read: {message}"),
    "system.scheduler_failed": (logging.ERROR, "what is due could not be started: {message}"),
    "system.engine_unavailable": (logging.ERROR, "the store does not answer: {message}"),
    "system.workers": (logging.INFO, "the workers were {status}: {workers} serve the default queue"),
    "system.worker_failed": (logging.ERROR, "{worker} met a fault and goes on: {message}"),
    "system.engine_in_doubt": (logging.CRITICAL, "the store must be opened anew: {message}"),
    "system.janitor_failed": (logging.ERROR, "the janitor's round failed: {message}"),
    "system.draining": (logging.INFO, "the gate is closed: {message}"),
    "system.reopened": (logging.INFO, "the gate is open again: {message}"),
    "system.power_hold": (logging.INFO, "{message}"),
    "system.power_released": (logging.INFO, "{message}"),
    "system.would_stop": (
        logging.INFO,
        "nothing is left to do; the power switch is 'none', so the machine stays on",
    ),
    "system.power_failed": (logging.ERROR, "the machine could not be switched off: {message}"),
    "system.alarm_set": (logging.INFO, "{message}"),
    "system.alarm_failed": (logging.ERROR, "the wake alarm could not be set: {message}"),
    "system.mirror_failed": (logging.ERROR, "the mirror cannot be written or read: {message}"),
    "system.mail_taken": (logging.INFO, "the file {name} in the mailbox became job {job_id}"),
    "system.mail_refused": (logging.WARNING, "the file {name} in the mailbox is no job: {reason}"),
    "system.last_stop": (logging.INFO, "{message}"),
    "system.preempted": (
        logging.WARNING,
        "the cloud takes the machine away: {running} running jobs get {seconds:g} s to end",
    ),
    "system.stopping": (logging.INFO, "stopping: {running} running jobs get {seconds:g} s to end"),
    "system.shutdown": (logging.INFO, "{message}"),
}


class PlainFormatter(logging.Formatter):
    """One line a record, time first, control characters made visible so that no job can forge a line."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", super().format(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802  The name is logging's.
        """Return the traceback's lines joined by bars, because a record is one line."""
        return " | ".join(super().formatException(ei).splitlines())


def configure(*, level: str = "INFO", style: str = "plain") -> None:
    """Send the bus's log to standard error: `plain` lines for people, or `json` lines for programs."""
    stream = logging.StreamHandler()
    stream.setFormatter(_json_formatter() if style == "json" else PlainFormatter())
    logger.handlers = [stream]
    logger.propagate = False
    logger.setLevel(level)


def log_events(events: EventBus) -> None:
    """Write a log line for every event of the bus that has a wording."""
    events.subscribe("logger", None, _log)


def _json_formatter() -> logging.Formatter:
    return JsonFormatter(
        "%(asctime)s %(levelname)s %(message)s", rename_fields={"asctime": "time", "levelname": "level"}
    )


def _log(message: EventMessage) -> None:
    if message.source_agent != KERNEL or message.event_type not in WORDING:
        return
    level, wording = WORDING[message.event_type]
    if logger.isEnabledFor(level):
        fields = dict(message.payload)
        fields["seconds"] = fields.get("seconds") or 0.0
        fields["reason"] = (fields.get("error") or {}).get("message") or fields.get("reason", "")
        logger.log(level, wording.format_map(_Lenient(fields)), extra=_extra(message))


def _extra(message: EventMessage) -> dict[str, Any]:
    return {"event": message.event_type, "job_id": message.payload.get("job_id")}


class _Lenient(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"
