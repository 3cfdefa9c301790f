"""What a person submits: a job's description, alone or as an array, and what it waits for."""

from enum import StrEnum

from msgspec import Struct

from idleq.ids import EntryId, Millis
from idleq.scheduler.core.resources import Resources

PYTHON = "{python}"
"""In an argv this stands for the node's interpreter."""


class FreezeMethod(StrEnum):
    """How a job can be stopped so that it can go on later."""

    #: By criu where the node can; else it is asked to save itself, if it listens to its signal; by what costs less once both were seen.
    AUTO = "auto"
    #: From outside, with all that its processes hold: it needs to know nothing of it.
    CRIU = "criu"
    #: The workload saves itself on a signal (the workload contract).
    APP = "app"
    #: It cannot: a stop loses what the segment did.
    NONE = "none"


class RuntimeWish(StrEnum):
    """What a job is to be run by."""

    #: What the node has: for an image podman before docker, for none plain processes.
    AUTO = "auto"
    #: Podman, and nothing else.
    PODMAN = "podman"
    #: Docker, and nothing else.
    DOCKER = "docker"
    #: Plain processes, without an image.
    PROCESS = "process"


class Mount(Struct, frozen=True, kw_only=True):
    """A file or folder of the node that a job in a container sees as *target*."""

    source: str
    target: str
    is_writable: bool = False


class Inputs(Struct, frozen=True, kw_only=True):
    """Files and folders that a job is given, copied when it was submitted: what becomes of them later changes nothing.

    Attributes:
        sources: what was copied; in the job each is called by the last part of its path.
        id: names the copy; empty as long as there is none.
        digest: of the copy's manifest.
        bytes: what it holds.
    """

    sources: tuple[str, ...]
    id: str = ""
    digest: str = ""
    bytes: int = 0


class JobSpec(Struct, frozen=True, kw_only=True):
    """What one job runs and what it needs; the same for every task of an array.

    Attributes:
        name: for people; a named workload's own name by default.
        argv: the program and its arguments; PYTHON stands for the node's interpreter.
        resources: what the job holds while it runs.
        environment: variables set for it, on top of the agent's own clean ones.
        labels: key and value pairs, for people and for filters.
        priority: higher goes first.
        expected_ms: how long it runs in all when nothing stops it, if that is known.
        max_run_ms: it fails once it has run this long in all.
        retries: how often a failure of the workload itself is tried again.
        freeze: how it is frozen.
        signal: the signal that asks it to save and leave.
        image: the image of its container; empty for a job that runs as a plain process.
        runtime: what it is to be run by.
        mounts: what it sees in its container besides its own folders.
        workdir: where its program starts, in the container if it has an image, else on the node; empty for its output folder.
        inputs: what it is given besides its program; None for nothing.
        outputs: what of its output folder is its result, by patterns; empty for all of it.
        reproducible: whether it goes on only where it computes alike, bit for bit: on the class of CPU that it was frozen on.
    """

    name: str
    argv: tuple[str, ...]
    resources: Resources
    environment: tuple[tuple[str, str], ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    priority: int = 0
    expected_ms: Millis | None = None
    max_run_ms: Millis | None = None
    retries: int = 0
    freeze: FreezeMethod = FreezeMethod.APP
    signal: str = "SIGUSR1"
    image: str = ""
    runtime: RuntimeWish = RuntimeWish.AUTO
    mounts: tuple[Mount, ...] = ()
    workdir: str = ""
    inputs: Inputs | None = None
    outputs: tuple[str, ...] = ()
    reproducible: bool = False


class ArrayRange(Struct, frozen=True):
    """The tasks first, first + step, ... up to last, of which at most *limit* run at once (None: no limit)."""

    first: int
    last: int
    step: int = 1
    limit: int | None = None

    def __len__(self) -> int:
        return (self.last - self.first) // self.step + 1

    def __contains__(self, index: object) -> bool:
        return index in range(self.first, self.last + 1, self.step)


class Submission(Struct, frozen=True, kw_only=True):
    """One job or one array of them, as it came in.

    Attributes:
        spec: what runs.
        array: the tasks, None for a single job.
        after: entries that must all be done first.
        after_here: the same for entries of this very call, by their place in it.
        held: whether it waits for a release.
    """

    spec: JobSpec
    array: ArrayRange | None = None
    after: tuple[EntryId, ...] = ()
    after_here: tuple[int, ...] = ()
    held: bool = False

    @property
    def tasks(self) -> int:
        """How many jobs this makes."""
        return 1 if self.array is None else len(self.array)
