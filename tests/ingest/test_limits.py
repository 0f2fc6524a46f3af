"""Limits on what strangers may send: evenly filling buckets, debts that are paid, memory that ends."""

import pytest

from server.errors import TooManyRequests
from server.ingest.limits import MAX_RETRY_AFTER_S, MINUTE_MS, Buckets, Limits
from tests.factories import NOW_MS, make_beacon


def test_a_minutes_events_pass_at_once_and_the_next_is_told_when_to_come() -> None:
    buckets = Buckets(60)
    assert [buckets.take("a", 1, NOW_MS) for _ in range(60)] == [0] * 60
    assert buckets.take("a", 1, NOW_MS) == 1
    assert buckets.take("a", 1, NOW_MS + 999) == 1
    assert buckets.take("a", 1, NOW_MS + 1000) == 0, "an empty bucket has one event after a second"
    assert buckets.take("b", 1, NOW_MS) == 0, "another name has a bucket of its own"


def test_a_batch_larger_than_the_limit_passes_once_and_is_paid_for() -> None:
    buckets = Buckets(60)
    assert buckets.take("a", 120, NOW_MS) == 0
    assert buckets.take("a", 1, NOW_MS) == 61
    assert buckets.take("a", 1, NOW_MS + MINUTE_MS) == 1
    assert buckets.take("a", 1, NOW_MS + MINUTE_MS + 1000) == 0


def test_whoever_obeys_the_answer_is_not_refused_twice() -> None:
    buckets = Buckets(7)
    now_ms = NOW_MS
    for _ in range(50):
        wait_s = buckets.take("a", 3, now_ms)
        if wait_s:
            now_ms += wait_s * 1000
            assert buckets.take("a", 3, now_ms) == 0


def test_asking_too_often_makes_nothing_worse() -> None:
    """A refused request costs nothing: a client that comes too early is not kept out for ever."""
    buckets = Buckets(60)
    buckets.take("a", 60, NOW_MS)
    for step_ms in range(0, 1000, 10):
        assert buckets.take("a", 1, NOW_MS + step_ms) == 1
    assert buckets.take("a", 1, NOW_MS + 1000) == 0


def test_the_wait_that_is_told_is_bounded() -> None:
    buckets = Buckets(1)
    buckets.take("a", 1000, NOW_MS)
    assert buckets.take("a", 1, NOW_MS) == MAX_RETRY_AFTER_S


def test_a_clock_that_is_set_back_gives_and_takes_nothing() -> None:
    buckets = Buckets(2)
    assert [buckets.take("a", 1, NOW_MS), buckets.take("a", 1, NOW_MS - 3_600_000)] == [0, 0]
    assert buckets.take("a", 1, NOW_MS - 3_600_000) > 0


def test_memory_is_bounded_whoever_comes() -> None:
    buckets = Buckets(5, size=100)
    for number in range(10_000):
        buckets.take(f"network-{number}", 5, NOW_MS)
    assert len(buckets) == 100
    assert buckets.take("network-9999", 1, NOW_MS) > 0, "the latest are remembered"


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("203.0.113.7", "203.0.113.250", True),
        ("203.0.113.7", "203.0.114.7", False),
        ("2001:db8:1:2::3", "2001:db8:1:ffff::1", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
    ],
)
def test_a_network_is_a_24_or_a_48(one: str, other: str, *, are_one: bool) -> None:
    limits = Limits(per_network=1)
    limits.take(make_beacon(ip=one), 1)
    if are_one:
        with pytest.raises(TooManyRequests) as refused:
            limits.take(make_beacon(ip=other), 1)
        assert (refused.value.code, refused.value.retry_after_s) == ("too_many_events_of_network", 60)
    else:
        limits.take(make_beacon(ip=other), 1)


def test_what_one_network_sends_too_much_is_not_taken_from_its_site() -> None:
    limits = Limits(per_network=1, per_site=3)
    limits.take(make_beacon(ip="203.0.113.7"), 1)
    for _ in range(10):
        with pytest.raises(TooManyRequests, match="network"):
            limits.take(make_beacon(ip="203.0.113.7"), 1)
    limits.take(make_beacon(ip="198.51.100.7"), 1)
    limits.take(make_beacon(ip="192.0.2.7"), 1)
    with pytest.raises(TooManyRequests, match="site"):
        limits.take(make_beacon(ip="192.0.3.7"), 1)


def test_the_secret_key_has_no_limit_and_no_limit_is_the_default() -> None:
    for _ in range(10):
        Limits(per_network=1, per_site=1).take(make_beacon(ip="203.0.113.7", is_trusted=True), 1000)
        Limits().take(make_beacon(ip="203.0.113.7"), 1000)
