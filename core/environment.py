"""What an action may see of the server's environment: no tokens and no settings of the bus."""

from __future__ import annotations

from collections.abc import Mapping

#: Variables of the server's environment that an action may see; the settings can add to them.
PASSED_ON = ("PATH", "LANG", "LANGUAGE", "TZ", "AAFAI_CHROMEDRIVER", "AAFAI_ALLOW_PRIVATE_ADDRESSES")


def clean_environment(environment: Mapping[str, str], pass_on: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the variables that are meant for actions, those named in `pass_on` among them."""
    wanted = {*PASSED_ON, *pass_on}
    return {name: value for name, value in environment.items() if name in wanted or name.startswith("LC_")}
