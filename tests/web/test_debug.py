from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from server.app import create_app
from server.proxies import parse_networks
from tests.factories import SECRET_KEY, make_settings

KEY = {"authorization": f"Bearer {SECRET_KEY}"}


def ask(folder: Path, peer: str, headers: dict[str, str], **changes: Any) -> dict[str, Any]:
    networks = parse_networks(changes.pop("trusted", []))
    settings = make_settings(folder, trusted_proxies=networks, **changes)
    with TestClient(create_app(settings), client=(peer, 1234)) as client:
        answer = client.get("/api/debug/ip", headers=KEY | headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        told: dict[str, Any] = answer.json()
        return told


def test_address_is_asked_for_with_the_secret_key_only(tmp_path: Path) -> None:
    with TestClient(create_app(make_settings(tmp_path))) as client:
        assert client.get("/api/debug/ip").status_code == 401
        assert client.get("/api/debug/ip/", headers=KEY).status_code == 200


@pytest.mark.parametrize("role", ["collect", "app", "all"])
def test_every_role_answers(tmp_path: Path, role: str) -> None:
    """Collectors are the ones who see the visitors' addresses."""
    assert ask(tmp_path, "8.8.8.8", {}, role=role)["ip"] == "8.8.8.8"


def test_decision_and_each_hop_are_told(tmp_path: Path) -> None:
    headers = {"x-forwarded-for": "6.6.6.6, 8.8.8.8, 10.0.0.9", "cf-connecting-ip": "7.7.7.7"}
    told = ask(tmp_path, "10.0.0.1", headers, trusted=["10.0.0.0/8"])
    assert (told["ip"], told["peer"], told["header"]) == ("8.8.8.8", "10.0.0.1", "x-forwarded-for")
    assert [(hop["text"], hop["ip"]) for hop in told["hops"]] == [("10.0.0.9", "10.0.0.9"), ("8.8.8.8", "8.8.8.8")]
    assert told["headers"] == {name: [value] for name, value in headers.items()}
    assert told["place"] == {"country": "US", "region": None, "city": None}
    assert told["explanation"] == [
        "The connection comes from 10.0.0.1.",
        "Proxies are believed from 10.0.0.0/8, in x-forwarded-for only.",
        "Hop 1 from the right: '10.0.0.9': a trusted proxy: passed over.",
        "Hop 2 from the right: '8.8.8.8': no trusted proxy: believed, what is left of it proves nothing.",
        "Believed: 8.8.8.8 (hop 2 from the right of x-forwarded-for: the first that is no trusted proxy).",
        "It is in US.",
        "FOOTFALL_IP is full: 8.8.8.8 is stored.",
    ]


def test_other_header_may_be_the_one(tmp_path: Path) -> None:
    headers = {"x-forwarded-for": "6.6.6.6", "forwarded": "for=8.8.8.8"}
    told = ask(tmp_path, "10.0.0.1", headers, trusted=["10.0.0.1"], proxy_header="forwarded")
    assert told["ip"] == "8.8.8.8"


@pytest.mark.parametrize(
    ("peer", "trusted", "headers", "advice"),
    [
        pytest.param(
            "10.0.0.1", [], {"x-forwarded-for": "8.8.8.8"}, "add 10.0.0.1 to FOOTFALL_TRUSTED_PROXIES", id="untrusted"
        ),
        pytest.param(
            "10.0.0.1", ["10.0.0.1"], {"cf-connecting-ip": "8.8.8.8"}, "FOOTFALL_PROXY_HEADER", id="other-header"
        ),
        pytest.param(
            "10.0.0.1", ["10.0.0.1"], {"x-forwarded-for": "172.16.0.4"}, "is no public address", id="private-result"
        ),
        pytest.param("", [], {"x-real-ip": "8.8.8.8"}, "add unix to FOOTFALL_TRUSTED_PROXIES", id="unix-socket"),
    ],
)
def test_advice_names_the_setting(
    tmp_path: Path, peer: str, trusted: list[str], headers: dict[str, str], advice: str
) -> None:
    assert advice in ask(tmp_path, peer, headers, trusted=trusted)["explanation"][-1]


@pytest.mark.parametrize(("policy", "stored"), [("truncated", "8.8.8.0"), ("none", None)])
def test_what_the_policy_stores_is_told(tmp_path: Path, policy: str, stored: str | None) -> None:
    told = ask(tmp_path, "8.8.8.8", {}, ip=policy)
    assert told["stored"] == stored
    assert told["explanation"][-1] == f"FOOTFALL_IP is {policy}: {stored or 'no address'} is stored."


def test_hostile_headers_are_shown_cut(tmp_path: Path) -> None:
    told = ask(tmp_path, "10.0.0.1", {"x-forwarded-for": "<b>" * 1000}, trusted=["10.0.0.1"])
    assert told["ip"] == "10.0.0.1"
    assert len(told["headers"]["x-forwarded-for"][0]) == 200
    assert all(len(hop["text"]) <= 200 for hop in told["hops"])
