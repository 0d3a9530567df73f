"""The script's types, checked by TypeScript against those that Google's services are published with."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from client.apps_script import script_of
from tests.apps_script.scene import Scene
from tests.apps_script.script import PARTS, ROOT

#: Where `make` installs what tests/apps_script/types/package.json names.
PACKAGES = ROOT / ".venv" / "apps-script-types" / "node_modules"
OPTIONS = {
    "allowJs": True,
    "checkJs": True,
    "strict": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "noImplicitReturns": True,
    "noEmit": True,
    "target": "ES2022",
    "lib": ["ES2022"],
    "types": ["google-apps-script"],
    "typeRoots": [str(PACKAGES / "@types")],
}


def mistakes(folder: Path, files: Sequence[Path]) -> list[str]:
    """Return what TypeScript has to say of .gs files, checked together as Google loads them."""
    compiler = PACKAGES / ".bin" / "tsc"
    if not compiler.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{compiler} is missing: `make setup` should have installed it")
        pytest.skip(f"{compiler} is not installed (make setup)")
    for path in files:
        shutil.copy(path, folder / f"{path.stem}.js")
    settings = {"compilerOptions": OPTIONS, "files": [f"{path.stem}.js" for path in files]}
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    ran = subprocess.run([compiler, "-p", folder], capture_output=True, text=True, check=False, timeout=100)
    return ran.stdout.splitlines()


def test_the_script_and_what_is_made_from_actions_are_typed_without_a_mistake(
    scene: Scene, tmp_path: Path
) -> None:
    made = tmp_path / "Actions.gs"
    made.write_text(script_of(scene.stage.client().get("/api/actions").json["actions"]), "utf-8")
    folder = tmp_path / "checked"
    folder.mkdir()

    assert mistakes(folder, [*PARTS, made]) == []


def test_a_mistake_is_found(scene: Scene, tmp_path: Path) -> None:
    wrong = tmp_path / "Wrong.gs"
    wrong.write_text('function wrong() {\n  SpreadsheetApp.getActiveSpreadsheet().toats("typed wrong");\n}\n')
    folder = tmp_path / "checked"
    folder.mkdir()

    assert any("toats" in line for line in mistakes(folder, [wrong]))
