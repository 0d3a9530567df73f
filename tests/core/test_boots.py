"""Every boot is kept with the share of each phase, and the lead of the wake alarm is learnt from them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.boots import DEFAULT_LEAD, LONGEST, REMEMBERED, Boot, Boots, Moments, boot_from, nearest_rank
from core.event_bus import KERNEL
from tests.factories import NOW

DAY = 86_400.0


@pytest.fixture
def path(tmp_path):
    return tmp_path / "power" / "boots.jsonl"


@pytest.fixture
def clock(clock):
    """A clock of a machine that started 25 seconds ago."""
    clock.boot = clock.steady = 25.0
    return clock


@pytest.fixture
def boots(path, events, clock):
    return Boots(path, events, clock)


def moments(boot_id="one", *, kernel=6.0, service=23.0, process=24.0, **more):
    return Moments(boot_id=boot_id, kernel=kernel, service=service, process=process, **more)


def warnings_of(events):
    told = []
    events.subscribe("test", "system.warning", lambda event: told.append(event.payload["message"]))
    return told


def test_a_boot_is_kept_with_its_phases_from_the_start_to_the_first_claim(boots, path, events, clock):
    boots.record(moments(), 25.0)
    clock.advance(1.5)
    events.publish("task.started", KERNEL, {"job_id": "a"})
    boots.keep_first_claim()

    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {
            "boot_id": "one",
            "at": "2023-11-14T22:12:55+00:00",
            "restart": False,
            "kernel": 6.0,
            "system": 17.0,
            "service": 2.0,
            "accepting": 25.0,
        },
        {"boot_id": "one", "first_claim": 1.5},
    ]


def test_what_was_kept_is_known_again_after_a_restart(boots, path, events, clock):
    boots.record(moments(), 25.0)
    events.publish("task.started", KERNEL, {"job_id": "a"})
    boots.keep_first_claim()

    again = Boots(path, events, clock).known()

    assert again == boots.known()
    assert again[0].phases == {"kernel": 6.0, "system": 17.0, "service": 2.0, "first_claim": 0.0}


def test_firmware_and_boot_loader_belong_to_the_start_where_somebody_tells_of_them():
    boot = boot_from(moments(firmware=4.0), 25.0, zero=NOW, restart=False)

    assert (boot.kernel, boot.system, boot.service, boot.accepting) == (10.0, 17.0, 2.0, 29.0)
    assert boot.at == "2023-11-14T22:13:16+00:00"


def test_without_systemd_the_kernel_s_share_is_part_of_the_system_s():
    boot = boot_from(moments(kernel=None), 25.0, zero=NOW, restart=False)

    assert boot.phases == {"system": 23.0, "service": 2.0}
    assert boot.accepting == 25.0


def test_a_restart_of_the_service_is_no_boot(boots, clock):
    boots.record(moments(), 25.0)
    clock.advance(1_000)

    boots.record(moments(service=23.0, process=925.0), 1_025.0)

    assert [boot.restart for boot in boots.known()] == [False, True]
    assert boots.known()[1].accepting == 100.0
    assert boots.lead() == 25.0


def test_a_service_that_somebody_starts_later_teaches_nothing(boots):
    boots.record(moments(service=LONGEST, process=LONGEST), LONGEST + 1)

    assert boots.lead() == DEFAULT_LEAD


def test_before_any_boot_was_seen_the_lead_is_a_minute(boots):
    assert boots.lead() == 60.0


@pytest.mark.parametrize(
    ("numbers", "percent", "rank"),
    [
        ([7.0], 95, 7.0),
        ([2.0, 1.0], 95, 2.0),
        ([float(number) for number in range(1, 21)], 95, 19.0),
        ([float(number) for number in range(100, 0, -1)], 95, 95.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([3.0, 1.0, 2.0], 100, 3.0),
    ],
)
def test_the_nearest_rank_is_that_of_the_textbook(numbers, percent, rank):
    assert nearest_rank(numbers, percent) == rank


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_so_many_of_a_hundred_do_not_exceed_the_nearest_rank_and_it_is_the_least_such(numbers, percent):
    rank = nearest_rank(numbers, percent)

    assert rank in numbers
    assert 100 * sum(one <= rank for one in numbers) >= percent * len(numbers)
    assert 100 * sum(one < rank for one in numbers) < percent * len(numbers)


def test_only_the_newest_boots_teach(path, events, clock):
    path.parent.mkdir()
    old, new = (line(number, service=seconds) for number, seconds in ((0, 500.0), (1, 20.0)))
    path.write_text("\n".join([old] * 200 + [new] * REMEMBERED) + "\n")

    assert Boots(path, events, clock).lead() == 20.0


def line(number, *, service):
    told = {"boot_id": str(number), "at": "2026-11-22T12:00:00+00:00", "restart": False}
    return json.dumps({**told, "kernel": None, "system": 0.0, "service": service})


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_wall_clock_that_jumps_by_a_day_at_boot_changes_dates_and_no_durations(boots, clock, jump):
    clock.jump(jump)

    boots.record(moments(), clock.boottime())

    assert boots.known()[0] == Boot(
        boot_id="one",
        at="2023-11-13T22:12:55+00:00" if jump < 0 else "2023-11-15T22:12:55+00:00",
        kernel=6.0,
        system=17.0,
        service=2.0,
    )


def test_moments_that_contradict_each_other_never_make_a_negative_duration():
    boot = boot_from(moments(kernel=30.0, service=23.0), 22.0, zero=NOW, restart=False)

    assert min(boot.phases.values()) >= 0


def test_a_damaged_line_is_told_of_and_costs_only_itself(boots, path, events, clock):
    boots.record(moments(), 25.0)
    with path.open("a") as file:
        file.write('{"boot_id": "two", "at"\n[1]\n{"boot_id": "x", "at": "y", "restart": 0, "kernel": -1}\n')
        file.write('{"boot_id": "three", "first')  # torn by a power cut
    told = warnings_of(events)
    after = Boots(path, events, clock)

    after.record(moments("four"), 25.0)

    assert [boot.boot_id for boot in after.known()] == ["one", "four"]
    assert [boot.boot_id for boot in Boots(path, events, clock).known()] == ["one", "four"]
    assert [sentence.partition(" is damaged")[0] for sentence in told[:4]] == [
        f"{path}:{number}" for number in (2, 3, 4, 5)
    ]


def test_a_number_beyond_all_numbers_is_damage(boots, path, events, clock):
    boots.record(moments(), 25.0)
    (line,) = path.read_text().splitlines()
    path.write_text(line.replace('"kernel": 6.0', f'"kernel": {10**400}') + "\n")

    assert Boots(path, events, clock).lead() == DEFAULT_LEAD


def test_a_file_that_cannot_be_read_is_told_of_and_the_default_holds(path, events, clock):
    path.mkdir(parents=True)
    told = warnings_of(events)

    lead = Boots(path, events, clock).lead()

    assert lead == DEFAULT_LEAD
    assert told[0].startswith("The boots cannot be read:")


def test_only_the_kernel_s_own_word_is_a_first_claim_and_only_the_first_is_kept(boots, path, events, clock):
    boots.record(moments(), 25.0)
    events.publish("task.started", "somebody", {"job_id": "a"})
    boots.keep_first_claim()
    clock.advance(2)
    events.publish("task.started", KERNEL, {"job_id": "b"})
    clock.advance(5)
    events.publish("task.started", KERNEL, {"job_id": "c"})
    boots.keep_first_claim()
    events.publish("task.started", KERNEL, {"job_id": "c"})
    boots.keep_first_claim()

    assert boots.known()[0].first_claim == 2.0
    assert len(path.read_text().splitlines()) == 2


def test_the_first_claim_of_a_boot_that_could_not_be_recorded_is_no_other_boot_s(boots, path, events, clock):
    boots.record(moments(), 25.0)
    after = Boots(path, events, clock)
    after.known()
    path.rename(path.with_name("elsewhere"))
    path.mkdir()

    with pytest.raises(OSError, match="directory"):
        after.record(moments("two"), 25.0)
    events.publish("task.started", KERNEL, {"job_id": "a"})
    after.keep_first_claim()

    assert [boot.first_claim for boot in after.known()] == [None]


def test_a_boot_counts_by_what_it_took(boots):
    assert Boot(boot_id="a", at="", service=LONGEST).counts
    assert not Boot(boot_id="a", at="", service=math.nextafter(LONGEST, math.inf)).counts
