"""What is said in recordings, written down on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Annotated, BinaryIO, Literal, TypedDict

from pydantic import Field

from actions._media import files_below, opened_file, opened_folder, reason
from actions._speech import Recogniser, sound_of, utterances
from core import Fail, JobContext, action

#: What recordings are named like; those that cannot be decoded are named in the result.
SUFFIXES = frozenset(
    {".wav", ".flac", ".mp3", ".ogg", ".oga", ".aac", ".aiff", ".amr", ".m4a", ".opus", ".wma"}
)
MOST_RECORDINGS = 10_000


class Text(TypedDict):
    """One recording."""

    output_type: Literal["text"]
    #: What is said in it, a line for each utterance.
    value: str
    #: Its path.
    title: str
    #: Why it could not be read; None when it could.
    subtitle: str | None


class Texts(TypedDict):
    """All recordings, in the order of their paths."""

    output_type: Literal["batchtext"]
    texts: list[Text]


@action(timeout="2h", max_attempts=2, queue="audio")
def run(
    input_dir: Annotated[
        str, Field(min_length=1, max_length=4096, description="A folder below one of AAFAI_MEDIA_DIRS.")
    ],
    *,
    job: JobContext,
) -> Texts:
    """Write down what is said in the recordings of a folder and of those below it, in English.

    Reads WAV, FLAC, MP3 and Ogg Vorbis; symbolic links are not followed.
    """
    texts: list[Text] = []
    with opened_folder(input_dir) as folder:
        paths = _recordings(folder, input_dir)
        recogniser = Recogniser()
        for number, path in enumerate(paths):
            shown = _shown(path)
            job.progress(number / len(paths), f"{number} of {len(paths)} recordings, now {shown}")
            text, problem = _heard(recogniser, folder, path, job)
            if problem:
                job.warning(f"{shown}: {problem}")
            title = str(PurePosixPath(input_dir, shown))
            texts.append(Text(output_type="text", value=text, title=title, subtitle=problem))
    return Texts(output_type="batchtext", texts=texts)


def _recordings(folder: int, shown: str) -> list[str]:
    """Return the paths of the recordings below an open folder; never none. Raises Fail."""
    paths = sorted(path for path in files_below(folder) if PurePosixPath(path).suffix.lower() in SUFFIXES)
    if not paths:
        raise Fail(f"The folder {shown} holds no recordings.", code="no_recordings")
    if len(paths) > MOST_RECORDINGS:
        raise Fail(f"The folder {shown} holds more than {MOST_RECORDINGS:,} recordings.", code="too_many")
    return paths


def _heard(recogniser: Recogniser, folder: int, path: str, job: JobContext) -> tuple[str, str | None]:
    """Return what is said in a recording, and why it could not be read, if it could not."""
    try:
        with opened_file(folder, path) as file:
            return "\n".join(_lines(recogniser, file, job)), None
    except OSError as error:
        return "", f"The recording {reason(error)}."
    except ValueError as error:
        return "", f"The recording {error}."


def _lines(recogniser: Recogniser, file: BinaryIO, job: JobContext) -> Iterator[str]:
    for utterance in utterances(sound_of(file)):
        job.check_cancelled()
        if text := recogniser.text_of(utterance):
            yield text


def _shown(path: str) -> str:
    """Return a path as JSON can hold it: names of files need not be text."""
    return path.encode(errors="replace").decode()
