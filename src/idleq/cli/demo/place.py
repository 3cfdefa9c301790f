"""Where the demo keeps what it makes: the only place that knows a file's name in it."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from idleq.cli.errors import DemoFailed
from idleq.scheduler.paths import ServerPaths

LONGEST_ROOT = 60
"""A Unix socket's path ends at 108 bytes, and the embedded cluster has one further down."""

PICTURES = ("loss.png", "images.png")


@dataclass(frozen=True, slots=True)
class DemoPlace:
    """The demo's own directory; nothing outside it is touched."""

    root: Path

    @classmethod
    def create(cls, chosen: Path | None) -> "DemoPlace":
        """Make *chosen*, or a new directory among the temporary ones.

        Raises:
            DemoFailed: *chosen* holds something already, or its path is too long.
        """
        if chosen is None:
            return cls(Path(tempfile.mkdtemp(prefix="idleq-demo-")))
        root = chosen.absolute()
        if len(str(root).encode()) > LONGEST_ROOT:
            raise DemoFailed(
                f"{root} is too long a path for the sockets in it; choose one of {LONGEST_ROOT} bytes or less"
            )
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            is_used = any(root.iterdir())
        except OSError as error:
            raise DemoFailed(f"{root} cannot be used: {error.strerror}; choose another with --dir") from error
        if is_used:
            raise DemoFailed(f"{root} is not empty; choose another with --dir, or remove it")
        return cls(root)

    @property
    def server(self) -> ServerPaths:
        """The server directory of the demo's daemon."""
        return ServerPaths(self.root / "server")

    @property
    def data(self) -> Path:
        """The training's data set."""
        return self.root / "data"

    @property
    def alone(self) -> Path:
        """What the same job gives when nothing interrupts it."""
        return self.root / "uninterrupted"

    @property
    def alone_log(self) -> Path:
        """What that run printed."""
        return self.root / "uninterrupted.log"

    @property
    def report(self) -> Path:
        """The utilisation report."""
        return self.root / "report.html"

    @property
    def pictures(self) -> tuple[Path, ...]:
        """The loss curve, and a page of generated images."""
        return tuple(self.root / name for name in PICTURES)

    def keep_pictures(self, result: Path) -> None:
        """Copy the pictures out of the job's result."""
        for picture in self.pictures:
            shutil.copyfile(result / picture.name, picture)

    def tidy(self) -> None:
        """Remove all but the pictures and the report."""
        for directory in (self.server.root, self.data):
            shutil.rmtree(directory, ignore_errors=True)
        self.tidy_alone()

    def tidy_alone(self) -> None:
        """Remove what the uninterrupted run left."""
        shutil.rmtree(self.alone, ignore_errors=True)
        self.alone_log.unlink(missing_ok=True)
