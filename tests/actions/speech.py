"""Real speech for tests of what listens: spoken by espeak-ng, in whatever form a recording may have."""

from __future__ import annotations

import os
import subprocess
import wave
from array import array
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import needed

#: Heard to the word in every form, from the voice that the recogniser understands best.
SENTENCE = "one two three four five"
_VOICE = ("-v", "en-us+f2", "-s", "150")


def recogniser_needed() -> None:
    """Skip the test without the packages of requirements-audio.txt, or fail it in CI."""
    for package in ("pocketsphinx", "miniaudio"):
        if find_spec(package) is None and os.environ.get("CI"):
            pytest.fail(f"{package} is missing: make setup should have installed requirements-audio.txt")
        if find_spec(package) is None:
            pytest.skip(f"{package} is not installed (requirements-audio.txt)")


def spoken(path: Path, text: str = SENTENCE) -> Path:
    """Speak a text into a WAV file: 22,050 samples a second, mono, 16 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    espeak = needed("espeak-ng", "espeak-ng")
    subprocess.run([espeak, *_VOICE, "-w", str(path), text], check=True)
    return path


def encoded(recording: Path, suffix: str) -> Path:
    """Write the recording anew in another form, beside it and in its place; return its path."""
    path = recording.with_suffix(suffix)
    match suffix:
        case ".flac":
            command = [needed("flac", "flac"), "--silent", "-o", path, recording]
        case ".mp3":
            command = [needed("lame", "lame"), "--quiet", recording, path]
        case _:
            command = [needed("oggenc", "vorbis-tools"), "--quiet", "-o", path, recording]
    subprocess.run([str(word) for word in command], check=True)
    recording.unlink()
    return path


def samples_of(recording: Path) -> array[int]:
    """Return the samples of a 16-bit mono recording."""
    with wave.open(str(recording)) as file:
        return array("h", file.readframes(file.getnframes()))


def written(path: Path, samples: bytes, *, rate: int, width: int, channels: int) -> Path:
    """Write samples as a WAV file of that kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(samples)
    return path
