from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config import words
from config.words import parse_flag, parse_list, parse_size, parse_slots, parse_switches

SECRET = "whsec_" + "c2VjcmV0" * 4


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (parse_flag, "true", True),
        (parse_flag, "YES", True),
        (parse_flag, "0", False),
        (words.one_of("a", "b"), "b", "b"),
        (words.whole(0, 50), "50", 50),
        (words.parse_minutes, "30", 1_800),
        (words.parse_minutes, "2 hours", 7_200),
        (words.parse_duration_or_off, "off", 0),
        (words.parse_duration_or_off, "5 minutes", 300),
        (parse_size, "10 MiB", 10 * 2**20),
        (parse_size, "1.5KiB", 1_536),
        (parse_size, "42", 42),
        (parse_list, " a, b ,,a", ("a", "b")),
        (parse_list, "", ()),
        (parse_slots, "default=3, browser=1", {"default": 3, "browser": 1}),
        (parse_slots, "default=0", {"default": 0}),
        (words.parse_action, "solve_problem", "solve_problem"),
        (words.parse_paths, "/a, /b c", (Path("/a"), Path("/b c"))),
        (words.parse_paths, "media", (Path.cwd() / "media",)),
        (words.parse_host, "::1", "::1"),
        (words.parse_host, "bus.example", "bus.example"),
        (words.parse_token, "", None),
        (words.parse_token, "0123456789abcdef", "0123456789abcdef"),
        (words.parse_engine, "memory:", "memory:"),
        (words.parse_optional_path, "", None),
        (words.parse_optional_path, "/etc/webhooks.json", Path("/etc/webhooks.json")),
        (words.parse_transport, "local:", "local:"),
        (words.parse_transport, "journal:/var/events", "journal:/var/events"),
        (words.parse_transport, "journal:events", f"journal:{Path('events').absolute()}"),
        (words.parse_transport, "redis://localhost:6379/0", "redis://localhost:6379/0"),
        (words.parse_webhook_secret, "", ""),
        (words.parse_webhook_secret, f"{SECRET} {SECRET}", f"{SECRET} {SECRET}"),
        (parse_switches, "none", ("none",)),
        (parse_switches, "systemd ; command:/sbin/off --now", ("systemd", "command:/sbin/off --now")),
        (parse_switches, "gcp:suspend;gcp", ("gcp:suspend", "gcp")),
        (words.parse_commands, "", ()),
        (words.parse_commands, " ; ", ()),
        (words.parse_commands, "sync", (("sync",),)),
        (words.parse_commands, "/bin/a -x 'b; c';/bin/d #1", (("/bin/a", "-x", "b; c"), ("/bin/d", "#1"))),
        (words.parse_alarm, "none", "none"),
        (words.parse_alarm, "rtcwake", "rtcwake"),
        (words.parse_alarm, "command:/sbin/wake --now", "command:/sbin/wake --now"),
        (words.parse_alarm, "gcp-scheduler:us-east1/wake_up-2", "gcp-scheduler:us-east1/wake_up-2"),
        (words.parse_alarm, "gcp-schedule:wake-up", "gcp-schedule:wake-up"),
        (words.parse_google_url, "", ""),
        (words.parse_google_url, "http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        (words.parse_google_url, "http://[::1]:9000", "http://[::1]:9000"),
        (words.parse_google_url, "https://google.example", "https://google.example"),
        (words.parse_mirror, "", ""),
        (words.parse_mirror, "folder:/srv/the mirror/", "folder:/srv/the mirror"),
        (words.parse_mirror, "gs://quiet-results", "gs://quiet-results"),
        (words.parse_mirror, "gs://quiet-results/team/bus/", "gs://quiet-results/team/bus"),
    ],
)
def test_a_word_stands_for_its_value(read: Callable[[str], object], text: str, value: object) -> None:
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "remedy"),
    [
        (parse_flag, "maybe", "write true or false"),
        (parse_flag, "", "write true or false"),
        (words.one_of("a", "b"), "c", "write one of a, b"),
        (words.whole(1, 50), "0", "from 1 to 50"),
        (words.whole(1, 50), "51", "from 1 to 50"),
        (words.whole(1, 50), "-1", "from 1 to 50"),
        (words.whole(1, 50), "٣", "from 1 to 50"),
        (words.whole(1, 50), "9" * 5_000, "from 1 to 50"),
        (words.parse_minutes, "", "such as '30 seconds'"),
        (words.parse_minutes, "0", "such as '30 seconds'"),
        (words.parse_duration_or_off, "never", "such as '30 seconds'"),
        (parse_size, "10 MB", "KiB, MiB or GiB"),
        (parse_size, "-1", "KiB, MiB or GiB"),
        (parse_size, "9" * 400, "KiB, MiB or GiB"),
        (words.parse_paths, "/a:/b", "write commas between them"),
        (parse_slots, "browser=1", "default=3,browser=1"),
        (parse_slots, "", "default=3,browser=1"),
        (parse_slots, "default", "write as in default=3"),
        (parse_slots, "default=many", "from 0 to 50"),
        (parse_slots, "default=51", "from 0 to 50"),
        (parse_slots, "default=1,default=2", "default=3,browser=1"),
        (parse_slots, "../x=1,default=1", "default=3,browser=1"),
        (words.parse_action, "", "without .py"),
        (words.parse_action, "../solve", "without .py"),
        (words.parse_action, "solve.py", "without .py"),
        (words.parse_host, "0.0.0.0:8000", "without a port"),
        (words.parse_host, "", "without a port"),
        (words.parse_engine, "/var/queues", "file:/"),
        (words.parse_transport, "", "write journal:/folder"),
        (words.parse_transport, "journal:", "write journal:/folder"),
        (words.parse_transport, "kafka://x", "write journal:/folder"),
        (words.parse_webhook_secret, "whsec_short", "openssl rand -base64 32"),
        (words.parse_webhook_secret, f"{SECRET} x", "openssl rand -base64 32"),
        (parse_switches, "", "write none, systemd, gcp, gcp:suspend or command:"),
        (parse_switches, "command:", "write none, systemd, gcp, gcp:suspend or command:"),
        (parse_switches, "systemd;", "write none, systemd, gcp, gcp:suspend or command:"),
        (words.parse_commands, "say 'hello", "mend its quotes"),
        (parse_switches, "gcp:stop", "write none, systemd, gcp, gcp:suspend or command:"),
        (words.parse_alarm, "", "write none, gcp-scheduler:job"),
        (words.parse_alarm, "gcp", "write none, gcp-scheduler:job"),
        (words.parse_alarm, "gcp-scheduler:a/b/c", "write none, gcp-scheduler:job"),
        (words.parse_alarm, "gcp-scheduler:../wake", "write none, gcp-scheduler:job"),
        (words.parse_alarm, "gcp-schedule:Wake", "write none, gcp-scheduler:job"),
        (words.parse_alarm, "command: ", "write none, gcp-scheduler:job"),
        (words.parse_google_url, "http://google.example", "write https://host or http://127.0.0.1:9000"),
        (words.parse_google_url, "ftp://127.0.0.1", "write https://host or http://127.0.0.1:9000"),
        (words.parse_google_url, "https://user@google.example", "write https://host or"),
        (words.parse_google_url, "https://google.example/?", "write https://host or"),
        (words.parse_mirror, "folder:mirror", "write folder:/absolute/path or gs://bucket"),
        (words.parse_mirror, "/srv/mirror", "write folder:/absolute/path or gs://bucket"),
        (words.parse_mirror, "gs://", "write folder:/absolute/path or gs://bucket"),
        (words.parse_mirror, "gs://Bucket", "write folder:/absolute/path or gs://bucket"),
        (words.parse_mirror, "gs://bucket/../other", "write folder:/absolute/path or gs://bucket"),
        (words.parse_mirror, "gs://bucket//prefix", "write folder:/absolute/path or gs://bucket"),
        (words.parse_mirror, "s3://bucket", "write folder:/absolute/path or gs://bucket"),
    ],
)
def test_another_word_is_refused_with_the_remedy(
    read: Callable[[str], object], text: str, remedy: str
) -> None:
    with pytest.raises(ValueError, match=remedy):
        read(text)


@pytest.mark.parametrize("token", ["tiny", "with a space in between", "x" * 600, "ünïcödé-ünïcödé-ü"])
def test_a_refused_token_is_not_repeated(token: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -hex 32") as refusal:
        words.parse_token(token)

    assert token not in str(refusal.value)


@pytest.mark.parametrize(
    ("host", "alone"),
    [
        *[("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)],
        *[("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("bus.example", False), ("", False)],
        ("127.0.0.1.nip.io", False),
    ],
)
def test_only_this_machine_reaches_a_loopback_address(host: str, alone: bool) -> None:
    assert words.is_loopback(host) is alone
