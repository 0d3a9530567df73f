"""The installation on a machine of Google's: its commands, its rights, and what the machine does at first."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from cloud import bucket_mirror, scheduler_alarm
from cloud.gce import GceSwitch
from cloud.google_api import Google
from config import Config, settings
from core.mirror import FILES, RECEIPTS, REFUSED, RESULTS, STATUSES
from examples.running import ROOT
from tests.examples.gcloud import Call, Gcloud, Said

GCP = ROOT / "examples" / "gcp"
NEEDED = ("--project=quiet-project", "--sources=203.0.113.7/32")
PINNED = ("--repository=https://example.org/bus.git", "--version=v1")


class Project:
    """A project of Google's as gcloud shows it: what is there, and what is refused."""

    def __init__(self) -> None:
        self.there: set[tuple[str, ...]] = set()
        #: How often bindings are refused, as for an account of which not all have heard.
        self.unheard_of = 0
        #: Of the bucket's objects, when they go.
        self.rules: list[str] = []

    def answer(self, call: Call) -> Said:
        *group, verb, name = call.words if call.words[0] != "services" else ("", "enable", "all")
        thing = (*group, name.partition("@")[0].removesuffix("/"))
        if verb == "create":
            if thing in self.there:
                return Said(err="ERROR: it already exists\n", status=1)
            self.there.add(thing)
        elif verb == "update" and group == ["storage", "buckets"]:
            self.rules += [Path(call.option("lifecycle-file")).read_text()]
        elif verb == "describe" and "lifecycle" in call.option("format"):
            return Said(out="".join(self.rules))
        elif verb == "add-iam-policy-binding" and self.unheard_of:
            self.unheard_of -= 1
            return Said(err="ERROR: INVALID_ARGUMENT: Service account does not exist.\n", status=1)
        elif verb != "enable" and group != ["projects"] and thing not in self.there:
            return Said(err="ERROR: NOT_FOUND\n", status=1)
        return Said()


@pytest.fixture
def project() -> Project:
    return Project()


@pytest.fixture
def gcloud(project: Project, tmp_path: Path) -> Iterator[Gcloud]:
    with Gcloud(tmp_path / "bin", project.answer) as gcloud:
        # Waiting for Google to spread the news takes no time in a test.
        (tmp_path / "bin" / "sleep").write_text("#!/bin/sh\n")
        (tmp_path / "bin" / "sleep").chmod(0o755)
        yield gcloud


Deploy = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def deploy(gcloud: Gcloud) -> Deploy:
    def deploy(*options: str) -> subprocess.CompletedProcess[str]:
        argv = ["examples/gcp/deploy.sh", *options]
        return subprocess.run(
            argv, cwd=ROOT, env=gcloud.environment, capture_output=True, text=True, check=False, timeout=100
        )

    return deploy


def made(gcloud: Gcloud) -> list[str]:
    return [" ".join(call.words) for call in gcloud.calls if "create" in call.words]


def called(gcloud: Gcloud) -> list[str]:
    """Return every command line, but for the names of temporary files."""
    return [re.sub(r"(?<=--lifecycle-file=)\S+", "…", " ".join(call.argv)) for call in gcloud.calls]


def test_a_dry_run_prints_every_command_and_runs_none(deploy: Deploy, gcloud: Gcloud) -> None:
    done = deploy(*NEEDED, *PINNED, "--dry-run")

    steps = re.findall(r"gcloud ((?:[a-z-]+ )+)", done.stdout)
    assert done.returncode == 0, done.stderr
    assert gcloud.calls == []
    assert [step.strip() for step in steps] == [
        "services enable",
        "iam service-accounts describe",
        "iam service-accounts create aafai-bus",
        "iam roles describe",
        "iam roles create",
        "iam roles update",
        "iam roles describe",
        "iam roles create",
        "iam roles update",
        "projects add-iam-policy-binding quiet-project",
        "iam service-accounts add-iam-policy-binding",
        "storage buckets describe",
        "storage buckets create",
        "storage buckets describe",
        "storage buckets update",
        "storage buckets add-iam-policy-binding",
        "secrets describe aafai-bus-token",
        "secrets create aafai-bus-token",
        "secrets add-iam-policy-binding aafai-bus-token",
        "compute firewall-rules describe aafai-bus",
        "compute firewall-rules create aafai-bus",
        "compute firewall-rules update aafai-bus",
        "compute firewall-rules describe aafai-bus-ssh",
        "compute firewall-rules create aafai-bus-ssh",
        "compute firewall-rules describe aafai-bus-shut",
        "compute firewall-rules create aafai-bus-shut",
        "compute instances describe aafai-bus",
        "compute instances create aafai-bus",
        "compute instances add-metadata aafai-bus",
        "compute instances add-iam-policy-binding aafai-bus",
    ]
    assert "aafaiBusMachine" in done.stdout


