"""Segment's shop events as ours: names and attributes. Source: Segment's "V2 Ecommerce Events" specification.

Properties without an attribute of ours stay as they are. Prices and sums stay too, beside our attribute: ours are
whole units. An order without the id that ours requires stays an ordinary event under Segment's name.
"""

import re
from collections.abc import Mapping
from math import isfinite
from typing import Any

from server.events.attribute_checks import MAX_INTEGER

Props = dict[str, Any]

EVENTS = {
    "Product Viewed": "$product_viewed",
    "Product Added": "$cart_added",
    "Cart Viewed": "$cart_viewed",
    "Checkout Started": "$order_started",
    "Order Completed": "$order_completed",
    "Order Refunded": "$order_refunded",
    "Order Cancelled": "$order_cancelled",
}
_PRODUCT_TEXTS = {"name": "$name", "url": "$url", "image_url": "$img"}
_SUMS = ("total", "revenue", "value")  # in the order in which they are asked for
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,10})?", re.ASCII)


def translate_shop(name: str, props: Props) -> tuple[str, Props]:
    """Return an event's name and properties in our words; both unchanged where ours has no such event."""
    ours = EVENTS.get(name)
    if ours is None:
        return name, props
    if ours in {"$product_viewed", "$cart_added"}:
        return ours, _product(props)
    if ours == "$cart_viewed":
        return ours, _cart(props)
    if ours == "$order_started":
        return ours, props
    return _order(name, ours, props)


def _product(props: Props) -> Props:
    moved = {_PRODUCT_TEXTS.get(name, name) if isinstance(value, str) else name: value for name, value in props.items()}
    amount = _amount(props.get("price"))
    return moved if amount is None else {**moved, "$amount": amount}


def _cart(props: Props) -> Props:
    """Return the products as parallel lists, with null where a product lacks something; and as they came."""
    products = props.get("products")
    if not isinstance(products, list) or not all(isinstance(each, Mapping) for each in products):
        return props
    lists: Props = {
        ours: [each.get(name) if isinstance(each.get(name), str) else None for each in products]
        for name, ours in _PRODUCT_TEXTS.items()
    }
    lists["$amount"] = [_amount(each.get("price")) for each in products]
    return {**props, **lists}


def _order(name: str, ours: str, props: Props) -> tuple[str, Props]:
    order_id = props.get("order_id")
    if isinstance(order_id, bool) or not isinstance(order_id, str | int) or order_id == "":
        return name, props
    rest = {key: value for key, value in props.items() if key != "order_id"}
    moved = {"$order_id": order_id, **rest}
    amount = next((found for key in _SUMS if (found := _amount(props.get(key))) is not None), None)
    if ours == "$order_completed" and amount is not None:
        moved["$order_amount"] = amount
    return ours, moved


def _amount(value: Any) -> Any:
    """Return a price that our attribute takes, as it came: the catalogue rounds it; None for what is no price."""
    if isinstance(value, str):
        return value if _NUMBER.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isfinite(value) and abs(value) <= MAX_INTEGER else None
