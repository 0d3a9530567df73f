"""Words that people write in settings, and the values they stand for. Pure. Durations are in core.timing.

Every function takes a stripped text and raises ValueError with one sentence that ends in the remedy.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from core.timing import parse_duration
from core.webhook_signature import keys_of

_FLAGS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,3})?)\s*(B|KiB|MiB|GiB|TiB|)", re.ASCII)
_SIZES = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_QUEUE = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_ACTION = re.compile(r"[a-z][a-z0-9_]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PACKAGE = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*", re.ASCII)
_TOKEN = re.compile(r"[!-~]{16,512}")
_TRANSPORTS = {"journal", "redis", "rediss", "local"}
_SWITCH = re.compile(r"none|systemd|gcp|gcp:suspend|command:\s*\S.*")
_ALARM = re.compile(
    r"none|rtcwake|command:\s*\S.*"
    r"|gcp-scheduler:([a-z0-9-]{1,63}/)?[\w-]{1,500}|gcp-schedule:[a-z]([a-z0-9-]{0,61}[a-z0-9])?",
    re.ASCII,
)
_FOLDER = re.compile(r"folder:/[^\0-\x1f]{0,1000}")
_BUCKET = re.compile(
    r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/(?!\.{1,2}(/|$))[\w.,=+@-]{1,200}){0,8}", re.ASCII
)
_BASE_URL = re.compile(r"https?://(?P<host>[A-Za-z0-9.-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")


def as_written(text: str) -> str:
    """Return the text itself."""
    return text


def parse_flag(text: str) -> bool:
    """Return whether the text says yes: true, yes, on or 1; or no: false, no, off or 0."""
    if text.lower() not in _FLAGS:
        raise ValueError(f"{text!r} is neither yes nor no: write true or false.")
    return _FLAGS[text.lower()]


def one_of(*words: str) -> Callable[[str], str]:
    """Return a reader that accepts only these words."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"{text!r} is not known here: write one of {', '.join(words)}.")
        return text

    return read


def whole(lowest: int, highest: int) -> Callable[[str], int]:
    """Return a reader of whole numbers from `lowest` to `highest`, neither of them below 0."""

    def read(text: str) -> int:
        digits = text.isascii() and text.isdigit() and len(text) < 19
        if not digits or not lowest <= int(text) <= highest:
            raise ValueError(f"{text!r} does not fit: write a whole number from {lowest} to {highest}.")
        return int(text)

    return read


def parse_minutes(text: str) -> float:
    """Return the seconds in a number of minutes, or in any duration that has a unit."""
    return parse_duration(f"{text} minutes" if text[-1:].isdigit() else text)


def parse_duration_up_to(longest: str) -> Callable[[str], float]:
    """Return a reader of durations that are no longer than one."""

    def read(text: str) -> float:
        seconds = parse_duration(text)
        if seconds > parse_duration(longest):
            raise ValueError(f"{text!r} is too long: write {longest} at most.")
        return seconds

    return read


def parse_duration_or_off(text: str) -> float:
    """Return the seconds of a duration; 0.0 for `off` and `0`."""
    return 0.0 if text in {"0", "off"} else parse_duration(text)


def parse_size(text: str) -> int:
    """Return the bytes meant by a number of bytes or by a number and KiB, MiB, GiB or TiB."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no size: write a number of bytes, or a number and KiB, MiB or GiB.")
    return int(float(found[1]) * _SIZES[found[2]])


def parse_list(text: str) -> tuple[str, ...]:
    """Return the words between the commas, each once."""
    return tuple(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def parse_packages(text: str) -> tuple[str, ...]:
    """Return the names of Python packages or modules between the commas, each once."""
    packages = parse_list(text)
    for package in packages:
        if not _PACKAGE.fullmatch(package):
            raise ValueError(f"{package!r} is no package: write names as in app,tools.reports.")
    return packages


def parse_slots(text: str) -> Mapping[str, int]:
    """Return how many jobs of each queue may run at once, written as in `default=3,browser=1`."""
    slots: dict[str, int] = {}
    for entry in parse_list(text):
        queue, _, number = (part.strip() for part in entry.partition("="))
        if not (_QUEUE.fullmatch(queue) and number) or queue in slots:
            raise ValueError(
                f"{entry!r} is no queue and its number, or names one again: write as in default=3,browser=1."
            )
        slots[queue] = whole(0, 50)(number)
    if "default" not in slots:
        raise ValueError(f"{text!r} leaves out the queue named default: write as in default=3,browser=1.")
    return slots


def parse_action(text: str) -> str:
    """Return the name of an action."""
    if not _ACTION.fullmatch(text):
        raise ValueError(f"{text!r} names no action: write the name of its file without .py.")
    return text


def parse_queue(text: str) -> str:
    """Return the name of a queue."""
    if not _QUEUE.fullmatch(text):
        raise ValueError(f"{text!r} is no queue: write a name such as default or my_queue.")
    return text


def parse_path(text: str) -> Path:
    """Return the absolute path; a relative one starts at the current directory."""
    return Path(text).absolute()


def parse_paths(text: str) -> tuple[Path, ...]:
    """Return the absolute paths between the commas; none may hold a `:`, which stands between them later."""
    if ":" in text:
        raise ValueError(f"{text!r} holds a colon, which these paths cannot: write commas between them.")
    return tuple(parse_path(path) for path in parse_list(text))


def parse_optional_path(text: str) -> Path | None:
    """Return the absolute path; None for the empty text."""
    return parse_path(text) if text else None


def parse_host(text: str) -> str:
    """Return the name or address to listen on."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        if not _HOST.fullmatch(text):
            raise ValueError(f"{text!r} is no address: write one without a port, as in 127.0.0.1.") from None
    return text


