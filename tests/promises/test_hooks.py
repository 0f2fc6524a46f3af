"""All vendors' webhooks against a real server that is killed, behind a network that fails: each thing told once."""

import time
import urllib.error
from collections import Counter
from http.client import HTTPException
from typing import Any

import pytest

from tests.fault_proxy import Fate, FaultProxy
from tests.hook_calls import AS_VARIABLE, HookCall, every_payload, signed
from tests.promises.conftest import StartServer
from tests.real_server import Reply, fetch

pytestmark = [pytest.mark.promise, pytest.mark.timeout(120)]
MOST_TRIES = 10
HOOKS = {"FOOTFALL_HOOKS": AS_VARIABLE}


def deliver(proxy: FaultProxy, vendor: str, payload: Any) -> list[Reply]:
    """Send a call as vendors do, signed anew and again until it is answered with 200; return all answers."""
    answers: list[Reply] = []
    for _ in range(MOST_TRIES):
        call = signed(vendor, payload, sent_s=int(time.time()))
        try:
            answers.append(post(proxy.base_url, call))
        except (OSError, HTTPException, urllib.error.URLError):
            continue
        if answers[-1].status == 200:
            return answers
    raise AssertionError(f"{vendor} gave up: {[each.status for each in answers]}")


def post(base_url: str, call: HookCall) -> Reply:
    return fetch(base_url + call.path, headers=call.headers, body=call.body)


def test_what_vendors_tell_is_stored_once_through_faults_and_kills(start: StartServer) -> None:
    server = start(environment=HOOKS)
    proxy = FaultProxy(server.port)
    told: Counter[str] = Counter()
    duplicates = 0
    try:
        for number, (vendor, payload) in enumerate(every_payload()):
            verdicts = deliver(proxy, vendor, payload)[-1].json()
            assert (verdicts["rejected"], verdicts["ignored"]) == ([], [])
            told[vendor] += verdicts["accepted"] + verdicts["duplicate"]
            duplicates += verdicts["duplicate"]
            if number % 6 == 5:  # at once after an answer: what was acknowledged is there
                server.kill()
                server = start(environment=HOOKS)
                proxy.server_port = server.port
    finally:
        proxy.close()
    assert {fate for fate in Fate if proxy.met[fate]} == set(Fate), "each fault happened"
    assert duplicates > 0, "some answers were lost"

    server.wait_until_stored()
    events = server.get("/api/events?limit=1000").json()["events"]
    assert {each["source"] for each in events} == {"webhook"}
    assert len(events) == told.total() == len({each["id"] for each in events})
    assert set(told) == {"calendly", "chatwoot", "facebook", "mailgun", "postmark", "sendgrid", "zoom"}
    assert server.get("/api/rejected").json()["rejected"] == []


def test_strangers_are_refused_by_every_vendors_address(start: StartServer) -> None:
    server = start(environment=HOOKS)
    for vendor, payload in every_payload():
        call = signed(vendor, payload, sent_s=int(time.time()), is_wrong=True)
        answer = post(server.base_url, call)
        assert (answer.status, answer.json()["error"]["code"]) == (401, "wrong_signature")
        bare = post(server.base_url, HookCall(vendor=vendor, body=call.body if vendor != "mailgun" else b"{}"))
        assert (bare.status, bare.json()["error"]["code"]) == (401, "missing_signature")
    assert server.metric("footfall_events_received_total") == 0


def test_without_a_secret_no_vendor_may_call(start: StartServer) -> None:
    server = start()
    for vendor, payload in every_payload():
        answer = post(server.base_url, signed(vendor, payload, sent_s=int(time.time())))
        assert (answer.status, answer.json()["error"]["code"]) == (404, "hook_not_set_up")
