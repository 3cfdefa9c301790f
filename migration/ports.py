"""What a container runtime does for its caller, whichever it is: processes today, podman, docker and criu behind the same words.

A container is named by its caller; the name goes into the container's environment as `IDLEQ_MARK`, with something that
tells one caller from another, and by that everything that descends from it is found again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NewType, Protocol

ContainerName = NewType("ContainerName", str)

MARK = "IDLEQ_MARK"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One container to start.

    Attributes:
        name: the caller's name for it.
        argv: the program and its arguments.
        environment: all of its environment but the mark.
        folder: where it starts.
        stdout: appended to.
        stderr: appended to.
        cores: the only cores it may use; empty for no such limit.
    """

    name: ContainerName
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    stdout: Path
    stderr: Path
    cores: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Ended:
    """A container of which nothing lives any more; *code* is its exit code, or minus the signal that ended it."""

    name: ContainerName
    code: int


class Runtime(Protocol):
    """Starts and ends containers."""

    def start(self, order: Order) -> None:
        """Start one.

        Raises:
            ProgramMissing: its program is not there or is no program.
            StartFailed: the node cannot start it now.
        """
        ...

    def signal(self, name: ContainerName, number: int) -> None:
        """Send a signal to the container's first process; one that has ended takes none."""
        ...

    def kill(self, names: Collection[ContainerName]) -> None:
        """End these with all that descends from them; `ended` tells when nothing of them lives any more."""
        ...

    def ended(self) -> list[Ended]:
        """Return those that have ended since the last call."""
        ...


class Meter(Protocol):
    """Measures containers."""

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:
        """Return the bytes of memory that those use which use more than their limit."""
        ...
