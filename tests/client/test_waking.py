"""A machine that is off, stopping, suspended or out of stock is started, or the error says why not.

Google is asked through Google's own library, and the bus is a real one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client.errors import (
    AskAgain,
    ClientError,
    HungUp,
    MachineOff,
    OutOfStock,
    Unreachable,
)
from client.instances import Instance
from client.machine import Machine
from tests.client.cloud import SECOND_ZONE, Cloud, out_of_stock
from tests.cloud.fake_compute import INSTANCE, ZONE


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


@pytest.mark.parametrize(
    "asked",
    [
        lambda bus: bus.get("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: bus.list(),
        lambda bus: bus.cancel("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: bus.retry("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: list(bus.logs("01935a7e-0000-7000-8000-000000000000")),
        lambda bus: bus.files("01935a7e-0000-7000-8000-000000000000"),
        lambda bus: list(bus.logs("01935a7e-0000-7000-8000-000000000000", follow=True)),
        lambda bus: bus.save("01935a7e-0000-7000-8000-000000000000", Path("/nowhere")),
        lambda bus: bus.actions(),
        lambda bus: bus.action("fakejob"),
        lambda bus: bus.power(),
        lambda bus: bus.hold("1 hour"),
        lambda bus: bus.release(),
        lambda bus: bus.cost(),
    ],
)
def test_nothing_but_submit_and_wake_starts_a_machine(cloud: Cloud, asked: Any) -> None:
    with pytest.raises(MachineOff) as caught:
        asked(cloud.client())

    assert caught.value.exit_status == 4
    assert "`bus wake`" in caught.value.hint
    assert cloud.google.calls() == [f"GET {INSTANCE}"]


def test_wake_starts_the_machine_and_says_where_its_bus_is(cloud: Cloud) -> None:
    client = cloud.client()

    url = client.wake()

    assert url == cloud.boots[0].url
    assert client.power()["state"] == "accepting"


def test_every_error_of_a_client_has_an_exit_status_of_its_kind() -> None:
    kinds = {error.__name__: error.exit_status for error in (ClientError, HungUp, MachineOff, OutOfStock)}

    assert kinds == {"ClientError": 1, "HungUp": 4, "MachineOff": 4, "OutOfStock": 4}