def is_loopback(host: str) -> bool:
    """Return whether only programs of this machine can reach that name or address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_token(text: str) -> str | None:
    """Return the secret that clients must show; None for the empty text. The refusal never repeats it."""
    if text and not _TOKEN.fullmatch(text):
        raise ValueError(
            "the token is too short or holds odd characters: make one with `openssl rand -hex 32`."
        )
    return text or None


def parse_engine(text: str) -> str:
    """Return the address of an engine, `scheme:rest`; the folder of a `file:` engine becomes absolute."""
    if not re.match(r"[a-z]+:", text):
        raise ValueError("the engine has no scheme: write as in file:/var/lib/aafai-bus/queues or memory:.")
    scheme, _, folder = text.partition(":")
    return f"file:{Path(folder).absolute()}" if scheme == "file" and folder else text


def parse_transport(text: str) -> str:
    """Return the address of what carries events; the folder of a `journal:` becomes absolute."""
    scheme, _, rest = text.partition(":")
    if scheme not in _TRANSPORTS or (scheme == "journal" and not rest):
        raise ValueError("that carries no events: write journal:/folder, redis://host:6379/0 or local:.")
    return f"journal:{Path(rest).absolute()}" if scheme == "journal" else text


def parse_webhook_secret(text: str) -> str:
    """Return the secrets as written, with a space between; the refusal never repeats them."""
    keys_of(text)
    return text


def parse_switches(text: str) -> tuple[str, ...]:
    """Return the power switches to try in turn, written with `;` between them."""
    switches = tuple(part.strip() for part in text.split(";"))
    for switch in switches:
        if not _SWITCH.fullmatch(switch):
            raise ValueError(
                f"{switch!r} is no switch: write none, systemd, gcp, gcp:suspend or command:/path/to/program."
            )
    return switches


def parse_alarm(text: str) -> str:
    """Return the wake alarm as written."""
    if not _ALARM.fullmatch(text):
        raise ValueError(
            f"{text!r} is no wake alarm: write none, gcp-scheduler:job, gcp-schedule:policy, rtcwake or"
            " command:/path/to/program."
        )
    return text


def parse_google_url(text: str) -> str:
    """Return the URL without a slash at its end, or the empty text; what is sent there holds tokens."""
    url = text.rstrip("/")
    found = _BASE_URL.fullmatch(url)
    safe = found is not None and (url.startswith("https:") or is_loopback(found["host"].strip("[]")))
    if url and not safe:
        raise ValueError(
            f"{text!r} is no address to send tokens to: write https://host or http://127.0.0.1:9000."
        )
    return url


def parse_mirror(text: str) -> str:
    """Return the mirror as written, without a slash at its end, or the empty text."""
    mirror = text.rstrip("/")
    if mirror and not (_FOLDER.fullmatch(mirror) or _BUCKET.fullmatch(mirror)):
        raise ValueError(
            f"{text!r} is no mirror: write folder:/absolute/path or gs://bucket, with a /prefix if you like."
        )
    return mirror


def parse_commands(text: str) -> tuple[tuple[str, ...], ...]:
    """Return the words of each command; quotes are read as a shell reads them, and `;` stands between."""
    reader = shlex.shlex(text, posix=True, punctuation_chars=";")
    reader.whitespace_split, reader.commenters = True, ""
    commands: list[list[str]] = [[]]
    try:
        for word in reader:
            if set(word) == {";"}:
                commands.append([])
            else:
                commands[-1].append(word)
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be read as commands ({error}): mend its quotes.") from None
    return tuple(tuple(words) for words in commands if words)
