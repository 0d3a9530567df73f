"""appsscript.json asks for no more than the script needs, and the README says what for."""

from __future__ import annotations

import json
from pathlib import Path

from tests.apps_script.script import PARTS

FOLDER = PARTS[0].parent
#: By what one sees in the script that it needs a scope, as Google's reference has it.
NEEDED = {
    "spreadsheets.currentonly": "SpreadsheetApp.",
    "script.container.ui": "showSidebar(",
    "script.scriptapp": "ScriptApp.newTrigger(",
    "script.external_request": "UrlFetchApp.",
    "compute": "https://compute.googleapis.com/",
}
#: What is asked for only by whoever wants it.
OPTIONAL = {
    "devstorage.read_only": "https://storage.googleapis.com/",
    "drive.file": "https://www.googleapis.com",
}


def scopes_of(path: Path) -> set[str]:
    manifest = json.loads(path.read_text("utf-8"))
    return {scope.removeprefix("https://www.googleapis.com/auth/") for scope in manifest["oauthScopes"]}


def test_the_manifest_asks_for_what_the_script_calls_and_no_more() -> None:
    code = "".join(part.read_text("utf-8") for part in PARTS)

    assert scopes_of(FOLDER / "appsscript.json") == set(NEEDED)
    assert [scope for scope, seen in (NEEDED | OPTIONAL).items() if seen not in code] == []


def test_the_readme_says_what_each_scope_is_for() -> None:
    readme = (FOLDER / "README.md").read_text("utf-8")

    assert [scope for scope in NEEDED if f"| `{scope}` |" not in readme] == []
    assert [scope for scope in OPTIONAL if f"/auth/{scope}" not in readme] == []


def test_the_script_needs_nothing_that_google_does_not_have() -> None:
    words = ("setTimeout", "setInterval", "fetch(", "new URL", "await ", "import ", "TextEncoder", "Buffer")
    code = {part.name: part.read_text("utf-8").replace("UrlFetchApp.fetch(", "") for part in PARTS}

    # The page of the sidebar runs in a browser.
    del code["Sidebar.gs"]

    assert [(name, word) for name, text in code.items() for word in words if word in text] == []
