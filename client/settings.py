"""Which bus a client speaks to: a file of named machines, and the environment, which counts for more."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client.errors import BadInput
from client.settings_check import (
    HINT,
    allow_only,
    checked_flag,
    checked_mirror,
    checked_port,
    checked_table,
)
from client.signing import key_id_in

#: The variables of a client. Those that do not begin with AAFAI_CLIENT_ mean what they mean to the bus.
VARIABLES: Mapping[str, str] = {
    "AAFAI_CLIENT_FILE": "The file of named machines, if not ~/.config/aafai-bus/client.toml.",
    "AAFAI_CLIENT_MACHINE": "The name of the machine in that file that is meant.",
    "AAFAI_CLIENT_URL": "Where the bus is, if on no machine that is started; http://127.0.0.1:8000 without.",
    "AAFAI_CLIENT_INSTANCE": "The machine, as project/zone/instance; further zones with commas between them.",
    "AAFAI_CLIENT_SIGNS": "true if the token signs requests and is never sent.",
    "AAFAI_TOKEN": "The token; the file of machines can hold one for each.",
    "AAFAI_PORT": "The port on a machine, 8000 without.",
    "AAFAI_MIRROR": "Where results and jobs lie while the machine is off: folder:/path or gs://bucket/prefix.",
    "AAFAI_GOOGLE_URL": "Where Google's services are asked instead of at their own address; for tests.",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One bus, as the settings name it: by a url, or by a machine of the cloud."""

    #: What the file calls it; empty for one that the environment describes, or the one on this computer.
    name: str = ""
    url: str = ""
    project: str = ""
    #: The zones in which there is a machine of that name; the first is the one that is meant.
    zones: tuple[str, ...] = ()
    instance: str = ""
    port: int = 8000
    #: Whether the machine is reached by its address inside the network.
    internal: bool = False
    token: str = field(default="", repr=False)
    #: Whether the token signs requests and is never sent.
    signs: bool = False
    #: Where results are read while the machine is off; empty for nowhere.
    mirror: str = ""
    google_url: str = ""


def find_target(environ: Mapping[str, str], *, machine: str = "", url: str = "") -> Target:
    """Return the bus that options, the environment or the file mean, in this order; else the one here.

    A token of the environment goes to the machine that the environment names, or to the only one. Raises
    BadInput with the place of what is wrong.
    """
    given = {name: environ.get(name, "").strip() for name in VARIABLES}
    if machine:
        found = _machine_in(file_of(environ), machine)
    elif url:
        found = checked_table("--url", {"url": url})
    elif given["AAFAI_CLIENT_URL"]:
        found = checked_table("AAFAI_CLIENT_URL", {"url": given["AAFAI_CLIENT_URL"]})
    elif given["AAFAI_CLIENT_INSTANCE"]:
        found = _instance_in(given["AAFAI_CLIENT_INSTANCE"])
    else:
        found = _machine_in(file_of(environ), given["AAFAI_CLIENT_MACHINE"])
    return _completed(found, given)


def file_of(environ: Mapping[str, str]) -> Path:
    """Return where the file of machines is, or would be."""
    if named := environ.get("AAFAI_CLIENT_FILE", "").strip():
        return Path(named)
    base = environ.get("XDG_CONFIG_HOME", "").strip() or Path(environ.get("HOME", "/"), ".config")
    return Path(base, "aafai-bus", "client.toml")


def read_file(path: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the machine that is meant, by name, and all machines; none without a file. Raises BadInput."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return "", {}
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}.", hint=HINT) from None
    except ValueError as error:
        raise BadInput(f"{path} is no TOML: {error}.", hint=HINT) from None
    allow_only(str(path), document, ("machine", "machines"))
    machines = document.get("machines", {})
    if not isinstance(machines, dict) or not all(isinstance(one, dict) for one in machines.values()):
        raise BadInput(f"{path}: machines must be tables, such as [machines.night].", hint=HINT)
    checked = {name: checked_table(f"{path}: machine {name!r}", one) for name, one in machines.items()}
    if any("token" in one for one in checked.values()):
        _refuse_readable(path, "holds a token")
    return str(document.get("machine", "")), checked


def _machine_in(path: Path, wanted: str) -> dict[str, Any]:
    """Return the machine that is wanted, or meant when none is; nothing when there are none."""
    meant, machines = read_file(path)
    name = wanted or meant or (next(iter(machines)) if len(machines) == 1 else "")
    if not name and not machines:
        return {}
    if name in machines:
        return {"name": name, **machines[name]}
    if not machines:
        hint = "`bus config --example` prints a file to begin with."
        raise BadInput(f"There is no machine {name!r}: {path} names none.", hint=hint)
    told = f"There is no machine {name!r} in {path}." if name else f"{path} names several machines."
    nearest = difflib.get_close_matches(name, machines, n=1)
    known = f"Did you mean {nearest[0]!r}?" if nearest else f"There are: {', '.join(machines)}."
    raise BadInput(told, hint=f"{known} Name one with --machine, or as `machine` at the top of the file.")


def _instance_in(text: str) -> dict[str, Any]:
    parts = text.split("/")
    if len(parts) != 3:
        told = f"AAFAI_CLIENT_INSTANCE: {text!r} is no machine."
        raise BadInput(told, hint="Write it as in my-project/europe-west1-b/aafai-bus")
    zones = [zone.strip() for zone in parts[1].split(",")]
    table = {"project": parts[0], "zones": zones, "instance": parts[2]}
    return checked_table("AAFAI_CLIENT_INSTANCE", table)


def _completed(found: dict[str, Any], given: Mapping[str, str]) -> Target:
    """Return the target with what the environment adds to it."""
    more: dict[str, Any] = {"google_url": given["AAFAI_GOOGLE_URL"]}
    port = checked_port("AAFAI_PORT", given["AAFAI_PORT"])
    if not found.get("url") and not found.get("instance"):
        more["url"] = f"http://127.0.0.1:{port or 8000}"
    if "port" not in found and port:
        more["port"] = port
    if file := found.pop("token_file", ""):
        more["token"] = _token_in(Path(file).expanduser())
    elif "token" not in found:
        more["token"] = given["AAFAI_TOKEN"]
    if "mirror" not in found:
        more |= checked_mirror("AAFAI_MIRROR", given["AAFAI_MIRROR"])
    if "signs" not in found:
        more["signs"] = checked_flag("AAFAI_CLIENT_SIGNS", given["AAFAI_CLIENT_SIGNS"])
    target = Target(**{**found, **more})
    if target.signs and target.token and not key_id_in(target.token):
        hint = "Make one that does: bus token make NAME --signing"
        raise BadInput("The token cannot sign requests.", hint=hint)
    return target


def _token_in(path: Path) -> str:
    try:
        token = path.read_text(encoding="ascii").strip()
        _refuse_readable(path, "is a token")
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}, the token's file: {error}.", hint="Name another as token_file.") from None
    if not token:
        raise BadInput(f"{path}, the token's file: it is empty.", hint="Name another as token_file.")
    return token


def _refuse_readable(path: Path, what: str) -> None:
    """Raise BadInput for a secret that other users of this computer may read."""
    if path.stat().st_mode & 0o077:
        raise BadInput(f"{path} {what}, and others may read it.", hint=f"Type: chmod 600 {path}")
