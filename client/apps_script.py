"""`bus apps-script`: a script for Google Sheets with a menu entry and a typed function for each action."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from client.calls import EXITS, Call, speaks_to_a_bus
from client.errors import BadInput
from core.jobs import Json

#: The parts that are the same for every bus.
PARTS = Path(__file__).resolve().parents[1] / "examples" / "google_apps_script"

_HEAD = "// Made by `bus apps-script` from the actions of the bus. Make it anew rather than change it."
_WIDTH = 100  # characters of a line of text in a comment
_NAME = re.compile(r"[a-z]|[a-z][a-z0-9_]*[a-z0-9]")
_PLAIN = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_TYPES = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
    "object": "Object<string, any>",
}


@click.command(name="apps-script", epilog=EXITS)
@click.option(
    "--only-actions", is_flag=True, help="Print only what is made from the actions, for Actions.gs."
)
@click.option("--action", "wanted", multiple=True, help="An action to offer, once for each; else all.")
@speaks_to_a_bus
def apps_script(call: Call, *, only_actions: bool, wanted: Sequence[str]) -> None:
    """Print the script that runs actions from a Google Sheet.

    It is pasted into the editor of the sheet as one file.

    \b
    bus apps-script > Code.gs
    bus apps-script --url https://bus.example --only-actions > Actions.gs

    Each action becomes an entry of the menu, and a function with typed params for other code of the sheet.
    examples/google_apps_script/README.md tells the rest. No machine is started for it.
    """  # noqa: D301  Click reads the backspace itself.
    found = call.bus.actions()["actions"]
    known = [str(one["name"]) for one in found]
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise BadInput(f"There is no action {unknown[0]!r}.", hint=f"Known: {', '.join(known)}.")
    chosen = [one for one in found if not wanted or one["name"] in wanted]
    script = script_of(chosen) if only_actions else whole_script(chosen)
    call.show({"actions": [one["name"] for one in chosen], "script": script}, script.splitlines())


def whole_script(actions: Iterable[Mapping[str, Json]]) -> str:
    """Return one file with all parts of the script, and what is made from the actions."""
    parts = sorted(path for path in PARTS.glob("*.gs") if path.stem != "Code")
    texts = [path.read_text("utf-8") for path in (PARTS / "Code.gs", *parts)]
    return "\n".join([*texts, script_of(actions)])


def script_of(actions: Iterable[Mapping[str, Json]]) -> str:
    """Return what is made from actions, each as `GET /api/actions` shows it: menu entries and functions."""
    known = [action for action in actions if _NAME.fullmatch(str(action["name"]))]
    entries = "".join(f'\n    .addItem({_quoted(_title(one))}, "run_{one["name"]}")' for one in known)
    menu = (
        "/** Add an entry for each action. @param {GoogleAppsScript.Base.Menu} menu */\n"
        f"function addActions_(menu) {{\n  menu{entries or '.addSeparator()'};\n}}\n"
    )
    return "\n".join([_HEAD, "", menu, *(_functions(one) for one in known)])


def type_of(schema: Json) -> str:
    """Return a JSON Schema as JSDoc writes types; `any` for what it cannot say."""
    if not isinstance(schema, dict):
        return "any"
    if "const" in schema or "enum" in schema:
        values = schema["enum"] if "enum" in schema else [schema["const"]]
        return _union(_quoted(value) for value in values)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return _union(type_of(one) for one in schema[word])
    if schema.get("type") == "array":
        return f"Array<{type_of(schema.get('items', True))}>"
    if isinstance(schema.get("type"), list):
        return _union(_TYPES.get(one, "any") for one in schema["type"])
    return _TYPES.get(str(schema.get("type")), "any")


def _functions(action: Mapping[str, Json]) -> str:
    name, schema = str(action["name"]), _dict(action.get("schema"))
    params = {str(key): _dict(value) for key, value in _dict(schema.get("properties")).items()}
    required = [str(one) for one in schema.get("required") or () if one in params]
    fields = ", ".join(
        f"{_key(param)}{'' if param in required else '?'}: {type_of(one)}" for param, one in params.items()
    )
    said = [f"- `{param}`: {one['description']}" for param, one in params.items() if one.get("description")]
    texts = [str(action.get("description") or name), *(["\n".join(said)] if said else [])]
    return (
        f"/** Run {name} for the selected rows. */\n"
        f"function run_{name}() {{\n"
        f"  runRows_({_quoted(name)}, {_quoted(required)});\n}}\n\n"
        f"{_comment(texts, fields, 'params' if required else '[params]')}"
        f"function call_{name}(params{'' if required else ' = {}'}) {{\n"
        f"  return resultOf_({_quoted(name)}, params);\n}}\n"
    )


def _comment(texts: Sequence[str], fields: str, params: str) -> str:
    lines = [part.rstrip() for text in texts for part in [*text.splitlines(), ""]]
    body = "".join(f" * {_harmless(line)}".rstrip() + "\n" for line in lines)
    return f"/**\n{body} * @param {{{{{_harmless(fields)}}}}} {params}\n * @returns {{any}} its result\n */\n"


def _title(action: Mapping[str, Json]) -> str:
    first = str(action.get("description") or "").partition("\n")[0]
    title = f"{action['name']}: {first}" if first else str(action["name"])
    return title if len(title) <= _WIDTH else title[: _WIDTH - 1] + "…"


def _union(types: Iterable[str]) -> str:
    found = list(dict.fromkeys(types))
    return "any" if "any" in found or not found else found[0] if len(found) == 1 else f"({'|'.join(found)})"


def _key(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else _quoted(name)


def _quoted(value: Any) -> str:
    """Return a value as JavaScript writes it; line separators, which JSON leaves as they are, escaped too."""
    return json.dumps(value)


def _harmless(text: str) -> str:
    """Return a line that neither ends the comment in which it stands nor begins a tag there."""
    return re.sub(r"^(\s*)@", "\\1\u200b@", text.replace("*/", "*\u200b/"))


def _dict(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}
