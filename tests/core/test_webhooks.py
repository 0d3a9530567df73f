"""Receivers are told, by signed requests that go nowhere else, until they take it or a day is over."""

from __future__ import annotations

import errno
import heapq
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core import webhook_post
from core.admission import Admission
from core.bus import Bus
from core.carrying import carrier
from core.clock import SystemClock
from core.errors import ConfigError, InvalidRequest, QueueFull
from core.event_bus import KERNEL, EventBus, LocalTransport
from core.event_message import EventMessage
from core.jobs import Job, JobError
from core.letters import Letter, letter_of_event
from core.outbox import Outbox
from core.postmen import Answer, Postmen
from core.submission import Submission
from core.subscriptions import Subscription, read_subscriptions
from core.webhook_signature import keys_of, secret_of, signature
from core.webhooks import Webhooks
from queues.event_journal import EventJournal
from tests.conftest import needed
from tests.core.receiver import Receiver, a_receiver
from tests.factories import an_id

SECRET = secret_of(b"k" * 32)
URL = "https://example.org/hook"


@dataclass
class Carrier:
    """Takes every letter, unless told otherwise, and remembers it."""

    carried: list[Letter] = field(default_factory=list)
    refusals: list[Answer] = field(default_factory=list)
    refuse: Callable[[Letter], Answer | None] = lambda letter: None

    def __call__(self, letter: Letter) -> Answer:
        self.carried.append(letter)
        return self.refuse(letter) or Answer(letter, taken=True, said="Answered 204.")

    def told(self) -> list[Any]:
        return [json.loads(letter.body) for letter in self.carried]


def no_answer(letter: Letter) -> Answer:
    return Answer(letter, taken=False, said="No answer.", unwell=True)


def unwilling(letter: Letter) -> Answer:
    return Answer(letter, taken=False, said="Answered 400.")


@pytest.fixture
def carry() -> Carrier:
    return Carrier()


@pytest.fixture
def told(events: EventBus) -> list[Any]:
    messages: list[Any] = []
    events.subscribe("test", "webhook.*", messages.append)
    return messages


@pytest.fixture
def make(tmp_path: Path, engine, events, clock, carry) -> Callable[..., Webhooks]:  # type: ignore[no-untyped-def]
    """Make webhooks as a process of its own would, on the same outbox."""

    def make(**more: Any) -> Webhooks:
        outbox = Outbox(tmp_path / "webhooks")
        settings = {"carry": carry, "spawn": lambda go: go(), "base": 2.0, "linger": 900.0}
        return Webhooks(outbox, engine, events, clock, **(settings | more))

    return make


@pytest.fixture
def webhooks(make: Callable[..., Webhooks]) -> Webhooks:
    return make()


@pytest.fixture
def bus(registry, clock, bus: Bus, webhooks: Webhooks) -> Bus:  # type: ignore[no-untyped-def]
    bus.admission = Admission(
        bus.engine, registry, clock, default_timeout=60, check_callback=lambda url: None
    )
    bus.promises = webhooks.promises
    return bus


@pytest.fixture
def ended(ended: Callable[..., Job]) -> Callable[..., Job]:
    """Submit a job with a callback and end it; tell of it unless the process died just then."""
    return partial(ended, callback_url=URL)


def rounds(webhooks: Webhooks, number: int = 3) -> float:
    """Let it do what is due: find, send out, settle."""
    return [webhooks.round() for _ in range(number)][-1]


def test_the_end_of_a_job_is_told_once_with_its_result(
    ended: Callable[..., Job], webhooks: Webhooks, carry: Carrier, tmp_path: Path, told: list[Any]
) -> None:
    job = ended()

    rounds(webhooks)

    (letter,) = carry.carried
    (document,) = carry.told()
    assert (letter.url, letter.id) == (URL, f"msg_{job.id}")
    assert (document["type"], document["data"]["job_id"], document["data"]["result"]) == (
        "task.completed",
        job.id,
        42,
    )
    assert "params" not in document["data"]
    assert list((tmp_path / "webhooks" / "promised").iterdir()) == []
    assert list((tmp_path / "webhooks" / "pending").iterdir()) == []
    assert [message.event_type for message in told] == ["webhook.delivered"]
    assert webhooks.pending() == ()