def test_what_a_dry_run_prints_is_a_script_that_does_the_same(
    deploy: Deploy, gcloud: Gcloud, project: Project
) -> None:
    printed = deploy(*NEEDED, *PINNED, "--dry-run").stdout
    subprocess.run(["sh", "-e", "-c", printed], env=gcloud.environment, check=True, capture_output=True)
    by_hand = called(gcloud)
    gcloud.calls.clear()
    project.there.clear()
    project.rules.clear()

    done = deploy(*NEEDED, *PINNED)

    assert done.returncode == 0, done.stderr
    assert called(gcloud) == by_hand
    assert done.stdout == printed


def test_a_second_run_makes_nothing_anew(deploy: Deploy, gcloud: Gcloud) -> None:
    first = deploy(*NEEDED, *PINNED)
    things = made(gcloud)
    gcloud.calls.clear()

    second = deploy(*NEEDED, *PINNED)

    assert (first.returncode, second.returncode) == (0, 0), second.stderr
    assert len(things) == 9
    assert made(gcloud) == []


def test_what_broke_off_is_completed(deploy: Deploy, gcloud: Gcloud, project: Project) -> None:
    deploy(*NEEDED, *PINNED)
    project.there = {thing for thing in project.there if "instances" not in thing and "secrets" not in thing}
    gcloud.calls.clear()

    done = deploy(*NEEDED, *PINNED)

    assert done.returncode == 0
    assert made(gcloud) == ["secrets create aafai-bus-token", "compute instances create aafai-bus"]


def test_an_account_of_which_not_all_have_heard_is_tried_again(
    deploy: Deploy, gcloud: Gcloud, project: Project
) -> None:
    project.unheard_of = 3

    assert deploy(*NEEDED, *PINNED).returncode == 0


def test_a_refusal_that_stays_ends_it(deploy: Deploy, project: Project) -> None:
    project.unheard_of = 1_000

    done = deploy(*NEEDED, *PINNED)

    assert done.returncode == 1
    assert "Service account does not exist" in done.stderr
    assert "instances create" not in done.stdout


def test_the_token_is_in_no_argument_and_no_output(deploy: Deploy, gcloud: Gcloud) -> None:
    done = deploy(*NEEDED, *PINNED)

    (made_here,) = [call.stdin for call in gcloud.calls if call.words[:2] == ["secrets", "create"]]
    assert re.fullmatch("[0-9a-f]{64}", made_here)
    assert made_here not in done.stdout + done.stderr
    assert not any(made_here in word for call in gcloud.calls for word in call.argv)


def test_the_machine_may_do_what_the_bus_does_and_no_more(deploy: Deploy, gcloud: Gcloud) -> None:
    deploy(*NEEDED, *PINNED)

    roles = {
        call.words[-1]: set(call.option("permissions").split(","))
        for call in gcloud.calls
        if call.words[:3] == ["iam", "roles", "create"]
    }
    switch = {one for suspends in (False, True) for one in GceSwitch(Google(), suspends)._grant.permissions}
    alarm = set(scheduler_alarm._GRANT.permissions) - {"iam.serviceAccounts.actAs"}
    assert roles["aafaiBusMachine"] | roles["aafaiBusAlarm"] == switch | alarm
    bindings = {
        (call.words[0], call.words[1], call.option("role").rpartition("/")[2])
        for call in gcloud.calls
        if "add-iam-policy-binding" in call.words
    }
    assert bindings == {
        ("projects", "add-iam-policy-binding", "aafaiBusAlarm"),
        ("iam", "service-accounts", "iam.serviceAccountUser"),
        ("storage", "buckets", "storage.objectUser"),
        ("secrets", "add-iam-policy-binding", "secretmanager.secretAccessor"),
        ("compute", "instances", "aafaiBusMachine"),
    }
    assert bucket_mirror.ROLE == "roles/storage.objectUser"


