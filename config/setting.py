"""How a setting is declared, found in an environment, read and shown. config.py holds the bus's own."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

_PASSWORD = re.compile(r"(://[^/@]*:)[^/@]*@")


@dataclass(frozen=True, slots=True)
class Setting:
    """What one setting is called, what it means, and what holds without it."""

    #: The environment variable.
    env: str
    #: As one would write it; `{NAME}` stands for what is written for a setting further up.
    default: str
    #: Makes the value of what is written; raises ValueError with a sentence that ends in the remedy.
    read: Callable[[str], Any]
    #: For people, one sentence.
    help: str
    #: The default in production where it differs; empty when the setting must be given there.
    production: str | None = None
    #: Never shown, and better kept in a file of that name (in lower case) in $CREDENTIALS_DIRECTORY.
    secret: bool = False
    #: A variable of the platform's that counts where this one is not set.
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What is written for a setting, and where."""

    text: str = field(repr=False)
    #: `environment`, `credential` or `default`.
    source: str


def setting(env: str, default: str, read: Callable[[str], Any], text: str, **more: Any) -> Any:
    """Return a dataclass field that carries its Setting; `text` is its help, `more` its remaining fields."""
    declared = Setting(env, default, read, text, **more)
    return field(metadata={"setting": declared}, repr=False)  # an engine's address may hold a password too


def settings_of(kind: Any) -> dict[str, Setting]:
    """Return the settings of a dataclass by the names of their fields, in the order of the fields."""
    return {known.name: known.metadata["setting"] for known in fields(kind) if "setting" in known.metadata}


def search(settings: Iterable[Setting], environ: Mapping[str, str], *, production: bool) -> dict[str, Found]:
    """Return what is written for each setting, by variable; an empty variable counts as not set."""
    found: dict[str, Found] = {}
    for one in settings:
        default = one.production if production and one.production is not None else one.default
        texts = {env: known.text for env, known in found.items()}
        kept = _written(one, environ) or _kept(one, environ)
        found[one.env] = kept or Found(default.format_map(texts), "default")
    return found


def read(settings: Mapping[str, Setting], found: Mapping[str, Found]) -> tuple[dict[str, Any], list[str]]:
    """Return the values by name of their field, and a sentence for each setting that has none."""
    values: dict[str, Any] = {}
    problems: list[str] = []
    for name, one in settings.items():
        text = found[one.env].text
        try:
            if one.production == text == "":
                raise ValueError("production needs it: set it to an absolute path under /var/lib/aafai-bus.")
            values[name] = one.read(text)
        except ValueError as error:
            problems.append(f"{one.env}: {error}")
    return values, problems


def unknown_names(settings: Iterable[Setting], environ: Mapping[str, str], *, prefix: str) -> Iterator[str]:
    """Yield one sentence for each variable that is named like a setting and is none."""
    known = [one.env for one in settings]
    for name in sorted(environ):
        if name.startswith(prefix) and name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else "`python -m config` lists those there are."
            yield f"{ascii(name)[1:-1]} is no setting and is ignored: {hint}"


def table(settings: Iterable[Setting], found: Mapping[str, Found]) -> Iterator[str]:
    """Yield a line for each setting: its variable, what is written for it, and where."""
    shown = {one.env: _shown(one, found[one.env].text) for one in settings}
    names, texts = max(map(len, shown)), max(map(len, shown.values()))
    for env, text in shown.items():
        yield f"{env:{names}}  {text:{texts}}  {found[env].source}"


def markdown(settings: Iterable[Setting]) -> Iterator[str]:
    """Yield the lines of the documentation's table of settings."""
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for one in settings:
        default = f"`{one.default}`" if one.default else "none"
        if one.production is not None:
            default += f"; in production `{one.production}`" if one.production else "; needed in production"
        yield f"| `{one.env}` | {default} | {one.help} |"


def _written(one: Setting, environ: Mapping[str, str]) -> Found | None:
    text = environ.get(one.env, "").strip() or environ.get(one.instead, "").strip()
    return Found(text, "environment") if text else None


def _kept(one: Setting, environ: Mapping[str, str]) -> Found | None:
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if not one.secret or not folder:
        return None
    path = Path(folder, one.env.lower())
    return Found(path.read_text(errors="replace").strip(), "credential") if path.is_file() else None


def _shown(one: Setting, text: str) -> str:
    """Return what may stand on a terminal: no secret, no password of an address, no control character."""
    if one.secret or not text:
        return "(secret)" if text else "(none)"
    return ascii(_PASSWORD.sub(r"\1***@", text))[1:-1]
