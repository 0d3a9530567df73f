"""The secrets of one job, hidden in what its action says: log, progress, errors, result. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote, quote_plus, unquote

from core.job_log import shown
from core.jobs import Json
from core.outcome import Outcome
from core.secrets import MASK

#: Shorter ones would hide half of all words, and in results digits that only look alike.
SHORTEST, SHORTEST_IN_RESULTS = 4, 8

_PIECE = 12  # characters of a shortened secret that are still known for it
_LONGEST_PIECES = 4096  # characters of a secret that is looked for in pieces
_MOST = 500  # secrets that are looked for one by one
#: What of a secret is one by itself: the second half of an Authorization, the values of cookies.
_CORE = re.compile(r"(?i:basic|bearer|digest|token|apikey)\s+(\S+)|[\w.-]+=([^;\s]+)")


class Masking:
    """Hide a job's secrets as they were submitted; what an action makes of them nobody can know."""

    def __init__(self, secrets: Iterable[str]) -> None:
        whole = {part for secret in secrets for part in _parts(secret) if len(part) >= SHORTEST}
        spelt = {text for secret in whole for text in _spellings(secret) if len(text) >= SHORTEST}
        #: The longest first: one may be part of another.
        self._texts = sorted(spelt, key=len, reverse=True)
        self._long = [one for one in whole if 2 * _PIECE <= len(one) <= _LONGEST_PIECES]
        self._kept = [one for one in self._texts if len(one) >= SHORTEST_IN_RESULTS]
        self._too_many = len(self._texts) > _MOST

    def text(self, said: str) -> str:
        """Return a text without the secrets, nor what a shortening has left of them."""
        if not self._texts:
            return said
        if self._too_many:
            return MASK
        for secret in self._texts:
            said = said.replace(secret, MASK)
        for secret in self._long:
            said = _without_head(said, secret)
            said = _without_head(said[::-1], secret[::-1])[::-1]
        return said

    def outcome(self, outcome: Outcome) -> Outcome:
        """Return how an attempt ended without the secrets, wherever they were told."""
        if not self._texts:
            return outcome
        return replace(outcome, message=self.text(outcome.message), result=self.result(outcome.result))

    def result(self, result: Json) -> Json:
        """Return a result without the secrets: who submitted them knows them, others must not learn them."""
        if not self._kept:
            return result
        if isinstance(result, str):
            return self._told(result)
        if isinstance(result, list):
            return [self.result(item) for item in result]
        if isinstance(result, dict):
            return {self._told(name): self.result(member) for name, member in result.items()}
        return result

    def _told(self, text: str) -> str:
        if self._too_many:
            return MASK if text in self._kept else text
        for secret in self._kept:
            text = text.replace(secret, MASK)
        return text


def _parts(secret: str) -> Iterator[str]:
    """Yield a secret and what of it is one by itself; one of several lines is told line by line."""
    yield secret
    yield unquote(secret)  # in an address it may stand so
    yield from (line for line in secret.splitlines() if len(line) >= SHORTEST_IN_RESULTS)
    for first, second in _CORE.findall(secret):
        if len(first or second) >= SHORTEST_IN_RESULTS:
            yield first or second


def _spellings(secret: str) -> set[str]:
    """Return a secret as texts may spell it: as it is, cleaned for display, in JSON, Python, addresses."""
    return {
        secret,
        shown(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
        quote(secret, safe="", errors="replace"),
        quote_plus(secret, errors="replace"),
    }


def _without_head(text: str, secret: str) -> str:
    """Return the text without any beginning of the secret, a dozen characters or more."""
    head, place, kept = secret[:_PIECE], 0, []
    while (start := text.find(head, place)) >= 0:
        kept += [text[place:start], MASK]
        place = start + _alike(secret, text[start : start + len(secret)])
    return "".join(kept) + text[place:]


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts have in common, from their beginnings on."""
    pairs = zip(one, other, strict=False)
    return next((place for place, (mine, yours) in enumerate(pairs) if mine != yours), len(other))
