"""The composition root without HTTP: from the settings to a kernel that can be started."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cloud.switches import open_switches
from core import logger, timing
from core.activity import Activity
from core.admission import Admission
from core.attempt import Submit
from core.bus import Bus
from core.by_hand import ByHand
from core.clock import Clock, SystemClock
from core.deliveries import Deliveries
from core.environment import clean_environment
from core.errors import ConfigError
from core.event_bus import EventBus, LocalTransport
from core.gate import Gate
from core.idle import Policy
from core.janitor import Janitor
from core.kernel import Kernel
from core.leftovers import sweep
from core.machine import Timings
from core.metrics import Metrics
from core.patience import Patience
from core.pool import Pool
from core.power import Power
from core.registry import Registry
from core.runner import Runner
from core.shortcuts import Shortcuts
from core.survey import Survey
from queues import open_engine

if TYPE_CHECKING:
    from config import Config
    from core.engine import Engine


def assemble(config: Config) -> Kernel:
    """Open the store, find the actions, put the parts together. Raises ConfigError or EngineUnavailable."""
    logger.configure(level=config.log_level, style=config.log_format)
    clock, events, gate = SystemClock(), EventBus(LocalTransport()), Gate()
    logger.log_events(events)
    registry, engine = _registry(config), _open_engine(config, ByHand(lambda: bus))
    admission = Admission(engine, registry, clock, default_timeout=config.default_timeout)
    bus = Bus(engine, admission, events, clock, gate)
    runner = _runner(config, bus, registry, clock)
    pool = Pool(engine, runner, events, clock, slots=config.slots, lease=config.lease)
    bus.shortcuts = Shortcuts(wake=pool.wake, stop_attempt=runner.cancel)
    deliveries = Deliveries(events, clock, linger=config.result_linger)
    survey = Survey(engine, deliveries, Activity(events, clock))
    kernel = Kernel(
        bus=bus,
        registry=registry,
        pool=pool,
        janitor=_janitor(config, bus, pool, clock),
        power=_power(config, survey, gate, clock, events),
        deliveries=deliveries,
        metrics=Metrics(events, lambda: kernel.readings()),  # noqa: PLW0108  The kernel is not there yet.
        clock=clock,
        # Two threads are left to answer polls and health checks, however slow the disk is.
        patience=Patience(places=max(1, config.threads - 2), seconds=config.store_timeout),
        auto_start=config.auto_start_workers,
        drain_timeout=config.drain_timeout,
        store_timeout=config.store_timeout,
        warnings=config.warnings,
    )
    return kernel


def _registry(config: Config) -> Registry:
    registry = Registry(config.actions_dir)
    try:
        registry.find()
    except OSError as error:
        raise ConfigError(
            f"AAFAI_ACTIONS_DIR: {config.actions_dir} cannot be read: {error.strerror}."
        ) from error
    return registry


def _open_engine(config: Config, by_hand: ByHand) -> Engine:
    options: dict[str, Any] = {"max_pending": config.max_pending}
    if config.engine.startswith("file:"):
        options |= {
            "accept": by_hand.accept,
            "adopted": by_hand.adopted,
            "put_aside": by_hand.put_aside,
            "live_dir": str(config.runtime_dir / "live"),
            "min_free_bytes": config.min_free,
            "allow_any_filesystem": config.allow_any_filesystem,
        }
    return open_engine(config.engine, **options)


def _runner(config: Config, bus: Bus, registry: Registry, clock: Clock) -> Runner:
    return Runner(
        bus.engine,
        registry,
        clock,
        bus.events,
        downloads=config.download_dir,
        submit=_submit_from_action(bus),
        backoff=_backoff(config.backoff_base),
        grace=config.kill_grace,
        lease=config.lease,
        result_limit=config.max_result,
        environment=_environment(config),
    )


def _janitor(config: Config, bus: Bus, pool: Pool, clock: Clock) -> Janitor:
    return Janitor(
        bus.engine,
        bus.events,
        clock,
        wake_all=pool.wake_all,
        sweep=sweep,
        backoff=_backoff(config.backoff_base),
        downloads=config.download_dir,
        result_ttl=config.result_ttl,
    )


def _power(config: Config, survey: Survey, gate: Gate, clock: Clock, events: EventBus) -> Power:
    return Power(
        facts=survey.facts,
        gate=gate,
        clock=clock,
        events=events,
        policy=Policy(
            idle_timeout=config.idle_timeout,
            due_window=config.due_window,
            boot_grace=config.boot_grace,
            paid_minute=config.paid_minute,
            max_uptime=config.max_uptime,
        ),
        runtime_dir=config.runtime_dir,
        record=config.queue_base_path / "clean-stop.json",
        switches=open_switches(config.power_switch),
        timings=Timings(verify=config.power_verify),
    )


def _submit_from_action(bus: Bus) -> Submit:
    return lambda action, params, **options: (
        bus.submit_document({"action": action, "params": params, **options}).id
    )


def _backoff(base: float) -> Callable[[int], float]:
    return lambda attempt: timing.backoff(attempt, jitter=random.random(), base=base)


def _environment(config: Config) -> dict[str, str]:
    """Return what actions find in their environment: nothing of the server's own but what they need."""
    private = "1" if config.allow_private_addresses else ""
    return {
        **clean_environment(os.environ, config.pass_env),
        "AAFAI_ALLOW_PRIVATE_ADDRESSES": private,
        "AAFAI_CHROMEDRIVER": config.chromedriver,
    }
