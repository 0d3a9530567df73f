"""Job ids are UUIDv7 and never go back."""

import threading
import uuid

from core.ids import JOB_ID, JobIds, submitted_ms, uuid7
from tests.factories import NOW
from tests.fakes import FakeClock


def test_an_id_is_a_uuid_of_version_7_that_carries_its_time():
    made = JobIds(FakeClock())()

    assert uuid.UUID(made).version == 7
    assert uuid.UUID(made).variant == uuid.RFC_4122
    assert JOB_ID.fullmatch(made)
    assert submitted_ms(made) == int(NOW * 1000)


def test_ids_rise_even_when_the_wall_clock_steps_back_an_hour():
    clock = FakeClock()
    ids = JobIds(clock)

    before = ids()
    clock.jump(-3600)
    after = [ids() for _ in range(1000)]

    assert [before, *after] == sorted({before, *after})


def test_threads_never_make_the_same_id():
    ids, made = JobIds(FakeClock()), []
    threads = [threading.Thread(target=lambda: made.extend([ids() for _ in range(500)])) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(made)) == 2000


def test_the_layout_is_that_of_rfc_9562():
    # The example of appendix A.6: 0x17F22E279B0 milliseconds, rand_a 0xCC3, rand_b 0x18C4DC0C0C07398F.
    ns = 0x017F22E279B0 * 1_000_000 + 0xCC3 * 1_000_000 // 4096 + 1

    made = uuid7(ns, 0x18C4DC0C0C07398F)

    assert made == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f"
