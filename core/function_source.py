"""Whether a function is where its path says, by the text of its module: nothing is imported or run."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path


def absence_of(path: str, folder: Path | None) -> str | None:
    """Return why `package.module:function` cannot be called, in a clause; None when it seems to be there.

    The module is looked for in the folder, then where Python looks.
    """
    module, _, function = path.partition(":")
    spec = _found(module, [*([str(folder)] if folder else []), *sys.path])
    if spec is None:
        return f"names the module {module}, which is not there; each of its packages needs an __init__.py."
    if not spec.origin or not spec.origin.endswith(".py"):
        return None
    try:
        tree = ast.parse(Path(spec.origin).read_bytes(), spec.origin)
    except (OSError, SyntaxError, ValueError) as error:
        return f"names a module that cannot be read: {type(error).__name__}: {error}."
    if any(isinstance(one, ast.AsyncFunctionDef) and one.name == function for one in tree.body):
        return f"names {function}, which is async: write a plain function; it may call asyncio.run()."
    if function not in set(_bound(tree)):
        return f"names {function}, which {spec.origin} does not define."
    return None


def _found(module: str, path: list[str]) -> ModuleSpec | None:
    """Return where a module lies, without importing the packages that it lies in."""
    spec: ModuleSpec | None = None
    parts = module.split(".")
    for number in range(len(parts)):
        spec = PathFinder.find_spec(".".join(parts[: number + 1]), path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or [])
    return spec


def _bound(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module binds, as far as its text tells; those inside functions too."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Name(ctx=ast.Store()):
                yield node.id
            case ast.alias():
                yield (node.asname or node.name).partition(".")[0]
