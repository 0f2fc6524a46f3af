"""What would become of events, without storing, counting or telling anybody anything. Called by web."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from server.errors import EventRejected
from server.ingest.beacon import Beacon
from server.ingest.origins import Origins
from server.ingest.pipeline import Pipeline
from server.ingest.queue import Queue
from server.ingest.receive import Outcome, add_warnings, verdict_on


def check_events(pipeline: Pipeline, queue: Queue, beacon: Beacon, events: Sequence[Any]) -> Outcome:
    """Return the verdicts that these events would get now; blocks shortly. Errors: sqlite3.Error.

    Shape:  as of a receipt: an id that is repeated among them is a duplicate after its first.
    """
    # origins of its own: a session must not remember what brought an event that never was
    trying = replace(pipeline, origins=Origins(lambda _: None))
    ids: list[tuple[str, str]] = []
    outcome = Outcome(0, 0, [], [])
    for index, raw in enumerate(events):
        try:
            draft = trying.run(beacon, raw)
        except EventRejected as error:
            outcome.rejected.append(verdict_on(index, raw, error))
            continue
        ids.append((draft.event["site"], draft.event["id"]))
        add_warnings(outcome.warnings, index, draft.corrections)
    new = set(ids) - queue.known_ids(set(ids))
    outcome.accepted, outcome.duplicate = len(new), len(ids) - len(new)
    return outcome
