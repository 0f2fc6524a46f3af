import math
from copy import deepcopy
from typing import Any

import pytest

from server.errors import EventRejected
from server.events.catalogue import check_attributes, load_catalogue
from server.events.wire import decode

CATALOGUE = load_catalogue()


def check(name: str, props: dict[str, Any]) -> list[str]:
    """Check props in place and return the codes of the corrections."""
    event = CATALOGUE.get(name)
    assert event is not None
    return [correction.code for correction in check_attributes(event, props)]


def refusal(name: str, props: dict[str, Any]) -> str:
    """Return the code of the refusal, after making sure that the props are as they came."""
    before = deepcopy(props)
    with pytest.raises(EventRejected) as refused:
        check(name, props)
    assert props == before
    return refused.value.code


@pytest.mark.parametrize(
    ("value", "stored", "codes"),
    [
        pytest.param(12, 12, [], id="integer"),
        pytest.param(0, 0, [], id="zero"),
        pytest.param(-7, -7, [], id="negative"),
        pytest.param(12.0, 12, [], id="whole float"),
        pytest.param("12", 12, [], id="numeric text"),
        pytest.param(" +12 ", 12, [], id="numeric text with sign and blanks"),
        pytest.param("12.", 12, [], id="numeric text with a bare point"),
        pytest.param("1.2e1", 12, [], id="numeric text with exponent"),
        pytest.param(1990.49, 1990, ["rounded"], id="down"),
        pytest.param(1990.5, 1991, ["rounded"], id="half away from zero"),
        pytest.param(2.5, 3, ["rounded"], id="half not to even"),
        pytest.param(-2.5, -3, ["rounded"], id="negative half away from zero"),
        pytest.param(-0.4, 0, ["rounded"], id="to zero"),
        pytest.param(0.49999999999999994, 0, ["rounded"], id="just below half"),
        pytest.param("0.49999999999999999999", 0, ["rounded"], id="just below half as text"),
        pytest.param(".5", 1, ["rounded"], id="text without a leading zero"),
        pytest.param("1990.50", 1991, ["rounded"], id="kopecks as text"),
        pytest.param("1e-999999999", 0, ["rounded"], id="tiny exponent"),
        pytest.param(2**53, 2**53, [], id="largest"),
        pytest.param(-(2**53), -(2**53), [], id="smallest"),
        pytest.param("9007199254740992", 2**53, [], id="largest as text"),
    ],
)
def test_integer_is_rounded_half_away_from_zero(value: object, stored: int, codes: list[str]) -> None:
    props = {"$amount": value}
    assert check("$product_viewed", props) == codes
    assert props == {"$amount": stored}
    assert type(props["$amount"]) is int


@pytest.mark.parametrize(
    ("value", "code"),
    [
        pytest.param(True, "wrong_type", id="true"),
        pytest.param("", "wrong_type", id="empty text"),
        pytest.param("1 990", "wrong_type", id="grouped"),
        pytest.param("1990,50", "wrong_type", id="decimal comma"),
        pytest.param("1_000", "wrong_type", id="underscore"),
        pytest.param("0x10", "wrong_type", id="hexadecimal"),
        pytest.param("٣", "wrong_type", id="digits of another script"),
        pytest.param("nan", "wrong_type", id="nan as text"),
        pytest.param("1" * 8000 + "x", "wrong_type", id="many digits and a letter"),
        pytest.param(math.nan, "wrong_type", id="nan"),
        pytest.param(-math.inf, "wrong_type", id="infinity"),
        pytest.param([12], "wrong_type", id="list"),
        pytest.param({"value": 12}, "wrong_type", id="object"),
        pytest.param(2**53 + 1, "invalid_value", id="too large"),
        pytest.param(-1e300, "invalid_value", id="far too small"),
        pytest.param("9" * 8000, "invalid_value", id="thousands of digits"),
        pytest.param("1e999999999", "invalid_value", id="huge exponent"),
        pytest.param("1e" + "9" * 50, "invalid_value", id="exponent beyond every limit"),
    ],
)
def test_integer_refuses_what_is_no_number_within_its_range(value: object, code: str) -> None:
    assert refusal("$product_viewed", {"$name": 1, "$amount": value}) == code


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        pytest.param("A-1", "A-1", id="text"),
        pytest.param("", "", id="empty text"),
        pytest.param(100500, "100500", id="integer"),
        pytest.param(2**63 + 1, "9223372036854775809", id="64 bits and more"),
        pytest.param(10**5000, "1" + "0" * 5000, id="more digits than str allows"),
        pytest.param(7.0, "7", id="whole float"),
        pytest.param(-0.0, "0", id="negative zero"),
        pytest.param(2.0**53 - 1, "9007199254740991", id="largest float that is one number only"),
    ],
)
def test_id_becomes_text_silently(value: object, stored: str) -> None:
    props = {"$order_id": value}
    assert check("$order_paid", props) == []
    assert props == {"$order_id": stored}


