"""Google on the loopback: metadata server, Compute Engine, Cloud Scheduler, Cloud Storage of one project.

All at one address. It speaks as the real ones do, as far as Google's own libraries can tell
(test_fake_google.py, test_fake_storage.py), and fails as it is told.
"""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable
from typing import Any, Self

from tests.cloud.fake_compute import FakeCompute
from tests.cloud.fake_door import Asked, Door, Fault
from tests.cloud.fake_metadata import FakeMetadata
from tests.cloud.fake_scheduler import FakeScheduler
from tests.cloud.fake_storage import FakeStorage
from tests.cloud.refused import Refused

TOKEN = "ya29.a-token-that-nobody-may-see"


class FakeGoogle:
    """The project `quiet-project` with one machine, `bus`, in europe-west1-b.

    `on_start` and `on_stop` are called with a machine's name in a thread of their own when it is started or
    stopped, and the machine is RUNNING or TERMINATED when they return; `on_start` may raise Refused.
    """

    def __init__(
        self,
        *,
        on_start: Callable[[str], None] = lambda _: None,
        on_stop: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.metadata = FakeMetadata(TOKEN)
        self.compute = FakeCompute(on_start, on_stop)
        self.scheduler = FakeScheduler(self.compute)
        self.storage = FakeStorage()
        #: Every request but those to the metadata server, in order.
        self.asked: list[Asked] = []
        #: What the machine's service account may not do.
        self.forbidden: set[str] = set()
        #: The time that Google's clocks show, in Unix seconds; None for that of this machine.
        self.now: float | None = None
        #: Set when the fake closes: what hangs goes on.
        self.closing = threading.Event()
        self._faults: list[tuple[str, Fault | Refused]] = []
        self._door = Door(self)
        self.url = f"http://127.0.0.1:{self._door.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._door.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.metadata.close()
        self._door.shutdown()
        self._door.server_close()

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """Speak HTTPS from now on."""
        self._door.socket = context.wrap_socket(self._door.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")

    def fail(self, path: str, *faults: Fault | Refused) -> None:
        """Let the next requests whose path holds that text fail, one by one in this order."""
        self._faults += [(path, fault) for fault in faults]

    def calls(self) -> list[str]:
        """Return what was asked, each as `POST stop`: the method and the last word of the path."""
        return [f"{asked.method} {asked.path.replace(':', '/').rpartition('/')[2]}" for asked in self.asked]

    def fault_for(self, path: str) -> Fault | Refused | None:
        """Take the next fault that is meant for a path."""
        for index, (part, fault) in enumerate(self._faults):
            if part in path:
                del self._faults[index]
                return fault
        return None

    def answer(self, asked: Asked) -> Any:
        """Do what is asked and return the JSON of the answer. Raises Refused."""
        self.asked.append(asked)
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            raise Refused(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if "/storage/v1/" in asked.path:
            permission, act = self.storage.route(asked)
        else:
            service = self.compute if asked.path.startswith("/compute/v1/") else self.scheduler
            permission, act = service.route(asked.method, asked.path)
        if permission in self.forbidden:
            raise Refused(403, "PERMISSION_DENIED", f"Required '{permission}' permission for '{asked.path}'")
        answer = act(asked.query, asked.body)
        if asked.path.endswith(("/testIamPermissions", "/testPermissions")):
            allowed = [one for one in answer["permissions"] if one not in self.forbidden]
            return {"permissions": allowed} if allowed else {}
        return answer
