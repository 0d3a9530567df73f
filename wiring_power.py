"""The composition root's part that knows the machine: what switches it off, and what starts it again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cloud.alarms import open_alarm
from cloud.switches import open_switches
from core.activity import Activity
from core.hooks import Hook
from core.idle import Policy
from core.machine import Timings, this_boot
from core.power import Power
from core.survey import Survey

if TYPE_CHECKING:
    from config import Config
    from core.bus import Bus
    from core.clock import Clock
    from core.deliveries import Deliveries
    from core.event_bus import EventBus
    from core.gate import Gate
    from core.kernel import Kernel
    from core.publisher import Publisher
    from core.schedules import Schedules
    from core.webhooks import Webhooks


def survey_of(
    bus: Bus,
    deliveries: Deliveries,
    schedules: Schedules,
    webhooks: Webhooks,
    clock: Clock,
    *,
    publisher: Publisher | None,
) -> Survey:
    """Return what counts the work that keeps the machine on."""
    return Survey(
        bus.engine,
        deliveries,
        Activity(bus.events, clock),
        scheduled=schedules.soonest,
        webhooks=webhooks.pending,
        next_webhook=webhooks.next_due,
        unpublished=publisher.pending if publisher else tuple,
    )


def open_power(
    config: Config, survey: Survey, gate: Gate, clock: Clock, events: EventBus, *, lead: Callable[[], float]
) -> Power:
    """Return the power logic of a server, with the switches of its settings. Raises ConfigError.

    `lead` tells the seconds from the machine's start until jobs are accepted.
    """
    return Power(
        facts=survey.facts,
        gate=gate,
        clock=clock,
        events=events,
        policy=_policy(config),
        runtime_dir=config.runtime_dir,
        record=config.queue_base_path / "clean-stop.json",
        hold_file=config.queue_base_path / "hold.json",
        boot=this_boot(),
        lead=lead,
        switches=open_switches(config.power_switch, google=config.google_url),
        alarm=open_alarm(
            config.wake_alarm, google=config.google_url, resumes="gcp:suspend" in config.power_switch
        ),
        hooks=[Hook(argv, config.before_stop_limit) for argv in config.before_stop],
        timings=Timings(verify=config.power_verify),
    )


def watch_preemption(config: Config, kernel: Kernel) -> None:
    """Have the kernel told when Google takes the machine away, if Google is what stops or starts it."""
    if any(spec.startswith("gcp") for spec in (*config.power_switch, config.wake_alarm)):
        kernel.errands.append(lambda: _start_watch(config.google_url, kernel))


def _policy(config: Config) -> Policy:
    return Policy(
        idle_timeout=config.idle_timeout,
        min_sleep=config.min_sleep,
        boot_grace=config.boot_grace,
        paid_minute=config.paid_minute,
        max_uptime=config.max_uptime,
    )


def _start_watch(google: str, kernel: Kernel) -> None:
    from cloud.google_api import Google  # noqa: PLC0415  Few machines are Google's.
    from cloud.preemption import PreemptionWatch  # noqa: PLC0415

    PreemptionWatch(Google.at(google).metadata_server(), kernel.clock, kernel.preempted).start()
