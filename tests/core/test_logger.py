"""Every event has its words, and no job can forge a line."""

import io
import json
import logging

import pytest

from core import logger
from core.event_bus import KERNEL, EventBus, LocalTransport, job_payload
from core.jobs import JobError
from tests.factories import NOW, a_job


@pytest.fixture
def written():
    """What the logger writes, as the text of a stream."""
    kept = logger.logger.handlers, logger.logger.level, logger.logger.propagate
    stream = io.StringIO()
    yield stream
    logger.logger.handlers, level, logger.logger.propagate = kept[0], kept[1], kept[2]
    logger.logger.setLevel(level)


@pytest.fixture
def events():
    bus = EventBus(LocalTransport())
    logger.log_events(bus)
    return bus


def configure(stream, style="plain", level="DEBUG"):
    logger.configure(style=style, level=level)
    logger.logger.handlers[0].setStream(stream)


@pytest.mark.parametrize("event_type", [name for name in logger.WORDING if name.startswith("task.")])
def test_the_words_of_every_job_event_fit_its_payload(events, written, event_type):
    configure(written)
    job = a_job(
        started_at=NOW, ended_at=NOW + 2, error=JobError(code="timeout", message="Too slow."), attempt=2
    )

    events.publish(event_type, KERNEL, job_payload(job))

    assert job.id in written.getvalue()
    assert "?" not in written.getvalue()


def test_a_failure_says_why(events, written):
    configure(written)
    job = a_job(error=JobError(code="timeout", message="Too slow."))

    events.publish("task.failed", KERNEL, job_payload(job))

    assert "ERROR" in written.getvalue()
    assert written.getvalue().endswith("(fakejob) failed: Too slow.\n")


def test_control_characters_cannot_forge_a_line_or_colour_a_terminal(events, written):
    configure(written)

    events.publish("system.warning", KERNEL, {"message": "one\r\ntwo \x1b[31mred"})

    assert written.getvalue().count("\n") == 1
    assert "one\\x0d\\x0atwo \\x1b[31mred" in written.getvalue()


def test_json_lines_carry_the_event_and_the_job(events, written):
    configure(written, style="json")
    job = a_job()

    events.publish("task.queued", KERNEL, job_payload(job))
    events.publish("system.warning", KERNEL, {"message": "one\ntwo"})

    first, second = (json.loads(line) for line in written.getvalue().splitlines())
    assert (first["event"], first["job_id"], first["level"]) == ("task.queued", job.id, "INFO")
    assert second["message"] == "one\ntwo"


def test_what_is_below_the_level_is_not_written(events, written):
    configure(written, level="WARNING")

    events.publish("task.queued", KERNEL, job_payload(a_job()))

    assert written.getvalue() == ""


def test_events_of_other_agents_are_not_the_bus_s_log(events, written):
    configure(written)

    events.publish("task.failed", "email-agent", {"job_id": "x"})

    assert written.getvalue() == ""


def test_a_traceback_stays_on_one_line(written):
    configure(written)

    try:
        raise ZeroDivisionError
    except ZeroDivisionError:
        logging.getLogger("aafai-bus").exception("It failed.")

    assert written.getvalue().count("\n") == 1
    assert "ZeroDivisionError" in written.getvalue()
