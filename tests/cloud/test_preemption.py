from __future__ import annotations

import threading

from cloud.metadata import MetadataServer
from cloud.preemption import PreemptionWatch
from tests.cloud.fake_google import FakeGoogle
from tests.fakes import FakeClock


def test_the_news_is_passed_on_once_and_at_once(google: FakeGoogle) -> None:
    told = threading.Event()
    watch = PreemptionWatch(MetadataServer(google.url), FakeClock(), told.set)

    watch.start()
    google.metadata.wait_until_waited_for()
    assert not told.is_set()
    google.metadata.set("instance/preempted", "TRUE")

    assert told.wait(20)


def test_a_machine_that_is_left_alone_is_asked_about_again_soon(google: FakeGoogle) -> None:
    told: list[bool] = []
    watch = PreemptionWatch(MetadataServer(google.url), FakeClock(), lambda: told.append(True))

    rest = watch.step()
    google.metadata.set("instance/preempted", "TRUE")

    assert (rest, watch.step(), told) == (1.0, None, [True])


def test_a_metadata_server_that_comes_late_is_asked_again(google: FakeGoogle) -> None:
    told: list[bool] = []
    google.metadata.set("instance/preempted", None)
    watch = PreemptionWatch(MetadataServer(google.url), FakeClock(), lambda: told.append(True))

    rests = [watch.step(), watch.step()]
    google.metadata.set("instance/preempted", "TRUE")

    assert (rests, watch.step(), told) == ([5.0, 5.0], None, [True])
