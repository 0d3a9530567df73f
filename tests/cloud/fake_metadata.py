"""The metadata server of a Google machine, of which a test changes entries."""

from __future__ import annotations

import json
import threading

from tests.cloud.fake_compute import INSTANCE, PROJECT, ZONE

_FLAVOR = {"Metadata-Flavor": "Google"}
ACCOUNT = "bus@quiet-project.iam.gserviceaccount.com"


class FakeMetadata:
    """Its entries by path, each with the version that its ETag tells."""

    def __init__(self, token: str) -> None:
        granted = {"access_token": token, "expires_in": 3599, "token_type": "Bearer"}
        self._entries = {
            "project/project-id": PROJECT,
            "instance/zone": f"projects/123456789012/zones/{ZONE}",
            "instance/name": INSTANCE,
            "instance/id": "4520031799277581759",
            "instance/preempted": "FALSE",
            "instance/service-accounts/default/email": ACCOUNT,
            "instance/service-accounts/default/token": json.dumps(granted),
        }
        self._versions = dict.fromkeys(self._entries, 1)
        self._changed = threading.Condition()
        self._closed = False
        #: How many questions wait for a change.
        self.waiting = 0
        self.asked: list[str] = []

    def set(self, entry: str, value: str | None) -> None:
        """Change an entry, or remove it, and answer who waits for that."""
        with self._changed:
            if value is None:
                del self._entries[entry]
            else:
                self._entries[entry] = value
                self._versions[entry] = self._versions.get(entry, 0) + 1
            self._changed.notify_all()

    def wait_until_waited_for(self) -> None:
        """Return when somebody waits for a change."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.waiting > 0, timeout=20)

    def close(self) -> None:
        """Answer whoever waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def answer(
        self, path: str, query: dict[str, str], headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and text of an answer, after the change that is waited for."""
        entry = path.removeprefix("/computeMetadata/v1/")
        self.asked.append(entry)
        if headers.get("metadata-flavor") != "Google" or "x-forwarded-for" in headers:
            return 403, _FLAVOR, b"Missing Metadata-Flavor:Google header."
        with self._changed:
            if query.get("wait_for_change") == "true":
                self._wait(entry, query)
            if entry not in self._entries:
                return 404, _FLAVOR, b"<html>Not found</html>"
            etag = {"ETag": f"{self._versions[entry]:016x}", "Content-Type": "application/text"}
            return 200, _FLAVOR | etag, self._entries[entry].encode()

    def _wait(self, entry: str, query: dict[str, str]) -> None:
        seen = int(query.get("last_etag", "0"), 16)
        self.waiting += 1
        self._changed.notify_all()
        self._changed.wait_for(
            lambda: self._closed or self._versions.get(entry, 0) != seen,
            timeout=float(query.get("timeout_sec", "3600")),
        )
        self.waiting -= 1