def test_a_failure_and_a_cancellation_are_told_too(
    ended: Callable[..., Job], bus: Bus, webhooks: Webhooks, carry: Carrier
) -> None:
    ended(error=JobError(code="action_error", message="It broke."))
    waiting = bus.submit(Submission(action="double", params={"number": 1}, callback_url=URL))
    bus.cancel(waiting.id, reason="Not needed.")

    rounds(webhooks)

    failed, cancelled = carry.told()
    assert (failed["type"], failed["data"]["error"]["message"]) == ("task.failed", "It broke.")
    assert (cancelled["type"], cancelled["data"]["state"]) == ("task.cancelled", "cancelled")


def test_a_job_without_a_callback_leaves_no_trace(bus: Bus, webhooks: Webhooks, tmp_path: Path) -> None:
    bus.submit(Submission(action="double", params={"number": 1}))

    rounds(webhooks)

    assert not (tmp_path / "webhooks").exists()


def test_an_end_that_nobody_had_time_to_tell_of_is_found_by_the_next_process(
    ended: Callable[..., Job], make: Callable[..., Webhooks], carry: Carrier
) -> None:
    job = ended(tell=False)

    rounds(make())

    assert [letter.job_id for letter in carry.carried] == [job.id]


def test_a_letter_that_was_not_sent_is_sent_by_the_next_process(
    ended: Callable[..., Job], webhooks: Webhooks, make: Callable[..., Webhooks], carry: Carrier
) -> None:
    job = ended()
    webhooks.promises.written()  # And then the process dies.

    rounds(make())

    assert [letter.job_id for letter in carry.carried] == [job.id]


def test_a_letter_whose_file_was_torn_by_a_power_cut_is_written_again(
    ended: Callable[..., Job],
    webhooks: Webhooks,
    make: Callable[..., Webhooks],
    carry: Carrier,
    tmp_path: Path,
) -> None:
    job = ended()
    webhooks.promises.written()
    (tmp_path / "webhooks" / "pending" / f"msg_{job.id}.json").write_text("")

    rounds(make(), 4)

    assert [letter.job_id for letter in carry.carried] == [job.id]


def test_what_is_not_taken_is_sent_again_with_the_same_id_after_a_growing_wait(
    ended: Callable[..., Job], webhooks: Webhooks, carry: Carrier, clock: Any, told: list[Any]
) -> None:
    carry.refuse = unwilling
    ended()
    rounds(webhooks)
    assert len(carry.carried) == 1

    clock.advance(2.0)
    rounds(webhooks)
    assert len(carry.carried) == 2
    clock.advance(1.9)
    rounds(webhooks)
    assert len(carry.carried) == 2, "the second wait is at least two seconds"
    carry.refuse = lambda letter: None
    clock.advance(2.1)
    rounds(webhooks)

    assert len({letter.id for letter in carry.carried}) == 1
    assert [message.event_type.removeprefix("webhook.") for message in told] == [
        "failed",
        "failed",
        "delivered",
    ]


def test_attempts_are_remembered_by_the_next_process(
    ended: Callable[..., Job], webhooks: Webhooks, make: Callable[..., Webhooks], carry: Carrier, clock: Any
) -> None:
    carry.refuse = unwilling
    ended()
    rounds(webhooks)
    webhooks.stop()

    another = make()
    rounds(another)
    assert len(carry.carried) == 1, "its wait goes on"
    clock.advance(2.0)
    rounds(another)

    assert [letter.attempts for letter in carry.carried] == [0, 1]


def test_a_letter_is_given_up_after_a_day_and_kept_to_be_looked_at(
    ended: Callable[..., Job], webhooks: Webhooks, carry: Carrier, clock: Any, tmp_path: Path
) -> None:
    carry.refuse = unwilling
    job = ended()

    began = clock.now()
    while (tmp_path / "webhooks" / "promised" / job.id).exists() or clock.now() == began:
        rounds(webhooks)
        clock.advance(60.0)

    assert 24 <= (clock.now() - began) / 3600 <= 29
    kept = json.loads((tmp_path / "webhooks" / "given-up" / f"msg_{job.id}.json").read_text())
    assert (kept["attempts"], kept["error"]) == (len(carry.carried), "Answered 400.")


