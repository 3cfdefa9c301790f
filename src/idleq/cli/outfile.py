"""Files that a command writes for people: whole or not at all, and checked before anything long is done."""

from dataclasses import dataclass
from pathlib import Path

from idleq.errors import IdleqError


@dataclass(frozen=True, slots=True)
class OutFile:
    """Where something goes, and what is raised if it cannot go there.

    Attributes:
        path: where.
        error: what is raised.
        begins: how such a file begins; one that is there and begins otherwise is somebody's, and stays. None: it may be replaced.
    """

    path: Path
    error: type[IdleqError]
    begins: bytes | None = None

    def check(self) -> None:
        """Notice that it cannot be written; raises the error."""
        from idleq.scheduler.atomic import check_writable

        try:
            check_writable(self.path.absolute().parent)
        except OSError as error:
            raise self.error(
                f"{self.path} cannot be written: its folder must be there and be yours to write in ({error.strerror or error})"
            ) from error
        if self.path.is_dir():
            raise self.error(f"{self.path} cannot be written: it is a folder")
        if self.begins is not None and not self._is_such():
            raise self.error(f"{self.path} is something else already: give another name, or remove it first")

    def _is_such(self) -> bool:
        """Whether nothing would be lost: there is no file, an empty one, or an older one of this kind."""
        assert self.begins is not None  # asked only where files of the kind can be told
        try:
            with self.path.open("rb") as file:
                begin = file.read(len(self.begins))
        except FileNotFoundError:
            return True
        except OSError as error:
            raise self.error(f"{self.path} cannot be read: {error.strerror or error}") from error
        return not begin or begin == self.begins

    def write(self, content: bytes) -> None:
        """Write *content*; raises the error, and then what was there before is still there."""
        from idleq.scheduler.atomic import write_atomically

        try:
            write_atomically(self.path.absolute(), content, mode=0o644)
        except OSError as error:
            raise self.error(f"{self.path} cannot be written: {error.strerror or error}") from error
