"""The settings of the work: what is done, where it waits, who is told of it."""

# ruff: noqa: RUF009  `setting` makes a dataclasses.field, which the rule does not see.

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config import words
from config.setting import setting


@dataclass(frozen=True, kw_only=True)
class Work:
    """The first part of the table."""

    app_env: str = setting(
        "APP_ENV", "development", words.one_of("development", "production"), "`development` or `production`."
    )
    queue_base_path: Path = setting(
        "QUEUE_BASE_PATH", "./var/queues", words.parse_path, "Folder of the queues.", production=""
    )
    download_dir: Path = setting(
        "DOWNLOAD_DIR",
        "./var/downloads",
        words.parse_path,
        "Folder of the files that jobs make.",
        production="",
    )
    num_internal_workers: int = setting(
        "NUM_INTERNAL_WORKERS", "3", words.whole(0, 50), "How many jobs of the default queue run at once."
    )
    auto_start_workers: bool = setting(
        "AUTO_START_WORKERS", "true", words.parse_flag, "Whether jobs are run from the start."
    )
    default_timeout: float = setting(
        "DEFAULT_TIMEOUT_MINUTES",
        "30",
        words.parse_minutes,
        "How long an attempt may take, unless its action says.",
    )
    default_max_steps: int = setting(
        "DEFAULT_MAX_STEPS",
        "30",
        words.whole(1, 1_000),
        "How many steps a task may take that does not say.",
    )
    task_action: str = setting(
        "TASK_EXECUTOR_ACTION",
        "solve_problem",
        words.parse_action,
        "The action of tasks that name none.",
    )
    engine: str = setting(
        "AAFAI_ENGINE", "file:{QUEUE_BASE_PATH}", words.parse_engine, "The store of the jobs."
    )
    events: str = setting(
        "AAFAI_EVENTS",
        "journal:{QUEUE_BASE_PATH}/events",
        words.parse_transport,
        "How programs hear of events: `journal:` and a folder, `redis://…`, or `local:` for not at all;"
        " without it, the platform's `REDIS_URL` counts.",
        instead="REDIS_URL",
    )
    events_size: int = setting("AAFAI_EVENTS_SIZE", "64 MiB", words.parse_size, "Room of the event journal.")
    webhooks: Path | None = setting(
        "AAFAI_WEBHOOKS", "", words.parse_optional_path, "File of standing webhook subscriptions."
    )
    webhook_secret: str = setting(
        "AAFAI_WEBHOOK_SECRET",
        "",
        words.parse_webhook_secret,
        "What signs webhooks, as in `whsec_…`; without one, the bus makes one and keeps it in its outbox.",
        secret=True,
    )
    slots: Mapping[str, int] = setting(
        "AAFAI_SLOTS",
        "default={NUM_INTERNAL_WORKERS},browser=1",
        words.parse_slots,
        "How many jobs of each queue run at once.",
    )
    actions_dir: Path = setting("AAFAI_ACTIONS_DIR", "actions", words.parse_path, "Folder of the actions.")
    services_dir: Path = setting(
        "AAFAI_SERVICES_DIR", "services", words.parse_path, "Folder of RescueBox's services."
    )
    tasks_path: Path = setting(
        "TASKS_PATH",
        "tasks.yaml",
        words.parse_path,
        "File of scheduled tasks, read at the start if it is there; their packages lie beside it.",
        production="/etc/aafai-bus/tasks.yaml",
    )
    task_packages: tuple[str, ...] = setting(
        "AAFAI_TASK_PACKAGES",
        "",
        words.parse_packages,
        "Packages whose functions tasks may call, with commas between; none without.",
    )
