import tomllib
from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler

from server.enrich.bots import HEADLESS, KNOWN, WEBDRIVER, bot_reason

STRINGS = tomllib.loads((Path(__file__).parent / "user_agents.toml").read_text("utf-8"))
BOTS = {"chrome-headless": HEADLESS, "googlebot-smartphone": KNOWN, "googlebot-desktop": KNOWN, "curl": KNOWN}


@pytest.mark.parametrize("name", list(STRINGS))
def test_programs_are_told_from_people(name: str) -> None:
    assert bot_reason(STRINGS[name]["text"], False) == BOTS.get(name)


def test_every_instance_on_the_list_is_found() -> None:
    """The compiled patterns find what the package's own slow ones are made to find."""
    instances = [text for entry in CRAWLER_USER_AGENTS_DATA for text in entry["instances"]]
    missed = [text for text in instances if bot_reason(text, False) is None]
    assert len(instances) > 1000
    assert missed == []


@pytest.mark.parametrize("name", list(STRINGS)[::5])
def test_compiled_patterns_agree_with_the_package(name: str) -> None:
    text = STRINGS[name]["text"]
    assert (bot_reason(text, False) is not None) == is_crawler(text)


def test_driven_browser_says_so_itself() -> None:
    assert bot_reason(STRINGS["chrome-windows"]["text"], True) == WEBDRIVER
    assert bot_reason(None, True) == WEBDRIVER


@pytest.mark.parametrize("missing", [None, ""])
def test_missing_string_is_no_reason(missing: str | None) -> None:
    assert bot_reason(missing, False) is None


def test_only_the_beginning_is_looked_at() -> None:
    assert bot_reason(STRINGS["chrome-windows"]["text"] + " " * 1000 + "Googlebot/2.1", False) is None
