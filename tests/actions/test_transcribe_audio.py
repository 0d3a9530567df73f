"""Recordings of real speech, heard by the real recogniser."""

from __future__ import annotations

import os
import sys
from array import array
from pathlib import Path
from typing import Any

import pytest

from actions._speech import Recogniser, sound_of, utterances
from actions.transcribe_audio import run
from core.context import JobContext
from core.errors import Cancel, Fail
from core.jobs import State
from tests.actions.speech import SENTENCE, encoded, recogniser_needed, samples_of, spoken, written
from tests.actions.visitor import Silent, Visitor


@pytest.fixture
def media(tmp_path: Path) -> Path:
    """The folder that recordings may be read from."""
    recogniser_needed()
    folder = tmp_path / "media"
    folder.mkdir()
    return folder


def transcribed(visitor: Visitor, folder: Path) -> list[dict[str, Any]]:
    """Transcribe a folder as a job and return the texts of its result."""
    job = visitor.run("transcribe_audio", {"input_dir": str(folder)})
    assert job.state is State.SUCCEEDED, job.error
    assert job.result["output_type"] == "batchtext"
    return list(job.result["texts"])


def test_the_recordings_of_a_folder_are_written_down_in_the_order_of_their_paths(
    visitor: Visitor, media: Path
) -> None:
    spoken(media / "b.wav", SENTENCE)
    spoken(media / "a" / "1.WAV", "we need more time and money")
    (media / "notes.txt").write_text("No recording.")

    texts = transcribed(visitor, media)

    assert texts == [
        text("we need more time and money", media / "a" / "1.WAV"),
        text(SENTENCE, media / "b.wav"),
    ]


def text(value: str, path: Path, problem: str | None = None) -> dict[str, Any]:
    return {"output_type": "text", "value": value, "title": str(path), "subtitle": problem}


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".ogg"])
def test_other_forms_of_recordings_are_heard_as_well(visitor: Visitor, media: Path, suffix: str) -> None:
    path = encoded(spoken(media / "1.wav"), suffix)

    assert transcribed(visitor, media) == [text(SENTENCE, path)]


@pytest.mark.parametrize(("width", "channels"), [(1, 1), (2, 2), (3, 1), (4, 1)])
def test_other_kinds_of_wav_are_heard_as_well(
    visitor: Visitor, media: Path, width: int, channels: int
) -> None:
    samples = samples_of(spoken(media / "made.wav"))
    (media / "made.wav").unlink()
    sound = b"".join(_sample(one, width) * channels for one in samples)
    path = written(media / "1.wav", sound, rate=22_050, width=width, channels=channels)

    assert transcribed(visitor, media) == [text(SENTENCE, path)]


def _sample(value: int, width: int) -> bytes:
    """Return a 16-bit sample as a WAV file of another width holds it."""
    if width == 1:
        return bytes([(value >> 8) + 128])
    return bytes(width - 2) + value.to_bytes(2, "little", signed=True)


def test_speech_until_the_very_end_is_heard_and_silence_is_nothing(visitor: Visitor, media: Path) -> None:
    samples = samples_of(spoken(media / "a.wav"))
    loud = [number for number, value in enumerate(samples) if abs(value) > 500]
    cut = written(media / "a.wav", samples[: loud[-1]].tobytes(), rate=22_050, width=2, channels=1)
    silent = written(media / "b.wav", bytes(2 * 16_000), rate=16_000, width=2, channels=1)
    empty = written(media / "c.wav", b"", rate=16_000, width=2, channels=1)

    assert transcribed(visitor, media) == [text(SENTENCE, cut), text("", silent), text("", empty)]


def test_what_cannot_be_read_is_told_and_the_others_are_heard(visitor: Visitor, media: Path) -> None:
    spoken(media / "c.wav")
    (media / "a.wav").write_text("No sound at all.")
    (media / "b.wav").symlink_to(media / "c.wav")
    (media / "d.m4a").write_bytes(bytes(100))
    os.mkfifo(media / "e.wav")

    texts = transcribed(visitor, media)

    assert texts == [
        text("", media / "a.wav", "The recording holds no sound that can be decoded."),
        text("", media / "b.wav", "The recording is a symbolic link, which is not followed."),
        text(SENTENCE, media / "c.wav"),
        text("", media / "d.m4a", "The recording holds no sound that can be decoded."),
        text("", media / "e.wav", "The recording is no regular file."),
    ]


def test_a_name_that_is_no_text_spoils_nothing(visitor: Visitor, media: Path) -> None:
    spoken(media / "a.wav").rename(os.fsdecode(os.fsencode(media) + b"/\xff.wav"))

    assert transcribed(visitor, media) == [text(SENTENCE, media / "?.wav")]


@pytest.mark.parametrize(
    ("folder", "code", "sentence"),
    [
        ("/etc", "path_not_allowed", "/etc lies outside the folders that AAFAI_MEDIA_DIRS allows."),
        ("{media}/../downloads", "path_not_allowed", "The path of a folder must hold neither '..' nor NUL."),
        ("{media}/nowhere", "unreadable_path", "The folder {media}/nowhere is not there."),
        ("{media}", "no_recordings", "The folder {media} holds no recordings."),
    ],
)
def test_a_folder_that_cannot_be_transcribed_fails_the_job_at_once(
    visitor: Visitor, tmp_path: Path, folder: str, code: str, sentence: str
) -> None:
    media = tmp_path / "media"
    media.mkdir()

    job = visitor.run("transcribe_audio", {"input_dir": folder.format(media=media)}, max_attempts=2)

    assert (job.state, job.attempt) == (State.FAILED, 1)
    assert job.error is not None
    assert (job.error.code, job.error.message) == (code, sentence.format(media=media))


@pytest.mark.parametrize("package", ["pocketsphinx", "miniaudio"])
def test_without_a_package_one_sentence_says_what_to_install(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.wav").write_bytes(b"")
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(Fail) as failed, (tmp_path / "a.wav").open("rb") as file:
        Recogniser() if package == "pocketsphinx" else list(sound_of(file))

    assert (failed.value.code, str(failed.value)) == (
        "not_installed",
        (
            f"{package} is not installed:"
            " run .venv/bin/pip install -r requirements-audio.txt where the bus runs."
        ),
    )


def test_a_cancelled_job_stops_between_two_utterances(
    visitor: Visitor, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Cancelled(Silent):
        def stop_wished(self) -> str:
            return "No longer wanted."

    spoken(media / "a.wav")
    monkeypatch.setenv("AAFAI_MEDIA_DIRS", str(media))
    job = JobContext(job_id="j", attempt=1, params={}, folder=media, channel=Cancelled(), clock=visitor.clock)

    with pytest.raises(Cancel, match=r"No longer wanted\."):
        run(str(media), job=job)


def test_whoever_speaks_without_a_pause_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    recogniser_needed()

    class Endless:
        frame_bytes, in_speech = 960, True

        def __init__(self, *, sample_rate: int) -> None:
            assert sample_rate == 16_000

        def process(self, frame: bytes) -> bytes:
            return frame

    monkeypatch.setattr("pocketsphinx.Endpointer", Endless)
    minute = array("h", range(-16_000, 16_000)).tobytes() * 30

    heard = list(utterances([minute]))

    assert [len(one) for one in heard] == [960_000, 960_000, 33 * 960]
    assert b"".join(heard) == minute + bytes(33 * 960)
