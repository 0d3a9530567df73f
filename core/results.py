"""What an action may return: JSON, and the few types that have one obvious JSON form. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

from core.errors import Fail
from core.jobs import Json

#: Bytes of JSON that a result may have, unless the settings say otherwise.
DEFAULT_LIMIT = 16 * 2**20

_DEEPEST = 100
_LARGEST_BITS = 13_000  # Python writes no integer of more than 4,300 digits.


def checked_result(value: Any, *, limit: int = DEFAULT_LIMIT) -> Json:
    """Return a result as JSON: dates as ISO 8601, models and dataclasses as objects, tuples as lists.

    Raises Fail: `bad_result` names the place and the type that JSON cannot express, `too_large` the size.
    """
    result = _json(value, "result", ())
    size = len(json.dumps(result, ensure_ascii=False).encode())
    if size > limit:
        raise Fail(f"The result has {size:,} bytes as JSON; at most {limit:,} are kept.", code="too_large")
    return result


def _json(value: Any, path: str, above: tuple[int, ...]) -> Json:
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return _number(value, path)
    if isinstance(value, date | time):  # A datetime is a date.
        return value.isoformat()
    if isinstance(value, str | PurePath | UUID):
        return _text(str(value), path)
    return _nested(value, path, above)


def _nested(value: Any, path: str, above: tuple[int, ...]) -> Json:
    if id(value) in above:
        raise _refused(path, "contains itself")
    if len(above) >= _DEEPEST:
        raise _refused(path, f"is nested more than {_DEEPEST} deep")
    within = (*above, id(value))
    if isinstance(value, list | tuple):
        return [_json(item, f"{path}[{index}]", within) for index, item in enumerate(value)]
    members = _members(value)
    if members is None:
        raise _refused(path, f"is of type {type(value).__name__}")
    return {_key(key, path): _json(item, f"{path}.{key}", within) for key, item in members.items()}


def _members(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    # A pydantic model, known by its method: core need not import pydantic here.
    dump = getattr(value, "model_dump", None)
    return dump(mode="json") if callable(dump) and not isinstance(value, type) else None


def _key(key: Any, path: str) -> str:
    if not isinstance(key, str):
        raise _refused(path, f"has a key of type {type(key).__name__}")
    return _text(key, path)


def _text(value: str, path: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _refused(path, "holds half of a surrogate pair, which UTF-8 cannot express") from None
    return str(value)


def _number(value: float, path: str) -> float:
    if isinstance(value, int):
        if value.bit_length() > _LARGEST_BITS:
            raise _refused(path, "is an integer of thousands of digits")
        return int(value)
    if not math.isfinite(value):
        raise _refused(path, f"is {value}, which JSON cannot express")
    return float(value)


def _refused(path: str, why: str) -> Fail:
    return Fail(f"The result is not JSON: {path} {why}.", code="bad_result")
