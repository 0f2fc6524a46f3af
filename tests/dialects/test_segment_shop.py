"""Segment's shop events in our words; what comes out always passes the catalogue."""

from typing import Any

import pytest

from server.dialects.segment_shop import EVENTS, translate_shop
from server.events.catalogue import check_attributes, load_catalogue

SHOE = {
    "product_id": "p-1",
    "name": "Trail shoe",
    "url": "https://shop.example/shoe",
    "image_url": "https://shop.example/shoe.jpg",
    "price": 19.9,
    "quantity": 2,
}


@pytest.mark.parametrize(("name", "ours"), [("Product Viewed", "$product_viewed"), ("Product Added", "$cart_added")])
def test_product(name: str, ours: str) -> None:
    assert translate_shop(name, SHOE) == (
        ours,
        {
            "product_id": "p-1",
            "$name": "Trail shoe",
            "$url": "https://shop.example/shoe",
            "$img": "https://shop.example/shoe.jpg",
            "price": 19.9,
            "quantity": 2,
            "$amount": 19.9,
        },
    )


def test_cart_is_parallel_lists_with_places_for_what_is_missing() -> None:
    products = [SHOE, {"name": "Socks", "price": "5"}, {"price": "five", "url": 7}]
    assert translate_shop("Cart Viewed", {"cart_id": "c-1", "products": products}) == (
        "$cart_viewed",
        {
            "cart_id": "c-1",
            "products": products,
            "$name": ["Trail shoe", "Socks", None],
            "$url": ["https://shop.example/shoe", None, None],
            "$img": ["https://shop.example/shoe.jpg", None, None],
            "$amount": [19.9, "5", None],
        },
    )


@pytest.mark.parametrize(
    ("sums", "amount"),
    [
        ({"total": 20.5, "revenue": 19, "value": 18}, 20.5),
        ({"revenue": "19.00"}, "19.00"),
        ({"value": 18}, 18),
        ({"total": None, "revenue": "much", "value": True}, None),
        ({"total": 2**53 + 2}, None),
        ({"total": float("nan")}, None),
        ({"total": "9" * 400}, None),
    ],
)
def test_order_has_the_first_sum_that_is_one(sums: dict[str, Any], amount: Any) -> None:
    name, props = translate_shop("Order Completed", {"order_id": "o-1", **sums})
    assert (name, props.get("$order_id"), props.get("$order_amount")) == ("$order_completed", "o-1", amount)
    assert "order_id" not in props


@pytest.mark.parametrize("name", ["Order Completed", "Order Refunded", "Order Cancelled"])
@pytest.mark.parametrize("order_id", [None, "", True, ["o-1"], 1.5])
def test_order_without_an_id_stays_an_ordinary_event(name: str, order_id: Any) -> None:
    props = {"total": 5, "order_id": order_id}
    assert translate_shop(name, props) == (name, props)


@pytest.mark.parametrize("name", ["Checkout Step Viewed", "product viewed", "$order_paid", "Plan changed"])
def test_all_other_names_stay(name: str) -> None:
    assert translate_shop(name, SHOE) == (name, SHOE)


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize(
    "props",
    [
        {},
        {**SHOE, "order_id": 17, "products": [SHOE], "total": "12.50"},
        {"order_id": "o", "products": [], "price": "free", "name": None, "url": 7, "image_url": [], "total": 1e300},
        {"order_id": "o", "products": {"a": 1}, "price": float("inf"), "total": [1]},
        {"order_id": "o", "products": [1, 2], "price": "1" * 20, "name": {"a": 1}},
    ],
)
def test_what_comes_out_passes_the_catalogue(name: str, props: dict[str, Any]) -> None:
    ours, translated = translate_shop(name, dict(props))
    known = load_catalogue().get(ours)
    if known is not None:
        check_attributes(known, translated)  # raises when it refuses
    else:
        assert ours == name
        assert "order_id" not in props
