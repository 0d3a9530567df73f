"""What the README and docs/ say holds: every code block is followed, in order, document by document."""

from __future__ import annotations

from pathlib import Path

import pytest
from sybil.example import SybilFailure

from tests.house.reader import follow
from tests.house.sources import ROOT

DOCUMENTS = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.exists()]


RIGHT = """
# Right

```python
answer = 42
```

```python
assert answer == 42
```

```bash
# Submit, by its name.
JOB=seven
echo '{"job_id":"'$JOB'","at":17}'
# {"job_id": "01935…", "at": …}
```

```bash
echo "[\\"01935…\\"," \\
     "\\"$JOB\\"]"
# ["seven",
# "seven"]
for more in 1 2; do
    echo $more
done
```

<!-- skip: next -->

```python
raise AssertionError("left out")
```
"""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_document_can_be_followed_to_the_letter(document: Path, tmp_path: Path) -> None:
    follow(document, tmp_path)


@pytest.mark.parametrize(
    "block",
    [
        "```python\nassert 1 + 1 == 3\n```",
        '```json\n{"a": 1,}\n```',
        "```sh\nif true; then\n```",
        "```bash\necho '{}'\n# {1}\n```",
        "```bash\nfalse\n```",
    ],
)
def test_a_document_that_is_wrong_is_caught(block: str, tmp_path: Path) -> None:
    wrong = tmp_path / "source.md"
    wrong.write_text(f"# Wrong\n\n{block}\n")

    with pytest.raises((AssertionError, ValueError, SybilFailure)):
        follow(wrong, tmp_path)


def test_blocks_build_on_each_other_and_may_leave_out_what_differs(tmp_path: Path) -> None:
    right = tmp_path / "source.md"
    right.write_text(RIGHT)

    assert follow(right, tmp_path) == 6
