import tomllib
from pathlib import Path

import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA, is_crawler

from server.enrich.bots import DESCRIBED, HEADLESS, KNOWN, WEBDRIVER, bot_reason
from server.enrich.hints import create_hints

STRINGS = tomllib.loads((Path(__file__).parent / "user_agents.toml").read_text("utf-8"))
BOTS = {
    "chrome-headless": HEADLESS,
    "googlebot-smartphone": KNOWN,
    "googlebot-desktop": KNOWN,
    "curl": KNOWN,
    "unreadable": DESCRIBED,
}
# Its only instance is a person's: the first build of Android 15, an application made of a web page.
ON_THE_LIST_BY_MISTAKE = {r"AP3A\.240617\.008", "Fluid"}


@pytest.mark.parametrize("name", list(STRINGS))
def test_programs_are_told_from_people(name: str) -> None:
    assert bot_reason(STRINGS[name]["text"], False) == BOTS.get(name)


def test_every_instance_on_the_list_is_found() -> None:
    """The compiled patterns find what the package's own slow ones are made to find."""
    instances = [(entry["pattern"], text) for entry in CRAWLER_USER_AGENTS_DATA for text in entry["instances"]]
    missed = {pattern for pattern, text in instances if bot_reason(text, False) is None}
    assert len(instances) > 1000
    assert missed == ON_THE_LIST_BY_MISTAKE


@pytest.mark.parametrize("name", list(STRINGS)[::5])
def test_compiled_patterns_agree_with_the_package(name: str) -> None:
    text = STRINGS[name]["text"]
    assert (bot_reason(text, False) == KNOWN) == (is_crawler(text) and "Headless" not in text)


def test_driven_browser_says_so_itself() -> None:
    assert bot_reason(STRINGS["chrome-windows"]["text"], True) == WEBDRIVER
    assert bot_reason(None, True) == WEBDRIVER


@pytest.mark.parametrize("missing", [None, ""])
def test_missing_string_is_no_reason(missing: str | None) -> None:
    assert bot_reason(missing, False) is None


def test_only_the_beginning_is_looked_at() -> None:
    assert bot_reason(STRINGS["chrome-windows"]["text"] + " " * 1000 + "Googlebot/2.1", False) is None


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Mozilla/5.0 (compatible; ExampleBot/2.1; +https://example.com/bot)", id="unknown-bot"),
        pytest.param("example-fetcher/0.3", id="fetcher"),
        pytest.param("python-niquests/3.1", id="library"),
        pytest.param("Example/1.0 (+https://example.com/about; ops@example.com)", id="address"),
        pytest.param(
            "Mozilla/5.0 (Linux; Android 14; K) Chrome/130.0.0.0 Mobile Safari/537.36 (compatible; Exa/1)", id="mask"
        ),
        pytest.param("Zork", id="nothing-a-browser-says"),
    ],
)
def test_program_that_is_on_no_list_is_found(text: str) -> None:
    assert bot_reason(text, False) is not None


@pytest.mark.parametrize("model", ["CUBOT_NOTE 20", "Sonic", "Chirp", "Spider", "CL-BOT160L", "Discovery II"])
def test_phone_with_a_program_s_name_is_a_person_s(model: str) -> None:
    text = f"Mozilla/5.0 (Linux; Android 9; {model} Build/PQ1) AppleWebKit/537.36 Chrome/99.0.0.0 Mobile Safari/537.36"
    assert bot_reason(text, False) is None


@pytest.mark.parametrize(
    "text",
    [
        "ExampleApp/417 CFNetwork/1494.0.7 Darwin/23.4.0",
        "Dalvik/2.1.0 (Linux; U; Android 13; SM-S911B Build/TP1A.220624.014)",
        "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; EmbeddedWB 14.52 from: http://www.bsalsa.com/)",
        "Mozilla/5.0 (Linux; Android 15; RMX3990 Build/AP3A.240617.008; wv) Chrome/141.0.7390.98 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 9; V1 Build/PQ1; wv) Chrome/68.0.3440.106 Mobile Safari SogouMobileBrowser/6.1",
        "[FBAN/FB4A;FBAV/73.0.0.18.66;FBBV/28132076;FBMF/Example;FBDV/X1;FBSV/6.0;FBOP/1;]",
    ],
)
def test_app_is_a_person_s(text: str) -> None:
    assert bot_reason(text, False) is None


def test_browser_without_a_window_is_found_by_its_brand_alone() -> None:
    text = STRINGS["chrome-linux"]["text"]
    header = create_hints('"HeadlessChrome";v="139", "Chromium";v="139"', "?0", '"Linux"', None, 0)
    payload = {"fullVersionList": [{"brand": "HeadlessChrome", "version": "139.0.1.2"}]}
    assert bot_reason(text, False, header) == HEADLESS
    assert bot_reason(text, False, create_hints(None, None, None, payload, 0)) == HEADLESS
