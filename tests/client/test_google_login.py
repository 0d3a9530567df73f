"""Who a client is to Google: a token that was handed over, the computer's own credentials, or nobody."""

from __future__ import annotations

import builtins
from typing import Any

import google.auth
import pytest
from google.auth.exceptions import DefaultCredentialsError
from google.oauth2.credentials import Credentials

from client.errors import NotStarted
from client.google_compute import GoogleCompute
from client.google_login import ACCESS_TOKEN, login


class Own(Credentials):
    """Credentials of this computer."""

    def refresh(self, request: Any) -> None:
        self.token = "fresh"


def test_a_token_that_was_handed_over_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ACCESS_TOKEN, "handed-over")

    assert login().token == "handed-over"


def test_the_credentials_of_the_computer_are_made_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google.auth, "default", lambda scopes: (Own(token=None), "a-project"))

    assert login().token == "fresh"


def test_without_credentials_the_error_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(scopes: Any) -> Any:
        raise DefaultCredentialsError("Your default credentials were not found. To set up …\nmore")

    monkeypatch.setattr(google.auth, "default", nobody)

    with pytest.raises(NotStarted, match="Google does not know who asks: Your default credentials") as caught:
        login()

    assert caught.value.hint == "Log in: gcloud auth application-default login"
    assert "more" not in caught.value.message


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        ("google.auth", login),
        (
            "google.cloud",
            lambda: GoogleCompute("my-project", "bus", given=Credentials(token="t")).bring_up(
                "europe-west1-b", "start", "8a5bf8e6-1f0c-4f0e-9d2b-0b2f7f1f3f11"
            ),
        ),
    ],
)
def test_without_googles_library_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, missing: str, asked: Any
) -> None:
    imported = builtins.__import__

    def lacking(name: str, *rest: Any) -> Any:
        if name.startswith(missing):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", lacking)

    with pytest.raises(NotStarted, match="Google's library is not installed") as caught:
        asked()

    assert "requirements-client.txt" in caught.value.hint