def test_a_client_may_start_the_machine_and_read_the_mirror(deploy: Deploy, gcloud: Gcloud) -> None:
    done = deploy(*NEEDED, *PINNED, "--client=user:ann@example.org", "--client=group:team@example.org")

    granted = [
        (call.option("member"), call.option("role").rpartition("/")[2])
        for call in gcloud.calls
        if "add-iam-policy-binding" in call.words and not call.option("member").startswith("serviceAccount:")
    ]
    assert done.returncode == 0, done.stderr
    assert granted == [
        (member, role)
        for member in ("user:ann@example.org", "group:team@example.org")
        for role in (
            "aafaiBusClient",
            "aafaiBusOperations",
            "storage.objectUser",
            "secretmanager.secretAccessor",
        )
    ]


def test_the_doors_are_open_for_those_addresses_alone(deploy: Deploy, gcloud: Gcloud) -> None:
    deploy(*NEEDED, *PINNED)

    rules = {
        call.words[-1]: (call.option("allow") or call.option("action"), call.option("source-ranges"))
        for call in gcloud.calls
        if call.words[:3] == ["compute", "firewall-rules", "create"]
    }
    assert rules == {
        "aafai-bus": ("tcp:8000", "203.0.113.7/32"),
        "aafai-bus-ssh": ("tcp:22", "35.235.240.0/20"),
        "aafai-bus-shut": ("deny", ""),
    }


def test_a_spot_machine_stops_when_it_is_taken_away(deploy: Deploy, gcloud: Gcloud) -> None:
    deploy(*NEEDED, *PINNED, "--spot", "--machine=e2-medium", "--zone=us-east1-b")

    (call,) = [call for call in gcloud.calls if call.words[:3] == ["compute", "instances", "create"]]
    told = {name: call.option(name) for name in ("provisioning-model", "machine-type", "zone")}
    assert told == {"provisioning-model": "SPOT", "machine-type": "e2-medium", "zone": "us-east1-b"}
    assert call.option("instance-termination-action") == "STOP"