@pytest.mark.parametrize("number", ["123456789012345678901", "-123456789012345678902", "1e21", "9007199254740992.0"])
def test_id_that_lost_digits_is_refused(number: str) -> None:
    assert refusal("$order_paid", {"$order_id": decode(number.encode())[0]}) == "wrong_type"


@pytest.mark.parametrize("value", [1.5, math.nan, math.inf, True, False, [1], {}])
def test_id_refuses_what_is_neither_text_nor_whole(value: object) -> None:
    assert refusal("$order_paid", {"$order_id": value}) == "wrong_type"


@pytest.mark.parametrize(
    ("value", "stored", "codes"),
    [
        pytest.param("Jack", "Jack", [], id="text"),
        pytest.param("", "", [], id="empty"),
        pytest.param("x" * 9000, "x" * 9000, [], id="long"),
        pytest.param(7, "7", ["converted"], id="integer"),
        pytest.param(1.5, "1.5", ["converted"], id="float"),
        pytest.param(True, "true", ["converted"], id="true"),
        pytest.param(False, "false", ["converted"], id="false"),
        pytest.param(10**5000, "1" + "0" * 5000, ["converted"], id="more digits than str allows"),
    ],
)
def test_text_takes_scalars_in_their_text_form(value: object, stored: str, codes: list[str]) -> None:
    props = {"$name": value}
    assert check("$product_viewed", props) == codes
    assert props == {"$name": stored}


@pytest.mark.parametrize("value", [["Jack"], {"en": "Jack"}, math.nan, math.inf])
def test_text_refuses_lists_objects_and_what_json_cannot_say(value: object) -> None:
    assert refusal("$product_viewed", {"$name": value}) == "wrong_type"


@pytest.mark.parametrize(
    ("value", "stored", "codes"),
    [
        pytest.param("я" * 255, "я" * 255, [], id="255 characters"),
        pytest.param("я" * 256, "я" * 255, ["truncated"], id="256 characters"),
        pytest.param("😀" * 300, "😀" * 255, ["truncated"], id="characters beyond the basic plane"),
        pytest.param(10**300, "1" + "0" * 254, ["converted", "truncated"], id="long number"),
    ],
)
def test_text_with_a_length_is_cut(value: object, stored: str, codes: list[str]) -> None:
    props = {"$conversation_id": "1", "$body": value}
    assert check("$conversation_user_started", props) == codes
    assert props == {"$conversation_id": "1", "$body": stored}


@pytest.mark.parametrize(
    ("name", "attribute", "values"),
    [
        ("$session_start", "$device_type", ["pc", "mobile", "tablet"]),
        ("$leave_site_attempt", "$trigger", ["pointer", "scroll", "back"]),
        ("$message_bounced", "$message_type", ["auto", "manual"]),
    ],
)
def test_closed_list_takes_its_values_only(name: str, attribute: str, values: list[str]) -> None:
    assert [check(name, {attribute: value}) for value in values] == [[]] * len(values)
    for wrong in ("", values[0].upper(), "other", 1, True):
        assert refusal(name, {attribute: wrong}) == "invalid_value"
    assert refusal(name, {attribute: [values[0]]}) == "wrong_type"


@pytest.mark.parametrize(
    ("value", "stored", "codes"),
    [
        ("popup_chat", "popup_chat", []),
        ("popup_big", "popup_big", []),
        ("popup_small", "popup_small", []),
        ("email", "email", []),
        ("lead_bot", "lead_bot", ["unknown_value"]),
        (5, "5", ["converted", "unknown_value"]),
    ],
)
def test_open_list_keeps_other_values_with_a_warning(value: object, stored: str, codes: list[str]) -> None:
    props = {"$message_id": "1", "$type": value}
    assert check("$message_read", props) == codes
    assert props == {"$message_id": "1", "$type": stored}


@pytest.mark.parametrize("props", [{}, {"$order_id": None}], ids=["missing", "null"])
def test_required_attribute_must_be_there(props: dict[str, Any]) -> None:
    assert refusal("$order_paid", props) == "missing_attribute"


