"""The fake Google, driven by Google's own libraries: what they understand, our clients may rely on."""

from __future__ import annotations

import pytest
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.auth.compute_engine import _metadata
from google.auth.exceptions import RefreshError
from google.auth.transport.requests import Request as AuthRequest
from google.cloud import compute_v1, scheduler_v1
from google.oauth2.credentials import Credentials

from tests.cloud.fake_compute import BASE, INSTANCE, PROJECT, REGION, ZONE
from tests.cloud.fake_google import TOKEN, FakeGoogle
from tests.cloud.fake_metadata import ACCOUNT
from tests.cloud.refused import Refused

WHERE = {"project": PROJECT, "zone": ZONE, "instance": INSTANCE}
JOBS = f"projects/{PROJECT}/locations/{REGION}"


def options(google: FakeGoogle) -> dict[str, object]:
    """Return what makes a client of Google's speak to the fake, in the name of its machine."""
    return {
        "transport": "rest",
        "credentials": Credentials(token=TOKEN),
        "client_options": ClientOptions(api_endpoint=google.url),
    }


@pytest.fixture
def instances(google: FakeGoogle) -> compute_v1.InstancesClient:
    """Google's client for machines."""
    return compute_v1.InstancesClient(**options(google))


@pytest.fixture
def jobs(google: FakeGoogle) -> scheduler_v1.CloudSchedulerClient:
    """Google's client for Cloud Scheduler."""
    return scheduler_v1.CloudSchedulerClient(**options(google))


def test_the_library_reads_a_machine_and_its_address(instances: compute_v1.InstancesClient) -> None:
    instance = instances.get(**WHERE)

    assert (instance.name, instance.status) == (INSTANCE, "RUNNING")
    assert instance.network_interfaces[0].access_configs[0].nat_i_p.startswith("203.0.113.")
    assert instance.scheduling.provisioning_model == "STANDARD"


def test_the_library_waits_for_the_operations_of_a_machine(
    google: FakeGoogle, instances: compute_v1.InstancesClient
) -> None:
    operations = compute_v1.ZoneOperationsClient(**options(google))
    before = instances.get(**WHERE).network_interfaces[0].access_configs[0].nat_i_p
    seen = []

    for verb in (
        instances.stop_unary,
        instances.start_unary,
        instances.suspend_unary,
        instances.resume_unary,
    ):
        operation = verb(**WHERE)
        done = operations.wait(project=PROJECT, zone=ZONE, operation=operation.name)
        assert (operation.status, done.status) == (
            compute_v1.Operation.Status.RUNNING,
            compute_v1.Operation.Status.DONE,
        )
        assert not done.error.errors
        seen.append(instances.get(**WHERE).status)

    assert seen == ["TERMINATED", "RUNNING", "SUSPENDED", "RUNNING"]
    assert instances.get(**WHERE).network_interfaces[0].access_configs[0].nat_i_p != before


