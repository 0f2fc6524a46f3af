import tomllib
from pathlib import Path

import pytest
from user_agents.parsers import Device, UserAgent

from server.enrich import parsed_agent
from server.enrich.user_agent import Browser, Hints, create_hints, describe

STRINGS = tomllib.loads((Path(__file__).parent / "user_agents.toml").read_text("utf-8"))
NO_HINTS = Hints()

BRAVE = '"Chromium";v="126", "Brave";v="126", "Not/A)Brand";v="8"'
CHROME = '"Chromium";v="126", "Google Chrome";v="126", "Not/A)Brand";v="8"'
EDGE = '"Not/A)Brand";v="8", "Chromium";v="126", "Microsoft Edge";v="126"'
OPERA = '"Opera";v="112", "Not/A)Brand";v="8", "Chromium";v="126"'
WEBVIEW = '"Android WebView";v="126", "Chromium";v="126", "Not/A)Brand";v="8"'
YANDEX = '"Chromium";v="124", "YaBrowser";v="24.6", "Not-A.Brand";v="99", "Yowser";v="2.5"'


def browser_of(name: str) -> Browser:
    row = STRINGS[name]
    return Browser(**{field: row.get(field) for field in Browser.__slots__})


def describe_row(name: str, brands: str | None, mobile: str, platform: str, payload: object = None) -> Browser:
    return describe(STRINGS[name]["text"], create_hints(brands, mobile, f'"{platform}"', payload, 0))


def plain(device: Device) -> tuple[str | None, str | None]:
    """Return brand and model as far as they are used: apps name an iPhone's exact model, browsers do not."""
    brand, model = device.brand, device.model
    return brand and brand.removesuffix("_Tablet"), model and model.rstrip("0123456789,")


@pytest.mark.parametrize("name", list(STRINGS))
def test_string_is_described(name: str) -> None:
    assert describe(STRINGS[name]["text"], NO_HINTS) == browser_of(name)


@pytest.mark.parametrize("name", list(STRINGS))
def test_compiled_parser_gives_the_answers_of_the_library(name: str) -> None:
    """Our short cut around user-agents' constructor changes its speed only."""
    text = STRINGS[name]["text"]
    ours, theirs = parsed_agent.library_object(text), UserAgent(text)
    assert (ours.browser.family, ours.os.family) == (theirs.browser.family, theirs.os.family)
    assert plain(ours.device) == plain(theirs.device)
    assert (ours.is_tablet, ours.is_mobile, ours.is_pc) == (theirs.is_tablet, theirs.is_mobile, theirs.is_pc)


@pytest.mark.parametrize("missing", [None, ""])
def test_nothing_is_known_when_nothing_came(missing: str | None) -> None:
    assert describe(missing, NO_HINTS) == Browser(None, None, None, None, None, None)


def test_string_is_cut_when_it_is_long() -> None:
    text = STRINGS["chrome-windows"]["text"]
    assert describe(text + " " * 100_000 + "Edg/126.0", NO_HINTS) == browser_of("chrome-windows")


@pytest.mark.parametrize(
    ("name", "brands", "platform", "browser", "version"),
    [
        pytest.param("chrome-windows", BRAVE, "Windows", "Brave", "126", id="brave"),
        pytest.param("chrome-windows", CHROME, "Windows", "Chrome", "126.0.0", id="chrome"),
        pytest.param("edge-windows", EDGE, "Windows", "Edge", "126.0.2592", id="edge"),
        pytest.param("chrome-windows", EDGE, "Windows", "Edge", "126", id="edge-hides-in-string"),
        pytest.param("opera-windows", OPERA, "Windows", "Opera", "112.0.0", id="opera"),
        pytest.param("yandex-windows", YANDEX, "Windows", "Yandex Browser", "24.6.0", id="yandex-two-brands"),
        pytest.param("chrome-linux", '"Chromium";v="126"', "Linux", "Chromium", "126", id="chromium"),
        pytest.param("facebook-android", WEBVIEW, "Android", "Facebook", "468.0.0", id="app-beats-web-view"),
        pytest.param("yandex-app-android", CHROME, "Android", "Yandex Browser", "24.52", id="app-beats-chrome"),
        pytest.param("webview-android", WEBVIEW, "Android", "Chrome", "126.0.6478", id="web-view"),
        pytest.param("chrome-windows", '"Not/A)Brand";v="8"', "Windows", "Chrome", "126.0.0", id="grease-only"),
        pytest.param("chrome-windows", "rubbish", "Windows", "Chrome", "126.0.0", id="rubbish"),
    ],
)
def test_brand_names_the_browser(name: str, brands: str, platform: str, browser: str, version: str) -> None:
    found = describe_row(name, brands, "?0", platform)
    assert (found.browser, found.browser_version) == (browser, version)


def test_full_versions_of_the_payload_beat_the_header() -> None:
    full = [{"brand": "Not/A)Brand", "version": "8.0.0.0"}, {"brand": "Brave", "version": "126.0.6478.127"}]
    found = describe_row("chrome-windows", CHROME, "?0", "Windows", {"fullVersionList": full})
    assert (found.browser, found.browser_version) == ("Brave", "126.0.6478.127")


