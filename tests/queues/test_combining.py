"""Threads that come at the same time are served by one of them."""

from __future__ import annotations

import threading

import pytest

from queues.file.combining import Combiner

PATIENCE = 60.0


def started(combiner: Combiner[int], items: list[int], errors: list[BaseException]) -> list[threading.Thread]:
    def call(item: int) -> None:
        try:
            combiner.do(item)
        except RuntimeError as error:
            errors.append(error)

    threads = [threading.Thread(target=call, args=(item,)) for item in items]
    for thread in threads:
        thread.start()
    return threads


def test_those_who_wait_meanwhile_are_served_together_by_the_next_leader() -> None:
    served: list[list[int]] = []
    entered, go_on = threading.Event(), threading.Event()

    def serve(items: list[int]) -> None:
        served.append(items)
        if len(served) == 1:
            entered.set()
            assert go_on.wait(PATIENCE)

    combiner = Combiner(serve)
    threads = started(combiner, [0], [])
    assert entered.wait(PATIENCE)
    threads += started(combiner, [1, 2, 3], [])
    while len(combiner._waiting) < 3:
        threading.Event().wait(0.001)
    go_on.set()
    for thread in threads:
        thread.join(PATIENCE)

    assert [sorted(items) for items in served] == [[0], [1, 2, 3]]


def test_every_item_of_many_threads_is_served_once_before_its_call_returns() -> None:
    served: list[int] = []
    combiner = Combiner(served.extend)
    late: list[int] = []

    def call(first: int) -> None:
        for item in range(first, first + 100):
            combiner.do(item)
            if item not in served:
                late.append(item)

    threads = [threading.Thread(target=call, args=(100 * number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)

    assert sorted(served) == list(range(800))
    assert late == []


def test_work_that_is_cut_short_is_told_to_all_whom_it_concerned_and_to_nobody_else() -> None:
    def serve(items: list[int]) -> None:
        if 0 in items:
            raise RuntimeError("cut short")

    combiner = Combiner(serve)
    errors: list[BaseException] = []

    for thread in started(combiner, [0], errors):
        thread.join(PATIENCE)
    combiner.do(1)

    assert [str(error) for error in errors] == ["cut short"]


def test_a_leader_that_is_interrupted_does_not_leave_the_others_waiting() -> None:
    def serve(items: list[int]) -> None:
        raise KeyboardInterrupt

    combiner = Combiner(serve)

    with pytest.raises(KeyboardInterrupt):
        combiner.do(0)
    with pytest.raises(KeyboardInterrupt):
        combiner.do(1)
