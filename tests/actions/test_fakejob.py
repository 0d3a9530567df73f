from __future__ import annotations

import pytest

from core.errors import InvalidParams
from core.registry import Registry
from tests.actions.visitor import Visitor


def test_it_says_what_it_takes(registry: Registry) -> None:
    schema = registry.resolve("fakejob").schema["properties"]["delay_seconds"]

    assert (schema["type"], schema["default"], schema["minimum"], schema["maximum"]) == (
        "integer",
        5,
        0,
        3600,
    )
    assert schema["description"]


@pytest.mark.parametrize(
    "params", [{"delay_seconds": -1}, {"delay_seconds": 3601}, {"delay_seconds": "2"}, {"x": 1}]
)
def test_it_refuses_other_params(registry: Registry, params: dict[str, object]) -> None:
    with pytest.raises(InvalidParams):
        registry.resolve("fakejob").validate(params)


@pytest.mark.parametrize(("delay", "waited"), [(0, 0), (1, 1)])
def test_it_waits_between_one_second_and_the_delay(visitor: Visitor, delay: int, waited: int) -> None:
    began = visitor.clock.monotonic()

    job = visitor.run("fakejob", {"delay_seconds": delay})

    assert job.result == {"waited": waited}
    assert visitor.clock.monotonic() - began >= waited


def test_every_shipped_action_loads_and_is_described(registry: Registry) -> None:
    assert dict(registry.broken) == {}
    assert set(registry.actions) >= {"fakejob", "http_request", "download_website"}
    assert all(spec.description for spec in registry.actions.values())
    for spec in registry.actions.values():
        assert all(
            "description" in field or "enum" in field or field["type"] == "boolean"
            for field in spec.schema["properties"].values()
        )
