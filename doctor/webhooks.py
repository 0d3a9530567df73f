"""Whether letters can be delivered, and promises of callbacks be kept."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import partial

from core.errors import Unsupported
from core.ids import JOB_ID
from core.letters import Letter, letter_id, letter_of
from core.strict_json import BadJson, parse
from core.webhook_signature import keys_of
from doctor.bench import Bench
from doctor.findings import Flaw, Kind, Mark
from doctor.patient import Patient

_TOP = "webhooks"
_PENDING, _PROMISED, _GIVEN_UP = f"{_TOP}/pending", f"{_TOP}/promised", f"{_TOP}/given-up"
#: Seconds after which a promise must have a job.
_STORED = 600.0
#: A draft bears the id of the process that writes it.
_DRAFT_NAME = re.compile(r".+\.(\d+)\.part")

_DAMAGED = Kind(
    code="letter_damaged",
    mark=Mark.WARNING,
    one="A letter of a webhook is damaged",
    many="{n} letters of webhooks are damaged",
    why="The bus writes one anew that tells of a job's end. What else it told is not delivered.",
    remedy="Restore it from a backup, or give it up:",
    mending="puts it into quarantine",
)
_HOPELESS = Kind(
    code="letter_given_up",
    mark=Mark.NOTE,
    one="A letter of a webhook was given up",
    many="{n} letters of webhooks were given up",
    why="Nobody took it within a day, or its receiver wants no more of them.",
    remedy="To try one again: mv {folder}/webhooks/given-up/NAME.json {folder}/webhooks/pending/",
)
_DRAFT = Kind(
    code="letter_draft_left",
    mark=Mark.NOTE,
    one="A draft of a process that died is left in webhooks/",
    many="{n} drafts of processes that died are left in webhooks/",
    why="A crash left it. The letter is in its place, or will be written anew.",
    mending="removes it",
)
_ALONE = Kind(
    code="promise_alone",
    mark=Mark.NOTE,
    one="A callback is promised for a job that is not there",
    many="Callbacks are promised for {n} jobs that are not there",
    why="A crash came before the job was accepted, or somebody has taken the job away. The bus forgets the"
    " promise by itself.",
)
_NO_SECRET = Kind(
    code="secret_wrong",
    mark=Mark.PROBLEM,
    one="The secret that signs webhooks cannot be used",
    why="No webhook is delivered; letters wait for a day, and are given up then.",
    remedy="Restore {folder}/webhooks/secret from a backup. Without one, mv it away: the bus makes another,"
    " which receivers have to be told.",
)


def check_letters(patient: Patient) -> Iterator[Flaw | str]:
    """Yield the letters that are damaged, those that were given up, and drafts of dead processes."""
    number = 0
    for folder in (_PENDING, _GIVEN_UP):
        for name in sorted(patient.disk.names(patient.path(folder))):
            if name.endswith(".json"):
                number += folder == _PENDING
                patient.step()
                yield from _flaws_of(patient, f"{folder}/{name}", given_up=folder == _GIVEN_UP)
    for folder in (_TOP, _PENDING):
        for name in sorted(patient.disk.names(patient.path(folder))):
            found = _DRAFT_NAME.fullmatch(name)
            if found and not os.path.exists(f"/proc/{found[1]}"):
                where = f"{folder}/{name}"
                yield Flaw(_DRAFT, where, mend=partial(_remove, patient.path(where)))
    yield f"{number:,} to be delivered"


def check_promises(patient: Patient) -> Iterator[Flaw | str]:
    """Yield the promises that belong to no job."""
    number = 0
    for name in sorted(filter(JOB_ID.fullmatch, patient.disk.names(patient.path(_PROMISED)))):
        number += 1
        try:
            age = patient.now - patient.disk.status(patient.path(_PROMISED, name)).st_mtime
        except FileNotFoundError:
            continue
        told = patient.disk.exists(patient.path(_PENDING, f"{letter_id(name)}.json"))
        if age > _STORED and not told and patient.whereabouts.find(name) is None:
            yield Flaw(_ALONE, f"{_PROMISED}/{name}")
    if number:
        yield f"{number:,} promised"


def check_secret(patient: Patient) -> Iterator[Flaw | str]:
    """Yield whether the outbox's own secret is none, where it is needed."""
    path = patient.path(_TOP, "secret")
    if patient.config.webhook_secret or not patient.disk.exists(path) or not patient.may_read(path):
        return
    try:
        if not keys_of(patient.disk.read_file(path, limit=1_000).decode("ascii")):
            yield Flaw(_NO_SECRET, patient.short(path), "It is empty.")
    except (Unsupported, ValueError):
        yield Flaw(_NO_SECRET, patient.short(path), "It is no secret of the Standard Webhooks scheme.")


def _flaws_of(patient: Patient, where: str, *, given_up: bool) -> Iterator[Flaw]:
    path = patient.path(where)
    try:
        letter = _letter_at(patient, path)
    except FileNotFoundError:
        return
    if letter is None:
        if patient.may_read(path):
            yield Flaw(_DAMAGED, where, mend=partial(_put_aside, patient, path))
    elif given_up:
        yield Flaw(_HOPELESS, where, f"{letter.event_type} for {letter.host}: {letter.error}")


def _letter_at(patient: Patient, path: str) -> Letter | None:
    """Return the letter that a file holds; None when it holds none. Raises FileNotFoundError."""
    try:
        letter = letter_of(parse(patient.disk.read_file(path), max_depth=1_000))
    except (BadJson, Unsupported):
        return None
    return letter if letter and path.endswith(f"/{letter.id}.json") else None


def _put_aside(patient: Patient, path: str, bench: Bench) -> str:
    return bench.put_aside(path, "It is no letter.", spare=lambda path: not _is_damaged(patient, path))


def _is_damaged(patient: Patient, path: str) -> bool:
    try:
        return _letter_at(patient, path) is None and patient.may_read(path)
    except FileNotFoundError:
        return False


def _remove(path: str, bench: Bench) -> str:
    return bench.remove(path, "removed")
