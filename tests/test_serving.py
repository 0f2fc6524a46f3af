"""What happens to the data folder before it is served."""

from pathlib import Path

import pytest

from server.errors import SettingsError
from server.restoring import READY, folder_in_use
from server.serving import hold_folder
from server.settings import Settings


@pytest.fixture
def begun(settings: Settings) -> Path:
    """Return the data folder, where a restore was killed before it moved its files."""
    (settings.data_dir / READY).mkdir(parents=True)
    (settings.data_dir / READY / "queue.sqlite").write_bytes(b"restored")
    return settings.data_dir


def test_a_restore_that_was_begun_is_finished_before_the_folder_is_served(settings: Settings, begun: Path) -> None:
    with hold_folder(settings):
        assert (begun / "queue.sqlite").read_bytes() == b"restored"
        assert not (begun / READY).exists()
        with folder_in_use(begun, alone=False):
            pass  # other servers share the folder


def test_a_restore_that_was_begun_is_not_finished_under_another_server(settings: Settings, begun: Path) -> None:
    with folder_in_use(begun, alone=False), pytest.raises(SettingsError, match="in use"), hold_folder(settings):
        pass
    assert not (begun / "queue.sqlite").exists()
