"""Turns that say which they are."""

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Kill
from idleq.scheduler.core.facts import EntryReady, Fact
from idleq.scheduler.core.sitefacts import AllocationEnded
from idleq.scheduler.ports import Turn


def turn(number: int, *, reason: str = "gap ends") -> Turn:
    """Return turn *number*: two facts and a command that name it."""
    allocation, job = AllocationId(f"a{number}"), JobId(str(number))
    return Turn(
        at=Millis(1_700_000_000_000 + number),
        facts=(EntryReady(entry=EntryId(number)), AllocationEnded(allocation=allocation, reason=reason)),
        commands=(Kill(id=CommandId(number), allocation=allocation, job=job, fence=Fence(1), reason=reason),),
    )


def facts_of(*turns: Turn) -> list[tuple[Millis, Fact]]:
    """Return what a journal of *turns* holds."""
    return [(turn.at, fact) for turn in turns for fact in turn.facts]
