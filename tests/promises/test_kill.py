"""Accepted means durable, exactly once: `kill -9` at random moments under load loses nothing, doubles nothing."""

import random

import pytest

from tests.promises.conftest import StartServer
from tests.promises.figures import Measured, Trial, note
from tests.promises.killing import kill_again_and_again

KILLS = 50
ROUNDS = 10
KILLS_OF_THE_FORGETFUL = 3

pytestmark = [pytest.mark.promise, pytest.mark.timeout(900)]


@pytest.mark.parametrize("_round", [0, *(pytest.param(each, marks=pytest.mark.long) for each in range(1, ROUNDS))])
def test_nothing_is_lost_or_doubled_when_killed_at_random_moments(
    start: StartServer, source: random.Random, _round: int
) -> None:
    """All that was ever acknowledged is stored once; what was not is sent again, so all that was sent is."""
    findings = kill_again_and_again(start, source, KILLS)
    acknowledged = len(findings.journal.acknowledged)
    note(
        Trial("`SIGKILL` at random moments under load: something lost or doubled", "kills", KILLS, findings.is_wrong),
        Trial("… an acknowledged event lost", "events", acknowledged, len(findings.lost)),
        Trial("… an event stored twice", "events", len(findings.stored), len(findings.twice)),
    )

    assert not findings.lost, findings
    assert not findings.twice, findings
    assert not findings.journal.oddities, findings
    assert findings.stored.keys() == findings.journal.sent, findings
    # the harness did what it is for: requests were cut off, duplicates were offered, writing was hit
    assert findings.journal.broken > 0, findings
    assert findings.journal.replays > 0, findings
    assert findings.aimed_kills > 0, findings


def test_the_loss_is_seen_when_a_server_acknowledges_from_memory(start: StartServer, source: random.Random) -> None:
    """The same kills on a server that writes later: were nothing lost here, the test above would prove nothing."""
    findings = kill_again_and_again(
        lambda: start(command=("-m", "bench.variants", "memory")), source, KILLS_OF_THE_FORGETFUL
    )

    seen = "a server that answers from memory, killed likewise: events lost, which the proof has to see"
    note(Measured(seen, len(findings.lost), "> 0"))

    assert findings.lost, findings
