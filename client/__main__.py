"""The `bus` command: finds the command that was asked for and calls it."""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from typing import Any

import click
from click.exceptions import NoSuchCommand

#: Command to where it lives: module, and what it is called there.
COMMANDS = {
    "actions": ("client.actions", "actions"),
    "apps-script": ("client.apps_script", "apps_script"),
    "cancel": ("client.steering", "cancel"),
    "completion": ("client.completion", "completion"),
    "config": ("client.settings_command", "config"),
    "cost": ("client.cost", "cost"),
    "doctor": ("client.doctor", "doctor"),
    "files": ("client.files", "files"),
    "get": ("client.reading", "get"),
    "hold": ("client.power", "hold"),
    "list": ("client.reading", "list_"),
    "logs": ("client.reading", "logs"),
    "power": ("client.power", "power"),
    "retry": ("client.steering", "retry"),
    "submit": ("client.submit", "submit"),
    "token": ("client.token", "token"),
    "wake": ("client.power", "wake"),
}

_INTERRUPTED = 130  # as shells say it of Ctrl-C


class Commands(click.Group):
    """The commands, each imported only when it is called or listed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return the command of that name. Raises NoSuchCommand, with the names that are near."""
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:  # Somebody is still typing it.
                return None
            raise NoSuchCommand(cmd_name, possibilities=COMMANDS, ctx=ctx)
        module, name = COMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Call the command. What is wrong with how it was called is JSON too, if JSON was asked for."""
        as_json = "--json" in ctx.args
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            if not as_json:
                raise
            told = {"status": "error", "code": "bad_input", "message": error.format_message()}
            asked = getattr(error, "ctx", None) or ctx
            click.echo(json.dumps({**told, "hint": f"Try: {asked.command_path} --help"}, indent=1))
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(_INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def bus() -> None:
    """Submit jobs to an aafai-bus, ask what became of them, and look after it.

    \b
    bus submit fakejob delay_seconds=1 --wait   start the machine if it is off, print the result
    bus list --state failed                     what went wrong
    bus power                                   why the machine is on, and until when
    bus config --example                        where `bus` learns which machine is meant

    \b
    bus doctor            what is wrong with the queue's folder, and with what is needed beside it
    bus doctor --fix      mend what can be mended without losing anything
    bus token make NAME   make a token for a client; bus token --help tells the rest

    Only `submit` and `wake` ever start a machine. `doctor` and `token` are for the bus's own
    machine; its settings are those of the environment: `python -m config` prints them.
    """  # noqa: D301  Click reads the backspace itself.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # No result breaks the command for its signs.


if __name__ == "__main__":
    bus(prog_name=os.environ.get("BUS_COMMAND", "bus"), complete_var="_BUS_COMPLETE")
