"""What gunicorn is told, and what its hooks do."""

import importlib.util
import os
import re
import signal
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.event_bus import KERNEL, EventBus, LocalTransport
from core.patience import Patience
from tests.house.sources import ROOT


@pytest.fixture
def conf():
    """The settings file as gunicorn executes it."""
    spec = importlib.util.spec_from_file_location("gunicorn_conf", Path(ROOT, "gunicorn.conf.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def worker(conf, monkeypatch):
    """A worker whose kernel only notes what it is told; the process's signals stay as they are."""
    told = []
    kernel = SimpleNamespace(
        start=lambda: told.append("start"),
        begin_drain=lambda *, hurry: told.append("hurry" if hurry else "drain"),
        bus=SimpleNamespace(events=EventBus(LocalTransport())),
        patience=Patience(places=1, seconds=10),
    )
    handlers = {}
    monkeypatch.setattr(signal, "signal", handlers.__setitem__)
    monkeypatch.setattr(signal, "getsignal", lambda number: lambda number, frame: told.append("gunicorn"))
    monkeypatch.setattr(signal, "siginterrupt", lambda number, flag: None)
    wsgi = SimpleNamespace(extensions={"kernel": kernel})
    return SimpleNamespace(wsgi=wsgi, kernel=kernel, told=told, handlers=handlers)


@pytest.mark.parametrize(
    ("number", "order"), [(signal.SIGTERM, "drain"), (signal.SIGINT, "hurry"), (signal.SIGQUIT, "hurry")]
)
def test_a_signal_begins_the_drain_before_gunicorn_acts_on_it(conf, worker, number, order):
    conf.post_worker_init(worker)

    worker.handlers[number](number, None)

    assert worker.told == ["start", order, "gunicorn"]


def test_the_log_says_where_the_bus_is(conf, worker, monkeypatch):
    said = []
    monkeypatch.setattr(conf, "logger", SimpleNamespace(info=lambda text, *given: said.append(text % given)))

    conf.post_worker_init(worker)

    assert said == [f"listening at http://{conf.bind}"]


def test_the_worker_is_told_whose_wait_for_the_store_is_over(conf, worker):
    conf.post_worker_init(worker)

    assert worker.held_up == worker.kernel.patience.overdue


def test_a_worker_whose_store_is_in_doubt_ends_so_that_another_opens_it_anew(conf, worker, monkeypatch):
    killed = []
    monkeypatch.setattr(os, "kill", lambda *arguments: killed.append(arguments))
    conf.post_worker_init(worker)

    worker.kernel.bus.events.publish("system.engine_in_doubt", KERNEL, {"message": "A sync failed."})

    assert killed == [(os.getpid(), signal.SIGTERM)]


def test_there_is_one_worker_with_threads_and_no_socket_that_could_stop_it(conf):
    assert (conf.workers, conf.control_socket_disable) == (1, True)
    assert conf.threads >= 1
    assert conf.graceful_timeout >= conf.settings.drain_timeout + conf.settings.store_timeout


def test_systemd_waits_longer_for_the_end_than_gunicorn_does(conf):
    unit = (ROOT / "aafai-bus.service").read_text()

    (patience,) = re.findall(r"(?m)^TimeoutStopSec=(\d+)$", unit)

    assert int(patience) > conf.graceful_timeout
