"""What Google refuses a client is told in plain words with the remedy; what passes is waited out."""

from __future__ import annotations

from typing import Any

import pytest
from google.auth.exceptions import TransportError
from google.oauth2.credentials import Credentials

from client.errors import AskAgain, NotStarted
from client.google_compute import GoogleCompute
from client.instances import Instance
from tests.client.cloud import SECOND_ZONE, Cloud
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_door import Fault
from tests.cloud.fake_google import TOKEN
from tests.cloud.refused import Refused as GoogleRefused


def test_a_machine_that_is_not_there_is_an_error_with_the_command_that_lists_those_that_are(
    cloud: Cloud,
) -> None:
    with pytest.raises(NotStarted, match="There is no machine bus in europe-west1-d") as caught:
        cloud.client("europe-west1-d").submit("fakejob")

    assert caught.value.exit_status == 4
    assert caught.value.hint.endswith("gcloud compute instances list --project=quiet-project")


@pytest.mark.parametrize("permission", ["compute.instances.get", "compute.instances.start"])
def test_a_missing_right_is_named_with_the_command_that_grants_it(cloud: Cloud, permission: str) -> None:
    cloud.google.forbidden = {permission}

    with pytest.raises(NotStarted, match=rf"Required '{permission}' permission") as caught:
        cloud.client().submit("fakejob")

    assert "http" not in caught.value.message
    assert "@type" not in caught.value.message
    assert caught.value.hint.startswith(f"It takes {permission}: gcloud projects add-iam-policy-binding")


def test_who_may_start_and_not_look_at_operations_looks_at_the_machine(cloud: Cloud) -> None:
    cloud.google.forbidden = {"compute.zoneOperations.get"}
    cloud.clock.plan = [cloud.google.compute.settle]

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]


def test_a_quota_that_is_used_up_is_not_tried_again(cloud: Cloud) -> None:
    def no_quota() -> None:
        raise GoogleRefused(403, "QUOTA_EXCEEDED", "Quota 'CPUS' exceeded. Limit: 8.0 in europe-west1.")

    cloud.instead.append(no_quota)

    with pytest.raises(NotStarted, match=r"A quota of quiet-project is used up: .*Limit: 8\.0") as caught:
        cloud.client().submit("fakejob")

    assert "iam-admin/quotas" in caught.value.hint
    assert cloud.clock.waits == []


@pytest.mark.parametrize(
    "trouble",
    [
        Fault.CUT,
        Fault.CUT_WHEN_DONE,
        GoogleRefused(503, "backendError", "Backend error."),
        GoogleRefused(403, "rateLimitExceeded", "Quota exceeded for 'Read requests per minute'."),
        GoogleRefused(429, "RESOURCE_EXHAUSTED", "Slow down."),
    ],
)
@pytest.mark.parametrize("asked", ["/instances/", "/start"])
def test_what_passes_at_google_is_waited_out(cloud: Cloud, trouble: Any, asked: str) -> None:
    cloud.google.fail(asked, trouble, trouble)

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert len(cloud.boots) == 1


def test_google_that_cannot_be_reached_is_asked_until_the_time_is_over(cloud: Cloud) -> None:
    cloud.google.fail("/instances/", *[Fault.CUT] * 100)

    with pytest.raises(AskAgain, match="Compute Engine could not be asked: ") as caught:
        cloud.client().submit("fakejob", within=60.0)

    assert caught.value.exit_status == 4
    assert sum(cloud.clock.waits) == pytest.approx(60.0)
    assert cloud.told[0].startswith("Compute Engine could not be asked: asking again")


@pytest.mark.parametrize("asked", ["/instances/", "/start"])
@pytest.mark.parametrize("reason", ["accessNotConfigured", "SERVICE_DISABLED"])
def test_a_compute_engine_that_is_not_enabled_is_said_to_be_with_the_command_that_enables_it(
    cloud: Cloud, asked: str, reason: str
) -> None:
    cloud.google.fail(asked, GoogleRefused(403, reason, "Compute Engine API has not been used."))

    with pytest.raises(NotStarted, match="Compute Engine is not enabled in quiet-project: ") as caught:
        cloud.client().submit("fakejob")

    assert caught.value.hint.endswith("gcloud services enable compute.googleapis.com --project=quiet-project")
    assert cloud.clock.waits == []


def test_no_second_machine_is_started_beside_one_of_which_nothing_is_known(cloud: Cloud) -> None:
    cloud.boot()
    cloud.google.compute.add_instance(INSTANCE, zone=SECOND_ZONE, status="TERMINATED")
    cloud.google.fail(f"/{ZONE}/", GoogleRefused(503, "backendError", "Backend error."))

    job_id = cloud.client(ZONE, SECOND_ZONE).submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert cloud.google.compute.instance(zone=SECOND_ZONE)["status"] == "TERMINATED"


def test_a_machine_of_which_nothing_is_known_is_not_said_to_be_off(cloud: Cloud) -> None:
    cloud.google.compute.add_instance(INSTANCE, zone=SECOND_ZONE, status="TERMINATED")
    cloud.google.fail(f"/{ZONE}/", Fault.CUT)

    with pytest.raises(AskAgain):
        cloud.client(ZONE, SECOND_ZONE).power()


def test_a_machine_without_an_external_address_is_said_to_have_none(cloud: Cloud) -> None:
    cloud.boot()
    cloud.google.compute.instance()["networkInterfaces"][0]["accessConfigs"] = []

    with pytest.raises(NotStarted, match="has no external address") as caught:
        cloud.client().submit("fakejob")

    assert "add-access-config" in caught.value.hint


def test_within_the_network_the_machine_is_reached_by_its_internal_address(cloud: Cloud) -> None:
    cloud.boot()
    compute = GoogleCompute(
        PROJECT, INSTANCE, url=cloud.google.url, internal=True, given=Credentials(token=TOKEN)
    )

    assert compute.look(ZONE) == Instance(ZONE, "RUNNING", "10.132.0.2")


class HourlyCredentials(Credentials):
    """Credentials whose token is over as soon as a test says so."""

    valid = True
    refused = ""

    def refresh(self, request: Any) -> None:
        if self.refused:
            raise TransportError(self.refused)
        self.token, self.valid = TOKEN, True


def test_a_token_of_googles_that_is_over_is_asked_for_anew(cloud: Cloud) -> None:
    given: Any = HourlyCredentials(token=TOKEN)
    compute = GoogleCompute(PROJECT, INSTANCE, url=cloud.google.url, given=given)
    before = compute.look(ZONE)

    given.token, given.valid = "over", False

    assert compute.look(ZONE) == before
    given.valid, given.refused = False, "no route"
    with pytest.raises(AskAgain, match="Google could not be asked for a token: no route"):
        compute.look(ZONE)
