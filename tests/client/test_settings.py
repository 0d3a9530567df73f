"""Which bus is meant: options, then the environment, then the file, then the one on this computer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from client.errors import BadInput
from client.settings import VARIABLES, Target, file_of, find_target
from client.settings_command import EXAMPLE
from config.table import unknown
from tests.house.sources import ROOT

NIGHT = '[machines.night]\nproject = "my-project"\nzone = "europe-west1-b"\ninstance = "bus"\n'
HERE = '[machines.here]\nurl = "http://127.0.0.1:8001/"\n'


SIGNING = "aafai_0a1b2c3d_" + "x" * 43


def a_token_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"AAFAI_CLIENT_FILE": str(tmp_path / "client.toml"), "HOME": str(tmp_path)}


def written(environ: dict[str, str], text: str) -> dict[str, str]:
    Path(environ["AAFAI_CLIENT_FILE"]).write_text(text)
    return environ


def test_without_any_settings_the_bus_is_the_one_on_this_computer(environ: dict[str, str]) -> None:
    assert find_target(environ) == Target(url="http://127.0.0.1:8000")
    assert find_target(environ | {"AAFAI_PORT": "9000"}).url == "http://127.0.0.1:9000"


def test_the_only_machine_of_the_file_is_the_one_that_is_meant(environ: dict[str, str]) -> None:
    target = find_target(written(environ, NIGHT))

    night = Target(name="night", project="my-project", zones=("europe-west1-b",), instance="bus")
    assert target == night


def test_of_several_the_one_that_the_file_names_is_meant(environ: dict[str, str]) -> None:
    assert find_target(written(environ, 'machine = "here"\n' + NIGHT + HERE)).name == "here"


def test_an_option_counts_for_more_than_the_environment_and_that_for_more_than_the_file(
    environ: dict[str, str],
) -> None:
    written(environ, 'machine = "here"\n' + NIGHT + HERE)
    named = environ | {"AAFAI_CLIENT_MACHINE": "night"}
    placed = named | {"AAFAI_CLIENT_INSTANCE": "other-project/us-east1-b,us-east1-c/worker"}
    pointed = placed | {"AAFAI_CLIENT_URL": "http://10.0.0.1:8000"}

    assert find_target(named).instance == "bus"
    assert find_target(placed).zones == ("us-east1-b", "us-east1-c")
    assert find_target(pointed).url == "http://10.0.0.1:8000"
    assert find_target(pointed, url="http://10.0.0.2").url == "http://10.0.0.2"
    assert find_target(pointed, machine="here").url == "http://127.0.0.1:8001/"


def test_a_machine_has_a_token_of_its_own_or_that_of_the_environment(
    environ: dict[str, str], tmp_path: Path
) -> None:
    a_token_file(tmp_path, f"{SIGNING}\n")
    written(environ, f'{NIGHT}token_file = "{tmp_path}/token"\nsigns = true\n{HERE}')

    night = find_target(environ | {"AAFAI_TOKEN": "from-the-environment"}, machine="night")
    here = find_target(environ | {"AAFAI_TOKEN": "from-the-environment"}, machine="here")

    assert (night.token, night.signs) == (SIGNING, True)
    assert (here.token, here.signs) == ("from-the-environment", False)
    assert SIGNING not in repr(night)


def test_a_file_that_others_may_read_must_not_hold_a_token(environ: dict[str, str]) -> None:
    written(environ, f'{NIGHT}token = "a-token"\n')
    path = Path(environ["AAFAI_CLIENT_FILE"])
    path.chmod(0o644)

    with pytest.raises(BadInput, match="others may read it") as caught:
        find_target(environ)
    path.chmod(0o600)

    assert caught.value.hint == f"Type: chmod 600 {path}"
    assert find_target(environ).token == "a-token"


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [("a-token", 0o644, "is a token, and others may read it"), ("\n", 0o600, "it is empty")],
)
def test_a_token_of_a_file_is_nobody_elses_and_is_one(
    environ: dict[str, str], tmp_path: Path, text: str, mode: int, said: str
) -> None:
    a_token_file(tmp_path, text, mode)

    with pytest.raises(BadInput, match=said) as caught:
        find_target(written(environ, f'{HERE}token_file = "{tmp_path}/token"'))

    assert caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("machine = ", "is no TOML: "),
        ("machnie = 'a'", "'machnie' means nothing here"),
        ("machines = 3", "machines must be tables"),
        ('machine = "x"\n' + NIGHT, "There is no machine 'x'"),
        (NIGHT + HERE, "names several machines"),
        (NIGHT + "prot = 80", "machine 'night': 'prot' means nothing here"),
        (NIGHT + "port = 80000", "port must be a whole number from 1 to 65535, and not 80000"),
        (NIGHT + "port = true", "port must be a whole number"),
        (NIGHT + "internal = 'yes'", "internal must be true or false"),
        (NIGHT + "url = 'http://a'", "give either a url, or project, zone and instance"),
        (NIGHT.replace("europe-west1-b", "europe"), "zone must be written as in 'europe-west1-b'"),
        (NIGHT.replace("my-project", "../x"), "project must be written as in 'my-project'"),
        (NIGHT.replace('instance = "bus"\n', ""), "instance is missing"),
        (NIGHT.replace("zone =", "zones ="), "zones must be a list"),
        ("[machines.a]\nurl = 'localhost'", "url is wrong: 'localhost' is no url of a bus"),
        ("[machines.a]\nport = 80", "give either a url, or project, zone and instance"),
        (HERE + "token_file = '/nowhere/token'", "/nowhere/token, the token's file"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_remedy(
    environ: dict[str, str], text: str, said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        find_target(written(environ, text))

    assert said in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"AAFAI_PORT": "x"}, "AAFAI_PORT"),
        ({"AAFAI_PORT": "99999"}, "AAFAI_PORT: it must be a whole number from 1 to 65535, and not 99999"),
        ({"AAFAI_CLIENT_SIGNS": "ture"}, "AAFAI_CLIENT_SIGNS: it must be true or false, and not 'ture'"),
        ({"AAFAI_CLIENT_SIGNS": "yes", "AAFAI_TOKEN": "a-token"}, "The token cannot sign requests"),
        ({"AAFAI_CLIENT_INSTANCE": "bus"}, "AAFAI_CLIENT_INSTANCE: 'bus' is no machine"),
        ({"AAFAI_CLIENT_INSTANCE": "my-project/nowhere/bus"}, "AAFAI_CLIENT_INSTANCE: zones must"),
        ({"AAFAI_CLIENT_URL": "bus.example"}, "AAFAI_CLIENT_URL: url is wrong"),
        ({"AAFAI_CLIENT_MACHINE": "night"}, "There is no machine 'night'"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(
    environ: dict[str, str], variables: dict[str, str], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        find_target(environ | variables)

    assert said in caught.value.message


def test_the_file_is_where_settings_are_at_home(tmp_path: Path) -> None:
    assert file_of({"HOME": "/home/ann"}) == Path("/home/ann/.config/aafai-bus/client.toml")
    assert file_of({"XDG_CONFIG_HOME": str(tmp_path)}) == tmp_path / "aafai-bus" / "client.toml"


def test_the_example_can_be_read(environ: dict[str, str], tmp_path: Path) -> None:
    token = a_token_file(tmp_path, SIGNING)
    written(environ, EXAMPLE.replace("~/.config/aafai-bus/night.token", str(token)))

    target: Any = find_target(environ)

    assert (target.name, target.zones) == ("night", ("europe-west1-b", "europe-west1-c"))
    assert find_target(environ, machine="here").url == "http://127.0.0.1:8000"


def test_every_variable_and_every_exit_status_is_documented() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in Path(ROOT, "docs").glob("clients*.md"))

    for name in VARIABLES.keys() - {"AAFAI_GOOGLE_URL"}:
        assert f"| `{name}` |" in text
    for status in range(5):
        assert f"| {status} |" in text


def test_the_bus_does_not_take_the_variables_of_a_client_for_mistakes() -> None:
    assert list(unknown(dict.fromkeys(VARIABLES, "x"))) == []
