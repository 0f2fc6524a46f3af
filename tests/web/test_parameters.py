"""A misspelt parameter is refused by every path of the API, and what is described is taken."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.web.openapi import openapi_document
from server.web.parameters import known_parameters

Stored = Callable[..., list[dict[str, Any]]]

OPERATIONS = [
    (method.upper(), path)
    for path, methods in openapi_document("")["paths"].items()
    if path.startswith("/api/")
    for method in methods
]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_an_unknown_parameter_is_refused(client: TestClient, secret: dict[str, str], method: str, path: str) -> None:
    answer = client.request(method, path.replace("{id}", "1") + "?misspelt=1", headers=secret, content=b"{}")
    assert answer.status_code == 400, answer.text
    told = answer.json()["error"]
    assert told["code"] == "unknown_parameter"
    assert "'misspelt'" in told["message"]
    for name in known_parameters(path, method):
        assert name in told["hint"]


def test_a_misspelt_trial_stores_nothing(client: TestClient, secret: dict[str, str], stored: Stored) -> None:
    answer = client.post("/api/events?valdate=1", json={"name": "Paid"}, headers=secret)
    assert answer.json()["error"]["code"] == "unknown_parameter"
    assert answer.json()["error"]["hint"] == "Known here: validate, site."
    assert stored() == []


@pytest.mark.parametrize("path", ["/api/events?user=42", "/api/stats?dimension=browser", "/api/export?limit=1"])
def test_another_question_is_not_answered(client: TestClient, secret: dict[str, str], path: str) -> None:
    assert client.get(path, headers=secret).json()["error"]["code"] == "unknown_parameter"


@pytest.mark.parametrize(
    "path",
    [
        "/api/users?kind=all&props.plan=pro&q=x&sort=id&limit=1&site=default",
        "/api/events?limit=1&user_id=42&since=2026-11-23T14:00:00Z&site=default",
        "/api/stats?metrics=events&dimensions=browser&bots=include&limit=1",
        "/api/stats/?bots=",
        "/api/webhooks?site=default",
        "/api/debug/ip?site=default",
    ],
)
def test_known_parameters_are_taken(client: TestClient, secret: dict[str, str], path: str) -> None:
    assert client.get(path, headers=secret).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/events"), ("POST", "/api/events"), ("GET", "/api/webhooks")]
)
def test_another_site_than_the_keys_is_refused(
    client: TestClient, secret: dict[str, str], method: str, path: str
) -> None:
    answer = client.request(method, f"{path}?site=other", headers=secret, content=b'{"name": "A"}')
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "other_site"


def test_bots_is_one_word(client: TestClient, secret: dict[str, str]) -> None:
    for path in ("/api/stats", "/api/overview", "/api/events/names"):
        answer = client.get(f"{path}?bots=exclude", headers=secret)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_bots")
    assert client.get("/collect?site=default&name=Mail&colour=red").status_code == 200
