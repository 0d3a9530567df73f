from __future__ import annotations

import pytest

from benchmarks.conditional import Taken, table
from benchmarks.http import BARE

OURS = "Robotni, a job that waits"


def test_each_row_tells_rate_cost_and_share_of_the_bare_route_round_by_round() -> None:
    rates = [(4000, 3000), (3000, 2700), (5000, 4000)]

    _, bare, ours = table([{BARE: Taken(bare, 100), OURS: Taken(ours, 150)} for bare, ours in rates])

    assert bare.split() == [
        *BARE.split(),
        *("4,000", "(3,000", "to", "5,000)", "1.00", "(1.00", "to", "1.00)", "100"),
    ]
    assert ours.split() == [
        *OURS.split(),
        *("3,000", "(2,700", "to", "4,000)", "0.80", "(0.75", "to", "0.90)", "150", "reached"),
    ]


@pytest.mark.parametrize(
    ("rate", "bare", "reached"), [(2000, 3333, True), (1999, 2000, False), (2400, 4001, False)]
)
def test_a_goal_is_reached_by_rate_and_by_share(rate: float, bare: float, reached: bool) -> None:
    *_, ours = table([{BARE: Taken(bare, 100), OURS: Taken(rate, 150)}])

    assert ours.endswith("reached") is reached
    assert ("missed: 2,000 and 0.6" in ours) is not reached
