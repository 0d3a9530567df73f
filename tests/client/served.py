"""A bus on the loopback, for clients: the real application on the memory engine, whose jobs a test moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from click.testing import Result
from werkzeug.serving import WSGIRequestHandler, make_server

from core.keyring import Keyring
from core.token_file import change_tokens
from core.tokens import minted
from tests.api.stage import Stage, a_stage
from tests.fakes import FakeClock

#: Calls `bus` with these words.
Call = Callable[..., Result]
App = Callable[[dict[str, Any], Any], Iterable[bytes]]


class WaitingClock(FakeClock):
    """A clock that goes on only while somebody waits for what does not happen, and really waits so long."""

    def wait(self, event: threading.Event, timeout: float | None) -> bool:
        if not event.wait(timeout) and timeout is not None:
            self.advance(timeout)
        return event.is_set()


class Served:
    """A stage at an address, as a context. `around` may come between the server and the application."""

    def __init__(
        self,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        boot_id: str = "boot-1",
        engine: Any = None,
        around: Callable[[App], App] = lambda app: app,
        **settings: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.stage: Stage = a_stage(folder, clock=WaitingClock(), engine=engine)
        self.boot_as(boot_id)
        self.downloads = folder / "downloads"
        app = self.stage.client(downloads=self.downloads, **settings).application
        #: The requests that came in, each as `POST /inbound`.
        self.asked: list[str] = []
        self._server = make_server(
            host, port, around(self._noting(app)), threaded=True, request_handler=_Quiet
        )
        self.url = f"http://{host}:{self._server.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()

    def hang_up(self) -> None:
        """Answer nobody any more."""
        self._server.shutdown()
        self._server.server_close()

    def boot_as(self, boot_id: str) -> None:
        """Be the bus of that boot from now on."""
        object.__setattr__(self.stage.kernel, "boot_id", boot_id)

    def job(self, action: str = "fakejob", **fields: Any) -> str:
        """Submit a job past the door and return its id."""
        answer = self.stage.client().post("/inbound", json={"action": action, **fields})
        return str(answer.json["job_id"])

    def _noting(self, app: App) -> App:
        def noting(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.asked.append(f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
            return app(environ, start_response)

        return noting


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002  The name is werkzeug's.
        pass


def a_token(folder: Path, **wishes: Any) -> tuple[Keyring, str]:
    """Return a keyring with one token in it, and the token's text."""
    path, clock = folder / "tokens.json", FakeClock()
    made, text = minted(**{"name": "sheet", "scopes": ("submit", "read"), "now": clock.now(), **wishes})
    change_tokens(path, lambda known: {**known, made.id: made})
    return Keyring(path, clock, tell=lambda told: None), text
