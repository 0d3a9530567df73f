"""The OpenAPI document and the page that shows it."""

from __future__ import annotations

import re

from flask.testing import FlaskClient

from api.docs_page import PAGE_POLICY
from api.errors import ERRORS
from tests.api.stage import Stage

ASSETS = ["docs.css", "docs.js", "swagger-ui.css", "swagger-ui-bundle.js"]


def test_every_route_is_documented(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    rules = {
        re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)
        for rule in client.application.url_map.iter_rules()
    }
    of_actions = {"/api/actions/fakejob", "/api/actions/download_website"}

    assert (rules - {"/docs/{name}"}) | of_actions == set(document["paths"])
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (path, method)


def test_every_answer_has_an_example_or_a_shape(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json

    for methods in document["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                assert all(content["schema"] for content in answer["content"].values())
            for content in operation.get("requestBody", {}).get("content", {}).values():
                assert content["examples"]


def test_a_submission_is_described_for_each_action(client: FlaskClient) -> None:
    document = client.get("/openapi.json").json
    body = document["paths"]["/inbound"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    kinds = {one["title"]: one for one in body["anyOf"]}

    assert kinds.keys() == {"fakejob", "download_website", "many"}
    assert kinds["fakejob"]["properties"]["params"]["anyOf"][0]["properties"]["delay_seconds"]["default"] == 5
    assert kinds["download_website"]["required"] == ["action", "params"]


def test_types_that_two_actions_name_alike_stay_apart(stage: Stage) -> None:
    for name, field in (("first", "a"), ("second", "b")):
        (stage.folder / "actions" / f"{name}.py").write_text(
            "from pydantic import BaseModel\n"
            f"class Point(BaseModel):\n    {field}: int\n"
            "def run(point: Point) -> dict:\n    return {}\n"
        )
    stage.kernel.registry.load()

    document = stage.client().get("/openapi.json").json

    schemas = document["components"]["schemas"]
    assert list(schemas["first_params.Point"]["properties"]) == ["a"]
    assert list(schemas["second_params.Point"]["properties"]) == ["b"]
    references = set(re.findall(r'"\$ref": ?"#/([^"]*)"', stage.client().get("/openapi.json").text))
    for reference in references:
        _, _, name = reference.split("/")
        assert name in schemas


def test_every_error_code_is_described_somewhere(client: FlaskClient) -> None:
    text = client.get("/openapi.json").text
    #: Said by dialects and by bodies that the document describes in their own words.
    elsewhere = {"no_such_path", "job_ended", "job_not_ended", "conflict", "bad_config"}

    assert not {code for code in ERRORS if f'"{code}"' not in text and f"`{code}`" not in text} - elsewhere


def test_the_document_asks_for_a_token_when_one_is_set(stage: Stage) -> None:
    headers = {"Authorization": "Bearer sixteen-characters"}

    secured = stage.client(token="sixteen-characters").get("/openapi.json", headers=headers).json

    assert secured["security"] == [{"token": []}]
    assert "security" not in stage.client().get("/openapi.json").json


def test_the_page_loads_only_what_is_served_here(client: FlaskClient) -> None:
    page = client.get("/docs")

    assert (page.mimetype, page.headers["Content-Security-Policy"]) == ("text/html", PAGE_POLICY)
    loaded = re.findall(r'(?:src|href)="([^"]*)"', page.text)
    assert sorted(loaded) == sorted(["data:,", "/openapi.json", *(f"/docs/{name}" for name in ASSETS)])
    assert "unsafe" not in PAGE_POLICY
    assert not re.search(r"<script>|<style|style=|onload", page.text)


def test_the_files_of_the_page_are_served_compressed_and_cached(client: FlaskClient) -> None:
    for name in ASSETS:
        answer = client.get(f"/docs/{name}", headers={"Accept-Encoding": "gzip"})
        again = client.get(f"/docs/{name}", headers={"If-None-Match": answer.headers["ETag"]})

        assert (answer.status_code, again.status_code) == (200, 304)
        assert answer.headers["Cache-Control"] == "private, max-age=3600"
        assert answer.mimetype in {"text/css", "text/javascript"}


def test_nothing_else_is_served_beside_the_page(client: FlaskClient) -> None:
    assert client.get("/docs/docs.html").status_code == 404
    assert client.get("/docs/..%2fserver.py").status_code == 404
