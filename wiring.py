"""The composition root without HTTP: from the settings to a kernel that can be started."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from core import ambient, logger, timing
from core.addresses import checked_spelling
from core.admission import Admission
from core.attempt import Submit
from core.bus import Bus
from core.by_hand import ByHand
from core.clock import Clock, SystemClock
from core.deliveries import Deliveries
from core.due_runs import DueRuns
from core.environment import clean_environment
from core.errors import ConfigError
from core.event_bus import KERNEL, EventBus, LocalTransport, Transport
from core.functions import Functions, built_in
from core.gate import Gate
from core.janitor import Janitor
from core.kernel import Kernel
from core.leftovers import sweep
from core.metrics import Metrics
from core.order import JOB_ID
from core.patience import Patience
from core.pool import Pool
from core.registry import Registry
from core.roster import Roster
from core.runner import Runner
from core.schedule_store import MemorySchedules
from core.scheduler import TaskScheduler
from core.schedules import Schedules
from core.shortcuts import Shortcuts
from core.webhooks import Webhooks, furnish
from queues import open_engine, open_schedules, open_transport
from wiring_books import keep_books, open_books
from wiring_mirror import open_publisher
from wiring_power import open_power, survey_of, watch_preemption

if TYPE_CHECKING:
    from pathlib import Path

    from config import Config
    from core.engine import Engine
    from core.schedule_file import Check


def assemble(config: Config, *, beside: bool = False) -> Kernel:
    """Open the store, find the actions, put the parts together. Raises ConfigError or EngineUnavailable."""
    logger.configure(level=config.log_level, style=config.log_format)
    events = EventBus(LocalTransport())
    logger.log_events(events)
    kernel = _kernel(config, events, SystemClock(), beside=beside)
    if not beside:
        keep_books(kernel)
        watch_preemption(config, kernel)
    return kernel


def a_worker(environ: Mapping[str, str], queue: str = "") -> Kernel:
    """Assemble a kernel that runs jobs beside a server's: of that queue, or of every queue of AAFAI_SLOTS.

    Raises ConfigError or EngineUnavailable.
    """
    config = _config(environ)
    slots = config.slots_of(queue) if queue else config.slots
    return assemble(replace(config, slots=slots, auto_start_workers=True), beside=True)


def a_bus_beside(environ: Mapping[str, str]) -> Kernel:
    """Assemble a kernel for a program that submits and asks, and is not to be started.

    Raises ConfigError or EngineUnavailable; in an attempt's process too, which has no settings to go by.
    """
    if JOB_ID in environ:
        hint = "An action submits jobs by job.submit(…), and tells of things by EventBus()."
        raise ConfigError("In the process of an attempt there is no bus to open.", hint=hint)
    return assemble(_config(environ), beside=True)


def open_events(environ: Mapping[str, str]) -> Transport:
    """Open what a program without a bus tells and hears events by, as the bus does. Raises ConfigError."""
    return _transport(_config(environ), logger.logger.warning)


def rules_of_tasks(environ: Mapping[str, str], path: Path) -> tuple[str, Check, float]:
    """Return for whom a tasks.yaml is read, what checks its tasks, and the time. Raises ConfigError."""
    config, clock = replace(_config(environ), tasks_path=path.absolute()), SystemClock()
    admission = Admission(
        open_engine("memory:"), _registry(config), clock, default_timeout=config.default_timeout
    )
    return KERNEL, Schedules(MemorySchedules(), admission, _functions(config), clock).check, clock.now()


def _kernel(config: Config, events: EventBus, clock: Clock, *, beside: bool) -> Kernel:
    gate, outward = Gate(), _outward(config, events)
    bus, registry = _bus(config, events, gate, clock)
    webhooks = _webhooks(config, bus, outward, clock)
    runner = _runner(config, bus, registry, clock)
    pool = _pool(config, bus, runner, clock)
    bus.shortcuts = Shortcuts(wake=pool.wake, stop_attempt=runner.cancel)
    deliveries = Deliveries(events, clock, linger=config.result_linger)
    schedules = Schedules(open_schedules(config.engine), bus.admission, _functions(config), clock)
    publisher = open_publisher(config, bus, clock, beside=beside)
    survey = survey_of(bus, deliveries, schedules, webhooks, clock, publisher=publisher)
    books = open_books(config, bus, clock)
    kernel = Kernel(
        bus=bus,
        registry=registry,
        pool=pool,
        janitor=_janitor(config, bus, pool, clock),
        power=open_power(config, survey, gate, clock, events, lead=books.lead),
        deliveries=deliveries,
        metrics=Metrics(events, lambda: kernel.readings()),  # noqa: PLW0108  The kernel is not there yet.
        clock=clock,
        schedules=schedules,
        due_runs=_due_runs(config, schedules, bus, clock),
        webhooks=webhooks,
        outward=outward,
        publisher=publisher,
        books=books,
        **_manner(config, beside=beside),
    )
    return kernel


def _config(environ: Mapping[str, str]) -> Config:
    from config import Config  # noqa: PLC0415  The server has loaded its own before.

    return Config.load(environ)


def _transport(config: Config, complain: Callable[[str], object]) -> Transport:
    options: dict[str, Any] = {"complain": complain}
    if config.events.startswith("journal:"):
        options |= {"kept": config.events_size, "days": config.result_ttl / 86_400}
    return open_transport(config.events, **options)


def _outward(config: Config, events: EventBus) -> Transport:
    """Open what carries the kernel's events to other programs, and whatever `EventBus()` says in this one."""
    outward = _transport(
        config, lambda sentence: events.publish("system.warning", KERNEL, {"message": sentence})
    )
    events.subscribe("outward", None, outward.send)
    ambient.provide(outward)
    return outward


