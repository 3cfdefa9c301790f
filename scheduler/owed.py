"""What the journal says that agents are owed: the commands that a crash may have kept from them."""

from collections.abc import Iterator

from idleq.scheduler.core.accept_agents import launch_command
from idleq.scheduler.core.commands import AgentCommand, Freeze, Kill, Replan
from idleq.scheduler.core.draft import Draft
from idleq.scheduler.core.job import Freezing, Job, Killing, Running, Starting
from idleq.scheduler.core.state import State


def owed_commands(state: State) -> Iterator[AgentCommand]:
    """Yield the last command about each segment that is not over; most are known to its agent, which then does nothing."""
    for allocation in state.allocations.values():
        for name in allocation.guests:
            yield from _about(state.jobs[name], state)


def _about(job: Job, state: State) -> Iterator[AgentCommand]:
    match job.state:
        case Starting(segment=segment):
            yield launch_command(Draft(state, state.now), job, segment)
        case Running(segment=segment):
            yield Replan(
                id=segment.command, allocation=segment.allocation, job=job.id, fence=segment.fence, plan=segment.plan
            )
        case Freezing(segment=segment, reason=reason, is_wish=is_wish):
            yield Freeze(
                id=segment.command,
                allocation=segment.allocation,
                job=job.id,
                fence=segment.fence,
                reason=reason,
                is_wish=is_wish,
            )
        case Killing(segment=segment, reason=reason):
            yield Kill(
                id=segment.command, allocation=segment.allocation, job=job.id, fence=segment.fence, reason=reason
            )
        case _:
            pass
