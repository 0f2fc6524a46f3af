"""What the documentation says is so: codes, paths and targets exist, and those that exist are documented."""

import re
from pathlib import Path

import pytest

from server.routes import create_routes
from server.settings import Settings
from server.web.openapi import openapi_document

ROOT = Path(__file__).parent.parent
API_PAGE = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
SOURCES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "server").rglob("*.py")}


def codes_in(pattern: str) -> set[str]:
    return {code for source in SOURCES.values() for code in re.findall(pattern, source)}


def documented(start: str, end: str) -> set[str]:
    section = API_PAGE.split(start, 1)[1].split(end, 1)[0]
    return set(re.findall(r"`([a-z_0-9]+)`", section))


def test_every_code_of_a_rejected_event_is_documented_and_exists() -> None:
    raised = codes_in(r'EventRejected\(\s*"([a-z_]+)"') | {"store_refused"}
    assert documented("Codes of rejected events:", "\n\n") == raised


def test_every_code_of_a_warning_is_documented_and_exists() -> None:
    made = codes_in(r'\.correct\(\s*"([a-z_]+)"') | codes_in(r'Correction\(\s*"([a-z_]+)"')
    assert documented("Codes of warnings:", "\n\n") == made


@pytest.mark.parametrize("path", sorted(openapi_document("")["paths"]))
def test_every_path_of_the_openapi_document_is_documented_and_exists(path: str) -> None:
    assert path in API_PAGE
    known = {getattr(route, "path", "") for route in create_routes(Settings())} | {Settings().collect_path}
    assert path in known


def test_every_api_path_is_in_the_openapi_document() -> None:
    paths = {getattr(route, "path", "") for route in create_routes(Settings())}
    asked = {path for path in paths if path.startswith("/api/") and not path.endswith("/")}
    assert asked <= set(openapi_document("")["paths"])


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for page in ("README.md", "CONTRIBUTING.md", "docs/performance.md", "ARCHITECTURE.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        named = set(re.findall(r"(?:`|^)make ([a-z0-9]+)", text, re.MULTILINE))
        assert named <= targets, page


def test_every_file_named_in_the_architecture_exists() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    for name in re.findall(r"`((?:server|tracker_js|docs)/[\w/.*]+)`", text):
        assert list(ROOT.glob(name)), name


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "ARCHITECTURE.md",
        *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")),
    ],
)
def test_every_link_between_pages_leads_somewhere(page: str) -> None:
    file = ROOT / page
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8")):
        assert (file.parent / target).exists(), target


def test_the_readme_reaches_a_result_in_its_first_thirty_lines() -> None:
    head = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30]
    assert any("make run" in line for line in head)
    assert any("make test" in line for line in head)
    assert any("<script" in line for line in head)
