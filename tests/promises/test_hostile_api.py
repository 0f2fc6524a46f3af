"""Whatever fits or breaks the API's own description gets an answer: never a 500, never one that the description denies.

Requests are made from `/openapi.json` by schemathesis, also against their schemas; a seed in the failure repeats them.
"""

import contextlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from server.web.openapi import openapi_document
from tests.promises.figures import Trial, note
from tests.real_server import RealServer, start_server

EXAMPLES = 8
MANY_EXAMPLES = 60
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
# a stream that does not end, and what writes wherever on this machine it is told to
LEFT_OUT = {"/api/live", "/api/backup"}
MODES = [GenerationMode.POSITIVE, GenerationMode.NEGATIVE]
OPERATIONS = [
    (method, path)
    for path, methods in openapi_document("")["paths"].items()
    if path not in LEFT_OUT
    for method in methods
]

pytestmark = [pytest.mark.promise, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    running = start_server(tmp_path_factory.mktemp("hostile") / "data")
    yield running
    assert running.is_running(), running.log()
    assert "Traceback" not in running.log()
    running.kill()


@pytest.fixture(scope="module")
def asked() -> Iterator[Counter[str]]:
    """Return how many requests were made, by mode; they are noted when all were answered."""
    counts: Counter[str] = Counter()
    yield counts
    what = "requests made from the API's description, which fit it or break it: a wrong answer"
    note(Trial(what, "requests", counts.total()))


@pytest.fixture(scope="module")
def api(server: RealServer) -> Any:
    return schemathesis.openapi.from_url(f"{server.base_url}/openapi.json")


@pytest.mark.parametrize("examples", [EXAMPLES, pytest.param(MANY_EXAMPLES, marks=pytest.mark.long)])
@pytest.mark.parametrize("mode", MODES, ids=["fits", "breaks"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_answers_whatever_comes(
    api: Any, server: RealServer, asked: Counter[str], method: str, path: str, mode: GenerationMode, examples: int
) -> None:
    """Where no request can break the description, because it describes none, there is nothing to try."""
    key = {"authorization": f"Bearer {server.secret_key}"}

    @given(case=api[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    def ask(case: Any) -> None:
        asked[mode.value] += 1
        case.call_and_validate(headers=key, checks=CHECKS)

    with contextlib.suppress(Unsatisfiable):
        ask()
