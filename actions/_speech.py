"""Speech to text with PocketSphinx, whose English model comes with it: nothing is fetched or sent."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, BinaryIO

from core import Fail

if TYPE_CHECKING:
    from pocketsphinx import Decoder

#: What the model listens to: samples a second, of 16 bits each.
RATE = 16_000

_BYTES_A_SECOND = 2 * RATE
#: Whoever speaks without a pause is cut off here; memory would grow with the length.
_LONGEST_UTTERANCE = 30 * _BYTES_A_SECOND
#: Long enough to end an utterance that lasts until the end of its recording.
_SILENCE = bytes(_BYTES_A_SECOND)
_FRAMES = 8_192  # decoded at a time
_MISSING = "{} is not installed: run .venv/bin/pip install -r requirements-audio.txt where the bus runs."


class Recogniser:
    """Write down English speech. Making one takes a moment and a hundred megabytes."""

    def __init__(self) -> None:
        """Load the model. Raises Fail when the package is not installed."""
        try:
            from pocketsphinx import Decoder  # noqa: PLC0415  The server need not load it.
        except ImportError as error:
            raise Fail(_MISSING.format("pocketsphinx"), code="not_installed") from error
        self._decoder: Decoder = Decoder(samprate=RATE, loglevel="FATAL")

    def text_of(self, utterance: bytes) -> str:
        """Return the words of one utterance, empty when there are none."""
        self._decoder.start_utt()
        self._decoder.process_raw(utterance, full_utt=True)
        self._decoder.end_utt()
        heard = self._decoder.hyp()
        return heard.hypstr if heard else ""


def sound_of(file: BinaryIO) -> Iterator[bytes]:
    """Yield the sound of an open WAV, FLAC, MP3 or Ogg Vorbis file as the model listens to it.

    Raises ValueError for a file that holds no such sound, and Fail when the package is not installed.
    """
    try:
        import miniaudio  # noqa: PLC0415  The server need not load it.
    except ImportError as error:
        raise Fail(_MISSING.format("miniaudio"), code="not_installed") from error
    try:
        # The name leads to the very file that is open, whatever lies under its path by now.
        for samples in miniaudio.stream_file(
            f"/proc/self/fd/{file.fileno()}",
            output_format=miniaudio.SampleFormat.SIGNED16,
            nchannels=1,
            sample_rate=RATE,
            frames_to_read=_FRAMES,
        ):
            yield samples.tobytes()
    except miniaudio.DecodeError as error:
        raise ValueError("holds no sound that can be decoded") from error


def utterances(sound: Iterable[bytes]) -> Iterator[bytes]:
    """Cut sound at its pauses, and yield what is between them."""
    from pocketsphinx import Endpointer  # noqa: PLC0415

    endpointer = Endpointer(sample_rate=RATE)
    heard = bytearray()
    for frame in _frames(sound, endpointer.frame_bytes):
        heard += endpointer.process(frame) or b""
        if heard and (not endpointer.in_speech or len(heard) >= _LONGEST_UTTERANCE):
            yield bytes(heard)
            heard.clear()
    if heard:
        yield bytes(heard)


def _frames(sound: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Yield sound in pieces of that many bytes, silence at its end."""
    waiting = bytearray()
    for piece in itertools.chain(sound, [_SILENCE]):
        waiting += piece
        whole = len(waiting) // size * size
        for start in range(0, whole, size):
            yield bytes(waiting[start : start + size])
        del waiting[:whole]
