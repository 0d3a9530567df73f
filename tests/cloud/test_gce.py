"""The machine stops itself by Google's API: every way in which that fails is a sentence with its remedy."""

from __future__ import annotations

import pytest

from cloud.gce import GceSwitch
from cloud.google_api import Google
from core.errors import SwitchFailed
from tests.cloud.fake_door import Content
from tests.cloud.fake_google import TOKEN, FakeGoogle, Fault
from tests.cloud.fake_metadata import ACCOUNT
from tests.cloud.refused import Refused


@pytest.fixture
def switch(google: FakeGoogle) -> GceSwitch:
    """The switch of the machine `bus`."""
    return GceSwitch(Google.at(google.url))


def failure_of(switch: GceSwitch) -> SwitchFailed:
    """Run a switch that is to fail; no secret is in what it says."""
    with pytest.raises(SwitchFailed) as failure:
        switch.off()
    assert TOKEN not in f"{failure.value.message} {failure.value.hint}"
    return failure.value


def test_the_machine_is_stopped(google: FakeGoogle, switch: GceSwitch) -> None:
    switch.off()

    google.compute.settle()
    assert google.compute.instance()["status"] == "TERMINATED"


def test_the_machine_is_suspended(google: FakeGoogle) -> None:
    GceSwitch(Google.at(google.url), suspends=True).off()

    google.compute.settle()
    assert google.compute.instance()["status"] == "SUSPENDED"


def test_switches_are_named_as_the_setting_names_them(switch: GceSwitch) -> None:
    assert [switch.name, GceSwitch(Google(), suspends=True).name] == ["gcp", "gcp:suspend"]


def test_a_machine_that_may_stop_itself_has_no_problem_and_is_not_stopped(
    google: FakeGoogle, switch: GceSwitch
) -> None:
    assert switch.check() is None
    assert google.calls() == ["POST testIamPermissions"]


def test_a_missing_right_is_told_before_it_is_needed_with_what_to_type(google: FakeGoogle) -> None:
    google.forbidden = {"compute.instances.suspend"}

    problem = GceSwitch(Google.at(google.url), suspends=True).check()

    assert problem == (
        f"gcp:suspend: {ACCOUNT} lacks compute.instances.suspend. Grant it: gcloud iam roles create"
        " aafaiBusSuspend --project=quiet-project --permissions=compute.instances.suspend && gcloud projects"
        f" add-iam-policy-binding quiet-project --member=serviceAccount:{ACCOUNT}"
        " --role=projects/quiet-project/roles/aafaiBusSuspend"
    )


def test_a_machine_that_is_none_of_google_s_is_told_so(google: FakeGoogle) -> None:
    google.fail("zone", Fault.CUT)

    problem = GceSwitch(Google.at(google.url)).check() or ""

    assert problem.startswith("gcp: There is no metadata server here: ")
    assert problem.endswith("This works on machines of Google's Compute Engine only.")


def test_a_machine_without_a_service_account_is_told_so(google: FakeGoogle, switch: GceSwitch) -> None:
    google.metadata.set("instance/service-accounts/default/email", None)

    assert (switch.check() or "").startswith("gcp: The machine has no service account.")
    assert failure_of(switch).hint.startswith("Give it one while it is off: gcloud compute instances")


@pytest.mark.parametrize(
    ("refused", "message", "hint"),
    [
        (
            Refused(403, "forbidden", "Required 'compute.instances.stop' permission"),
            "refused with status 403: Required 'compute.instances.stop' permission",
            f"Grant it to {ACCOUNT}: gcloud iam roles create aafaiBusStop --project=quiet-project",
        ),
        (
            Refused(403, "ACCESS_TOKEN_SCOPE_INSUFFICIENT", "Insufficient scopes."),
            "refused with status 403: Insufficient scopes.",
            "set-service-account bus --project=quiet-project --zone=europe-west1-b",
        ),
        (
            Refused(403, "SERVICE_DISABLED", "The API has not been used."),
            "refused with status 403: The API has not been used.",
            "Enable it: gcloud services enable ",
        ),
        (Refused(403, "quotaExceeded", "Quota."), "refused with status 403: Quota.", "A quota is used up"),
        (
            Refused(429, "rateLimitExceeded", "Slower."),
            "refused with status 429: Slower.",
            "A quota is used up",
        ),
        (
            Refused(401, "UNAUTHENTICATED", "Who?"),
            "refused with status 401: Who?",
            f"Look whether {ACCOUNT} is enabled",
        ),
        (Refused(404, "notFound", "No bus."), "refused with status 404: No bus.", ""),
        (Refused(409, "conflict", ""), "refused with status 409.", ""),
        (Refused(400, "x", "a\nb" * 500), "refused with status 400: a ba b", ""),
    ],
    ids=lambda value: f"{value.status} {value.reason}" if isinstance(value, Refused) else "",
)
def test_a_refusal_is_told_in_google_s_words_with_the_remedy(
    google: FakeGoogle, switch: GceSwitch, refused: Refused, message: str, hint: str
) -> None:
    google.fail("/stop", refused)

    failure = failure_of(switch)

    assert message in failure.message
    assert hint in failure.hint
    assert len(failure.message) < 400
    assert google.calls() == ["POST stop"]


