"""The Python client of a bus, and the command line `bus`, whose commands are imported when they are called.

    from client import BusClient, find_target, opened
    bus = opened(find_target(os.environ))
    print(bus.result(bus.submit("fakejob", {"delay_seconds": 1})))

What lives where:

- which bus: settings, settings_check, opening
- one request to it, and what may come of it: line, signing, streams, errors
- its machine: machine, instances, and of Google's google_compute, google_login, google_refusals
- all of that at once: bus_client, submitting; mirror and mailbox while the machine is off
- the command line: __main__, calls, and a file for each command or a few of a kind
- what is shown there: waiting, progress, printable
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from client.bus_client import BusClient
    from client.machine import Machine
    from client.opening import opened
    from client.settings import find_target

__all__ = ["BusClient", "Machine", "find_target", "opened"]

#: Names that are looked up when somebody asks: the doctor needs none of them.
_LATER = {
    "BusClient": "client.bus_client",
    "Machine": "client.machine",
    "find_target": "client.settings",
    "opened": "client.opening",
}


def __getattr__(name: str) -> Any:
    """Return one of the names that are looked up later."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)