def test_the_library_hears_why_a_start_failed() -> None:
    def out_of_stock(_: str) -> None:
        raise Refused(503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone has not enough resources.")

    with FakeGoogle(on_start=out_of_stock) as google:
        google.compute.instance()["status"] = "TERMINATED"
        operation = compute_v1.InstancesClient(**options(google)).start_unary(**WHERE)
        where = {"project": PROJECT, "zone": ZONE, "operation": operation.name}
        done = compute_v1.ZoneOperationsClient(**options(google)).wait(**where)

        assert done.error.errors[0].code == "ZONE_RESOURCE_POOL_EXHAUSTED"
        assert (done.http_error_status_code, google.compute.instance()["status"]) == (503, "TERMINATED")


def test_a_request_with_the_same_id_is_taken_once(instances: compute_v1.InstancesClient) -> None:
    request = compute_v1.StopInstanceRequest(**WHERE, request_id="8a5bf8e6-1f0c-4f0e-9d2b-0b2f7f1f3f11")

    first, second = instances.stop_unary(request), instances.stop_unary(request)

    assert first.name == second.name
    assert second.client_operation_id == request.request_id


def test_the_library_reads_refusals_as_google_words_them(
    google: FakeGoogle, instances: compute_v1.InstancesClient, jobs: scheduler_v1.CloudSchedulerClient
) -> None:
    google.forbidden = {"compute.instances.stop", "cloudscheduler.jobs.get"}

    with pytest.raises(exceptions.Forbidden, match=r"Required 'compute\.instances\.stop' permission"):
        instances.stop_unary(**WHERE)
    with pytest.raises(exceptions.NotFound):
        instances.get(project=PROJECT, zone=ZONE, instance="nobody")
    with pytest.raises(exceptions.BadRequest, match="not ready"):
        instances.resume_unary(
            **WHERE | {"instance": google.compute.add_instance("b", status="STAGING")["name"]}
        )
    with pytest.raises(exceptions.Forbidden) as refused:
        jobs.get_job(name=f"{JOBS}/jobs/wake")
    assert refused.value.reason == "PERMISSION_DENIED"


def test_who_has_another_token_is_to_get_a_new_one(google: FakeGoogle) -> None:
    strange = options(google) | {"credentials": Credentials(token="another")}

    with pytest.raises(RefreshError):
        compute_v1.InstancesClient(**strange).get(**WHERE)


def test_the_library_tests_permissions(google: FakeGoogle, instances: compute_v1.InstancesClient) -> None:
    google.forbidden = {"compute.instances.stop"}
    asked = {"permissions": ["compute.instances.stop", "compute.instances.start"]}

    held = instances.test_iam_permissions(
        project=PROJECT, zone=ZONE, resource=INSTANCE, test_permissions_request_resource=asked
    )

    assert list(held.permissions) == ["compute.instances.start"]


def test_the_library_sets_an_instance_schedule(google: FakeGoogle) -> None:
    google.compute.add_schedule("wake-up", attach_to=google.compute.instance())
    client = compute_v1.ResourcePoliciesClient(**options(google))
    where = {"project": PROJECT, "region": REGION}
    schedule = {"vm_start_schedule": {"schedule": "5 4 1 12 *"}, "expiration_time": "2026-12-02T04:05:00Z"}

    operation = client.patch_unary(
        **where, resource_policy="wake-up", resource_policy_resource={"instance_schedule_policy": schedule}
    )
    done = compute_v1.RegionOperationsClient(**options(google)).wait(**where, operation=operation.name)
    policy = client.get(**where, resource_policy="wake-up").instance_schedule_policy

    assert done.status == compute_v1.Operation.Status.DONE
    assert policy.vm_start_schedule.schedule == "5 4 1 12 *"
    assert (policy.expiration_time, policy.time_zone) == ("2026-12-02T04:05:00Z", "UTC")


def test_the_library_keeps_a_job(google: FakeGoogle, jobs: scheduler_v1.CloudSchedulerClient) -> None:
    target = {"uri": f"{BASE}/zones/{ZONE}/instances/{INSTANCE}/start", "http_method": "POST"}
    name = f"{JOBS}/jobs/wake"

    made = jobs.create_job(parent=JOBS, job={"name": name, "schedule": "0 0 1 1 *", "http_target": target})
    changed = jobs.update_job(
        job={"name": name, "schedule": "5 4 1 12 *", "time_zone": "Etc/UTC"},
        update_mask={"paths": ["schedule", "time_zone"]},
    )
    paused, resumed = jobs.pause_job(name=name).state, jobs.resume_job(name=name).state

    assert made.state == scheduler_v1.Job.State.ENABLED
    assert (changed.schedule, changed.http_target.uri) == ("5 4 1 12 *", target["uri"])
    assert (paused.name, resumed.name) == ("PAUSED", "ENABLED")
    with pytest.raises(exceptions.Conflict):
        jobs.create_job(parent=JOBS, job={"name": name, "schedule": "0 0 1 1 *", "http_target": target})
    with pytest.raises(exceptions.BadRequest):
        jobs.resume_job(name=name)
    with pytest.raises(exceptions.BadRequest):
        jobs.update_job(job={"name": name, "schedule": "soon"}, update_mask={"paths": ["schedule"]})


def test_the_library_reads_the_metadata_server(google: FakeGoogle) -> None:
    root = f"{google.url}/computeMetadata/v1/"
    account = "instance/service-accounts/default"

    told = [
        _metadata.get(AuthRequest(), entry, root=root)
        for entry in ("project/project-id", f"{account}/email", f"{account}/token")
    ]

    assert told == [
        PROJECT,
        ACCOUNT,
        f'{{"access_token": "{TOKEN}", "expires_in": 3599, "token_type": "Bearer"}}',
    ]
