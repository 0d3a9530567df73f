"""A store that does not answer in time: the caller learns what to do, and which job it was."""

from dataclasses import replace

from core.patience import Patience
from tests.api.stage import Stage
from tests.core.test_patience import SlowStore


def test_a_submission_that_takes_too_long_is_answered_with_its_job_id(stage: Stage) -> None:
    slow = SlowStore(stage.kernel.bus.engine)
    stage.kernel.bus.engine = slow
    stage.kernel = replace(stage.kernel, patience=Patience(places=1, seconds=0.01))

    answer = stage.client().post("/inbound", json={"action": "fakejob"})
    slow.release.set()

    assert (answer.status_code, answer.json["code"]) == (503, "outcome_unknown")
    assert answer.json["job_id"]
    assert "idempotency key" in answer.json["hint"]
    assert answer.headers["Retry-After"]
