"""`bus config`: which bus a command would speak to, and where that is said."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import click

from client.calls import Call, speaks_to_a_bus
from client.printable import in_columns
from client.settings import VARIABLES, file_of, read_file

EXAMPLE = """\
# ~/.config/aafai-bus/client.toml, mode 0600 when it holds a token.
machine = "night"                  # the one that is meant when none is named

[machines.night]
project = "my-project"
zones = ["europe-west1-b", "europe-west1-c"]   # a machine of that name in each; the first is tried first
instance = "aafai-bus"
token_file = "~/.config/aafai-bus/night.token"
signs = true                       # made by `bus token make NAME --signing`: signs, and is never sent

[machines.here]
url = "http://127.0.0.1:8000"
"""


@click.command(name="config")
@click.option("--example", is_flag=True, help="Print a file of machines, to begin with.")
@speaks_to_a_bus
def config(call: Call, example: bool) -> None:
    """Show which bus is meant, and where that is said.

    The settings of this client are the environment and a file of machines. Nobody is asked.
    The settings of a bus itself are shown by `python -m config`, on its machine.
    """
    if example:
        call.show({"example": EXAMPLE}, [EXAMPLE.rstrip()])
        return
    path = file_of(os.environ)
    meant, machines = read_file(path)
    token = "(secret)" if call.target.token else ""
    target = {**asdict(call.target), "token": token, "zones": [*call.target.zones]}
    document = {"file": str(path), "machine": meant, "machines": [*machines], "target": target}
    call.show(document, _lines(document, os.environ))


def _lines(document: Mapping[str, Any], environ: Mapping[str, str]) -> Iterator[str]:
    names = ", ".join(document["machines"]) or "none: `bus config --example` prints one to begin with"
    yield f"{document['file']}: {names}"
    for name, value in document["target"].items():
        if value not in ("", [], False):
            yield f"  {name:10} {', '.join(value) if isinstance(value, list) else value}"
    yield ""
    shown = {name: "(secret)" if name == "AAFAI_TOKEN" else value for name, value in environ.items() if value}
    yield from in_columns((name, shown.get(name, "-"), meaning) for name, meaning in VARIABLES.items())
