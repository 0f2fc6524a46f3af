"""What processes count is added up; a slot half written is not read."""

from pathlib import Path

from server.ingest.accounts import Accounts
from server.ingest.queue import Queue
from server.ingest.tally import SLOT_BYTES, SharedTallies, Tally, go_on_from, tell


def test_tallies_of_all_slots_add_up_and_a_successor_goes_on(tmp_path: Path) -> None:
    queue = Queue(tmp_path / "queue.sqlite")
    accounts = Accounts()
    accounts.answers.update({200: 3, 404: 1})
    accounts.ignored_notices["calendly", "not_subscribed"] = 2
    accounts.last_received_ms["default"] = 7
    queue.commits = 5
    queue.commit_seconds.observe(0.003)
    shared = SharedTallies(2)
    assert shared.read_all() == []
    shared.write(0, tell(accounts, queue))
    shared.write(1, tell(accounts, queue))

    whole = Tally()
    for each in shared.read_all():
        whole.add(each)
    heir, his_queue = Accounts(), Queue(tmp_path / "another.sqlite")
    told = shared.read(0)
    assert told is not None
    go_on_from(told, heir, his_queue)
    queue.close()
    his_queue.close()

    assert (whole.answers, whole.commits, sum(whole.commit_seconds.counts)) == ({"200": 6, "404": 2}, 10, 2)
    assert whole.last_received_ms == {"default": 7}
    assert whole.ignored_notices == {("calendly", "not_subscribed"): 4}
    assert heir.ignored_notices == accounts.ignored_notices
    assert (heir.answers, his_queue.commits) == ({200: 3, 404: 1}, 5)


def test_a_slot_that_was_left_half_written_holds_nothing() -> None:
    shared = SharedTallies(1)
    shared.write(0, {"a": 1})
    shared._memory[12] ^= 1
    assert shared.read(0) is None


def test_what_does_not_fit_leaves_the_slot_as_it_was() -> None:
    shared = SharedTallies(1)
    shared.write(0, {"a": 1})
    shared.write(0, {"a": "x" * SLOT_BYTES})
    assert shared.read(0) == {"a": 1}