def test_an_error_of_google_s_is_not_the_last_word(google: FakeGoogle, switch: GceSwitch) -> None:
    google.fail("/stop", Refused(503, "backendError"))

    switch.off()

    assert google.calls() == ["POST stop", "POST stop"]


def test_two_errors_of_google_s_are(google: FakeGoogle, switch: GceSwitch) -> None:
    google.fail("/stop", Refused(503, "backendError"), Refused(500, "backendError", "Oops."))

    assert failure_of(switch).message.endswith("refused with status 500: Oops.")


@pytest.mark.parametrize("fault", [Fault.CUT, Fault.CUT_WHEN_DONE, Fault.HALF])
def test_a_stop_is_asked_for_again_when_google_hangs_up_and_is_one_stop(
    google: FakeGoogle, switch: GceSwitch, fault: Fault
) -> None:
    google.fail("/stop", fault)

    switch.off()

    google.compute.settle()
    first, second = google.asked
    assert first.query["requestId"] == second.query["requestId"]
    operations = [path for path in google.compute.resources if "/operations/" in path]
    assert (len(operations), google.compute.instance()["status"]) == (1, "TERMINATED")


def test_two_stops_are_two_requests(google: FakeGoogle, switch: GceSwitch) -> None:
    switch.off()
    google.compute.settle()
    google.compute.change("start")
    google.compute.settle()
    switch.off()

    google.compute.settle()
    assert google.compute.instance()["status"] == "TERMINATED"


def test_google_is_not_waited_for_for_ever_nor_twice(google: FakeGoogle) -> None:
    google.fail("/stop", Fault.HANG)

    failure = failure_of(GceSwitch(Google.at(google.url, limit=0.3)))

    assert failure.message.endswith("could not be asked: it did not answer within 0.3 s.")
    assert "Private Google Access" in failure.hint
    assert google.calls() == ["POST stop"]


@pytest.mark.parametrize("fault", [Fault.GARBAGE, Fault.FLOOD, Fault.REDIRECT])
def test_what_is_no_answer_of_google_s_is_a_failure(
    google: FakeGoogle, switch: GceSwitch, fault: Fault
) -> None:
    google.fail("/stop", fault, fault)

    failure_of(switch)

    assert google.compute.instance()["status"] == "RUNNING"


@pytest.mark.parametrize("status", [200, 403])
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"a": NaN}', b"\xff", b"[7]"])
def test_an_answer_that_nobody_can_read_is_a_failure_like_any_other(
    google: FakeGoogle, switch: GceSwitch, monkeypatch: pytest.MonkeyPatch, body: bytes, status: int
) -> None:
    monkeypatch.setattr(google, "answer", lambda _: Content(status, {}, body))

    assert f"with status {status}" in failure_of(switch).message
    assert f"with status {status}" in (switch.check() or "")


def test_an_operation_that_failed_at_once_is_a_failure(
    google: FakeGoogle, switch: GceSwitch, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = {"errors": [{"code": "RESOURCE_NOT_READY", "message": "Busy."}]}
    monkeypatch.setattr(google, "answer", lambda _: {"name": "operation-1", "status": "DONE", "error": error})

    failure = failure_of(switch)

    assert failure.message == "Google could not stop the machine: RESOURCE_NOT_READY: Busy."