def test_null_counts_as_missing_and_stays() -> None:
    props: dict[str, Any] = {"$order_id": "1", "$order_amount": None, "$order_id_human": None}
    assert check("$order_completed", props) == []
    assert props == {"$order_id": "1", "$order_amount": None, "$order_id_human": None}


def test_unlisted_properties_are_kept_untouched() -> None:
    extra = {"$items": [{"sku": 1}], "$currency": None, "mine": 1.5}
    props = {"$order_id": 1, **deepcopy(extra)}
    assert check("$order_completed", props) == []
    assert props == {"$order_id": "1", **extra}


@pytest.mark.parametrize("props", [{}, {"$utm_source": None}], ids=["missing", "null"])
def test_utm_attributes_are_always_present(props: dict[str, Any]) -> None:
    props["gclid"] = "abc"
    assert check("$utm_hit", props) == []
    assert props == {
        "$utm_source": "",
        "$utm_campaign": "",
        "$utm_medium": "",
        "$utm_content": "",
        "$utm_term": "",
        "gclid": "abc",
    }


@pytest.mark.parametrize(
    ("props", "stored", "codes"),
    [
        pytest.param({"$name": "A", "$amount": 10}, {"$name": ["A"], "$amount": [10]}, [], id="scalars"),
        pytest.param({"$name": []}, {"$name": []}, [], id="empty"),
        pytest.param({"$img": ["a.jpg", None]}, {"$img": ["a.jpg", None]}, [], id="null item"),
        pytest.param({"$name": None, "$img": ["a"]}, {"$name": None, "$img": ["a"]}, [], id="null list"),
        pytest.param({"$amount": "10.5"}, {"$amount": [11]}, ["rounded"], id="numeric text alone"),
        pytest.param({"$amount": [1.5, "2", 2.5]}, {"$amount": [2, 2, 3]}, ["rounded"], id="reported once"),
        pytest.param({"$name": [1, True]}, {"$name": ["1", "true"]}, ["converted"], id="converted"),
        pytest.param(
            {"$name": ["A", 2], "$amount": [1, 2.5]},
            {"$name": ["A", "2"], "$amount": [1, 3]},
            ["converted", "rounded"],
            id="two lists",
        ),
    ],
)
def test_cart_lists_are_checked_item_by_item(props: dict[str, Any], stored: dict[str, Any], codes: list[str]) -> None:
    assert check("$cart_viewed", props) == codes
    assert props == stored


@pytest.mark.parametrize(
    ("props", "code"),
    [
        pytest.param({"$name": ["A", "B"], "$amount": [10]}, "list_lengths_differ", id="lengths"),
        pytest.param({"$name": ["A", "B"], "$amount": 10}, "list_lengths_differ", id="list and scalar"),
        pytest.param({"$name": [], "$img": ["a"]}, "list_lengths_differ", id="empty and not"),
        pytest.param({"$name": [["A"]]}, "wrong_type", id="list in a list"),
        pytest.param({"$name": {"0": "A"}}, "wrong_type", id="object"),
        pytest.param({"$amount": [10, "much"]}, "wrong_type", id="item"),
        pytest.param({"$amount": [10, 2**60]}, "invalid_value", id="item out of range"),
    ],
)
def test_cart_lists_are_refused(props: dict[str, Any], code: str) -> None:
    assert refusal("$cart_viewed", props) == code


def test_form_fields_need_no_parallel_list() -> None:
    props: dict[str, Any] = {"$form": "f", "$fields": "email"}
    assert check("$form_sended", props) == []
    assert props == {"$form": "f", "$fields": ["email"]}


@pytest.mark.parametrize(
    ("name", "props", "message"),
    [
        ("$order_paid", {}, "$order_paid needs $order_id"),
        ("$product_viewed", {"$amount": "dear"}, "$amount must be a number, not text"),
        ("$order_paid", {"$order_id": True}, "$order_id must be text or a whole number, not true or false"),
        ("$message_spam", {"$message_type": "x"}, "$message_type must be one of: auto, manual"),
        (
            "$cart_viewed",
            {"$name": ["A"], "$img": []},
            "the lists of $cart_viewed have different lengths: $name 1, $img 0",
        ),
    ],
)
def test_refusal_says_what_is_wrong(name: str, props: dict[str, Any], message: str) -> None:
    event = CATALOGUE.get(name)
    assert event is not None
    with pytest.raises(EventRejected) as refused:
        check_attributes(event, props)
    assert refused.value.message == message