def test_whoever_is_gone_for_good_is_not_asked_again(
    ended: Callable[..., Job], webhooks: Webhooks, carry: Carrier, clock: Any, told: list[Any]
) -> None:
    carry.refuse = lambda letter: Answer(letter, taken=False, said="Answered 410.", final=True)
    ended()

    rounds(webhooks)
    clock.advance(86_400)
    rounds(webhooks)

    assert len(carry.carried) == 1
    assert [message.event_type for message in told] == ["webhook.given_up"]


def test_what_the_bus_tells_of_itself_neither_keeps_the_machine_on_nor_starts_it(
    make: Callable[..., Webhooks], carry: Carrier
) -> None:
    carry.refuse = no_answer
    webhooks = make(news=EventBus(LocalTransport()), subscriptions=[Subscription(URL, ("*",))])

    webhooks._news.hear(EventMessage(event_type="system.draining", source_agent=KERNEL))
    rounds(webhooks)
    of_itself = webhooks.pending(), webhooks.next_due()
    webhooks._news.hear(EventMessage(event_type="mail.sent", source_agent="mail-agent"))
    rounds(webhooks)

    assert of_itself == ((), None)
    assert (len(webhooks.pending()), webhooks.next_due() is None) == (1, False)
    assert [letter.event_type for letter in carry.carried][:1] == ["system.draining"]


