"""The folder of the socket between processes: removed at the end, by the next start, and never under who listens."""

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.inner_socket import listen_inside, remove_socket


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of temporary files, a short one: a socket's path has at most 107 characters."""
    with tempfile.TemporaryDirectory(prefix="inner-") as made:
        monkeypatch.setattr(tempfile, "tempdir", made)
        yield Path(made)


def test_the_socket_has_its_folder_to_itself_and_takes_it_along(folder: Path) -> None:
    with listen_inside(1) as (inner, path):
        assert list(folder.iterdir()) == [path.parent]
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert list(path.parent.iterdir()) == [path]
        assert inner.getsockname() == str(path), "which tells systemd-tmpfiles that it is in use"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            inner.accept()[0].close()
    assert list(folder.iterdir()) == []
    remove_socket(path)  # by another process before: no error


def test_what_a_killed_one_left_is_removed_and_nothing_else(folder: Path) -> None:
    dead, empty, other = (folder / f"footfall-{name}" for name in ("dead", "empty", "other"))
    for each in (dead, empty, other):
        each.mkdir()
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(dead / "app"))
        killed.listen(1)
    (other / "app").write_text("no socket")
    (folder / "footfall-file").write_text("no folder")
    with listen_inside(1) as (_, first), listen_inside(1) as (_, second):
        left = {each.name for each in folder.iterdir()}
        assert left == {"footfall-empty", "footfall-other", "footfall-file", first.parent.name, second.parent.name}


@pytest.mark.usefixtures("folder")
def test_one_that_does_not_listen_yet_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    class Bound(socket.socket):
        def listen(self, *backlog: int) -> None:
            name = self.getsockname()
            with monkeypatch.context() as patch:
                patch.setattr(socket, "socket", socket_before)
                with listen_inside(1):
                    seen.append(Path(name).exists())
            super().listen(*backlog)

    socket_before = socket.socket
    monkeypatch.setattr(socket, "socket", Bound)
    with listen_inside(1) as (_, path):
        assert path.exists()
    assert seen == [True]


def test_a_socket_whose_listener_is_busy_stays(folder: Path) -> None:
    with listen_inside(0) as (_, path), socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))  # the backlog is full now
        with listen_inside(0):
            assert path.exists()
    assert list(folder.iterdir()) == []
