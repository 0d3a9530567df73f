"""The gate lets submissions in, or refuses; it never leaves one half way."""

import threading

import pytest

from core.errors import ShuttingDown
from core.gate import Gate


def test_an_open_gate_lets_everybody_in():
    gate = Gate()

    with gate.entered(), gate.entered():
        assert not gate.closed


def test_a_closed_gate_refuses_and_says_when_to_come_back():
    gate = Gate()
    gate.close(retry_after=45)

    with pytest.raises(ShuttingDown) as refusal, gate.entered():
        pass

    assert refusal.value.retry_after == 45


def test_closing_waits_for_those_inside():
    gate, closed = Gate(), threading.Event()
    with gate.entered():
        closer = threading.Thread(target=lambda: (gate.close(), closed.set()))
        closer.start()
        while not gate.closed:
            pass

        assert not closed.is_set()
    closer.join()

    assert closed.is_set()


def test_closing_tells_when_somebody_inside_does_not_leave():
    gate = Gate()

    with gate.entered():
        assert gate.close(patience=0.0) is False


def test_a_gate_opens_again():
    gate = Gate()
    gate.close()

    gate.open()

    with gate.entered():
        assert not gate.closed


def test_a_submission_that_fails_leaves_the_gate():
    gate = Gate()

    with pytest.raises(ZeroDivisionError), gate.entered():
        raise ZeroDivisionError

    assert gate.close(patience=0.0) is True


def test_a_gate_that_was_shut_tells_when_everybody_has_left():
    gate, inside, may_leave, left = Gate(), threading.Event(), threading.Event(), []

    def submit():
        with gate.entered():
            inside.set()
            may_leave.wait(30)
            left.append("submitter")

    submitter = threading.Thread(target=submit)
    submitter.start()
    assert inside.wait(30)
    gate.shut()

    early = gate.is_left(0.0)
    may_leave.set()

    assert early is False
    assert gate.is_left(30) is True
    assert left == ["submitter"]
    submitter.join(30)
