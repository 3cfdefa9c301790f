"""What a container runtime does for its caller, whichever it is: plain processes, podman and docker behind the same words.

A container is named by its caller; the name goes into the container's environment as `IDLEQ_MARK`, with something that
tells one caller from another, and by that everything that descends from it is found again. Engines carry it as a label too.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NewType, Protocol

ContainerName = NewType("ContainerName", str)

INSIDE = Path("/run/idleq")
"""Where a guest in namespaces of its own sees its folders, on every node: what it has open there is found again after a move."""

MARK = "IDLEQ_MARK"


class RuntimeName(StrEnum):
    """What can run containers."""

    #: No engine: a tree of ordinary processes.
    PROCESS = "process"
    #: Podman, by its command line.
    PODMAN = "podman"
    #: Docker, by its engine's API.
    DOCKER = "docker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder of this machine as the container sees it, at *target*."""

    source: Path
    target: Path
    is_writable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One container to start, without a network.

    Attributes:
        name: the caller's name for it.
        argv: the program and its arguments.
        environment: all of its environment but the mark.
        folder: where it starts, as it sees it.
        stdout: appended to.
        stderr: appended to.
        cores: the only cores it may use; empty for no such limit.
        runtime: what runs it.
        image: what it sees as its root; empty for a plain process, which sees this machine's.
        mounts: what it sees besides. Of what is to be thawed elsewhere, the targets must be the same there; the sources need not.
        memory: the bytes that an engine limits it to; None for no such limit.
        core_time: to how many cores' worth of time an engine limits it, where it is bound to none; None for no such limit.
        may_freeze: whether it is to be frozen with all that it holds, for which a plain process is started in namespaces of its own.
    """

    name: ContainerName
    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    stdout: Path
    stderr: Path
    cores: frozenset[int] = frozenset()
    runtime: RuntimeName = RuntimeName.PROCESS
    image: str = ""
    mounts: Sequence[Mount] = ()
    memory: int | None = None
    core_time: int | None = None
    may_freeze: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """A container of which nothing lives any more.

    Attributes:
        name: its caller's name for it.
        code: its exit code, or minus the signal that ended it.
        lost: what went wrong around it, where that has ended it and not its program; empty otherwise.
        ran_out: whether the kernel has ended something in it that wanted more memory than it was ordered, it itself or not.
    """

    name: ContainerName
    code: int
    lost: str = ""
    ran_out: bool = False


class Runtime(Protocol):
    """Starts and ends containers."""

    def start(self, order: Order) -> None:
        """Start one.

        Raises:
            ProgramMissing: its program is not there or is no program.
            ImageMissing: its image is not on this node.
            StartFailed: the node cannot start it now.
        """
        ...

    def signal(self, name: ContainerName, number: int) -> None:
        """Send a signal to the container's first process; one that has ended takes none."""
        ...

    def hears(self, name: ContainerName, number: int) -> bool:
        """Whether the container's first process has a handler for that signal, which would otherwise just end it."""
        ...

    def kill(self, names: Collection[ContainerName]) -> None:
        """End these with all that descends from them; `ended` tells when nothing of them lives any more."""
        ...

    def ended(self) -> list[Ended]:
        """Return those that have ended since the last call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenState:
    """What a freeze has left: its bytes in the folder, and for how long the processes stood still until their memory was there."""

    bytes: int
    stopped_ms: int


class Freezer(Protocol):
    """Freezes running containers with all that they hold, their memory included, and lets them go on elsewhere.

    Both calls take seconds, and are made from other threads than the Runtime's: a freeze and a thaw may go on beside each other, and
    beside a thaw what starts a container.
    """

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        """Put everything of the container into the empty folder *into*; then it is gone, and `ended` does not tell of it.

        The folders that are mounted into it are not part of it: their content is the caller's to keep, and is as it was when
        the container stood still.

        Raises:
            FreezeFailed: it goes on as if nothing had been (or has ended meanwhile, or been killed because the engine left it
                broken, which `ended` tells); *into* may hold anything.
        """
        ...

    def thaw(self, order: Order, images: Path) -> None:
        """Let what was frozen into *images* go on as *order*, whose argv and environment are those that it was started with.

        One that is killed meanwhile has failed, where the runtime can end it then.

        Raises:
            ThawFailed: nothing of it runs, and what was frozen is as it was.
            StartFailed: the same, for want of something on this node, which says nothing of what was frozen.
            ImageMissing: so it is, and its image is not on this node.
        """
        ...


class Meter(Protocol):
    """Measures containers."""

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:
        """Return the bytes of memory that those use which use more than their limit."""
        ...
