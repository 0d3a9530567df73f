"""A submission to a bus that is stopping, gone or silent becomes one job, wherever its machine has moved."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from client.bus_client import BusClient
from client.errors import HungUp, Refused
from tests.client.cloud import SECOND_ZONE, Cloud, out_of_stock
from tests.client.served import App, WaitingClock
from tests.cloud.fake_compute import INSTANCE, ZONE


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


def test_whoever_may_have_the_job_is_named_even_when_nobody_is_there_in_the_end(tmp_path: Path) -> None:
    with Cloud(tmp_path, around=interrupted(power_off=True)) as cloud:
        cloud.boot()
        cloud.instead += [out_of_stock] * 100

        with pytest.raises(HungUp, match="does not have enough resources"):
            cloud.client().submit("fakejob", within=60.0)

        assert len(cloud.jobs()) == 1


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


def test_an_address_is_believed_for_a_minute_since_later_it_may_be_somebody_elses(cloud: Cloud) -> None:
    cloud.boot()
    client = cloud.client()

    asked = []
    for seconds in (0, 59, 2):
        cloud.clock.advance(seconds)
        cloud.google.asked.clear()
        client.power()
        asked.append(len(cloud.google.calls()))

    assert asked == [1, 0, 1]
