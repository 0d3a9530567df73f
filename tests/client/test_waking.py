"""A submission to a machine that is off, stopping, out of stock or gone becomes one job, or an error.

Google is asked through Google's own library, and the bus is a real one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from google.oauth2.credentials import Credentials

from client.bus_client import BusClient
from client.errors import (
    AskAgain,
    ClientError,
    HungUp,
    MachineOff,
    NotStarted,
    OutOfStock,
    Refused,
    Unreachable,
)
from client.google_compute import GoogleCompute
from client.instances import Instance
from client.machine import Machine
from tests.client.cloud import SECOND_ZONE, Cloud
from tests.client.served import App, WaitingClock
from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE
from tests.cloud.fake_door import Fault
from tests.cloud.fake_google import TOKEN
from tests.cloud.refused import Refused as GoogleRefused


def out_of_stock() -> None:
    raise GoogleRefused(503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources.")


def test_a_machine_that_is_off_is_started_and_takes_the_job(cloud: Cloud) -> None:
    job_id = cloud.client().submit("fakejob", {"delay_seconds": 1})

    assert cloud.jobs() == [job_id]
    assert cloud.starts() == 1
    assert cloud.told == [f"Starting the machine in {ZONE}", f"Waiting for the bus at {cloud.boots[0].url}"]


def test_a_machine_that_is_on_is_not_started(cloud: Cloud) -> None:
    cloud.boot()
    cloud.google.asked.clear()

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert cloud.google.calls() == [f"GET {INSTANCE}"]


def test_a_suspended_machine_is_resumed(cloud: Cloud) -> None:
    cloud.boot()
    cloud.status("SUSPENDED")
    cloud.instead.append(lambda: None)

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert "POST resume" in cloud.google.calls()


def test_a_machine_that_is_stopping_is_waited_for_and_started(cloud: Cloud) -> None:
    cloud.status("STOPPING")
    cloud.clock.plan = [lambda: None, lambda: None, lambda: cloud.status("TERMINATED")]

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert cloud.starts() == 1
    assert cloud.told[0].startswith(f"The machine in {ZONE} is STOPPING: asking again in a while")
    assert cloud.clock.waits == sorted(cloud.clock.waits)  # it asks less and less often


def test_a_machine_that_somebody_else_starts_is_waited_for(cloud: Cloud) -> None:
    def come_up() -> None:
        cloud.status("TERMINATED")
        cloud.boot()

    cloud.status("STAGING")
    cloud.clock.plan = [come_up]

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert cloud.starts() == 0


def test_a_zone_that_is_out_of_stock_gives_way_to_the_next(cloud: Cloud) -> None:
    cloud.google.compute.add_instance(INSTANCE, zone=SECOND_ZONE, status="TERMINATED")
    cloud.instead.append(out_of_stock)

    job_id = cloud.client(ZONE, SECOND_ZONE).submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert cloud.google.compute.instance()["status"] == "TERMINATED"
    assert cloud.google.compute.instance(zone=SECOND_ZONE)["status"] == "RUNNING"
    assert f"{ZONE} has no such machine to give just now" in cloud.told


def test_a_machine_that_runs_in_the_second_zone_is_taken_before_one_is_started_in_the_first(
    cloud: Cloud,
) -> None:
    cloud.boot()
    cloud.google.compute.add_instance(INSTANCE, zone=SECOND_ZONE, status="TERMINATED")
    cloud.google.asked.clear()

    cloud.client(SECOND_ZONE, ZONE).submit("fakejob")

    assert cloud.google.calls() == [f"GET {INSTANCE}", f"GET {INSTANCE}"]


def test_without_stock_anywhere_it_is_tried_again_less_and_less_often(cloud: Cloud) -> None:
    cloud.instead += [out_of_stock] * 3

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert cloud.starts() == 4
    first, second, third = cloud.clock.waits
    assert 5 <= first <= 10 <= second <= 20 <= third <= 40


def test_without_stock_until_the_end_the_error_says_so(cloud: Cloud) -> None:
    cloud.instead += [out_of_stock] * 100

    with pytest.raises(OutOfStock, match="does not have enough resources") as caught:
        cloud.client().submit("fakejob", within=600.0)

    assert caught.value.exit_status == 4
    assert "Other zones may have one" in caught.value.hint
    assert 10 < cloud.starts() < 30
    assert sum(cloud.clock.waits) == pytest.approx(600.0)


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

    assert caught.value.hint.startswith(f"It takes {permission}: gcloud projects add-iam-policy-binding")


def test_who_may_start_and_not_look_at_operations_looks_at_the_machine(cloud: Cloud) -> None:
    cloud.google.forbidden = {"compute.zoneOperations.get"}
    cloud.clock.plan = [cloud.google.compute.settle]

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]


def test_a_machine_that_does_not_stay_on_is_given_up_in_time(cloud: Cloud) -> None:
    class Falling:
        """A machine that is off again as soon as it has been started."""

        starts = 0

        def look(self, zone: str) -> Instance:
            return Instance(zone, "TERMINATED")

        def bring_up(self, zone: str, verb: str, request_id: str) -> None:
            self.starts += 1

    falling = Falling()
    machine = Machine(falling, [ZONE], cloud.line_to, clock=cloud.clock)

    with pytest.raises(AskAgain, match="was started, and is not on"):
        machine.start(60.0)

    assert 10 < falling.starts < 40


def test_a_quota_that_is_used_up_is_not_tried_again(cloud: Cloud) -> None:
    def no_quota() -> None:
        raise GoogleRefused(403, "QUOTA_EXCEEDED", "Quota 'CPUS' exceeded. Limit: 8.0 in europe-west1.")

    cloud.instead.append(no_quota)

    with pytest.raises(NotStarted, match=r"A quota of quiet-project is used up: .*Limit: 8\.0") as caught:
        cloud.client().submit("fakejob")

    assert "iam-admin/quotas" in caught.value.hint
    assert cloud.clock.waits == []


def test_google_being_down_for_a_moment_is_waited_out(cloud: Cloud) -> None:
    cloud.google.fail("/start", GoogleRefused(503, "backendError", "Backend error."))

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]


def test_google_that_cannot_be_reached_is_said_to_be(cloud: Cloud) -> None:
    cloud.google.fail("/instances/", Fault.CUT, Fault.CUT, Fault.CUT)

    with pytest.raises(NotStarted, match="Compute Engine could not be asked"):
        cloud.client().submit("fakejob")


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


def test_a_machine_whose_bus_never_comes_is_given_up_in_time(cloud: Cloud) -> None:
    cloud.google.compute.address_of = lambda _: "127.0.0.1"
    cloud.instead.append(lambda: None)

    with pytest.raises(Unreachable, match="has not accepted jobs within 5 minutes: Nobody answers") as caught:
        cloud.client().submit("fakejob", within=300.0)

    assert caught.value.exit_status == 4
    assert "firewall" in caught.value.hint
    assert sum(cloud.clock.waits) == pytest.approx(300.0)


def test_a_bus_that_comes_late_is_asked_until_it_is_there(cloud: Cloud) -> None:
    cloud.google.compute.address_of = lambda _: "127.0.0.1"
    cloud.instead.append(lambda: None)
    cloud.clock.plan = [lambda: None] * 40 + [lambda: (cloud.status("TERMINATED"), cloud.boot())]

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert max(cloud.clock.waits) <= 0.5


@pytest.mark.parametrize("accepted", [True, False])
def test_the_bus_of_the_boot_before_is_not_believed(cloud: Cloud, accepted: bool) -> None:
    machine, stale = cloud.machine(), cloud.boot()
    if accepted:
        machine.wait_until_accepting(60.0)
    else:
        stale.stage.kernel.bus.gate.close()
        with pytest.raises(Unreachable, match="it answers, and accepts no jobs"):
            machine.wait_until_accepting(1.0)
        stale.stage.kernel.bus.gate.open()
    # The machine is started, and its old bus, impossibly, still answers at its address.
    cloud.status("TERMINATED")
    cloud.instead.append(lambda: None)
    cloud.clock.plan = [lambda: None] * 5 + [lambda: stale.boot_as("boot-2")]

    awake = machine.wait_until_accepting(60.0)

    assert awake.boot_id == "boot-2"


def test_a_bus_that_is_stopping_is_started_again_and_gets_the_job_once(cloud: Cloud) -> None:
    first = cloud.boot()
    client = cloud.client()
    client.wake()
    first.stage.kernel.bus.gate.close()
    cloud.clock.plan = [lambda: None, lambda: None, cloud.power_off]

    job_id = client.submit("fakejob", key="monday")

    assert cloud.jobs() == [job_id]
    assert cloud.starts() == 1
    assert len(cloud.boots) == 2


def closing_the_gate(cloud: Cloud, app: App) -> App:
    """Have the first bus begin to stop when it has said that it accepts jobs, and before one comes."""

    def close(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/inbound" and len(cloud.boots) == 1:
            cloud.boots[0].stage.kernel.bus.gate.close()
        return app(environ, start_response)

    return close


def test_a_bus_that_refuses_because_it_is_stopping_is_started_again_with_the_same_key(
    tmp_path: Path,
) -> None:
    with Cloud(tmp_path, around=closing_the_gate) as cloud:
        cloud.clock.plan = [lambda: None, lambda: None, cloud.power_off]

        job_id = cloud.client().submit("fakejob", key="monday")

        assert cloud.jobs() == [job_id]
        assert cloud.starts() == 2
        assert [bus.asked.count("POST /inbound") for bus in cloud.boots] == [1, 1]
        assert cloud.engine.get(job_id).idempotency_key == "monday"


def test_a_bus_that_changes_its_mind_about_stopping_gets_the_job(cloud: Cloud) -> None:
    first = cloud.boot()
    first.stage.kernel.bus.gate.close()
    cloud.clock.plan = [lambda: None, lambda: None, first.stage.kernel.bus.gate.open]

    job_id = cloud.client().submit("fakejob")

    assert cloud.jobs() == [job_id]
    assert cloud.starts() == 0


def interrupted(*, power_off: bool) -> Any:
    """Return what cuts the first submission off when the bus has stored it; the machine may go off then."""
    cut_off: list[str] = []

    def around(cloud: Cloud, app: App) -> App:
        def cut(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            if cut_off or environ["PATH_INFO"] != "/inbound":
                return app(environ, start_response)
            cut_off.append("once")
            list(app(environ, lambda *_: lambda _: None))
            if power_off:
                cloud.status("TERMINATED")
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError

        return cut

    return around


def test_a_submission_whose_answer_is_lost_is_repeated_and_becomes_one_job(tmp_path: Path) -> None:
    with Cloud(tmp_path, around=interrupted(power_off=False)) as cloud:
        cloud.boot()

        job_id = cloud.client().submit("fakejob")

        assert cloud.jobs() == [job_id]
        assert cloud.boots[0].asked.count("POST /inbound") == 2


def test_an_address_that_changes_before_the_answer_is_looked_up_again(tmp_path: Path) -> None:
    with Cloud(tmp_path, around=interrupted(power_off=True)) as cloud:
        cloud.boot()

        job_id = cloud.client().submit("fakejob")

        assert cloud.jobs() == [job_id]
        assert cloud.boots[0].url != cloud.boots[1].url
        assert cloud.boots[1].asked.count("POST /inbound") == 1


def test_a_job_that_a_machine_may_have_stored_is_never_handed_to_that_of_another_zone(tmp_path: Path) -> None:
    with Cloud(tmp_path, around=interrupted(power_off=True)) as cloud:
        cloud.boot()
        cloud.google.compute.add_instance(INSTANCE, zone=SECOND_ZONE, status="TERMINATED")
        cloud.instead.append(out_of_stock)

        job_id = cloud.client(ZONE, SECOND_ZONE).submit("fakejob")

        assert cloud.jobs() == [job_id]
        assert cloud.google.compute.instance(zone=SECOND_ZONE)["status"] == "TERMINATED"
        assert cloud.starts() == 2


def test_a_wrong_token_is_told_at_once(cloud: Cloud) -> None:
    cloud.door["token"] = "the-only-right-token"

    with pytest.raises(Refused, match="bearer token is required") as caught:
        cloud.client().submit("fakejob")

    assert caught.value.exit_status == 2
    assert cloud.boots[0].asked.count("POST /inbound") == 1


def test_clients_that_come_at_once_start_one_machine_and_get_a_job_each(cloud: Cloud) -> None:
    clock = WaitingClock()
    clients = [BusClient(machine=cloud.machine(clock=clock), clock=clock) for _ in range(4)]

    with ThreadPoolExecutor(4) as threads:
        job_ids = list(threads.map(lambda client: client.submit("fakejob"), clients))

    assert sorted(cloud.jobs()) == sorted(set(job_ids))
    assert (len(job_ids), len(cloud.boots)) == (4, 1)


@pytest.mark.parametrize(
    "asked",
    [
        lambda bus: bus.get("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: bus.list(),
        lambda bus: bus.cancel("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: bus.retry("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: list(bus.logs("01935a7e-0000-7000-8000-000000000000")),
        lambda bus: bus.files("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: bus.actions(),
        lambda bus: bus.power(),
        lambda bus: bus.hold("1 hour"),
        lambda bus: bus.cost(),
    ],
)
def test_nothing_but_submit_and_wake_starts_a_machine(cloud: Cloud, asked: Any) -> None:
    with pytest.raises(MachineOff) as caught:
        asked(cloud.client())

    assert caught.value.exit_status == 4
    assert "`bus wake`" in caught.value.hint
    assert cloud.google.calls() == [f"GET {INSTANCE}"]


def test_whoever_waits_finds_the_job_again_where_its_machine_has_gone(cloud: Cloud) -> None:
    client = cloud.client()
    job_id = client.submit("fakejob")

    def watch(job: dict[str, Any]) -> None:
        if len(cloud.boots) == 1 and cloud.google.compute.instance()["status"] == "RUNNING":
            cloud.power_off()

    cloud.clock.plan = [lambda: None, lambda: cloud.boot().stage.succeeded(job_id, 42)]

    job = client.wait(job_id, watch=watch)

    assert job["result"] == 42
    assert cloud.boots[0].url != cloud.boots[1].url
    assert cloud.starts() == 1  # for the submission; the second one was somebody else's
    assert cloud.clock.waits == [5.0, 30.0]


def test_wake_starts_the_machine_and_says_where_its_bus_is(cloud: Cloud) -> None:
    client = cloud.client()

    url = client.wake()

    assert url == cloud.boots[0].url
    assert client.power()["state"] == "accepting"


def test_every_error_of_a_client_has_an_exit_status_of_its_kind() -> None:
    kinds = {error.__name__: error.exit_status for error in (ClientError, HungUp, MachineOff, OutOfStock)}

    assert kinds == {"ClientError": 1, "HungUp": 4, "MachineOff": 4, "OutOfStock": 4}
