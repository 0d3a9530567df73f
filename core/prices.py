"""What the machine costs: the prices of a dated file that the user edits."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from core.errors import ConfigError
from core.jobs import Json

#: What kind of external address the machine has.
ADDRESSES = ("none", "ephemeral", "static")
#: More than anything costs, in any currency, or than any disk holds.
_HIGHEST = 1e9


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """What holds from a day on. Amounts are in `currency`, before taxes."""

    #: The first day, in UTC.
    since: date
    currency: str
    #: What kind of machine it is, and where; for people.
    machine: str
    machine_per_hour: float
    #: The whole of the machine's disks, which are charged whether it is on or off.
    disk_gb: float
    disk_per_gb_month: float
    #: One of ADDRESSES; a static one is kept, and charged, while the machine is off.
    address: str = "none"
    address_per_hour: float = 0.0
    address_idle_per_hour: float = 0.0
    #: What is free of charge in each month, if anything is.
    free_machine_hours: float = 0.0
    free_disk_gb: float = 0.0
    #: Where the prices are from, and when somebody looked; for people.
    source: str = ""


def load_prices(path: Path) -> tuple[Prices, ...]:
    """Return the prices of the file, the oldest first.

    Raises ConfigError that names the file, the entry and the field, and says what to write instead.
    """
    import tomllib  # noqa: PLC0415  Few requests are about prices.

    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        hint = "Copy prices.toml of the checkout there, and mend it."
        raise ConfigError(f"AAFAI_PRICES: there is no file {path}.", hint=hint) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"AAFAI_PRICES: {path} cannot be read: {error}.") from None
    try:
        return prices_from(document)
    except ValueError as error:
        raise ConfigError(f"AAFAI_PRICES: {path}: {error}") from None


def prices_from(document: Mapping[str, Json]) -> tuple[Prices, ...]:
    """Return the prices of a document, the oldest first. Raises ValueError with one sentence."""
    entries = document.get("prices")
    if not isinstance(entries, list) or not entries or not all(isinstance(one, dict) for one in entries):
        raise ValueError("it has no entries: begin each with a line [[prices]].")
    prices = sorted((_entry(number, one) for number, one in enumerate(entries, 1)), key=lambda one: one.since)
    if len({one.since for one in prices}) < len(prices):
        raise ValueError("two entries hold since the same day: change one of them.")
    if len({one.currency for one in prices}) > 1:
        raise ValueError("its entries have several currencies, which cannot be added up: choose one.")
    return tuple(prices)


def in_force(prices: Sequence[Prices], at: float) -> Prices:
    """Return the prices that hold at a moment in Unix seconds; before all of them, the oldest."""
    day = datetime.fromtimestamp(at, UTC).date()
    return max((one for one in prices if one.since <= day), key=lambda one: one.since, default=prices[0])


def _entry(number: int, entry: Mapping[str, Json]) -> Prices:
    known = {field.name: field for field in fields(Prices)}
    for name in entry:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}."
            raise ValueError(f"entry {number}: {name} is no field: {hint}")
    for name, field in known.items():
        if field.default is MISSING and name not in entry:
            raise ValueError(f"entry {number}: {name} is missing: add a line {name} = …")
    return Prices(
        **{name: _READ.get(name, _amount)(f"entry {number}: {name}", entry[name]) for name in entry}
    )


def _amount(field: str, given: Json) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 0 <= given <= _HIGHEST:
        raise ValueError(f"{field} must be a number from 0 to a billion, as in 0.0335, not {given!r:.40}.")
    return float(given)


def _day(field: str, given: Json) -> date:
    if type(given) is not date:  # A moment is a date too.
        raise ValueError(f"{field} must be a day without quotes, as in 2026-11-01, not {given!r}.")
    return given


def _text(field: str, given: Json) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError(f"{field} must be a text in quotes, not {given!r}.")
    return given


def _address(field: str, given: Json) -> str:
    if given not in ADDRESSES:
        raise ValueError(f"{field} must be one of {', '.join(ADDRESSES)}, not {given!r}.")
    return str(given)


_READ: Mapping[str, Callable[[str, Json], Any]] = {
    "since": _day,
    "currency": _text,
    "machine": _text,
    "source": _text,
    "address": _address,
}