def test_thousands_of_letters_to_one_host_are_not_looked_through_for_each(
    tmp_path: Path, clock: Any, carry: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []

    def counted(heap: list[Any]) -> Any:
        looks.append(heap)
        return heapq.heappop(heap)

    monkeypatch.setattr("core.postmen.heapq", SimpleNamespace(heappop=counted, heappush=heapq.heappush))
    outbox, under_way = Outbox(tmp_path / "webhooks"), list[Callable[[], None]]()
    postmen = Postmen(outbox, clock, carry, linger=900, back=lambda: None, spawn=under_way.append)
    for number in range(1_000):
        letter = letter_of_event(
            EventMessage(event_type="a.b", source_agent="x"), url=URL, name=f"msg_{number}", now=0.0
        )
        outbox.put(letter)
        postmen.add(letter)

    while postmen.pending():
        postmen.send_out()
        under_way.pop()()
        for answer in postmen.answers():
            postmen.forget(answer.letter.id)

    assert len(carry.carried) == 1_000
    assert len(looks) < 3_000


def test_a_dead_host_is_left_alone_and_keeps_no_other_waiting(
    bus: Bus, webhooks: Webhooks, carry: Carrier, clock: Any
) -> None:
    carry.refuse = lambda letter: no_answer(letter) if "dead" in letter.url else None
    for number in range(20):
        url = f"https://{'alive' if number == 19 else 'dead'}.example/{number}"
        job = bus.submit(Submission(action="double", params={"number": 1}, callback_url=url))
        bus.cancel(job.id)

    webhooks.round()

    hosts = [letter.host for letter in carry.carried]
    assert hosts.count("dead.example") == 2
    assert hosts.count("alive.example") == 1
    rounds(webhooks, 10)
    assert [letter.host for letter in carry.carried].count("dead.example") == 4, "it rests"
    clock.advance(61)
    rounds(webhooks)
    assert [letter.host for letter in carry.carried].count("dead.example") > 4


def test_of_two_processes_one_delivers(
    ended: Callable[..., Job], webhooks: Webhooks, make: Callable[..., Webhooks], carry: Carrier, clock: Any
) -> None:
    ended()
    other = make()
    rounds(webhooks)

    rounds(other)
    assert len(carry.carried) == 1
    ended(tell=False)
    webhooks.stop()
    clock.advance(61)
    rounds(other)

    assert len(carry.carried) == 2


def test_a_letter_that_another_process_wrote_is_taken_up(
    ended: Callable[..., Job], webhooks: Webhooks, make: Callable[..., Webhooks], carry: Carrier, clock: Any
) -> None:
    other = make()
    other.promises._outbox.make()
    rounds(webhooks)  # It leads.
    job = ended(tell=False)
    other.promises.note_end(job.id)
    rounds(other)
    assert carry.carried == []

    clock.advance(5)
    rounds(webhooks)

    assert [letter.job_id for letter in carry.carried] == [job.id]


def test_the_machine_stays_on_for_a_letter_but_not_for_ever(
    ended: Callable[..., Job], webhooks: Webhooks, carry: Carrier, clock: Any
) -> None:
    carry.refuse = unwilling
    began = clock.boottime()
    ended()
    rounds(webhooks)
    clock.advance(600)

    rounds(webhooks)

    assert webhooks.pending() == (began + 900,)


def test_it_is_known_when_the_next_letter_is_to_be_tried(
    ended: Callable[..., Job], webhooks: Webhooks, carry: Carrier, clock: Any
) -> None:
    carry.refuse = unwilling
    before = webhooks.next_due()
    ended()
    rounds(webhooks)

    due = webhooks.next_due()

    assert before is None
    assert due is not None
    assert clock.now() < due <= clock.now() + 2  # the first wait between attempts


def test_a_job_that_could_not_be_stored_is_promised_nothing(
    bus: Bus, engine: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(job: Job) -> Job:
        assert list((tmp_path / "webhooks" / "promised").iterdir()), "the promise comes first"
        raise QueueFull("Too many wait.")

    monkeypatch.setattr(engine, "add", full)

    with pytest.raises(QueueFull):
        bus.submit(Submission(action="double", params={"number": 1}, callback_url=URL))

    assert list((tmp_path / "webhooks" / "promised").iterdir()) == []


def test_a_repeated_submission_is_promised_once(bus: Bus, tmp_path: Path) -> None:
    asked = Submission(action="double", params={"number": 1}, callback_url=URL, idempotency_key="k")

    first, second = bus.submit(asked), bus.submit(asked)

    assert first.id == second.id
    assert [path.name for path in (tmp_path / "webhooks" / "promised").iterdir()] == [first.id]


def test_a_promise_whose_job_was_never_stored_is_forgotten_after_a_while(
    webhooks: Webhooks, carry: Carrier, clock: Any, tmp_path: Path
) -> None:
    outbox = Outbox(tmp_path / "webhooks")
    outbox.promise([an_id()])

    for _ in range(9):
        rounds(webhooks)
        assert len(outbox.promises()) == 1
        clock.advance(61)
    for _ in range(3):
        rounds(webhooks)
        clock.advance(61)

    assert (outbox.promises(), carry.carried) == ([], [])


def test_a_promise_whose_job_is_damaged_is_given_up_aloud(
    ended: Callable[..., Job],
    webhooks: Webhooks,
    engine: Any,
    monkeypatch: pytest.MonkeyPatch,
    told: list[Any],
) -> None:
    from core.errors import RecordDamaged

    def damaged(job_id: str) -> Job:
        raise RecordDamaged(job_id, "no JSON")

    job = ended()
    monkeypatch.setattr(engine, "get", damaged)

    rounds(webhooks)

    (message,) = told
    assert (message.event_type, message.payload["job_id"]) == ("webhook.given_up", job.id)


def test_a_full_disk_delays_letters_and_is_said_once(
    ended: Callable[..., Job],
    webhooks: Webhooks,
    carry: Carrier,
    events: EventBus,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warnings: list[Any] = []
    events.subscribe("test", "system.warning", warnings.append)

    def full(self: Outbox, letter: Letter) -> None:
        raise OSError(28, "No space left on device")

    ended()
    with monkeypatch.context() as patched:
        patched.setattr(Outbox, "put", full)
        rounds(webhooks)
    rounds(webhooks)

    assert [warning.payload["message"] for warning in warnings] == [
        "webhooks are delayed: [Errno 28] No space left on device"
    ]
    assert len(carry.carried) == 1


def test_standing_subscriptions_are_told_of_the_types_they_want(
    make: Callable[..., Webhooks], carry: Carrier
) -> None:
    news = EventBus(LocalTransport())
    both = (Subscription("https://a.example/", ("task.failed", "mail.*")), Subscription(URL, ("*",)))
    webhooks = make(news=news, subscriptions=both)
    webhooks._news.listen()

    news.publish("mail.sent", "mail-agent", {"n": 1})
    news.publish("task.completed", "aafai-bus", {"job_id": "x"})
    news.publish("webhook.delivered", "aafai-bus", {})
    rounds(webhooks)

    heard = sorted((letter.host, letter.event_type) for letter in carry.carried)
    assert heard == [
        ("a.example", "mail.sent"),
        ("example.org", "mail.sent"),
        ("example.org", "task.completed"),
    ]
    assert {document["source"] for document in carry.told()} == {"mail-agent", "aafai-bus"}
    assert len({letter.id for letter in carry.carried}) == 3


def test_the_first_event_of_all_is_told_though_it_comes_while_nobody_delivers_yet(
    make: Callable[..., Webhooks], carry: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks = make(news=EventBus(LocalTransport()), subscriptions=[Subscription(URL, ("*",))])
    lead = webhooks._outbox.lead

    def leads_not_yet() -> bool:
        monkeypatch.undo()
        leads = lead()
        webhooks._news.hear(EventMessage(event_type="mail.sent", source_agent="mail-agent"))
        return leads

    monkeypatch.setattr(webhooks._outbox, "lead", leads_not_yet)
    rounds(webhooks)

    assert [letter.event_type for letter in carry.carried] == ["mail.sent"]


def test_what_cannot_be_written_for_want_of_room_is_written_later(
    make: Callable[..., Webhooks], carry: Carrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhooks = make(news=EventBus(LocalTransport()), subscriptions=[Subscription(URL, ("*",))])
    for number in range(3):
        webhooks._news.hear(EventMessage(event_type=f"mail.{number}", source_agent="mail-agent"))

    def full(letter: Letter) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(webhooks._outbox, "put", full)
    rounds(webhooks)
    monkeypatch.undo()
    rounds(webhooks, 5)

    assert sorted(letter.event_type for letter in carry.carried) == ["mail.0", "mail.1", "mail.2"]


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a stop wait as long as a slow machine takes."""
    monkeypatch.setattr("core.webhooks._FAREWELL", 60.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("carried_by", ["journal", "local"])
def test_what_is_told_until_the_last_word_reaches_standing_subscriptions_before_a_stop_ends(
    tmp_path: Path, engine: Any, events: EventBus, carry: Carrier, carried_by: str
) -> None:
    outward = EventJournal(str(tmp_path / "events")) if carried_by == "journal" else LocalTransport()
    events.subscribe("outward", None, outward.send)
    webhooks = Webhooks(
        Outbox(tmp_path / "webhooks"),
        engine,
        events,
        SystemClock(),
        carry=carry,
        news=EventBus(outward),
        subscriptions=[Subscription(URL, ("system.*",))],
    )
    webhooks.start()

    events.publish("system.warning", KERNEL, {"message": "the last warning"})
    events.publish("system.shutdown", KERNEL, {"message": "Stopped; all jobs ended."})
    webhooks.stop()
    outward.close()

    assert sorted(letter.event_type for letter in carry.carried) == ["system.shutdown", "system.warning"]
    assert webhooks.pending() == ()


def test_a_receiver_that_does_not_answer_holds_up_no_stop(
    tmp_path: Path, engine: Any, events: EventBus, carry: Carrier
) -> None:
    def slow(letter: Letter) -> None:
        answered.wait(30)

    answered = threading.Event()
    carry.refuse = slow
    news = EventBus(LocalTransport())
    subscriptions = [Subscription(URL, ("system.*",))]
    folder = tmp_path / "webhooks"
    webhooks = Webhooks(
        Outbox(folder), engine, events, SystemClock(), carry=carry, news=news, subscriptions=subscriptions
    )
    webhooks.start()

    news.publish("system.warning", KERNEL)
    webhooks.stop()
    left = Outbox(folder).letters()
    answered.set()

    assert len(left) == 1, "it waits for the next start"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "line 1"),
        ("{}", "holds no list"),
        ("[1]", "subscription 1: it is no object"),
        ('[{"url": "https://example.org/", "events": ["a"], "evnts": 1}]', "'evnts' is missing or not known"),
        ('[{"url": 7, "events": ["a"]}]', "subscription 1: 'url' is no URL"),
        ('[{"url": "http://127.0.0.1/", "events": ["a"]}]', "not a public address"),
        ('[{"url": "https://example.org/", "events": []}]', "'events' is no list of patterns"),
        ('[{"url": "https://example.org/", "events": "task.*"}]', "'events' is no list of patterns"),
    ],
)
def test_a_file_of_subscriptions_that_is_wrong_is_refused_with_its_place(
    tmp_path: Path, text: str, problem: str
) -> None:
    from core.addresses import checked_spelling

    file = tmp_path / "webhooks.json"
    file.write_text(text)

    with pytest.raises(ConfigError) as refusal:
        read_subscriptions(file, checked_spelling)

    assert problem in refusal.value.message


def test_a_file_of_subscriptions_is_read_and_none_is_none(tmp_path: Path) -> None:
    file = tmp_path / "webhooks.json"
    file.write_text(json.dumps([{"url": URL, "events": ["task.*"]}]))

    assert read_subscriptions(file, lambda url: None) == (Subscription(URL, ("task.*",)),)
    assert read_subscriptions(None, lambda url: None) == ()
    with pytest.raises(ConfigError, match="cannot be read"):
        read_subscriptions(tmp_path / "missing.json", lambda url: None)


def test_a_callback_into_the_own_network_is_refused_at_the_door(
    bus: Bus, engine: Any, registry: Any, clock: Any
) -> None:
    from core.addresses import checked_spelling

    bus.admission = Admission(engine, registry, clock, default_timeout=60, check_callback=checked_spelling)

    with pytest.raises(InvalidRequest) as refusal:
        bus.submit(Submission(action="double", params={"number": 1}, callback_url="http://169.254.169.254/"))

    assert refusal.value.code == "blocked_address"


# From here on with a real server, verified by its own means.


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as receiver:
        yield receiver


def a_letter(url: str) -> Letter:
    return Letter(id="msg_1", url=url, body='{"type":"test","ä":1}', event_type="test")


def send(url: str, *, secret: str = SECRET, private: bool = True, seconds: float = 30.0) -> Answer:
    carry = carrier(lambda: keys_of(secret), SystemClock(), private=private, seconds=seconds)
    return carry(a_letter(url))


def test_a_receiver_verifies_what_it_is_sent(receiver: Receiver) -> None:
    answer = send(f"{receiver.url}?token=t&x=%20")

    (told,) = receiver.told
    assert (answer.taken, answer.said) == (True, "Answered 204.")
    assert told.path == "/hook?token=t&x=%20"
    assert told.document == {"type": "test", "ä": 1}
    assert told.headers["content-type"] == "application/json"
    assert told.verifies(SECRET)
    assert not told.verifies(secret_of(b"another key of 24 bytes!"))


def test_while_the_secret_is_changed_both_verify(receiver: Receiver) -> None:
    new = secret_of(b"n" * 32)

    send(receiver.url, secret=f"{SECRET} {new}")

    assert receiver.told[0].verifies(SECRET)
    assert receiver.told[0].verifies(new)


def test_the_signature_is_that_of_the_scheme() -> None:
    # The example of the scheme's own libraries.
    keys = keys_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")

    signed = signature(
        keys,
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )

    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("secret", ["x", "whsec_", "whsec_!!!!", "whsec_c2hvcnQ=", "c2VjcmV0" * 4])
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="openssl rand -base64 32") as refusal:
        keys_of(secret)

    assert len(secret) < 7 or secret not in str(refusal.value)


@pytest.mark.parametrize(
    ("status", "taken", "final", "unwell"),
    [
        (200, True, False, False),
        (302, False, False, False),
        (400, False, False, False),
        (410, False, True, False),
        (429, False, False, True),
        (500, False, False, True),
    ],
)
def test_an_answer_is_judged_by_its_status(
    receiver: Receiver, status: int, taken: bool, final: bool, unwell: bool
) -> None:
    receiver.statuses = [status]
    receiver.says = b"<h1>Never looked at</h1>" * 100_000

    answer = send(receiver.url)

    assert (answer.taken, answer.final, answer.unwell) == (taken, final, unwell)
    assert str(status) in answer.said


def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    with a_receiver("127.0.0.2") as inner:
        receiver.statuses, receiver.headers = [307], {"Location": inner.url}

        answer = send(receiver.url)

    assert not answer.taken
    assert "redirects are not followed" in answer.said
    assert inner.told == []


def test_a_receiver_that_does_not_answer_in_time_is_left(receiver: Receiver) -> None:
    receiver.answers.clear()

    answer = send(receiver.url, seconds=0.2)

    assert (answer.taken, answer.unwell, answer.said) == (False, True, "No answer within 0.2 s.")


@pytest.mark.parametrize(
    "reply",
    [b"", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 200", b"HTTP/2 200 OK\r\n\r\n", b"x" * 100_000],
)
def test_nonsense_in_place_of_an_answer_is_no_answer(reply: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_reply_once, args=[listener, reply], daemon=True).start()

        answer = send(f"http://127.0.0.1:{listener.getsockname()[1]}/", seconds=2.0)

    assert (answer.taken, answer.unwell) == (False, True)


def test_an_announcement_of_an_answer_is_not_taken_for_it() -> None:
    reply = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_reply_once, args=[listener, reply], daemon=True).start()

        answer = send(f"http://127.0.0.1:{listener.getsockname()[1]}/")

    assert answer.taken


def _reply_once(listener: socket.socket, reply: bytes) -> None:
    line, _ = listener.accept()
    with line:
        line.recv(65_536)
        line.sendall(reply)


def test_nobody_home_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"

    answer = send(url)

    assert (answer.taken, answer.unwell) == (False, True)


def test_a_private_address_is_never_connected_to(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    # A name that has become private since the job was accepted.
    inside = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr("core.addresses.socket.getaddrinfo", lambda *_, **__: inside)

    answer = send("http://rebinding.example/", private=False)

    assert (answer.taken, answer.final) == (False, True)
    assert "not a public address" in answer.said
    assert receiver.told == []


def test_a_name_is_resolved_once_for_check_and_connection(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(receiver.url.split(":")[2].split("/")[0])
    answers = iter(["127.0.0.1", "127.0.0.2"])
    real = socket.getaddrinfo

    def resolve(host: str, *rest: Any, **options: Any) -> Any:
        return real(next(answers) if host == "rebinding.example" else host, *rest, **options)

    monkeypatch.setattr("core.addresses.socket.getaddrinfo", resolve)

    answer = send(f"http://rebinding.example:{port}/hook")

    assert answer.taken
    assert receiver.told[0].headers["host"] == f"rebinding.example:{port}"


def test_a_name_that_nobody_knows_may_be_known_later(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror("no such name")

    monkeypatch.setattr("core.addresses.socket.getaddrinfo", unknown)

    answer = send("http://nowhere.example/")

    assert (answer.taken, answer.final) == (False, False)
    assert answer.said == "The name nowhere.example could not be resolved."


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate, with its key, that hooks.example has made for itself."""
    file = tmp_path / "hooks.pem"
    command = [
        *(
            needed("openssl", "openssl"),
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ),
        *(
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=hooks.example",
            "-addext",
            "subjectAltName=DNS:hooks.example",
        ),
        *("-keyout", "-", "-out", "-"),
    ]
    file.write_bytes(subprocess.run(command, capture_output=True, check=True).stdout)
    return file


@pytest.fixture
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every name lead to this machine."""
    real = socket.getaddrinfo
    monkeypatch.setattr(
        "core.addresses.socket.getaddrinfo",
        lambda host, port, *rest, **options: real("127.0.0.1", port, *rest, **options),
    )


@pytest.mark.usefixtures("at_home")
def test_over_tls_the_certificate_must_be_that_of_the_name_though_an_address_is_connected_to(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)
    monkeypatch.setattr(webhook_post, "_tls", lambda: ssl.create_default_context(cafile=str(certificate)))

    with a_receiver(tls=server) as receiver:
        port = receiver.url.split(":")[2]
        right, wrong = send(f"https://hooks.example:{port}"), send(f"https://other.example:{port}")

    assert right.taken
    assert len(receiver.told) == 1
    assert (wrong.taken, wrong.unwell) == (False, True)
    assert "certificate" in wrong.said


@pytest.mark.usefixtures("at_home")
def test_over_tls_a_certificate_that_nobody_vouches_for_is_not_talked_to(certificate: Path) -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate)

    with a_receiver(tls=server) as receiver:
        answer = send(f"https://hooks.example:{receiver.url.split(':')[2]}")

    assert not answer.taken
    assert "certificate" in answer.said
    assert receiver.told == []
