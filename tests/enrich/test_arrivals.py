"""Whole arrivals, address and referrer together, against documents that others wrote."""

import tomllib
from pathlib import Path

import pytest

from server.enrich.campaign import click_ids_from_url, is_paid_click, utm_from_url
from server.enrich.channels import channel_of
from server.enrich.referrer import referrer_domain

ARRIVALS = tomllib.loads((Path(__file__).parent / "arrivals.toml").read_text(encoding="utf-8"))["arrivals"]


@pytest.mark.parametrize(
    ("path", "referrer", "domain", "channel"),
    [pytest.param(*row[1:], id=f"{row[0]} {row[1]} {row[2]}") for row in ARRIVALS],
)
def test_arrival_is_called_what_it_is(path: str, referrer: str, domain: str, channel: str) -> None:
    url = f"https://shop.example{path}"
    found = referrer_domain(referrer, "www.shop.example")
    is_paid = is_paid_click(click_ids_from_url(url))
    assert (found or "", channel_of(found, utm_from_url(url), is_paid_click=is_paid)) == (domain, channel)