@pytest.mark.parametrize(
    ("name", "platform", "version", "system"),
    [
        pytest.param("chrome-windows", "Windows", "15.0.0", ("Windows", "11"), id="windows-11"),
        pytest.param("chrome-windows", "Windows", "13.0.0", ("Windows", "11"), id="windows-11-first"),
        pytest.param("chrome-windows", "Windows", "10.0.0", ("Windows", "10"), id="windows-10"),
        pytest.param("chrome-windows", "Windows", "0.3.0", ("Windows", "8.1"), id="windows-8.1"),
        pytest.param("chrome-windows", "Windows", "", ("Windows", "10"), id="windows-headers-only"),
        pytest.param("chrome-macos", "macOS", "14.5.0", ("macOS", "14.5"), id="macos"),
        pytest.param("chrome-android-phone-frozen", "Android", "14.0.0", ("Android", "14"), id="android"),
        pytest.param("chrome-chromeos", "Chrome OS", "", ("ChromeOS", "14541.0.0"), id="chromeos"),
        pytest.param("chrome-linux", "Android", "14", ("Android", "14"), id="desktop-site"),
        pytest.param("tv-android", "Linux", "", ("Android", "10"), id="linux-is-android-on-tv"),
        pytest.param("tv-webos", "Linux", "", ("webOS", None), id="linux-is-webos-on-tv"),
        pytest.param("harmonyos-phone", "Android", "", ("HarmonyOS", "5.0"), id="harmonyos"),
        pytest.param("chrome-windows", "Linux", "6.5", ("Linux", "6.5"), id="string-lies"),
        pytest.param("chrome-windows", "Unknown", "", ("Windows", "10"), id="unknown"),
        pytest.param("chrome-windows", "Windows", "x.y", ("Windows", "10"), id="rubbish-version"),
    ],
)
def test_platform_names_the_system(name: str, platform: str, version: str, system: tuple[str, str | None]) -> None:
    found = describe_row(name, CHROME, "?0", platform, {"platformVersion": version} if version else None)
    assert (found.os, found.os_version) == system


@pytest.mark.parametrize(
    ("name", "mobile", "payload", "device", "device_type"),
    [
        pytest.param("chrome-android-phone-frozen", "?1", None, "Other", "mobile", id="frozen-phone-headers-only"),
        pytest.param("chrome-android-tablet-frozen", "?0", None, "Other", "tablet", id="frozen-tablet-headers-only"),
        pytest.param(
            "chrome-android-phone-frozen", "?1", {"model": "SM-S911B"}, "Samsung SM-S911B", "mobile", id="phone-model"
        ),
        pytest.param(
            "chrome-android-phone-frozen", "?1", {"model": "SM-X200"}, "Samsung SM-X200", "tablet", id="tablet-model"
        ),
        pytest.param("chrome-android-phone-frozen", "?1", {"model": "ZX 9"}, "ZX 9", "mobile", id="unknown-model"),
        pytest.param(
            "chrome-android-phone-frozen", "?1", {"formFactors": ["Tablet"]}, "Other", "tablet", id="form-tablet"
        ),
        pytest.param(
            "chrome-android-phone-frozen", "?1", {"formFactors": ["Desktop"]}, "Other", "mobile", id="emulated-phone"
        ),
        pytest.param("chrome-android-tablet-frozen", "?0", {"formFactors": ["Mobile", "XR"]}, "Headset", None, id="xr"),
        pytest.param("chrome-android-phone-frozen", "?1", {"model": "BRAVIA 4K"}, "TV", None, id="tv-model"),
        pytest.param("chrome-linux", "?0", None, "Other", "tablet", id="desktop-site-on-tablet"),
        pytest.param("chrome-linux", "?1", None, "Other", "mobile", id="desktop-site-on-phone"),
        pytest.param("samsung-tablet-sends-mobile", "?1", None, "Samsung SM-T870", "tablet", id="tablet-says-mobile"),
    ],
)
def test_hints_tell_the_device(name: str, mobile: str, payload: object, device: str, device_type: str | None) -> None:
    found = describe_row(name, CHROME, mobile, "Android", payload)
    assert (found.device, found.device_type) == (device, device_type)


@pytest.mark.parametrize("name", [name for name, row in STRINGS.items() if row.get("device_type") == "tablet"])
def test_tablet_stays_one_when_the_header_says_mobile(name: str) -> None:
    assert describe(STRINGS[name]["text"], create_hints(None, "?1", None, None, 0)).device_type == "tablet"


def test_mac_with_a_touch_screen_is_an_ipad() -> None:
    text = STRINGS["safari-macos"]["text"]
    found = describe(text, create_hints(None, None, None, None, 5))
    assert found == Browser("Safari", "17.5", "iPadOS", "17.5", "Apple iPad", "tablet")
    assert describe(text, create_hints(None, None, None, None, 0)).os == "macOS"


def test_mac_that_names_its_platform_is_no_ipad() -> None:
    """A Mac's Chrome may see a touch screen that is plugged in; only Safari hides an iPad."""
    found = describe(STRINGS["chrome-macos"]["text"], create_hints(CHROME, "?0", '"macOS"', None, 5))
    assert (found.os, found.device_type) == ("macOS", "pc")


def test_hints_alone_describe_when_the_string_is_missing() -> None:
    found = describe(None, create_hints(EDGE, "?0", '"Windows"', {"platformVersion": "15.0.0"}, 0))
    assert (found.browser, found.os, found.os_version, found.device_type) == ("Edge", "Windows", "11", "pc")
