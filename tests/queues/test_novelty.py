"""Ids that cannot have been stored are told apart from those that may have been."""

from __future__ import annotations

import random

from core.ids import uuid7
from queues.file.novelty import Novelty

OPENED = 1_700_000_000.0


def an_id(seconds: float, salt: int = 0) -> str:
    return uuid7(int((OPENED + seconds) * 1e9), salt)


def test_an_id_is_new_once_whatever_the_order_in_which_ids_come() -> None:
    novelty = Novelty(OPENED)
    ids = [an_id(1 + number / 1000) for number in range(500)]
    random.Random(1).shuffle(ids)

    assert all(novelty.is_new(job_id) for job_id in ids)
    assert not any(novelty.is_new(job_id) for job_id in ids)


def test_an_id_from_before_the_engine_was_opened_is_never_new() -> None:
    assert not Novelty(OPENED).is_new(an_id(-1))


def test_an_id_that_was_forgotten_is_not_taken_for_new() -> None:
    novelty = Novelty(OPENED)
    ids = [an_id(1 + number / 1000) for number in range(10_000)]
    for job_id in ids:
        assert novelty.is_new(job_id)

    assert not any(novelty.is_new(job_id) for job_id in ids)