def _webhooks(config: Config, bus: Bus, outward: Transport, clock: Clock) -> Webhooks:
    return furnish(
        bus,
        config.queue_base_path / "webhooks",
        clock,
        secret=config.webhook_secret,
        private=config.allow_private_addresses,
        news=EventBus(outward),
        subscriptions=config.webhooks,
        base=config.backoff_base,
        linger=config.result_linger,
    )


def _bus(config: Config, events: EventBus, gate: Gate, clock: Clock) -> tuple[Bus, Registry]:
    registry = _registry(config)
    engine = _open_engine(config, ByHand(lambda: bus))
    check = partial(checked_spelling, private=config.allow_private_addresses)
    timeout = config.default_timeout
    admission = Admission(engine, registry, clock, default_timeout=timeout, check_callback=check)
    bus = Bus(engine, admission, events, clock, gate)
    return bus, registry


def _manner(config: Config, *, beside: bool) -> dict[str, Any]:
    """Return how a kernel goes about its work, by the names of its fields."""
    return {
        # Two threads are left to answer polls and health checks, however slow the disk is.
        "patience": Patience(places=max(1, config.threads - 2), seconds=config.store_timeout),
        "beside": beside,
        "auto_start": config.auto_start_workers,
        "drain_timeout": config.drain_timeout,
        "store_timeout": config.store_timeout,
        "warnings": config.warnings,
    }


def _registry(config: Config) -> Registry:
    registry = Registry(config.actions_dir, built_in=built_in(_functions(config)))
    try:
        registry.find()
    except OSError as error:
        raise ConfigError(
            f"AAFAI_ACTIONS_DIR: {config.actions_dir} cannot be read: {error.strerror}.",
            hint="Name the folder in which the actions lie.",
        ) from error
    return registry


def _open_engine(config: Config, by_hand: ByHand) -> Engine:
    options: dict[str, Any] = {"max_pending": config.max_pending}
    if config.engine.startswith("file:"):
        options |= {
            "accept": by_hand.accept,
            "entered": by_hand.entered,
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


def _pool(config: Config, bus: Bus, runner: Runner, clock: Clock) -> Pool:
    return Pool(
        bus.engine,
        runner,
        bus.events,
        clock,
        slots=config.slots,
        lease=config.lease,
        roster=Roster(bus.events, clock, path=config.queue_base_path / "workers.json"),
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


def _functions(config: Config) -> Functions:
    return Functions(config.task_packages, config.tasks_path.parent)


def _due_runs(config: Config, schedules: Schedules, bus: Bus, clock: Clock) -> DueRuns:
    scheduler = TaskScheduler(schedules, bus.events)
    load = partial(scheduler.load, config.tasks_path, KERNEL)
    return DueRuns(schedules, bus, bus.events, clock, at_start=load)


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
        **_functions(config).environment,
        "AAFAI_ALLOW_PRIVATE_ADDRESSES": private,
        "AAFAI_CHROMEDRIVER": config.chromedriver,
        "AAFAI_MEDIA_DIRS": os.pathsep.join(map(str, config.media_dirs)),
    }