def test_a_disk_of_another_size_and_type_is_made(deploy: Deploy, gcloud: Gcloud) -> None:
    deploy(*NEEDED, *PINNED, "--disk=10", "--disk-type=pd-standard")

    (call,) = [call for call in gcloud.calls if call.words[:3] == ["compute", "instances", "create"]]
    assert (call.option("boot-disk-size"), call.option("boot-disk-type")) == ("10GB", "pd-standard")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--sources=203.0.113.7/32",), "--project: ''"),
        (("--project=quiet-project",), "--sources: ''"),
        ((*NEEDED, "--zone=europe"), "--zone: 'europe'"),
        ((*NEEDED, "--name=x; rm -rf /"), "--name: "),
        ((*NEEDED, "--project=$(id)"), "--project: "),
        ((*NEEDED, "--project=quiet-project\nrm -rf /"), "--project: it must be one line"),
        ((*NEEDED, "--repository=https://me:secret@example.org/bus.git"), "needs no password"),
        ((*NEEDED, "--sources=everywhere"), "--sources: "),
        ((*NEEDED, "--repository=file:///etc"), "--repository: "),
        ((*NEEDED, "--client=ann"), "--client: 'ann'"),
        ((*NEEDED, "--disk=lots"), "--disk: "),
        ((*NEEDED, "--disk-type=fast one"), "--disk-type: 'fast one'"),
        ((*NEEDED, "--drop-run"), "'--drop-run' is no option"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(
    deploy: Deploy, gcloud: Gcloud, options: tuple[str, ...], said: str
) -> None:
    done = deploy(*PINNED, *options)

    assert done.returncode == 2
    assert said in done.stderr
    assert gcloud.calls == []


def test_the_real_gcloud_knows_every_command_and_option(deploy: Deploy) -> None:
    tree = _tree_of_gcloud()
    printed = deploy(*NEEDED, *PINNED, "--spot", "--client=user:ann@example.org", "--dry-run").stdout
    scripts = printed + (ROOT / "examples" / "wake.sh").read_text().replace('"$verb"', "start")

    unknown = [fault for words in _commands(scripts) if (fault := _fault(tree, words))]

    assert len(list(_commands(printed))) > 20
    assert unknown == []


def test_the_cloud_init_does_what_the_startup_script_does() -> None:
    text = (GCP / "cloud-init.yaml").read_text()
    document = yaml.safe_load(text)
    (file,) = document["write_files"]

    subprocess.run(["sh", "-n", "-c", file["content"]], check=True)
    start = (GCP / "start.sh").read_text()
    steps = [line.strip() for line in file["content"].splitlines() if line.strip()]
    assert text.startswith("#cloud-config\n")
    assert set(document) == {"package_update", "packages", "write_files", "runcmd"}
    assert document["runcmd"] == [["sh", file["path"]]]
    assert [line for line in steps if line not in start] == []
    assert set(document["packages"]) <= set(start.split())


def test_the_installation_writes_settings_that_the_bus_understands() -> None:
    text = (GCP / "install.sh").read_text()
    written = re.search(r"env\.part <<END\n(.*?)END\n", text, re.DOTALL)
    assert written is not None
    values = dict(line.split("=", 1) for line in written[1].splitlines())
    told = {
        "aafai-alarm": "gcp-scheduler:aafai-bus",
        "aafai-mirror": "gs://quiet-project-aafai-bus/aafai-bus",
    }
    for name, value in values.items():
        asked = re.fullmatch(r"\$\(ask instance/attributes/([a-z-]+)\)", value)
        values[name] = told[asked[1]] if asked else value.strip('"').replace("$token", "x" * 64)

    config = Config.load({"APP_ENV": "production", "QUEUE_BASE_PATH": "/q", "DOWNLOAD_DIR": "/d", **values})

    assert set(values) <= {setting.env for setting in settings()}
    assert config.power_switch == ("systemd", "gcp")
    assert config.mirror == told["aafai-mirror"]


def test_the_installation_installs_all_units_and_the_rule() -> None:
    text = (GCP / "install.sh").read_text()

    for path in (*ROOT.glob("aafai-bus*.service"), *ROOT.glob("aafai-bus*.timer"), *ROOT.glob("*.rules")):
        assert path.name in text


def test_every_attribute_that_the_machine_asks_for_is_given(deploy: Deploy, gcloud: Gcloud) -> None:
    deploy(*NEEDED, *PINNED)
    (call,) = [call for call in gcloud.calls if call.words[:3] == ["compute", "instances", "create"]]
    given = {pair.partition("=")[0] for pair in call.option("metadata").split(",")}

    scripts = "".join((GCP / name).read_text() for name in ("start.sh", "install.sh", "cloud-init.yaml"))

    assert set(re.findall(r"(?:attribute |attributes/)(aafai-[a-z-]+)", scripts)) <= given


def test_of_a_bucket_only_what_the_bus_has_written_goes_and_outlives_the_bus_s_own_records(
    deploy: Deploy, project: Project
) -> None:
    deploy(*NEEDED, *PINNED, "--bucket=of-everybody")

    (rule,) = json.loads(project.rules[0])["rule"]
    assert rule["action"] == {"type": "Delete"}
    assert rule["condition"]["age"] * 86_400 > Config.load({}).result_ttl
    assert rule["condition"]["matchesPrefix"] == [
        f"aafai-bus/{folder}/" for folder in (RESULTS, STATUSES, FILES, RECEIPTS, REFUSED)
    ]


def test_a_bucket_that_has_rules_keeps_them(deploy: Deploy, project: Project) -> None:
    project.rules = ["mine"]

    deploy(*NEEDED, *PINNED)

    assert project.rules == ["mine"]


def _commands(script: str) -> Iterator[list[str]]:
    """Yield each call of gcloud in a script: its words, with options by their names."""
    for line in script.replace("\\\n", " ").splitlines():
        for part in re.split(r"\|\||\||;|&&", line):
            found = re.search(r"\bgcloud ((?:[a-z-]+ )+.*)", part)
            if found and not line.lstrip().startswith("#") and "echo" not in line:
                yield shlex.split(re.sub(r"2?>\S*|\\$", "", found[1]))


def _tree_of_gcloud() -> dict[str, object]:
    """Return what the gcloud on this machine completes: its commands with their options."""
    program = shutil.which("gcloud", path="/usr/bin:/usr/local/bin:/snap/bin")
    root = Path(program).resolve().parents[1] if program else Path("/nowhere")
    table = root / "data" / "cli" / "gcloud_completions.py"
    if not table.exists():
        pytest.skip("gcloud is not installed")
    names: dict[str, dict[str, object]] = {}
    exec(compile(table.read_text(), str(table), "exec"), names)
    return names["STATIC_COMPLETION_CLI_TREE"]


def _fault(tree: dict[str, object], words: list[str]) -> str:
    """Return what gcloud does not know of a command; empty when it knows all."""
    node: dict[str, dict[str, object]] = tree  # type: ignore[assignment]
    known = set(node["flags"])
    for word in words:
        if word not in node["commands"]:
            break
        node = node["commands"][word]  # type: ignore[assignment]
        known |= set(node["flags"])
    if node["commands"]:
        return f"{' '.join(words)} is no command"
    strange = {word.partition("=")[0] for word in words if word.startswith("--")} - known
    return f"{' '.join(words)}: {sorted(strange)}" if strange else ""
