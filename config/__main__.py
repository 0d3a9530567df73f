"""Print every setting with its value and where it comes from, and check them all.

    python -m config               what holds with the environment of this shell
    python -m config --markdown    the table of docs/configuration.md

Settings are environment variables. Exits with 1 when one of them is wrong or unknown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from config.setting import markdown, table
from config.table import Config, find, settings, unknown
from core.errors import ConfigError


def main(arguments: list[str], environ: Mapping[str, str]) -> int:
    """Print all settings, or the table of the docs; return 1 when something is wrong."""
    if arguments == ["--markdown"]:
        print("\n".join(markdown(settings())))
        return 0
    if arguments:
        print(__doc__)
        return 0 if arguments in (["-h"], ["--help"]) else 2
    print("\n".join(table(settings(), find(environ))))
    try:
        problems = Config.load(environ).warnings
    except ConfigError as error:
        problems = (*error.problems, *unknown(environ))
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
