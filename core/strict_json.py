"""JSON read strictly: what another program might understand differently is refused, with its place. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import pairwise

from core.errors import BusError
from core.jobs import Json

MAX_DEPTH = 100

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|-?(?:Infinity|NaN|\d[\d.eE+-]*)|[\[\]{}:,]', re.DOTALL)


class BadJson(BusError):
    """The text is not JSON, or is JSON of a kind that programs read in different ways."""

    code = "bad_json"

    def __init__(
        self, message: str, *, code: str, line: int = 1, column: int = 1, offset: int | None = None
    ) -> None:
        super().__init__(message)
        #: `bad_json`, `number_out_of_range`, `duplicate_key`, `too_deep`, `not_utf8` or `lone_surrogate`.
        self.code = code
        #: Where, both counted from 1; the column counts characters.
        self.line = line
        self.column = column
        #: The byte at which UTF-8 breaks, counted from 0; None for other errors.
        self.offset = offset


def parse(data: bytes, *, max_depth: int = MAX_DEPTH) -> Json:
    """Return the value that a JSON text in UTF-8 means; a byte order mark is skipped.

    Raises BadJson for all that RFC 8259 leaves open or forbids: NaN, Infinity, numbers beyond a double or of
    more than 4,300 digits, a key twice in one object, nesting beyond `max_depth`, half a surrogate pair.
    """
    text = _decoded(data)
    _refuse_depth(text, max_depth)
    value = _parsed(text)
    _refuse_surrogates(text)
    return value


class _Refused(ValueError):
    """A value that the decoder met and we do not accept; where it stands is found out afterwards."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = _place(before, len(before))
        message = f"The text is not UTF-8: byte {error.start} does not fit."
        raise BadJson(message, code="not_utf8", line=line, column=column, offset=error.start) from None


def _parsed(text: str) -> Json:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = "it is empty" if not text.strip() else error.msg
        raise _bad(text, error.pos, "bad_json", f"The text is not JSON: {what}") from None
    except _Refused as refused:
        raise _bad(text, _find(text, refused.code), refused.code, str(refused)) from None
    except ValueError:  # Python's own limit on the digits of an integer
        message = "An integer has more than 4,300 digits"
        raise _bad(text, _find(text, "number_out_of_range"), "number_out_of_range", message) from None


def _bad(text: str, position: int, code: str, message: str) -> BadJson:
    line, column = _place(text, position)
    return BadJson(f"{message} (line {line}, column {column}).", code=code, line=line, column=column)


def _place(text: str, position: int) -> tuple[int, int]:
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = sorted(name for name, _ in pairs)
        twice = next(name for name, following in pairwise(names) if name == following)
        raise _Refused("duplicate_key", f"The key {twice!r} stands twice in one object")
    return found


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise _Refused("number_out_of_range", f"The number {digits[:40]} is out of range")
    return number


def _refuse_constant(name: str) -> float:
    raise _Refused("bad_json", f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)


def _refuse_depth(text: str, limit: int) -> None:
    if text.count("[") + text.count("{") <= limit:
        return
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > limit:
            raise _bad(text, token.start(), "too_deep", f"The text nests deeper than {limit} levels")


def _refuse_surrogates(text: str) -> None:
    if "\\u" not in text:
        return
    for token in _TOKEN.finditer(text):
        if token[0][0] == '"' and "\\u" in token[0] and not _is_unicode(json.loads(token[0])):
            message = "A string holds half a surrogate pair, which UTF-8 cannot write"
            raise _bad(text, token.start(), "lone_surrogate", message)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _find(text: str, code: str) -> int:
    """Return where the first token stands that deserves this code."""
    if code == "duplicate_key":
        return _find_duplicate(text)
    wrong = _is_constant if code == "bad_json" else _is_out_of_range
    return next((token.start() for token in _TOKEN.finditer(text) if wrong(token[0])), 0)


def _is_constant(token: str) -> bool:
    return token.lstrip("-") in {"NaN", "Infinity"}


def _is_out_of_range(token: str) -> bool:
    digits = token.lstrip("-")
    if not digits[:1].isdigit():
        return False
    return len(digits) > 4300 if digits.isdigit() else math.isinf(float(token))


def _find_duplicate(text: str) -> int:
    for position, key, seen in _keys(text):
        if key in seen:
            return position
        seen.add(key)
    return 0


def _keys(text: str) -> Iterator[tuple[int, str, set[str]]]:
    """Yield each key of the text with its place and the keys that its object is known to have."""
    open_objects: list[set[str]] = []
    for token, following in pairwise(_TOKEN.finditer(text)):
        if token[0] in {"{", "["}:
            open_objects.append(set())
        elif token[0] in {"}", "]"} and open_objects:
            open_objects.pop()
        elif token[0][0] == '"' and following[0] == ":" and open_objects:
            yield token.start(), json.loads(token[0]), open_objects[-1]
