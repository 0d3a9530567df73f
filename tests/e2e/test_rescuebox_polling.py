"""The polling of RescueBox's interface, in Node, against a live bus: both shapes that clients read."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import requests

from examples.running import ROOT, a_bus
from tests.actions.speech import SENTENCE, recogniser_needed, spoken
from tests.conftest import needed

pytestmark = pytest.mark.alone
both = pytest.mark.parametrize("kind", ["described", "shipped"])

CLIENT = Path(__file__).parent / "rescuebox_polling.mjs"
#: A task that is answered with its result.
WAITS = """
from api.ml_service import MLService
from api.rescuebox_schema import IntRangeDescriptor, ParameterSchema, RangedIntParameterDescriptor, TaskSchema

waits = MLService("waits")
seconds = RangedIntParameterDescriptor(default=0, range=IntRangeDescriptor(min=0, max=2))
form = TaskSchema(parameters=[ParameterSchema(key="delay_seconds", label="Seconds", value=seconds)])
waits.add_ml_service(rule="/a_while", ml_function="fakejob", task_schema=form, is_async=False)
"""


@pytest.fixture(scope="module")
def media(tmp_path_factory):
    recogniser_needed()
    folder = tmp_path_factory.mktemp("media")
    spoken(folder / "1.wav")
    return folder


@pytest.fixture(scope="module")
def bus(tmp_path_factory, media):
    folder = tmp_path_factory.mktemp("bus")
    services = folder / "services"
    services.mkdir()
    shutil.copy(ROOT / "services" / "audio.py", services)
    (services / "waits.py").write_text(WAITS)
    (services / "broken.py").write_text("import no_such_module\n")
    with a_bus(folder, AAFAI_MEDIA_DIRS=str(media), AAFAI_SERVICES_DIR=str(services)) as running:
        yield running
        assert running.stop() == 0


def shown_by(kind, what, url, body=None):
    """Let the interface run a command, or poll; return what it showed last, and what it wished to wait."""
    command = [needed("node", "nodejs"), str(CLIENT), kind, what, url, json.dumps(body)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True)
    told = json.loads(ended.stdout)
    assert not told["polling"]
    return told["shown"][-1], told["delays"]


@both
def test_the_interface_polls_until_the_recordings_are_written_down(kind, bus, media):
    body = {"inputs": {"input_dir": {"path": str(media)}}, "parameters": {}}

    output, delays = shown_by(kind, "run", f"{bus.url}/audio/transcribe", body)

    text = {"output_type": "text", "value": SENTENCE, "title": str(media / "1.wav"), "subtitle": None}
    texts = {"output_type": "batchtext", "texts": [text]}
    assert json.loads(output) == {"root": texts, **texts}
    assert delays
    assert set(delays) == {5000}


@both
def test_the_interface_stops_at_a_task_that_failed(kind, bus):
    body = {"inputs": {"input_dir": {"path": "/etc"}}, "parameters": {}}

    output, _ = shown_by(kind, "run", f"{bus.url}/audio/transcribe", body)

    said = {
        "title": "error",
        "value": "Task failed: /etc lies outside the folders that AAFAI_MEDIA_DIRS allows.",
    }
    assert json.loads(output) == {"root": said, "output_type": "text", **said, "subtitle": None}


@both
@pytest.mark.parametrize(
    "task_id", ["018bcfe5-6800-7000-8000-000000000000", "ab8b533a-7a33-451a-901b-b56349058792"]
)
def test_the_interface_stops_at_a_task_that_nobody_knows(kind, bus, task_id):
    output, delays = shown_by(kind, "poll", f"{bus.url}/audio/transcribe/result/{task_id}")

    assert delays == []
    assert "job" in output
    assert "error" in output.lower()


@both
def test_the_interface_shows_what_is_answered_at_once(kind, bus):
    body = {"inputs": {}, "parameters": {"delay_seconds": "1"}}

    output, delays = shown_by(kind, "run", f"{bus.url}/waits/a_while", body)

    said = {"output_type": "text", "value": '{"waited": 1}', "title": None, "subtitle": None}
    assert (json.loads(output), delays) == ({"root": said, **said}, [])


def test_a_service_file_that_is_broken_keeps_no_other_from_being_offered(bus):
    routes = [
        requests.get(f"{bus.url}/{name}/api/routes", timeout=10) for name in ("audio", "waits", "broken")
    ]

    assert [answer.status_code for answer in routes] == [200, 200, 404]
