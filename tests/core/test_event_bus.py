"""Who publishes is heard by those who asked, and by nobody else's fault silenced."""

import threading

import pytest

from core import ambient
from core.errors import Unsupported
from core.event_bus import EventBus, EventMessage, LocalTransport


@pytest.fixture
def transport():
    return LocalTransport()


@pytest.fixture
def publisher(transport):
    return EventBus(transport)


@pytest.fixture
def listener(transport):
    bus = EventBus(transport)
    yield bus
    bus.close()


def test_a_callback_hears_the_types_that_fit_its_pattern(publisher, listener):
    heard: list[EventMessage] = []
    listener.subscribe("support-bot", "task.*", heard.append)

    publisher.publish("task.completed", "email-agent", {"task_id": "123"})
    publisher.publish("system.startup", "email-agent")

    assert [message.event_type for message in heard] == ["task.completed"]
    assert heard[0].source_agent == "email-agent"
    assert heard[0].payload == {"task_id": "123"}
    assert heard[0].timestamp.endswith("+00:00")


def test_listening_returns_what_came_and_none_when_nothing_did(publisher, listener):
    listener.subscribe("support-bot")

    publisher.publish("email.processed", "email-agent")

    assert listener.listen(timeout=60).event_type == "email.processed"
    assert listener.listen(timeout=0) is None


def test_a_message_for_one_agent_reaches_no_other(publisher, transport):
    heard = []
    for name in ("a", "b"):
        EventBus(transport).subscribe(name, None, lambda message, name=name: heard.append(name))

    publisher.publish("email.processed", "email-agent", target_agent="b")

    assert heard == ["b"]


@pytest.mark.parametrize("fault", [ZeroDivisionError, SystemExit])
def test_a_callback_that_raises_stops_neither_the_publisher_nor_the_others(
    publisher, listener, capsys, fault
):
    def broken(message: EventMessage) -> None:
        raise fault

    heard = []
    listener.subscribe("broken", None, broken)
    listener.subscribe("whole", None, heard.append)

    publisher.publish("email.processed", "email-agent")

    assert len(heard) == 1
    assert fault.__name__ in capsys.readouterr().err


def test_who_unsubscribes_hears_no_more(publisher, listener):
    heard = []
    listener.subscribe("support-bot", "task.*", heard.append)
    listener.subscribe("support-bot", "system.*", heard.append)

    listener.unsubscribe("support-bot", "task.*")
    publisher.publish("task.completed", "x")
    publisher.publish("system.startup", "x")
    listener.unsubscribe("support-bot")
    publisher.publish("system.startup", "x")

    assert [message.event_type for message in heard] == ["system.startup"]


def test_a_slow_listener_loses_the_oldest_events_and_no_memory(publisher, listener):
    listener.subscribe("slow")

    for number in range(10_002):
        publisher.publish("count.up", "x", {"number": number})

    assert listener.listen(timeout=0).payload == {"number": 2}


def test_buses_made_without_arguments_hear_each_other(monkeypatch):
    monkeypatch.setattr(ambient, "_provided", [LocalTransport()])
    heard = []
    listener = EventBus()
    listener.subscribe("somebody", "demo.said", heard.append)

    EventBus().publish("demo.said", "somebody-else")
    listener.close()
    EventBus().publish("demo.said", "somebody-else")

    assert len(heard) == 1


def test_who_listens_in_a_loop_hears_what_goes_to_the_callback_too(publisher, listener):
    heard = []
    listener.subscribe("support-bot", "task.completed", heard.append)
    assert listener.listen(timeout=0) is None

    publisher.publish("task.completed", "email-agent")

    assert listener.listen(timeout=0) is heard[0]


def test_an_event_that_fits_two_subscriptions_is_listened_to_once(publisher, listener):
    listener.subscribe("support-bot", "task.*")
    listener.subscribe("support-bot", "*.completed")

    publisher.publish("task.completed", "email-agent")

    assert listener.listen(timeout=0) is not None
    assert listener.listen(timeout=0) is None


def test_what_keeps_nothing_cannot_go_on_from_a_cursor(listener):
    with pytest.raises(Unsupported, match="keeps no events"):
        listener.subscribe("support-bot", since="2026-11-22.jsonl:0")


def test_a_subscription_that_was_refused_is_none(publisher, listener):
    heard = []
    with pytest.raises(Unsupported):
        listener.subscribe("support-bot", None, heard.append, since="2026-11-22.jsonl:0")

    listener.subscribe("support-bot", None, heard.append)
    publisher.publish("task.completed", "email-agent")

    assert len(heard) == 1


def test_threads_that_subscribe_at_once_hear_everything_once():
    class Slow(LocalTransport):
        """Lets another thread subscribe while it is being attached to."""

        def attach(self, receive, *, since=None):
            if not second.ident:
                second.start()
                overtaken.wait(0.1)
            else:
                overtaken.set()
            super().attach(receive)

    heard = []
    overtaken = threading.Event()
    transport = Slow()
    listener = EventBus(transport)
    second = threading.Thread(target=lambda: listener.subscribe("second", None, heard.append))

    listener.subscribe("first", None, heard.append)
    second.join()
    EventBus(transport).publish("task.completed", "email-agent")

    assert len(heard) == 2


def test_a_callback_may_unsubscribe_itself(publisher, listener):
    heard = []

    def once(message: EventMessage) -> None:
        heard.append(message)
        listener.unsubscribe("support-bot")

    listener.subscribe("support-bot", None, once)
    publisher.publish("task.completed", "email-agent")
    publisher.publish("task.completed", "email-agent")

    assert len(heard) == 1
