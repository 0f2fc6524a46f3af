import pytest

from server.enrich.campaign import (
    CLICK_IDS,
    UTM_NAMES,
    click_ids_from_url,
    is_paid_click,
    utm_from_url,
    utm_from_values,
)

SHOP = "https://shop.example/shoes"


@pytest.mark.parametrize(
    ("url", "utm"),
    [
        pytest.param(f"{SHOP}?utm_source=news", {"utm_source": "news"}, id="one"),
        pytest.param(
            f"{SHOP}?utm_source=a&utm_medium=b&utm_campaign=c&utm_content=d&utm_term=e",
            dict(zip(UTM_NAMES, "abcde", strict=True)),
            id="all-five",
        ),
        pytest.param(f"{SHOP}?size=4&utm_term=red+shoes%21", {"utm_term": "red shoes!"}, id="decoded"),
        pytest.param(f"{SHOP}?utm_term=%D1%82%D0%B5%D1%81%D1%82", {"utm_term": "тест"}, id="cyrillic"),
        pytest.param(f"{SHOP}?utm_term=тест", {"utm_term": "тест"}, id="not-encoded"),
        pytest.param(f"{SHOP}?utm_source=a&utm_source=b", {"utm_source": "a"}, id="first-wins"),
        pytest.param(f"{SHOP}?utm_source=&utm_source=b", {"utm_source": "b"}, id="empty-is-none"),
        pytest.param(f"{SHOP}?utm_source=+%20", {}, id="spaces-are-none"),
        pytest.param(f"{SHOP}?utm_source", {}, id="no-value"),
        pytest.param(f"{SHOP}?utm_source=a=b", {"utm_source": "a=b"}, id="equals-sign"),
        pytest.param(
            f"{SHOP}?utm_source=a&amp;utm_medium=b", {"utm_source": "a", "utm_medium": "b"}, id="escaped-twice"
        ),
        pytest.param(f"{SHOP}?UTM_SOURCE=A&Utm_Medium=b", {"utm_source": "A", "utm_medium": "b"}, id="capitals"),
        pytest.param(f"{SHOP}?utm%5Fsource=a&%75tm_medium=b", {"utm_source": "a", "utm_medium": "b"}, id="names-too"),
        pytest.param(f"{SHOP}#utm_source=a", {"utm_source": "a"}, id="fragment"),
        pytest.param(f"{SHOP}#/cart?utm_source=a", {"utm_source": "a"}, id="fragment-of-a-router"),
        pytest.param(f"{SHOP}?x=1#utm_source=a", {}, id="query-beats-fragment"),
        pytest.param(f"{SHOP}?#utm_source=a", {"utm_source": "a"}, id="empty-query"),
        pytest.param(f"{SHOP}?utm_source=a#utm_source=b", {"utm_source": "a"}, id="both"),
        pytest.param(f"{SHOP}/utm_source=a", {}, id="path"),
        pytest.param(f"{SHOP}?my_utm_source=a&utm_id=7&utm_sourcex=1", {}, id="other-names"),
        pytest.param(f"{SHOP}?utm_source=%", {"utm_source": "%"}, id="broken-percent"),
        pytest.param(f"{SHOP}?utm_source=%FF", {"utm_source": "\ufffd"}, id="broken-utf8"),
        pytest.param(f"{SHOP}?utm_source=a%00%0A\ud800b", {"utm_source": "ab"}, id="controls"),
        pytest.param("", {}, id="empty"),
        pytest.param("\ud800?\x00", {}, id="hostile"),
    ],
)
def test_utm_values_are_read(url: str, utm: dict[str, str]) -> None:
    assert utm_from_url(url) == utm


@pytest.mark.parametrize("value", ["x", "%F0%9F%98%80", "%D1%82", "+x"])
def test_utm_value_is_cut_at_255_characters(value: str) -> None:
    found = utm_from_url(f"{SHOP}?utm_source={value * 20_000}")
    assert 254 <= len(found["utm_source"]) <= 255
    assert "%" not in found["utm_source"]
    assert "\ufffd" not in found["utm_source"]


def test_nineteen_click_ids_and_more_are_known() -> None:
    assert len(CLICK_IDS) >= 19


@pytest.mark.parametrize("name", sorted(CLICK_IDS))
def test_click_id_is_read(name: str) -> None:
    assert click_ids_from_url(f"{SHOP}?a=b&{name}=A-b_1&c=d") == {name: "A-b_1"}


@pytest.mark.parametrize(
    ("url", "click_ids"),
    [
        pytest.param(SHOP, {}, id="no-query"),
        pytest.param(f"{SHOP}?size=4", {}, id="none"),
        pytest.param(f"{SHOP}?ScCid=x", {"sccid": "x"}, id="spelled-as-snapchat-does"),
        pytest.param(f"{SHOP}?gclid=a&fbclid=b&gclid=c", {"gclid": "a", "fbclid": "b"}, id="several"),
        pytest.param(f"{SHOP}#gclid=a", {"gclid": "a"}, id="fragment"),
        pytest.param(f"{SHOP}?gclid=", {}, id="empty"),
        pytest.param(f"{SHOP}?xgclid=1&gclidx=2", {}, id="other-names"),
        pytest.param(f"{SHOP}?gclid={'a' * 1000}", {"gclid": "a" * 255}, id="long"),
    ],
)
def test_click_ids_are_read(url: str, click_ids: dict[str, str]) -> None:
    assert click_ids_from_url(url) == click_ids


def test_click_ids_of_unpaid_links_are_not_paid() -> None:
    assert is_paid_click({"gclid": "x", "fbclid": "y"})
    assert not is_paid_click({"fbclid": "y"})
    assert not is_paid_click({})


def test_utm_values_among_others_are_taken_by_name_and_cut() -> None:
    values = {"utm_source": "mail\x00", "utm_medium": 7, "utm_term": "", "utm_content": "x" * 300, "source": "no"}
    assert utm_from_values(values) == {"utm_source": "mail", "utm_content": "x" * 255}
    assert utm_from_values({"$utm_campaign": "a", "utm_source": "b"}, "$") == {"utm_campaign": "a"}
