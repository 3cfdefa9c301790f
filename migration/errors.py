"""What can go wrong with processes, containers and snapshots.

MigrationError
├── StartFailed            a process could not be started, for now
│   ├── ProgramMissing     its program is not there or is no program
│   ├── EngineMissing      nothing on this node runs images
│   ├── ImageMissing       its image is not on this node
│   └── MountRefused       it would be shown what it may not see
├── ImageRefused           an engine would not take or make an image
├── FreezeFailed           a container could not be frozen; it goes on
├── ThawFailed             what was frozen does not go on here
├── FolderRefused          a folder holds something that cannot be taken along
├── SnapshotNotWritten     a snapshot or an output could not be written; nothing of it is left
├── SnapshotDamaged        a snapshot does not verify
│   ├── SnapshotLocked     no key here opens it
│   └── SnapshotUnfit      it cannot be thawed on this machine
└── KeyUnusable            the file of the keys that encrypt snapshots cannot be used
"""

from typing import ClassVar

from idleq.errors import IdleqError


class MigrationError(IdleqError):
    """Something with processes, containers or snapshots went wrong."""


class StartFailed(MigrationError):
    """The process could not be started, through no fault of its program."""

    exit_code: ClassVar[int] = 30
    transient: ClassVar[bool] = True


class ProgramMissing(StartFailed):
    """The program is not there or is no program; *code* is what a shell would answer (127, 126)."""

    exit_code: ClassVar[int] = 31
    transient: ClassVar[bool] = False

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class EngineMissing(StartFailed):
    """Nothing on this node runs images."""


class ImageMissing(StartFailed):
    """The image is not on this node, and images are not fetched when a job starts: bring it there by `idleq image load`."""

    exit_code: ClassVar[int] = 28

    @classmethod
    def of(cls, image: str) -> "ImageMissing":
        """Return what is said of *image* where an engine does not have it."""
        return cls(f"the image {image!r} is not on this node: bring it there by `idleq image load`")

    @classmethod
    def unlike(cls, image: str, had: str, here: str) -> "ImageMissing | None":
        """Return what is said where *image* is the one numbered *here*, and not that which was *had* by what was frozen; None if it is."""
        if not had or had == here:
            return None
        old, new = (number.removeprefix("sha256:")[:12] for number in (had, here))
        return cls(
            f"the image {image!r} on this node is another one ({new}) than what was frozen had ({old}): bring that one there"
        )


class ImageRefused(MigrationError):
    """An engine would not list, load or build an image."""

    exit_code: ClassVar[int] = 9


class MountRefused(StartFailed):
    """The container would be shown what it may not see."""

    exit_code: ClassVar[int] = 29
    transient: ClassVar[bool] = False


class FolderRefused(MigrationError):
    """The folder holds something that cannot be taken along."""

    exit_code: ClassVar[int] = 32


class SnapshotNotWritten(MigrationError):
    """Nothing was published; what was half written is removed."""

    exit_code: ClassVar[int] = 33
    transient: ClassVar[bool] = True


class SnapshotDamaged(MigrationError):
    """The snapshot does not verify."""

    exit_code: ClassVar[int] = 34


class FreezeFailed(MigrationError):
    """The container goes on as if nothing had been; if it *is_broken*, nobody knows how, and it has been killed.

    What *may_pass* was in the way for a moment only: the same freeze may succeed at once.
    """

    exit_code: ClassVar[int] = 25
    transient: ClassVar[bool] = True

    def __init__(self, message: str, *, is_broken: bool = False, may_pass: bool = False) -> None:
        super().__init__(message)
        self.is_broken, self.may_pass = is_broken, may_pass


class ThawFailed(MigrationError):
    """Nothing runs; what was frozen is as it was, and may go on elsewhere."""

    exit_code: ClassVar[int] = 26
    transient: ClassVar[bool] = True


class SnapshotLocked(SnapshotDamaged):
    """The snapshot is encrypted, and no key here opens it."""

    exit_code: ClassVar[int] = 78


class SnapshotUnfit(SnapshotDamaged):
    """The snapshot cannot be thawed on this machine."""

    exit_code: ClassVar[int] = 79


class KeyUnusable(MigrationError):
    """The file of the keys that encrypt snapshots cannot be used."""

    exit_code: ClassVar[int] = 80
