"""What the daemon needs of the world, in our words. No call here waits for an outcome: outcomes come back as inputs."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.commands import AgentCommand, Command, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import Input


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> Millis:
        """Return milliseconds since the Unix epoch, never less than the time before."""
        ...


@dataclass(frozen=True, slots=True)
class Turn:
    """What one input led to; a turn is in the journal whole or not at all.

    Attributes:
        at: engine time of the turn.
        facts: in the order in which they were applied.
        commands: to be carried out once the turn is in the journal.
    """

    at: Millis
    facts: tuple[Fact, ...]
    commands: tuple[Command, ...]


class Journal(Protocol):
    """The truth, in order."""

    def append(self, turns: Sequence[Turn]) -> None:
        """Write *turns* durably, all or none.

        Raises:
            JournalUnavailable: nothing was written (disk full, database away).
        """
        ...

    def facts(self) -> Iterator[tuple[Millis, Fact]]:
        """Yield every fact with its time, oldest first."""
        ...


class Cluster(Protocol):
    """The site's scheduler. Asking twice for the same allocation makes one."""

    def request(self, command: RequestAllocation) -> None:
        """Ask for an allocation; the answer is AllocationGranted, AllocationLost or CommandFailed."""
        ...

    def release(self, command: ReleaseAllocation) -> None:
        """Give one back; AllocationLost follows."""
        ...

    def poll(self, known: Collection[AllocationId] = ()) -> Iterable[Input]:
        """Return what has changed since the last poll; the first poll tells everything (and begins with Reconciled).

        The engine counts with the allocations that are *known*: of those that are over the first poll tells how they have ended, if
        the site's scheduler still knows.
        """
        ...


class Agents(Protocol):
    """The agents on the nodes."""

    def send(self, command: AgentCommand) -> None:
        """Leave *command* for the agent of its allocation; it is told again until the agent says that it has it."""
        ...

    def forget(self, allocation: AllocationId) -> None:
        """The allocation is over: its agent is owed nothing more."""
        ...


class Results(Protocol):
    """The accepted results."""

    def publish(self, job: JobId, fence: Fence) -> None:
        """Make the segment's output the job's result; a second time changes nothing."""
        ...
