"""The file of prices: what holds when, and a clear word for whoever mistypes."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from core.errors import ConfigError
from core.prices import Prices, in_force, load_prices
from tests.house.sources import ROOT

ENTRY = """
[[prices]]
since = 2026-01-01
currency = "USD"
machine = "small"
machine_per_hour = 0.02
disk_gb = 10
disk_per_gb_month = 0.1
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "prices.toml"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def test_the_file_that_comes_with_the_bus_is_right_and_says_that_it_is_an_example() -> None:
    (prices,) = load_prices(Path(ROOT, "prices.toml"))

    assert (prices.currency, prices.machine, prices.address) == (
        "USD",
        "e2-small in us-central1",
        "ephemeral",
    )
    assert (prices.machine_per_hour, prices.address_per_hour) == (0.01675, 0.005)
    assert "check them" in prices.source


def test_an_entry_needs_what_every_machine_has_and_nothing_else(file: Path) -> None:
    file.write_text(ENTRY)

    assert load_prices(file) == (
        Prices(
            since=date(2026, 1, 1),
            currency="USD",
            machine="small",
            machine_per_hour=0.02,
            disk_gb=10.0,
            disk_per_gb_month=0.1,
        ),
    )


def test_each_entry_holds_from_its_day_until_the_next_in_whatever_order_they_stand(file: Path) -> None:
    dearer = ENTRY.replace("2026-01-01", "2026-06-01").replace("0.02", "0.03")
    file.write_text(dearer + ENTRY)
    prices = load_prices(file)

    held = [in_force(prices, at(day)).machine_per_hour for day in ("2025-12-31", "2026-05-31", "2026-06-01")]

    assert held == [0.02, 0.02, 0.03]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[prices]]", "[prices]", "it has no entries: begin each with a line [[prices]]."),
        (ENTRY, "", "it has no entries: begin each with a line [[prices]]."),
        (ENTRY, "prices = [1]", "it has no entries: begin each with a line [[prices]]."),
        ("disk_gb = 10\n", "", "entry 1: disk_gb is missing: add a line disk_gb = …"),
        ("disk_gb", "disk_gbs", "entry 1: disk_gbs is no field: did you mean disk_gb?"),
        (
            "= 0.02",
            '= "0.02"',
            "entry 1: machine_per_hour must be a number from 0 to a billion, as in 0.0335, not '0.02'.",
        ),
        (
            "= 0.02",
            "= -1",
            "entry 1: machine_per_hour must be a number from 0 to a billion, as in 0.0335, not -1.",
        ),
        (
            "= 0.02",
            "= nan",
            "entry 1: machine_per_hour must be a number from 0 to a billion, as in 0.0335, not nan.",
        ),
        (
            "= 0.02",
            "= 1e300",
            "entry 1: machine_per_hour must be a number from 0 to a billion, as in 0.0335, not 1e+300.",
        ),
        (
            "= 0.02",
            f"= {10**400}",
            f"entry 1: machine_per_hour must be a number from 0 to a billion, as in 0.0335, not {10**39}.",
        ),
        (
            "= 0.02",
            "= true",
            "entry 1: machine_per_hour must be a number from 0 to a billion, as in 0.0335, not True.",
        ),
        (
            "2026-01-01",
            '"soon"',
            "entry 1: since must be a day without quotes, as in 2026-11-01, not 'soon'.",
        ),
        ('"USD"', "1", "entry 1: currency must be a text in quotes, not 1."),
        (
            '"small"',
            '"small"\naddress = "fixed"',
            "entry 1: address must be one of none, ephemeral, static, not 'fixed'.",
        ),
        (ENTRY, ENTRY + ENTRY, "two entries hold since the same day: change one of them."),
        (
            ENTRY,
            ENTRY + ENTRY.replace("2026-01", "2026-02").replace("USD", "EUR"),
            "its entries have several currencies, which cannot be added up: choose one.",
        ),
    ],
)
def test_a_mistake_is_named_with_its_remedy(file: Path, old: str, new: str, said: str) -> None:
    file.write_text(ENTRY.replace(old, new))

    with pytest.raises(ConfigError) as caught:
        load_prices(file)

    assert caught.value.message == f"AAFAI_PRICES: {file}: {said}"


def test_a_file_that_is_no_toml_is_named_with_line_and_column(file: Path) -> None:
    file.write_text("[[prices]]\nsince = \n")

    with pytest.raises(ConfigError, match=r"cannot be read: Invalid value \(at line 2, column 9\)"):
        load_prices(file)


@pytest.mark.parametrize(
    "text", [f"a = {'[' * 5_000}", f"a = {'7' * 5_000}", f"{ENTRY}machine_per_hour = 1", f"{ENTRY}\0"]
)
def test_a_file_that_no_reader_can_take_is_no_crash(file: Path, text: str) -> None:
    file.write_text(text)

    with pytest.raises(ConfigError, match=rf"^AAFAI_PRICES: {file} cannot be read: "):
        load_prices(file)


def test_a_file_of_another_encoding_is_told_of(file: Path) -> None:
    file.write_text(ENTRY, encoding="utf-16")

    with pytest.raises(ConfigError, match="cannot be read: 'utf-8' codec can't decode"):
        load_prices(file)


@pytest.mark.parametrize("text", [f"\ufeff{ENTRY}", ENTRY.replace("\n", "\r\n")])
def test_a_file_that_a_windows_editor_has_saved_is_as_good_as_any(file: Path, text: str) -> None:
    file.write_bytes(text.encode())

    assert load_prices(file)[0].machine_per_hour == 0.02


def test_a_file_that_is_missing_is_named_and_the_hint_says_where_to_get_one(file: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_prices(file)

    assert caught.value.message == f"AAFAI_PRICES: there is no file {file}."
    assert caught.value.hint == "Copy prices.toml of the checkout there, and mend it."
