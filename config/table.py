"""Every setting: name, default, help, environment variable.

The class `Config` is the table, of three parts: each field carries its setting. Reading, checking, printing
and the table of docs/configuration.md all follow from it.
"""

# ruff: noqa: RUF009  `setting` makes a dataclasses.field, which the rule does not see.

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from config import words
from config.contradictions import contradictions, doubts
from config.serving import Serving
from config.setting import Found, Setting, read, search, setting, settings_of, unknown_names
from config.work import Work
from core.errors import ConfigError
from core.timing import parse_duration


@dataclass(frozen=True, kw_only=True, slots=True)
class Config(Serving, Work):
    """All settings, read and checked. Durations are in seconds, sizes in bytes, paths absolute."""

    max_result: int = setting("AAFAI_MAX_RESULT", "64 MiB", words.parse_size, "The largest result of a job.")
    max_pending: int = setting(
        "AAFAI_MAX_PENDING",
        "1000000",
        words.whole(1, 10**9),
        "How many jobs may wait before more are refused.",
    )
    min_free: int = setting(
        "AAFAI_MIN_FREE", "256 MiB", words.parse_size, "Disk space below which new jobs are refused."
    )
    allow_any_filesystem: bool = setting(
        "AAFAI_ALLOW_ANY_FILESYSTEM",
        "false",
        words.parse_flag,
        "Whether queues may lie on a network file system, where nothing is promised.",
    )
    backoff_base: float = setting(
        "AAFAI_BACKOFF_BASE",
        "2 seconds",
        parse_duration,
        "The first wait between attempts; it doubles each time.",
    )
    store_timeout: float = setting(
        "AAFAI_STORE_TIMEOUT",
        "10 seconds",
        parse_duration,
        "How long a request waits for the disk before it is answered that the outcome is unknown.",
    )
    lease: float = setting(
        "AAFAI_LEASE",
        "1 minute",
        parse_duration,
        "How long a silent worker is believed, on engines with leases.",
    )
    drain_timeout: float = setting(
        "AAFAI_DRAIN_TIMEOUT",
        "20 seconds",
        parse_duration,
        "How long running jobs get when the server is stopped.",
    )
    kill_grace: float = setting(
        "AAFAI_KILL_GRACE", "2 seconds", parse_duration, "How long a job gets between SIGTERM and SIGKILL."
    )
    result_ttl: float = setting("AAFAI_RESULT_TTL", "7 days", parse_duration, "How long results are kept.")
    result_linger: float = setting(
        "AAFAI_RESULT_LINGER",
        "15 minutes",
        words.parse_duration_or_off,
        "How long the machine stays on for a result that nobody has read; `off` for not at all.",
    )
    idle_timeout: float = setting(
        "AAFAI_IDLE_TIMEOUT",
        "15 minutes",
        parse_duration,
        "How long after the last work the machine stays on.",
    )
    min_sleep: float = setting(
        "AAFAI_MIN_SLEEP",
        "5 minutes",
        parse_duration,
        "The machine stays on when it would have to be started again sooner than this. A stop takes a minute"
        " or two, in which no alarm is heard: 3 minutes at least where there is a wake alarm.",
    )
    boot_grace: float = setting(
        "AAFAI_BOOT_GRACE",
        "5 minutes",
        words.parse_duration_or_off,
        "How long the machine stays on after a start.",
    )
    paid_minute: float = setting(
        "AAFAI_PAID_MINUTE",
        "1 minute",
        words.parse_duration_or_off,
        "What the cloud charges at least for, counted from boot; stopping earlier would save nothing.",
    )
    max_uptime: float = setting(
        "AAFAI_MAX_UPTIME",
        "12 hours",
        parse_duration,
        "When the machine is switched off whatever is going on.",
    )
    power_switch: tuple[str, ...] = setting(
        "AAFAI_POWER_SWITCH",
        "none",
        words.parse_switches,
        "How to switch the machine off: `none`, `systemd`, `gcp`, `gcp:suspend` or `command:…`; with `;`"
        " between, tried in turn.",
        production="systemd",
    )
    power_verify: float = setting(
        "AAFAI_POWER_VERIFY", "1 minute", parse_duration, "How long after the switch the machine must be off."
    )
    wake_alarm: str = setting(
        "AAFAI_WAKE_ALARM",
        "none",
        words.parse_alarm,
        "What starts the machine again when something is due: `none`, `gcp-scheduler:JOB`,"
        " `gcp-schedule:POLICY`, `rtcwake` or `command:…`.",
    )
    google_url: str = setting(
        "AAFAI_GOOGLE_URL",
        "",
        words.parse_google_url,
        "Where Google's services and metadata are asked instead of at their own addresses; for tests.",
    )
    mirror: str = setting(
        "AAFAI_MIRROR",
        "",
        words.parse_mirror,
        "Where results are read, and jobs left, while the machine is off: `folder:/path` or"
        " `gs://bucket/prefix`.",
    )
    before_stop: tuple[tuple[str, ...], ...] = setting(
        "AAFAI_BEFORE_STOP",
        "",
        words.parse_commands,
        "What is run, while jobs are still accepted, before the machine is switched off: commands, with `;`"
        " between.",
    )
    before_stop_limit: float = setting(
        "AAFAI_BEFORE_STOP_LIMIT",
        "1 minute",
        words.parse_duration_up_to("1 hour"),
        "How long each of them may take, and keep the machine on; an hour at most.",
    )
    prices: Path = setting(
        "AAFAI_PRICES",
        "prices.toml",
        words.parse_path,
        "File of what the machine costs; the one that comes with the bus holds examples.",
    )
    runtime_dir: Path = setting(
        "AAFAI_RUNTIME_DIR",
        "{QUEUE_BASE_PATH}/run",
        words.parse_path,
        "Folder of the heartbeat file, which the watchdog reads.",
        production="/run/aafai-bus",
    )
    log_format: str = setting(
        "AAFAI_LOG_FORMAT",
        "plain",
        words.one_of("plain", "json"),
        "`plain` or `json` lines.",
        production="json",
    )
    log_level: str = setting(
        "AAFAI_LOG_LEVEL",
        "INFO",
        words.one_of("DEBUG", "INFO", "WARNING", "ERROR"),
        "The least that is logged.",
    )
    chromedriver: str = setting(
        "AAFAI_CHROMEDRIVER", "chromedriver", words.as_written, "Name or path of the driver."
    )
    media_dirs: tuple[Path, ...] = setting(
        "AAFAI_MEDIA_DIRS", "{DOWNLOAD_DIR}", words.parse_paths, "Folders that recordings may be read from."
    )
    pass_env: tuple[str, ...] = setting(
        "AAFAI_PASS_ENV",
        "",
        words.parse_list,
        "Environment variables that actions may see, beside PATH and LANG.",
    )
    #: What the operator should know, one sentence each: unknown names above all.
    warnings: tuple[str, ...] = ()

    @classmethod
    def load(cls, environ: Mapping[str, str]) -> Self:
        """Return the settings found in `environ`. Raises ConfigError that tells of all problems at once."""
        found = find(environ)
        values, problems = read(settings_of(cls), found)
        problems += contradictions(found)
        if problems:
            raise ConfigError(*problems)
        return cls(**values, warnings=(*unknown(environ), *doubts(found)))

    @property
    def production(self) -> bool:
        """Whether the bus runs for real."""
        return self.app_env == "production"

    @property
    def bind(self) -> str:
        """Address and port as servers take them: `127.0.0.1:8000`, `[::1]:8000`."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def slots_of(self, queue: str) -> Mapping[str, int]:
        """Return how many jobs a worker for that queue alone runs at once. Raises ConfigError."""
        try:
            return {words.parse_queue(queue): self.slots.get(queue) or self.num_internal_workers}
        except ValueError as error:
            raise ConfigError(str(error)) from None


def settings() -> tuple[Setting, ...]:
    """Return all settings, in the order in which people read of them."""
    return tuple(settings_of(Config).values())


def find(environ: Mapping[str, str]) -> dict[str, Found]:
    """Return what is written for each setting and where, by environment variable."""
    return search(settings(), environ, production=environ.get("APP_ENV", "").strip() == "production")


def unknown(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield one sentence for each variable that looks like a setting of the bus and is none.

    Those of a client (client/settings.py) may stand beside them: they all begin with AAFAI_CLIENT_.
    """
    ours = {name: text for name, text in environ.items() if not name.startswith("AAFAI_CLIENT_")}
    return unknown_names(settings(), ours, prefix="AAFAI_")
