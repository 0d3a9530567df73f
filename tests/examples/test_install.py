"""What the machine does at its first boot and at all others, in a mount namespace of its own.

The system's folders are overlaid, so that nothing of the machine that tests is changed; what would fetch or
start anything is a program of ours.
"""

from __future__ import annotations

import base64
import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.running import ROOT
from tests.cloud.programs import a_program
from tests.conftest import needed

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")

TOKEN = "0123456789abcdef" * 4
ATTRIBUTES = {
    "aafai-repository": "https://example.org/bus.git",
    "aafai-version": "v1",
    "aafai-token-secret": "bus-token",
    "aafai-alarm": "gcp-scheduler:bus",
    "aafai-mirror": "gs://quiet-results/bus",
}
_INSIDE = """
for folder in /etc /var/lib; do
    mkdir -p "$BASE/upper$folder" "$BASE/work$folder"
    layers=lowerdir=$folder,upperdir=$BASE/upper$folder,workdir=$BASE/work$folder
    mount -t overlay overlay -o "$layers" "$folder"
done
mount --bind "$BASE/opt" /opt
mkdir -p /etc/polkit-1/rules.d /var/lib/aafai-bus
exec "$@"
"""

Boot = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A folder with the programs, and with what is kept between two boots."""
    programs = tmp_path / "bin"
    for folder in (programs, tmp_path / "opt"):
        folder.mkdir()
    answers = [f"    */attributes/{name}) printf '{value}' ;;" for name, value in ATTRIBUTES.items()]
    payload = base64.b64encode(TOKEN.encode()).decode()
    a_program(
        programs,
        "curl",
        f'echo "curl $*" >>{tmp_path}/calls',
        "for last; do :; done",
        "case $last in",
        *answers,
        "    */project/project-id) printf quiet-project ;;",
        """    */default/token) printf '{"access_token": "ya29.x"}' ;;""",
        f"    */secrets/bus-token/versions/latest:access) cat /dev/fd/3 >{tmp_path}/asked",
        f"""        printf '{{"payload": {{"data": "{payload}"}}}}' ;;""",
        "    *) exit 22 ;;",
        "esac",
    )
    for name in ("apt-get", "adduser", "make", "shutdown", "systemctl"):
        a_program(programs, name, f'echo "{name} $*" >>{tmp_path}/calls')
    a_program(
        programs,
        "git",
        f'echo "git $*" >>{tmp_path}/calls',
        f"case $1 in clone) ln -sfn {ROOT} /opt/aafai-bus.part ;; esac",
    )
    return tmp_path


@pytest.fixture
def boot(base: Path) -> Boot:
    """Run a script as root at a boot."""

    def boot(script: str = "start.sh") -> subprocess.CompletedProcess[str]:
        unshare = needed("unshare", "util-linux")
        argv = [unshare, "--mount", "sh", "-euc", _INSIDE, "sh", str(ROOT / "examples" / "gcp" / script)]
        known = {**os.environ, "PATH": f"{base / 'bin'}:{os.environ['PATH']}", "BASE": str(base)}
        (base / "calls").write_text("")
        return subprocess.run(argv, env=known, capture_output=True, text=True, check=False, timeout=100)

    return boot


def calls(base: Path) -> list[str]:
    return (base / "calls").read_text().splitlines()


def test_the_first_boot_installs_and_starts_the_bus(boot: Boot, base: Path) -> None:
    done = boot()

    assert done.returncode == 0, done.stderr
    told = [line for line in calls(base) if not line.startswith("curl ")]
    assert told[-2] == "systemctl restart aafai-bus.service aafai-bus-watchdog.timer"
    assert "git clone --quiet https://example.org/bus.git /opt/aafai-bus.part" in told
    assert "git -C /opt/aafai-bus checkout --quiet v1" in told
    assert any("chromium-driver" in line for line in told)
    units = base / "upper" / "etc" / "systemd" / "system"
    assert (units / "aafai-bus.service").read_text() == (ROOT / "aafai-bus.service").read_text()


def test_a_machine_that_cannot_be_installed_goes_off_after_an_hour(boot: Boot, base: Path) -> None:
    a_program(base / "bin", "make", "exit 2")

    boot()
    broken = [line for line in calls(base) if line.startswith("shutdown")]
    a_program(base / "bin", "make", ":")
    boot()
    mended = [line for line in calls(base) if line.startswith("shutdown")]

    assert broken == ["shutdown --no-wall -h +60"]
    assert mended == ["shutdown --no-wall -h +60", "shutdown -c"]


def test_a_clone_that_broke_off_is_begun_anew(boot: Boot, base: Path) -> None:
    (base / "opt" / "aafai-bus.part" / ".git").mkdir(parents=True)

    done = boot()

    assert done.returncode == 0, done.stderr
    assert (base / "opt" / "aafai-bus").resolve() == ROOT


def test_the_settings_are_root_s_alone_and_hold_the_token(boot: Boot, base: Path) -> None:
    boot()

    env = base / "upper" / "etc" / "aafai-bus" / "env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert stat.S_IMODE(env.parent.stat().st_mode) == 0o700
    assert env.read_text().splitlines() == [
        f"AAFAI_TOKEN={TOKEN}",
        "AAFAI_HOST=0.0.0.0",
        'AAFAI_POWER_SWITCH="systemd;gcp"',
        "AAFAI_WAKE_ALARM=gcp-scheduler:bus",
        "AAFAI_MIRROR=gs://quiet-results/bus",
    ]
    assert (base / "asked").read_text() == 'header = "Authorization: Bearer ya29.x"\n'
    assert not any("ya29" in line or TOKEN in line for line in calls(base))


def test_later_boots_do_nothing(boot: Boot, base: Path) -> None:
    boot()

    done = boot()

    assert done.returncode == 0
    assert calls(base) == []


def test_an_installation_that_broke_off_is_completed_at_the_next_boot(boot: Boot, base: Path) -> None:
    a_program(base / "bin", "make", "exit 2")
    broken = boot()
    env = base / "upper" / "etc" / "aafai-bus" / "env"
    was_there = env.exists()
    a_program(base / "bin", "make", ":")

    done = boot()

    assert (broken.returncode, was_there) == (2, False)
    assert done.returncode == 0, done.stderr
    assert env.exists()


def test_without_a_token_nothing_is_started(boot: Boot, base: Path) -> None:
    a_program(base / "bin", "curl", "exit 22")

    done = boot("install.sh")

    assert done.returncode != 0
    assert not any(line.startswith("systemctl") for line in calls(base))


def test_a_new_version_is_installed_by_hand_and_keeps_what_is_yours(boot: Boot, base: Path) -> None:
    boot()
    mine = base / "upper" / "etc" / "aafai-bus" / "mine.env"
    mine.write_text("AAFAI_IDLE_TIMEOUT=5 minutes\n")

    done = boot("install.sh")

    assert done.returncode == 0, done.stderr
    assert mine.read_text() == "AAFAI_IDLE_TIMEOUT=5 minutes\n"
    assert calls(base)[-1].startswith("systemctl restart aafai-bus.service")
