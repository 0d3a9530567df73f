"""What the bus promises, in the words that docs/guarantees.md gives them. Each is shown by a test."""

from __future__ import annotations

#: Number to wording, one line of Markdown each.
PROMISES = {
    "P1": "**Acknowledged means on disk.** A job whose id was answered survives `kill -9`, a kernel "
    "crash and a power cut, and gets exactly one final record.",
    "P2": "**No moment is a bad one.** Between any two disk calls a crash neither loses nor repeats an "
    "acknowledged step.",
    "P3": "**A failing disk is reported, never hidden.** The answer is 503 or 507, no half file stays, "
    "and the queue works again when the disk does.",
    "P4": "**A dead worker is noticed within about a second,** its job runs again at once; a slow, "
    "stopped or suspended one is never taken for dead.",
    "P5": "**At least one run, exactly one result.** A late outcome is refused, not written.",
    "P6": "**`max_attempts: 1` means at most once,** after a crash too.",
    "P7": "**One idempotency key, one job,** for at least 24 hours, across crashes; another body is a "
    "409 that names it.",
    "P8": "**Clock jumps lose nothing, repeat nothing,** and never stop the machine early.",
    "P9": "**SIGTERM:** nothing more is claimed, requests under way are answered and new ones refused, "
    "jobs get 20 seconds, what remains is put back and costs no attempt.",
    "P10": "**`ls` and `cat` show the truth:** the folder is the state.",
    "P11": "**A file dropped into `inbound/` becomes one job, or lands in `quarantine/` with a sentence "
    "why.** Nothing there can hang or crash the bus.",
    "P12": "**A damaged file costs one job,** never the queue.",
    "P13": "**A million waiting jobs are as quick as ten:** neither the start nor a claim looks at them all.",
    "P14": "**Several processes may share the folder:** no job is claimed twice.",
    "P15": "**The machine never switches off over a job:** the gate closes first, then the queue is "
    "looked at once more.",
    "P16": "**The disk cannot be filled by the queue:** new jobs are refused while room remains to "
    "finish the accepted ones.",
    "P17": "**Stalled, dripping or silent clients take no thread, nor do slow readers:** a request is "
    "gathered and an answer sent without waiting, and given up after a while.",
    "P18": "**Data is never code:** no pickle, no YAML tag and no import by a string of a request.",
    "P19": "**A browser and a fetch cannot reach private addresses** unless a setting allows it.",
    "P20": "**Secrets of the settings stay out** of answers, `/metrics`, pages, errors, the log, results"
    " and what actions can see.",
    "P21": "**Hardened by default:** `systemd-analyze security` rates the units 2.5 or better.",
    "P22": "**A file left in the mailbox becomes one job, and every end is published,** whatever dies; in"
    " the mirror a status comes last, so where it is, all the rest is.",
}
