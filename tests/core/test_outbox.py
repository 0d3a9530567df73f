"""The outbox keeps promises and letters through everything, and makes no more of them than there are."""

from __future__ import annotations

import errno
import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from core.errors import DiskFull, EngineUnavailable
from core.jobs import State
from core.letters import Letter, failed, letter_id, letter_of_job
from core.outbox import Outbox
from core.webhook_signature import keys_of
from tests.factories import NOW, a_job, an_id


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "webhooks")


def a_letter(job_id: str = "", **fields: object) -> Letter:
    job = a_job(
        id=job_id or an_id(), state=State.SUCCEEDED, callback_url="https://example.org/hook", ended_at=NOW
    )
    return replace(letter_of_job(job), **fields)  # type: ignore[arg-type]


def test_a_promise_lasts_until_it_is_withdrawn(outbox: Outbox, tmp_path: Path) -> None:
    first, second = an_id(), an_id()

    outbox.promise([first, second])
    outbox.withdraw([first])

    assert Outbox(tmp_path / "webhooks").promises() == [second]
    assert not outbox.has_promised(first)
    assert outbox.has_promised(second)
    assert (tmp_path / "webhooks" / "promised" / second).stat().st_size == 0


def test_a_promise_is_synced_before_it_is_given(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox.make()
    job_ids, synced = [an_id(), an_id()], []

    def sync(fd: int) -> None:
        synced.append((str(Path(f"/proc/self/fd/{fd}").readlink()), sorted(outbox.promises())))

    monkeypatch.setattr(os, "fsync", sync)
    outbox.promise(job_ids)

    assert synced == [(str(tmp_path / "webhooks" / "promised"), job_ids)]


@pytest.mark.parametrize(("number", "error"), [(errno.ENOSPC, DiskFull), (errno.EIO, EngineUnavailable)])
def test_a_promise_that_cannot_be_kept_is_not_given(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, number: int, error: type[EngineUnavailable]
) -> None:
    def fail(fd: int) -> None:
        raise OSError(number, os.strerror(number))

    outbox.make()
    monkeypatch.setattr(os, "fsync", fail)

    with pytest.raises(error, match="promise of a callback could not be stored"):
        outbox.promise([an_id()])

    assert outbox.promises() == []


def test_a_folder_that_is_gone_is_not_made_anew(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        Outbox(tmp_path / "gone" / "webhooks").promise([an_id()])


def test_a_letter_comes_back_as_it_was_put(outbox: Outbox, tmp_path: Path) -> None:
    letter = failed(a_letter(), error="Answered 500.", now=NOW, base=2.0, jitter=0.5)

    outbox.put(letter)

    again = Outbox(tmp_path / "webhooks")
    assert again.letters() == [letter.id]
    assert again.get(letter.id) == letter
    assert again.has(letter.id)


def test_a_letter_that_was_taken_leaves_nothing_behind(outbox: Outbox) -> None:
    job_id = an_id()
    outbox.promise([job_id])
    outbox.put(a_letter(job_id))

    outbox.settle(a_letter(job_id))

    assert (outbox.letters(), outbox.promises()) == ([], [])


def test_a_letter_that_is_given_up_is_kept_apart(outbox: Outbox, tmp_path: Path) -> None:
    job_id = an_id()
    outbox.promise([job_id])

    outbox.give_up(a_letter(job_id, error="Answered 410."))

    assert (outbox.letters(), outbox.promises()) == ([], [])
    assert "Answered 410." in (tmp_path / "webhooks" / "given-up" / f"{letter_id(job_id)}.json").read_text()


def test_of_letters_that_were_given_up_only_the_newest_are_kept(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.outbox._GIVEN_UP_KEPT", 2)
    letters = [a_letter() for _ in range(4)]

    for age, letter in enumerate(letters):
        outbox.give_up(letter)
        path = tmp_path / "webhooks" / "given-up" / f"{letter.id}.json"
        os.utime(path, (NOW + age, NOW + age))

    left = {path.stem for path in (tmp_path / "webhooks" / "given-up").iterdir()}
    assert letters[-1].id in left
    assert len(left) == 2


def test_a_letter_is_set_aside_though_the_disk_is_full_and_its_folder_gone(
    outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letter = a_letter()
    outbox.put(letter)
    (tmp_path / "webhooks" / "given-up").rmdir()

    def full(letter: Letter) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(outbox, "put", full)
    outbox.give_up(replace(letter, attempts=9))

    assert (tmp_path / "webhooks" / "given-up" / f"{letter.id}.json").exists()
    assert outbox.letters() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"id": 7}', "\x00" * 100])
def test_a_damaged_letter_is_removed_for_its_promise_brings_another(
    outbox: Outbox, tmp_path: Path, text: str
) -> None:
    outbox.make()
    (tmp_path / "webhooks" / "pending" / "msg_x.json").write_text(text)

    assert outbox.get("msg_x") is None
    assert outbox.letters() == []


def test_one_process_leads_until_it_resigns(outbox: Outbox, tmp_path: Path) -> None:
    other = Outbox(tmp_path / "webhooks")
    assert not outbox.lead(), "there is nothing to deliver yet"
    outbox.make()

    assert outbox.lead()
    assert outbox.lead()
    assert not other.lead()
    outbox.resign()
    assert other.lead()
    other.resign()


def test_threads_that_need_the_first_secret_at_once_all_get_the_one_that_stays(tmp_path: Path) -> None:
    for number in range(30):
        outbox, at_once = Outbox(tmp_path / str(number) / "webhooks"), threading.Barrier(8)
        outbox._folder.parent.mkdir()
        got: list[str] = []

        def ask(outbox: Outbox = outbox, at_once: threading.Barrier = at_once, got: list[str] = got) -> None:
            at_once.wait()
            got.append(outbox.secret())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert got == [outbox.secret()] * 8


def test_the_secret_is_made_once_and_is_nobody_elses(outbox: Outbox, tmp_path: Path) -> None:
    secret = outbox.secret()

    assert Outbox(tmp_path / "webhooks").secret() == secret
    assert len(keys_of(secret)[0]) == 32
    assert (tmp_path / "webhooks" / "secret").stat().st_mode & 0o777 == 0o600


def test_waits_double_up_to_four_hours_and_end_after_a_day() -> None:
    letter, delays = a_letter(), []

    while not letter.hopeless:
        letter = failed(letter, error="x", now=NOW, base=2.0, jitter=0.999999)
        delays.append(letter.delay)

    assert [round(delay) for delay in delays[:4]] == [2, 4, 8, 16]
    assert max(delays) <= 4 * 3600
    assert 86_400 <= sum(delays[:-1]) <= 86_400 + 4 * 3600


def test_a_letter_is_due_no_later_than_its_delay_though_the_clock_was_set_back() -> None:
    letter = failed(a_letter(), error="x", now=NOW, base=2.0, jitter=0.0)

    assert letter.due_in(NOW) == letter.delay
    assert letter.due_in(NOW + 10) == 0.0
    assert letter.due_in(NOW - 86_400) == letter.delay


def test_a_large_result_is_not_sent_along() -> None:
    job = a_job(state=State.SUCCEEDED, result="x" * 70_000, callback_url="https://example.org", ended_at=NOW)

    letter = letter_of_job(job)

    assert len(letter.body) < 5_000
    assert '"result_left_out": true' in letter.body
