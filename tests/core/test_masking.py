"""Row 42: what an action prints, logs, raises, tells or returns of its secrets is hidden when stored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.masking import Masking
from core.outcome import Ending, Outcome
from core.secrets import MASK
from tests.core.workbench import Workbench

SECRET = 'canary "7f3a" \\ ü/+&=x'


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    bench = Workbench(tmp_path)
    yield bench
    bench.runner.stop(grace=0.0)


def test_without_secrets_everything_is_told_as_it_is() -> None:
    masking = Masking([])
    outcome = Outcome(ending=Ending.SUCCEEDED, result={"a": ["b"]})

    assert masking.text("a") == "a"
    assert masking.outcome(outcome) is outcome


@pytest.mark.parametrize(
    "spelt",
    [
        lambda secret: secret,
        json.dumps,
        lambda secret: json.dumps(secret, ensure_ascii=False),
        repr,
        lambda secret: quote(secret, safe=""),
        quote_plus,
        lambda secret: f"{secret}{secret}",
    ],
)
def test_a_secret_is_known_in_the_spellings_that_texts_have(spelt: Callable[[str], str]) -> None:
    told = Masking([SECRET]).text(f"I have <{spelt(SECRET)}> here")

    assert "canary" not in told
    assert told.startswith("I have <")
    assert told.endswith("> here")


def test_the_longer_of_two_secrets_is_hidden_first() -> None:
    assert Masking(["canary", "canary-and-more"]).text("x canary-and-more y") == f"x {MASK} y"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_what_is_too_short_to_be_told_from_other_words_is_left(short: str) -> None:
    assert Masking([short]).text("abcabc a") == "abcabc a"


def test_short_secrets_are_hidden_in_texts_and_not_in_results() -> None:
    masking = Masking(["1234"])

    assert masking.text("pin 1234") == f"pin {MASK}"
    assert masking.result({"id": "9812345"}) == {"id": "9812345"}


def test_results_lose_their_secrets_in_texts_and_names_at_any_depth() -> None:
    result = {"canary-0001": [1, None, {"x": "a canary-0001 b"}], "n": 5}

    assert Masking(["canary-0001"]).result(result) == {MASK: [1, None, {"x": f"a {MASK} b"}], "n": 5}


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ("Bearer abcdefgh12345", "sent abcdefgh12345"),
        ("Basic dXNlcjpwYXNz", "sent dXNlcjpwYXNz"),
        ("session=abcdefgh12; theme=dark", "sent abcdefgh12"),
        ("p%40ssw%C3%B6rd", "sent p@sswörd"),
        ("-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n", "sent MIIEvQIBADANBg"),
        ("with\x07control", "sent withcontrol"),
    ],
)
def test_what_of_a_secret_is_one_by_itself_is_hidden_too(secret: str, told: str) -> None:
    assert Masking([secret]).text(told) == f"sent {MASK}"


@pytest.mark.parametrize("kept", [12, 20, 39])
def test_a_secret_that_was_shortened_is_still_known(kept: int) -> None:
    secret = "0123456789abcdefghijABCDEFGHIJ9876543210"
    masking = Masking([secret])

    assert masking.text(f"<{secret[:kept]}…") == f"<{MASK}…"
    assert masking.text(f"…{secret[-kept:]}>") == f"…{MASK}>"
    assert masking.text(f"'{secret[:kept]}...{secret[-12:]}'") == f"'{MASK}...{MASK}'"


def test_more_secrets_than_can_be_looked_for_hide_everything() -> None:
    masking = Masking(f"canary-{number:04}" for number in range(1000))

    assert masking.text("anything") == MASK
    assert masking.result({"a": "canary-0007", "b": "fine"}) == {"a": MASK, "b": "fine"}


LETTERS = st.characters(exclude_characters="*", exclude_categories=["Cs"])


@given(st.text(LETTERS, min_size=4, max_size=40), st.text(LETTERS, max_size=9), st.text(LETTERS, max_size=9))
def test_no_text_tells_a_secret(secret: str, before: str, after: str) -> None:
    assert secret not in Masking([secret]).text(before + secret + after)


LOUD = '''
import logging, sys
from core import Fail, JobContext, Retry, action

@action(isolation="{isolation}", max_attempts=2)
def run(password: str, how: str, *, job: JobContext) -> object:
    """Tell everything."""
    job.info(f"info {{password}}")
    job.progress(0.5, f"progress {{password}}")
    if "{isolation}" == "process":
        print(f"stdout {{password}}")
        print(f"stderr {{password}}", file=sys.stderr)
        logging.getLogger("library").warning("library %s", password)
    if how == "raise":
        raise RuntimeError(f"raised {{password}}")
    if how == "retry":
        raise Retry(f"again {{password}}")
    if how == "fail":
        raise Fail(f"failed {{password}}")
    if how == "model":
        from pydantic import TypeAdapter
        TypeAdapter(int).validate_python(password)
    return {{"told": password, password: [password]}}
'''


@pytest.mark.parametrize("isolation", ["process", "thread"])
@pytest.mark.parametrize("how", ["return", "raise", "retry", "fail", "model"])
def test_an_action_that_tells_its_secret_tells_nobody(bench: Workbench, isolation: str, how: str) -> None:
    secret = "canary-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ"

    job = bench.perform(LOUD.format(isolation=isolation), {"password": secret, "how": how})

    log = bench.engine.logs(job.id, limit=1000)
    assert job.params["password"] == secret
    told = [entry.message for entry in log]
    assert f"info {MASK}" in told
    if isolation == "process":
        assert {f"stdout {MASK}", f"stderr {MASK}", f"library {MASK}"} <= set(told)
    for piece in (secret, secret[:12], secret[-12:]):
        assert piece not in repr((log, job.error, job.errors, job.result, job.progress, bench.heard))
    assert how != "return" or job.result == {"told": MASK, MASK: [MASK]}


def test_progress_is_masked_before_it_is_stored(bench: Workbench) -> None:
    source = '''
from core import JobContext, action

@action(isolation="thread")
def run(token: str, *, job: JobContext) -> None:
    """Tell."""
    job.progress(0.5, f"with {token}")
'''
    bench.write("act", source)
    job = bench.claim("act", {"token": "canary-0001"})
    taken: list[object] = []
    settle = bench.runner._settlement.settle
    bench.runner._settlement.settle = lambda claim, outcome: (  # type: ignore[method-assign]
        taken.extend(one.taken_progress() for one in bench.runner._running()) or settle(claim, outcome)
    )

    bench.runner.perform(job)

    assert [one.message for one in taken] == [f"with {MASK}"]  # type: ignore[attr-defined]


def test_a_typed_secret_reaches_the_action_unmasked_and_nobody_else(bench: Workbench) -> None:
    source = '''
from pydantic import SecretStr
from core import JobContext

def run(word: SecretStr, *, job: JobContext) -> dict:
    """Use it."""
    job.info(f"{word} {word.get_secret_value()}")
    return {"length": len(word.get_secret_value()), "same": job.params["word"] == word.get_secret_value()}
'''

    job = bench.perform(source, {"word": "canary-0001"})

    assert job.result == {"length": 11, "same": True}
    assert bench.log(job) == [("action", f"********** {MASK}")]


def test_a_secret_that_is_returned_as_it_is_ends_the_job(bench: Workbench) -> None:
    source = '''
from pydantic import SecretStr

def run(word: SecretStr) -> dict:
    """Return it."""
    return {"word": word}
'''

    job = bench.perform(source, {"word": "canary-0001"})

    assert job.error is not None
    assert (job.error.code, job.error.message) == (
        "bad_result",
        "The result is not JSON: result.word is of type SecretStr.",
    )
