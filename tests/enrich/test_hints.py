import pytest

from server.enrich.hints import (
    MAX_BRANDS,
    MAX_HEADER_CHARS,
    MAX_VALUE_CHARS,
    Hints,
    create_hints,
    header_brands,
    is_grease,
)


def test_headers_are_kept_and_the_payload_is_preferred() -> None:
    payload = {
        "mobile": False,
        "platform": "Windows",
        "platformVersion": "15.0.0",
        "model": "",
        "fullVersionList": [{"brand": "Brave", "version": "126.0.1.2"}],
        "brands": [{"brand": "Brave", "version": "126"}],
        "formFactors": ["Desktop"],
        "bitness": "64",
    }
    assert create_hints('"Brave";v="126"', "?1", '"Linux"', payload, 10) == Hints(
        brands='"Brave";v="126"',
        mobile="?0",
        platform="Windows",
        platform_version="15.0.0",
        full_version_list=(("Brave", "126.0.1.2"),),
        form_factors=("Desktop",),
        touch_points=10,
    )


def test_headers_alone_are_enough() -> None:
    assert create_hints('"Brave";v="1"', "?1", '"Android"', None, None) == Hints('"Brave";v="1"', "?1", "Android")


def test_major_versions_stand_in_when_the_full_ones_are_missing() -> None:
    hints = create_hints(None, None, None, {"brands": [{"brand": "Brave", "version": "126"}]}, 0)
    assert hints.full_version_list == (("Brave", "126"),)


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(None, id="none"),
        pytest.param("x", id="text"),
        pytest.param([1], id="list"),
        pytest.param(7, id="number"),
        pytest.param({"model": 7}, id="number-model"),
        pytest.param({"model": ["x"]}, id="list-model"),
        pytest.param({"model": {"x": 1}}, id="object-model"),
        pytest.param({"fullVersionList": "x"}, id="text-list"),
        pytest.param({"fullVersionList": {"brand": "x"}}, id="object-list"),
        pytest.param({"fullVersionList": [None]}, id="null-brand"),
        pytest.param({"fullVersionList": [{"brand": "x"}]}, id="no-version"),
        pytest.param({"fullVersionList": [{"brand": ["x"], "version": "1"}]}, id="list-brand"),
        pytest.param({"brands": [["brand", "x"]]}, id="list-pair"),
        pytest.param({"formFactors": [7]}, id="number-form"),
        pytest.param({"formFactors": [["x"]]}, id="list-form"),
        pytest.param({"platform": float("nan")}, id="nan"),
        pytest.param({"platformVersion": b"15"}, id="bytes"),
        pytest.param({"mobile": {"x": 1}}, id="object-mobile"),
    ],
)
def test_payload_counts_as_missing_when_no_browser_makes_it(payload: object) -> None:
    assert create_hints(None, "?1", '"Android"', payload, "x") == Hints(mobile="?1", platform="Android")


@pytest.mark.parametrize("points", [True, -1, 0, 5.0, "5", None, 10**30])
def test_touch_points_are_none_when_they_are_no_plausible_count(points: object) -> None:
    assert create_hints(None, None, None, None, points).touch_points == 0


def test_texts_are_cut_and_cleaned() -> None:
    payload = {
        "model": "SM\x00-\ud800S911B",
        "platformVersion": "9" * 100_000,
        "fullVersionList": [{"brand": "b" * 1000, "version": "1"}] * 1000,
        "formFactors": ["f" * 1000] * 1000,
    }
    hints = create_hints("x" * 100_000, None, None, payload, 0)
    assert hints.model == "SM-S911B"
    assert len(hints.brands or "") == MAX_HEADER_CHARS
    assert len(hints.platform_version) == MAX_VALUE_CHARS
    assert hints.full_version_list == (("b" * MAX_VALUE_CHARS, "1"),) * MAX_BRANDS
    assert hints.form_factors == ("f" * MAX_VALUE_CHARS,) * MAX_BRANDS


def test_header_brands_are_read_with_quotes_and_separators_in_names() -> None:
    raw = r'" Not;A, \"Brand";v="99", "Google Chrome";v="126",  "Chromium"; v="126"'
    assert header_brands(raw) == (('Not;A, "Brand', "99"), ("Google Chrome", "126"), ("Chromium", "126"))


@pytest.mark.parametrize(
    "brand",
    [
        pytest.param("Not/A)Brand", id="current"),
        pytest.param(" Not A;Brand", id="space"),
        pytest.param("Not?A_Brand", id="underscore"),
        pytest.param("(Not(A:Brand", id="bracket"),
        pytest.param("Not.A/Brand", id="dot"),
    ],
)
def test_made_up_brand_is_known(brand: str) -> None:
    assert is_grease(brand)


@pytest.mark.parametrize("brand", ["Chromium", "Notable Browser", "Brand", ""])
def test_real_brand_is_not_taken_for_a_made_up_one(brand: str) -> None:
    assert not is_grease(brand)
