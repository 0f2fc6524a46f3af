"""`python -m bench.places`: what address, place, referrer, campaign and channel cost, and how long hostile input takes.

Times of one thread; cold means that no cache knows the input. Each figure is the best of ROUNDS passes.
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Any

from server.enrich.campaign import click_ids_from_url, utm_from_url
from server.enrich.channels import channel_of
from server.enrich.client_ip import resolve_client_ip, truncate_ip
from server.enrich.geo import Geo
from server.enrich.page_url import split_url
from server.enrich.public_suffix import load_suffixes
from server.enrich.referrer import referrer_domain
from server.events.wire import MAX_KEPT_PAYLOAD_BYTES
from server.ingest.address_policy import scrub_payload
from server.proxies import parse_networks

ROUNDS = 3
CALLS = 2000  # fewer than the caches hold: the second pass over them is answered from memory
HOSTILE = 10_000
LONG = 100_000
MAX_MS = 5.0
SUSPICIOUS_MS = 0.5
TRUSTED = parse_networks(["10.0.0.0/8"])
GEO = Geo(None)
Call = Callable[[str], Any]

_PIECES = ["https://", "www.", ".", "/", "@", "?", "#", "&", "=", "%", "%F0", "utm_source=", "gclid=", ",", '"', "\\"]
_PIECES += [
    "for=",
    "::ffff:",
    "203.0.113.7",
    "10.0.0.1",
    "%eth0",
    "[",
    "]",
    ":",
    ";",
    "\x00",
    "\ud800",
    "é",
    " ",
    '"ip":"',
]

CALLS_BY_NAME: dict[str, Call] = {
    "X-Forwarded-For": lambda text: resolve_client_ip("10.0.0.1", [text], TRUSTED),
    "Forwarded": lambda text: resolve_client_ip("10.0.0.1", [text], TRUSTED, header="forwarded"),
    "CF-Connecting-IP": lambda text: resolve_client_ip("10.0.0.1", [text], TRUSTED, header="cf-connecting-ip"),
    "place (iptocc)": GEO.lookup,
    "truncated address": truncate_ip,
    "page address": split_url,
    "referrer": lambda text: referrer_domain(text, "shop.example"),
    "campaign": lambda text: (utm_from_url(text), click_ids_from_url(text)),
    "channel of a referrer": lambda text: channel_of(text, {}, is_paid_click=False),
    "channel of a tagged link": lambda text: channel_of(
        None, {"utm_source": text, "utm_medium": text}, is_paid_click=False
    ),
    "rejected payload": lambda text: scrub_payload(
        text.encode(errors="replace")[:MAX_KEPT_PAYLOAD_BYTES], "203.0.113.7", "truncated"
    ),
}


def main() -> None:
    """Print both tables. Errors: SystemExit when an input took more than MAX_MS milliseconds."""
    load_suffixes()
    source = random.Random(7)
    print(f"{'µs a call':26} {'cold':>8} {'cached':>8}")
    for name, call in CALLS_BY_NAME.items():
        cold, cached = _times_us(call, [_ordinary(name, source) for _ in range(CALLS * ROUNDS)])
        print(f"{name:26} {cold:8.2f} {cached:8.2f}")
    worst = {name: _worst_ms(call, source) for name, call in CALLS_BY_NAME.items()}
    print(f"\nslowest of {HOSTILE} hostile inputs of up to {LONG} characters, ms")
    for name, (duration_ms, _) in worst.items():
        print(f"{name:26} {duration_ms:8.2f}")
    slow = {name: text[:80] for name, (duration_ms, text) in worst.items() if duration_ms > MAX_MS}
    if slow:
        raise SystemExit(f"more than {MAX_MS} ms: {slow}")


def _times_us(call: Call, inputs: Sequence[str]) -> tuple[float, float]:
    """Return (cold, cached), each the best of ROUNDS passes over inputs of their own."""
    cold, cached = [], []
    for number in range(ROUNDS):
        part = inputs[number * CALLS : (number + 1) * CALLS]
        cold.append(_pass_us(call, part))
        cached.append(_pass_us(call, part))
    return min(cold), min(cached)


def _pass_us(call: Call, inputs: Sequence[str]) -> float:
    start = time.perf_counter()
    for text in inputs:
        call(text)
    return (time.perf_counter() - start) / len(inputs) * 1e6


def _ordinary(name: str, source: random.Random) -> str:
    """Return an input as real traffic brings it, rarely the same twice."""
    ip = ".".join(str(source.randrange(1, 255)) for _ in range(4))
    word = f"{source.randrange(10**7):x}"
    if name == "X-Forwarded-For":
        return f"6.6.6.6, {ip}, 10.0.0.9"
    if name == "Forwarded":
        return f'for=6.6.6.6, for="{ip}:4711";proto=https'
    if name in {"CF-Connecting-IP", "place (iptocc)", "truncated address"}:
        return ip
    if name.startswith("channel"):
        return f"{word}.example.co.uk"
    if name == "rejected payload":
        return f'{{"name":"","ip":"{ip}","props":{{"plan":"{word}"}}}}'
    return f"https://www.{word}.example.co.uk/shoes/{word}?utm_source=news&utm_medium=email&size=4"


def _worst_ms(call: Call, source: random.Random) -> tuple[float, str]:
    """Return the longest time and its input; what seems slow is tried again, because the machine pauses too."""
    worst = (0.0, "")
    for number in range(HOSTILE):
        text = "".join(source.choice(_PIECES) for _ in range(source.randrange(1, 12)))
        if number % 10 == 0:
            text = (text * (LONG // len(text) + 1))[:LONG]
        duration_ms = _pass_us(call, [text]) / 1000
        if duration_ms > SUSPICIOUS_MS:
            # with another end each time, so that no cache answers
            duration_ms = min(_pass_us(call, [f"{text}{end}"]) / 1000 for end in range(ROUNDS))
        worst = max(worst, (duration_ms, text))
    return worst


if __name__ == "__main__":
    main()
