"""A disk that can be broken and mended under a running server: a library in front of the system's file calls.

There is no other way without a device of one's own. Built with the C compiler that is there; see failing_disk.c.
"""

import errno
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("failing_disk.c")


@dataclass(frozen=True, slots=True)
class FailingDisk:
    """Owns the library and the file that breaks the disk."""

    library: Path
    control: Path
    folder: Path

    def environment(self) -> dict[str, str]:
        """Return what a server has to be started with."""
        return {
            "LD_PRELOAD": str(self.library),
            "FAILING_DISK": str(self.control),
            "FAILING_FOLDER": f"{self.folder.resolve()}/",
        }

    def break_down(self, how: int) -> None:
        """Have every change of a file in the folder fail. Shape: how is an errno, such as EIO or EROFS."""
        partial = self.control.with_suffix(".partial")
        partial.write_text(str(how), encoding="ascii")
        partial.replace(self.control)

    def mend(self) -> None:
        """Have everything succeed again."""
        self.control.unlink()


def why_no_failing_disk() -> str | None:
    """Return why there can be none here, None when there can."""
    return None if shutil.which("cc") else "no C compiler (cc) is installed"


def make_failing_disk(workshop: Path, folder: Path) -> FailingDisk:
    """Return a disk that works. Errors: subprocess.CalledProcessError with the compiler's words."""
    library = workshop / "failing_disk.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o", library, SOURCE, "-ldl"], check=True)  # noqa: S607 - found on the PATH
    return FailingDisk(library, workshop / "failing", folder)


NAMES = {errno.EIO: "a disk that reports errors", errno.EROFS: "a disk that turns read-only"}
