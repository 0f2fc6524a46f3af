"""Overwrites the free pages of the queue's file, so that no byte of what was deleted stays. Called by the queue.

Each function is for one transaction of the committer, which answers who waits between two of them.
    fill_some   has the table `scrub` take a chunk of the free pages, full of zeros; as often as `count_chunks` said
    fill_rest   takes all that are free then: what was deleted before is on no page of the file any more. This is what
                the promise rests on, whatever others have taken and freed meanwhile; and because it takes all at once,
                it ends, however many they go on to free.
    give_back   frees some of those pages; without any left it drops the table
A kill leaves the table, which holds zeros; the next time goes on with it.
"""

import sqlite3

FILL_BYTES = 1024 * 1024
GIVEN_BACK_ROWS = 2  # each costs as much as to fill it: what is freed is overwritten
_CREATE = "create table if not exists scrub (zeros blob)"  # each time: another process may have come to the end


def count_chunks(database: sqlite3.Connection) -> int:
    """Return how many times `fill_some` is to be called: as there are whole chunks of free pages."""
    return _free_pages(database) // _chunk_pages(database)


def fill_some(database: sqlite3.Connection) -> None:
    """Overwrite one chunk of free pages."""
    database.execute(_CREATE)
    if free := _free_pages(database):
        _fill(database, free)


def fill_rest(database: sqlite3.Connection) -> None:
    """Overwrite all free pages."""
    database.execute(_CREATE)
    while free := _free_pages(database):
        _fill(database, free)


def give_back(database: sqlite3.Connection) -> bool:
    """Free some of the pages that were filled; return whether there are more. Without any the table goes."""
    database.execute(_CREATE)
    chosen = "select rowid from scrub order by rowid desc limit ?"
    if database.execute(f"delete from scrub where rowid in ({chosen})", (GIVEN_BACK_ROWS,)).rowcount:  # noqa: S608
        return True
    database.execute("drop table scrub")
    return False


def _fill(database: sqlite3.Connection, free: int) -> None:
    """Insert one row of zeros that takes as many free pages as a chunk has, and each of them whole.

    What does not fit into the row's own page goes to further ones (https://sqlite.org/fileformat2.html#b_tree_pages);
    SQLite leaves on the last of these what was there before, behind the row's end. So the row is as long as fills them
    all, and what is above that is within what its own page takes, with a few bytes to spare for its header.
    """
    page_bytes = _page_bytes(database)
    further = min(_chunk_pages(database), max(1, free - 1))
    least_on_own = (page_bytes - 12) * 32 // 255 - 23
    size_bytes = further * (page_bytes - 4) + least_on_own + 16
    database.execute("insert into scrub values (zeroblob(?))", (size_bytes,))


def _free_pages(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma freelist_count").fetchone()[0])


def _chunk_pages(database: sqlite3.Connection) -> int:
    return max(1, FILL_BYTES // _page_bytes(database))


def _page_bytes(database: sqlite3.Connection) -> int:
    return int(database.execute("pragma page_size").fetchone()[0])
