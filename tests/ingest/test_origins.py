"""A session's origin where several processes take in its events."""

from server.ingest.origins import DIRECT, Origin, OriginKey, Origins

NEWS = Origin({"channel": "email", "utm_source": "news"})
UNKNOWN = Origin({"channel": DIRECT})


def test_a_campaign_that_another_process_has_learnt_is_found() -> None:
    committed: dict[OriginKey, bytes] = {}
    here, there = (Origins(committed.get, is_shared=True) for _ in range(2))

    assert here.of_session("default", "s-1", UNKNOWN) == UNKNOWN
    assert there.of_session("default", "s-1", NEWS) == NEWS
    committed.update({(site, session): origin for site, session, origin in there.take_new()})

    assert here.of_session("default", "s-1", UNKNOWN) == NEWS
    assert here.known("default", "s-1") == NEWS
    assert here.take_new() == []


def test_what_is_not_known_is_asked_for_once_where_one_process_takes_in_all() -> None:
    asked: list[OriginKey] = []
    origins = Origins(asked.append)  # which returns None: nothing is ever found

    for _ in range(3):
        assert origins.of_session("default", "s-1", UNKNOWN) == UNKNOWN

    assert asked == [("default", "s-1")]
    assert origins.known("default", "s-1") is None


def test_what_brought_a_session_is_forgotten_with_each_erasure_and_not_remembered_meanwhile() -> None:
    committed: dict[OriginKey, bytes] = {}
    state = (1, False)
    origins = Origins(committed.get, erasures=lambda: state)
    key = ("default", "s-1")
    assert origins.of_session(*key, NEWS) == NEWS
    committed[key] = NEWS.encode()

    state = (2, True)
    origins.heed_erasures(1000)
    assert origins.known(*key) is None
    assert origins.of_session(*key, UNKNOWN) == NEWS  # not removed yet
    assert origins.known(*key) is None

    committed.clear()
    state = (2, False)
    origins.heed_erasures(1050)  # looked for a moment ago
    origins.heed_erasures(1100)
    assert origins.of_session(*key, UNKNOWN) == UNKNOWN
