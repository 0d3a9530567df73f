"""Rows 35 and 36: who comes in with which token, and what for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api.doorkeeper import OPEN_ENDPOINTS
from api.scopes import scope_of
from core.jobs import Query
from core.token_file import change_tokens
from tests.api.doors import Door
from tests.api.stage import Stage

SETTING = "a-token-of-sixteen-or-more"
#: What concerns everybody's jobs, or the bus.
ADMINS = {
    ("/purge", "POST"),
    ("/api/power/hold", "POST"),
    ("/api/power/hold", "DELETE"),
    ("/api/v1/workers/internal/scale", "POST"),
    ("/api/v1/workers/internal/stop", "POST"),
    ("/api/v1/workers/internal/start", "POST"),
}
#: What changes nothing, although it is no GET.
READERS = {("/outbound", "POST")}


@pytest.fixture
def door(stage: Stage, tmp_path: Path) -> Door:
    return Door(stage, tmp_path / "tokens.json")


def routes(app: Flask) -> list[tuple[str, str, str]]:
    """Return rule, method and needed scope of every route."""
    return [
        (rule.rule, method, scope_of(getattr(app.view_functions[rule.endpoint], "operation", None), method))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.endpoint not in OPEN_ENDPOINTS
    ]


def test_a_token_of_the_file_opens_what_its_scopes_say(door: Door) -> None:
    token = door.token(scopes=["submit", "read"])

    submitted = door.submit(token)

    assert submitted.status_code == 200
    assert door.ask("GET", f"/outbound?job_id={submitted.json['job_id']}", token).status_code == 200
    assert door.ask("POST", "/purge", token, json={"days": 1}).status_code == 403


def test_every_route_needs_one_scope_and_refuses_whoever_has_all_others(door: Door) -> None:
    tokens = {
        scope: door.token(scopes=[other for other in ("submit", "read", "admin") if other != scope])
        for scope in ("submit", "read", "admin")
    }

    for rule, method, scope in routes(door.client.application):
        answer = door.ask(method, re.sub("<[^>]*>", "1", rule), tokens[scope])
        assert answer.status_code == 403, (rule, method)
        assert answer.json["code"] == "scope_missing", (rule, method)
        assert f"'{scope}'" in (answer.json.get("message") or answer.json["detail"])
        assert answer.headers["WWW-Authenticate"] == f'Bearer error="insufficient_scope", scope="{scope}"'


def test_reading_needs_read_changing_needs_submit_and_what_concerns_everybody_needs_admin(door: Door) -> None:
    for rule, method, scope in routes(door.client.application):
        if (rule, method) in ADMINS or (rule.startswith("/api/power") and method != "GET"):
            assert scope == "admin", (rule, method)
        elif method == "GET" or (rule, method) in READERS:
            assert scope == "read", (rule, method)
        else:
            assert scope == "submit", (rule, method)


def test_what_is_refused_for_its_scope_is_not_done(door: Door) -> None:
    answer = door.submit(door.token(scopes=["read", "admin"]))

    assert answer.json == {
        "status": "error",
        "code": "scope_missing",
        "message": "This token lacks the scope 'submit'.",
        "hint": "It has: admin, read. Use another, made with ./bus token make --scope submit.",
    }
    assert not door.stage.engine.find(Query()).jobs


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_a_request_about_a_get_needs_no_more_than_the_get(door: Door, method: str) -> None:
    token = door.token(scopes=["read"])

    assert door.ask(method, "/queues", token).status_code < 300
    assert door.ask(method, "/queues").status_code == 401


def test_what_is_not_served_is_told_to_whoever_has_any_token(door: Door) -> None:
    token = door.token(scopes=["admin"])

    assert door.ask("GET", "/nowhere", token).status_code == 404
    assert door.ask("DELETE", "/inbound", token).status_code == 405
    assert door.ask("GET", "/nowhere").status_code == 401


def test_a_wrong_token_opens_nothing(door: Door) -> None:
    token = door.token()
    other = "0" if token[-1] != "0" else "1"
    forged = [token[:-1] + other, token + "x", token.replace("aafai_", "aafai_f"), token.upper(), "", "é"]

    for text in forged:
        answer = door.ask("GET", "/queues", text)
        assert (answer.status_code, answer.json["code"]) == (401, "unauthorized"), text
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_looked_for_in_its_header_alone(door: Door) -> None:
    token = door.token()

    assert door.client.get(f"/queues?token={token}&access_token={token}").status_code == 401
    assert door.client.get("/queues", headers={"X-Api-Key": token, "Cookie": f"t={token}"}).status_code == 401
    assert door.client.get("/queues", headers={"Authorization": f"Basic {token}"}).status_code == 401


def test_a_revoked_token_opens_nothing_a_second_later(door: Door) -> None:
    token = door.token()
    before = door.ask("GET", "/queues", token).status_code

    change_tokens(door.path, lambda tokens: {})
    door.stage.clock.advance(1)

    assert (before, door.ask("GET", "/queues", token).status_code) == (200, 401)
    assert door.ask("GET", "/queues").status_code == 401


def test_an_expired_token_says_so_to_whoever_has_it(door: Door) -> None:
    token = door.token(expires_at=door.stage.clock.now() + 60)
    before = door.ask("GET", "/queues", token).status_code

    door.stage.clock.advance(60)
    answer = door.ask("GET", "/queues", token)

    assert before == 200
    assert (answer.status_code, answer.json["code"]) == (401, "token_expired")
    assert door.ask("GET", "/queues", token[:-3] + "xyz").json["code"] == "unauthorized"


def test_the_token_of_the_settings_goes_on_opening_everything(stage: Stage, tmp_path: Path) -> None:
    door = Door(stage, tmp_path / "tokens.json", {"token": SETTING})
    token = door.token(scopes=["read"])

    assert door.ask("POST", "/purge", SETTING, json={"days": 1}).status_code == 200
    assert door.ask("GET", "/queues", token).status_code == 200
    assert door.ask("GET", "/queues", "wrong").status_code == 401


def test_the_first_token_closes_the_door_of_a_running_bus(stage: Stage, tmp_path: Path) -> None:
    door = Door(stage, tmp_path / "tokens.json")
    door.path.unlink()
    door.client = door.opened()
    before = door.ask("GET", "/queues").status_code

    token = door.token()

    assert before == 200
    assert door.ask("GET", "/queues").status_code == 401
    assert door.ask("GET", "/queues", token).status_code == 200
    assert door.ask("GET", "/openapi.json", token).json["components"]["securitySchemes"]


@pytest.mark.parametrize(
    ("wishes", "whole"), [({"scopes": ["read"]}, True), ({"scopes": ["submit"]}, False), (None, False)]
)
def test_health_tells_all_to_readers_only(door: Door, wishes: dict[str, Any] | None, whole: bool) -> None:
    token = door.token(**wishes) if wishes else "wrong"

    answer = door.ask("GET", "/health", token)

    assert answer.status_code == 200
    assert ("boot_id" in answer.json) is whole


def test_a_token_runs_the_actions_of_its_list_only(door: Door) -> None:
    token = door.token(actions=["download_website"])

    refused = door.submit(token)
    allowed = door.submit(token, action="download_website", params={"url": "x"})

    assert (refused.status_code, refused.json["code"]) == (403, "action_not_allowed")
    assert allowed.status_code == 200
    assert [job.action for job in door.stage.engine.find(Query()).jobs] == ["download_website"]


def test_whoever_sees_the_own_jobs_only_is_told_that_there_are_no_others(door: Door) -> None:
    anne, bob = door.token(scopes=["submit", "read"], own_jobs_only=True), door.token(name="bob")
    bobs = door.submit(bob).json["job_id"]
    annes = door.submit(anne).json["job_id"]

    other = door.ask("GET", f"/outbound?job_id={bobs}", anne)

    assert (other.status_code, other.json["code"]) == (404, "unknown_job")
    assert door.ask("GET", f"/outbound?job_id={annes}", anne).status_code == 200
    assert [job["job_id"] for job in door.ask("GET", "/queues", anne).json["inbound"]] == [annes]
    assert door.ask("GET", f"/outbound?job_id={annes}", bob).status_code == 200


def test_the_counts_beside_the_lists_are_of_the_own_jobs_too(door: Door) -> None:
    anne, bob = door.token(scopes=["submit", "read"], own_jobs_only=True), door.token(name="bob")
    door.stage.succeeded(door.submit(bob).json["job_id"], {})
    door.stage.failed(door.submit(anne).json["job_id"], "timeout", "Too slow.")
    door.submit(anne)

    annes, all_of_them = (door.ask("GET", "/queues", token).json["counts"] for token in (anne, bob))

    assert annes == {"inbound": 1, "processing": 0, "outbound": 0, "failed": 1, "consumed": 0}
    assert all_of_them == {**annes, "outbound": 1}


def test_no_door_shows_or_touches_the_job_of_another_to_who_sees_the_own_only(door: Door) -> None:
    anne, bob = door.token(scopes=["submit", "read"], own_jobs_only=True), door.token(name="bob")
    bobs = door.submit(bob).json["job_id"]
    before = door.stage.engine.get(bobs)

    for rule, method, scope in routes(door.client.application):
        if scope == "admin" or rule == "/api/events":  # which never ends
            continue
        answer = door.ask(method, re.sub("<[^>]*>", bobs, rule), anne)
        # What was asked for may be repeated, but nothing that only the job itself can tell.
        told = answer.text.replace(bobs, "") if "<" in rule else answer.text
        assert answer.status_code >= 400 or "<" not in rule, (method, rule)
        assert bobs not in told, (method, rule)
        assert '"bob"' not in told, (method, rule)
    assert door.stage.engine.get(bobs) == before


def test_two_tokens_of_one_name_are_one_client(door: Door) -> None:
    old, new = (door.token(scopes=["submit", "read"], own_jobs_only=True) for _ in range(2))
    first = door.submit(old, idempotency_key="k").json["job_id"]

    assert door.ask("GET", f"/outbound?job_id={first}", new).status_code == 200
    assert door.submit(new, idempotency_key="k").json["job_id"] == first


def test_the_document_says_of_every_operation_which_scope_it_needs(door: Door) -> None:
    paths = door.ask("GET", "/openapi.json", door.token()).json["paths"]

    assert paths["/inbound"]["post"]["security"] == [{"token": ["submit"]}, {"signature": ["submit"]}]
    assert paths["/outbound"]["post"]["security"][0] == {"token": ["read"]}
    assert paths["/purge"]["post"]["security"][0] == {"token": ["admin"]}
    assert paths["/health"]["get"]["security"] == [{}]
    for path, methods in paths.items():
        for method, operation in methods.items():
            assert operation["security"], (path, method)


def test_what_the_document_calls_open_is_what_answers_without_a_token(door: Door) -> None:
    app = door.client.application
    documented = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if getattr(getattr(app.view_functions[rule.endpoint], "operation", None), "open", False)
    }

    assert documented == {name for name in OPEN_ENDPOINTS if name in app.view_functions} - {"docs.asset"}


def test_a_damaged_file_is_told_of_and_changes_nothing(door: Door) -> None:
    token = door.token()
    door.ask("GET", "/queues", token)

    door.path.write_text("{")
    door.stage.clock.advance(1)

    assert door.ask("GET", "/queues", token).status_code == 200
    assert len(door.told) == 1
