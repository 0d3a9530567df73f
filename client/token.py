"""`bus token`: make, list and revoke the tokens by which clients come in."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from client.token_table import table
from core.clock import SystemClock
from core.errors import ConfigError
from core.jobs import Json
from core.timing import parse_duration
from core.token_file import Tokens, change_tokens, document_of, read_tokens
from core.tokens import SCOPES, Token, minted
from doctor import find_surroundings
from doctor.identity import become, can_run_as, must_step_down
from doctor.patient import name_of

_CHECKOUT = Path(__file__).resolve().parents[1]
_CONCERNED = ("AAFAI_TOKENS_FILE", "QUEUE_BASE_PATH")
_USUAL = ("submit", "read")
_PROOFS = ("sha256", "signing_key")

_file = click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), help="The file, if not that of the settings."
)
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for programs.")


@click.group()
def token() -> None:
    """Make, list and revoke the tokens by which clients come in.

    Tokens are kept in a file beside the queue (AAFAI_TOKENS_FILE): whose each is and what it may do, but not
    its text, only the SHA-256 of that. A running bus heeds a change within a second. Once the file is there,
    nobody comes in without a token.

    \b
    bus token make website                           submit and look, no more
    bus token make night --action crawl --own-jobs-only
    bus token make ops --scope read --scope admin --expires '90 days'
    bus token list
    bus token revoke website

    To change a token make another of the same name, hand it over, then revoke the old one by its id.
    """  # noqa: D301  Click reads the backspace itself.


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    type=click.Choice(SCOPES),
    help="What it may do, once for each: submit and steer jobs, read what became of them, admin what concerns"
    " everybody (purge, workers, power). Without it: submit and read.",
)
@click.option(
    "--action", "actions", multiple=True, help="An action that it may run, once for each; else any."
)
@click.option("--own-jobs-only", is_flag=True, help="Show it the jobs of its name only.")
@click.option("--rate", "rate_limit", type=int, help="Requests that it may make in a minute.")
@click.option("--expires", metavar="DURATION", help="How long it is worth anything: '12 hours', '90 days'.")
@click.option(
    "--signing",
    is_flag=True,
    help="It signs requests and is never sent: for clients on plain HTTP. The file holds its text then.",
)
@_json
@_file
def make(
    name: str, scopes: tuple[str, ...], expires: str | None, file: Path | None, as_json: bool, **limits: Any
) -> None:
    """Make a token for the client NAME and print it, this once.

    The token alone goes to standard output: TOKEN=$(bus token make website). Jobs bear the client's name.
    """
    now = SystemClock().now()
    wishes: dict[str, Any] = {
        "name": name,
        "scopes": scopes or _USUAL,
        "expires_at": _end(now, expires),
        **limits,
    }
    made: list[tuple[Token, str]] = []

    def with_one_more(tokens: Tokens) -> Tokens:
        made.append(minted(now=now, taken=tokens, **wishes))
        return {**tokens, made[0][0].id: made[0][0]}

    path = _change(file, with_one_more)
    ((new, text),) = made
    if as_json:
        click.echo(json.dumps({**_listed(new), "token": text, "file": str(path)}, indent=1))
        return
    click.echo(f"Token {new.id} for {new.name} is in {path}. It is shown once, keep it safe:", err=True)
    click.echo(text)


@token.command(name="list")
@_json
@_file
def list_(as_json: bool, file: Path | None) -> None:
    """List the tokens: whose they are and what they may do.

    Their texts are not kept, and never shown.
    """
    with _plainly():
        tokens = list((read_tokens(_path(file)) or {}).values())
    if as_json:
        click.echo(json.dumps({"tokens": [_listed(one) for one in tokens]}, indent=1))
    elif tokens:
        click.echo("\n".join(table(tokens, now=SystemClock().now())))
    else:
        click.echo("There are no tokens.", err=True)


@token.command()
@click.argument("which", nargs=-1, required=True, metavar="ID|NAME...")
@_json
@_file
def revoke(which: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Revoke tokens: one by its id, or by a name all that bear it. Jobs that they submitted go on."""
    gone: list[Token] = []

    def without(tokens: Tokens) -> Tokens:
        for one in which:
            if not any(one in (known.id, known.name) for known in tokens.values()):
                raise click.ClickException(f"There is no token {one!r}. Nothing was revoked.")
        gone.extend(known for known in tokens.values() if known.id in which or known.name in which)
        return {known.id: known for known in tokens.values() if known not in gone}

    _change(file, without)
    if as_json:
        click.echo(json.dumps({"revoked": [_listed(one) for one in gone]}, indent=1))
        return
    for one in gone:
        click.echo(f"Revoked {one.id} of {one.name}.")


def _end(now: float, lifetime: str | None) -> float | None:
    try:
        return None if lifetime is None else now + parse_duration(lifetime)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--expires") from None


def _listed(one: Token) -> Json:
    """Return a token as programs may see it: without what proves it."""
    shown = {name: value for name, value in document_of(one).items() if name not in _PROOFS}
    return {**shown, "signing": bool(one.signing_key)}


def _change(file: Path | None, change: Callable[[Tokens], Tokens]) -> Path:
    """Change the file as the user of the bus, who must be able to read it, and return its path."""
    path = _path(file)
    with _plainly():
        _step_down(_owner_of(path))
        change_tokens(path, change)
    return path


def _step_down(owner: int) -> None:
    """Go on as the user of the bus, if this is root and he is another."""
    if not must_step_down(owner):
        return
    if not can_run_as(owner):
        name, where = name_of(owner), f"{sys.prefix} or {_CHECKOUT}"
        raise click.UsageError(f"{name}, whose the file is, cannot read {where}: no bus can run so.")
    become(owner)


def _path(file: Path | None) -> Path:
    """Return the file that was named, else that of the settings that `bus doctor` would go by."""
    if file is not None:
        return file.absolute()
    os.chdir(_CHECKOUT)  # where the bus is started, so that relative paths in settings mean the same
    surroundings = find_surroundings(os.environ)
    for problem in surroundings.problems:
        if problem.startswith(_CONCERNED):
            raise click.UsageError(problem)
    return surroundings.config.tokens_file


def _owner_of(path: Path) -> int:
    """Return whose the file is, or will be: that of the nearest folder that is there."""
    return next(one for one in (path, *path.parents) if one.exists()).stat().st_uid


@contextmanager
def _plainly() -> Iterator[None]:
    """Tell in one sentence what went wrong."""
    try:
        yield
    except (ConfigError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None
