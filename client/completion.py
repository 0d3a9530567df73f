"""`bus completion`: what a shell needs to complete the commands and options of `bus`."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

#: The variable by which a shell asks for completions.
VARIABLE = "_BUS_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print a script that teaches SHELL to complete `bus`.

    Commands, options, machines and the actions of a bus that is on. It takes a `bus` in a folder of PATH,
    such as: ln -s "$PWD/bus" ~/.local/bin/

    \b
    bash   ./bus completion bash > ~/.local/share/bash-completion/completions/bus
    zsh    ./bus completion zsh > "${fpath[1]}/_bus"
    fish   ./bus completion fish > ~/.config/fish/completions/bus.fish
    """  # noqa: D301  Click reads the backspace itself.
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  The choices are click's own.
    click.echo(kind(ctx.find_root().command, {}, "bus", VARIABLE).source())
