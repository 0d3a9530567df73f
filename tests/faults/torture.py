"""Every proof of a promise at whole effort: `python -m tests.faults.torture`, as root, for an evening.

What the tests count goes into a file of evidence, and from there into docs/guarantees.md. Further arguments
are pytest's: with them only some tests run, and the document stays as it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.faults import guarantees
from tests.faults.evidence import FILE, TORTURE

#: First what shares the machine, then what needs it alone.
_ROUNDS = (("-n", "2", "-m", "not alone"), ("-m", "alone"))
_PATIENCE = "--timeout=900"


def main(arguments: list[str]) -> int:
    """Run the tests, rewrite the document; return 1 when a test failed or a promise was not kept."""
    with tempfile.TemporaryDirectory(prefix="aafai-torture-") as folder:
        evidence = Path(folder, "evidence.jsonl")
        evidence.touch()
        statuses = [_run(evidence, *chosen, *arguments) for chosen in _ROUNDS]
        if arguments:
            print(evidence.read_text())
            return max(statuses)
        return max(*statuses, guarantees.main([str(evidence)]))


def _run(evidence: Path, *arguments: str) -> int:
    """Run tests with pytest and return its exit status, 0 also when there was none to run."""
    environment = {**os.environ, FILE: str(evidence), TORTURE: "1", "CI": "true"}
    command = [sys.executable, "-m", "pytest", "-q", _PATIENCE, *arguments]
    status = subprocess.run(command, env=environment, check=False).returncode
    return 0 if status == 5 else status  # 5: no tests were collected


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
