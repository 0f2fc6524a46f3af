"""Rejected events go through the pipeline again, as they came: same payload, id, time, source and moment of receipt.

What is accepted leaves `rejected` in the transaction that makes it wait for the store, so that however often and by
however many it is replayed, it is stored once. What is still wrong stays, with its new reason.
    An event         runs with the context of its request.
    A whole request  (refused before its events could be told apart) stays: only its sender can send it properly.
    store_refused    was accepted before: it goes back to the store as it is.
    damaged          stays: nobody knows any more what it was.
"""

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID
from zlib import crc32

import orjson

from server.errors import EventRejected, Unavailable
from server.events.model import Source
from server.ingest.pipeline import Pipeline, encode
from server.ingest.queue import Queue
from server.ingest.queue_file import Record, Submission, add_count
from server.ingest.replay_context import decode_context
from server.sites import Site

Row = Mapping[str, Any]


@dataclass(slots=True)
class Replayed:
    """What became of a replay. Shape: remaining holds rejected_id, id, code and message of each that stays."""

    accepted: int = 0
    duplicate: int = 0
    remaining: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayer:
    """Replays rejected events. Errors: Unavailable when they cannot be made durable; then nothing has changed."""

    pipeline: Pipeline
    queue: Queue
    sites: Mapping[str, Site]

    async def replay(self, rows: Sequence[Row], *, is_dry: bool) -> Replayed:
        """Replay rows of `rejected`, each in a commit of its own; a dry run only says what would become of them."""
        outcome = Replayed()
        for row in rows:
            try:
                if row["code"] == "store_refused":
                    is_new = is_dry or await self._put_back(row)
                else:
                    submission = self._run(row)
                    is_new = self._leave_out(submission) if is_dry else await self._submit(row, submission)
            except EventRejected as error:
                if not is_dry:
                    await self._keep(row, error)
                outcome.remaining.append(
                    {
                        "rejected_id": row["seq"],
                        "id": row["event_id"],
                        "code": error.code,
                        "message": error.message,
                    }
                )
                continue
            outcome.accepted += is_new
            outcome.duplicate += not is_new
        return outcome

    def _run(self, row: Row) -> Submission:
        """Return the event as it is accepted now, with what brought its session. Errors: EventRejected."""
        site = self.sites.get(row["site"] or "")
        if site is None or row["context"] is None or row["code"] == "damaged":
            raise EventRejected(row["code"], row["message"])
        try:
            beacon = decode_context(row["context"], site, Source(row["source"]), row["received_at"])
            raw = orjson.loads(row["payload"])
        except ValueError as error:
            raise EventRejected("not_replayable", "The payload was too long to be kept whole.") from error
        if isinstance(raw, dict) and raw.get("id") is None:
            # one made anew at each replay would let two replays at once store it twice
            raw["id"] = self._id_of(row)
        origins = self.pipeline.origins
        try:
            draft = self.pipeline.run(beacon, raw)
        except Exception:
            origins.forget_unkept()  # the next request would commit it as its own
            raise
        record = Record(draft.event["site"], draft.event["id"], encode(draft))
        return Submission([record], (), [(*origin, 0) for origin in origins.take_new()])

    def _leave_out(self, submission: Submission) -> bool:
        """Forget what a dry run has not committed; return that it would be."""
        self.pipeline.origins.forget_unkept(submission.origins)
        return True

    def _id_of(self, row: Row) -> str:
        digest = hashlib.sha256(f"{self.queue.queue_id}/{row['seq']}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=4))

    async def _submit(self, row: Row, submission: Submission) -> bool:
        """Accept it and let it leave `rejected`; return False where it was stored already."""

        def leave(database: sqlite3.Connection) -> None:
            if _leave(database, row["seq"]):
                add_count(database, "replayed", "", 1)

        submission.work = leave
        try:
            (is_new,) = await self.queue.submit(submission)
        except Unavailable:
            self.pipeline.origins.forget_unkept(submission.origins)
            raise
        return is_new

    async def _put_back(self, row: Row) -> bool:
        """Have the store asked again for what it refused; its verdict was given long ago."""
        taken = False

        def put_back(database: sqlite3.Connection) -> None:
            nonlocal taken
            taken = _leave(database, row["seq"])
            if taken:
                event = row["payload"]
                database.execute("insert into waiting (event, crc) values (?, ?)", (event, crc32(event)))
                add_count(database, "put_back", "", 1)

        await self.queue.submit(Submission((), work=put_back))
        return taken

    async def _keep(self, row: Row, error: EventRejected) -> None:
        def keep(database: sqlite3.Connection) -> None:
            database.execute(
                "update rejected set code = ?, message = ? where seq = ? and code = ?",
                (error.code, error.message, row["seq"], row["code"]),
            )

        await self.queue.submit(Submission((), work=keep))


def _leave(database: sqlite3.Connection, seq: int) -> bool:
    return database.execute("delete from rejected where seq = ?", (seq,)).rowcount == 1
