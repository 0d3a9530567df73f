"""The shells that people use complete commands, options, machines and the names of actions."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from client.__main__ import bus
from client.bus_client import BusClient
from client.calls import known_actions
from tests.client.served import Served
from tests.conftest import needed
from tests.house.sources import ROOT

#: What is typed, and what follows when the tabulator is pressed.
TYPED = [
    ("bus can", "cancel"),
    ("bus list --st", "--state"),
    ("bus list --state qu", "queued"),
    ("bus submit fake", "fakejob"),
    ("bus actions down", "download_website"),
    ("bus power --machine ni", "night"),
]


def complete(shell: str, typed: str, folder: Path, url: str) -> str:
    """Return what a real shell makes of the words once it has read the script of `bus completion`."""
    path = folder / "bin"
    path.mkdir(exist_ok=True)
    if not (path / "bus").exists():
        (path / "bus").symlink_to(ROOT / "bus")
    (folder / "client.toml").write_text('[machines.night]\nurl = "http://127.0.0.1:1"\n')
    script = folder / f"completion.{shell}"
    script.write_text(CliRunner().invoke(bus, ["completion", shell], prog_name="bus").stdout)
    words = typed.split()
    in_bash = (
        f". {script}; COMP_WORDS=({typed}); COMP_CWORD={len(words) - 1};"
        ' "$(complete -p bus | sed "s/.*-F \\([^ ]*\\) .*/\\1/")" bus; echo "${COMPREPLY[@]}"'
    )
    in_zsh = (
        "autoload -Uz compinit; compinit -u -D; zmodload zsh/zpty;"
        "compadd() { local last=${@[-1]}; print -l -- ${(P)last} >&2 };"
        "_describe() { print -l -- ${completions_with_descriptions%%:*} >&2 };"
        f" . {script}; words=({typed}); CURRENT={len(words)}; _bus_completion 2>&1"
    )
    in_fish = f'source {script}; complete -C "{typed}"'
    ran = subprocess.run(
        {
            "bash": ["bash", "--norc", "-c", in_bash],
            "zsh": ["zsh", "-fc", in_zsh],
            "fish": ["fish", "-c", in_fish],
        }[shell],
        env={
            **os.environ,
            "PATH": f"{path}:{os.environ['PATH']}",
            "HOME": str(folder),
            "AAFAI_CLIENT_FILE": str(folder / "client.toml"),
            "AAFAI_CLIENT_URL": url,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return ran.stdout + ran.stderr


@pytest.mark.parametrize(("typed", "completed"), TYPED)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_what_is_typed(
    served: Served, tmp_path: Path, shell: str, typed: str, completed: str
) -> None:
    needed(shell, shell)

    assert completed in complete(shell, typed, tmp_path, served.url).split()


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:1"])
def test_a_bus_that_is_not_there_disturbs_nobody_who_types(tmp_path: Path, url: str) -> None:
    assert complete("bash", "bus submit fake", tmp_path, url).strip() == ""


def test_no_name_and_no_description_disturbs_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"actions": [{"name": "fake\x1b]0;\n", "description": "A \x1b[31mdescription.\nMore."}]}
    monkeypatch.setattr(BusClient, "actions", lambda _: told)
    ctx = click.Context(click.Command("submit"))

    (item,) = known_actions(ctx, click.Argument(["action"]), "fa")

    assert (item.value, item.help) == (r"fake\x1b]0;\n", r"A \x1b[31mdescription.")
