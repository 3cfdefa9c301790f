"""What nobody foresaw goes wrong with one guest: that one ends, with the reason told, and never the agent with all the others."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import assert_never

from idleq.scheduler.agent.decide import Phase, Stop
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.outcome import NOT_KEPT
from idleq.scheduler.core.inputs import CommandFailed, Exited


@contextmanager
def kept_to(node: Node, guest: Guest) -> Iterator[None]:
    """Let what is raised while something is done for *guest* end that guest only."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - whatever it is, the other guests have no part in it
        end(node, guest, error)


def of(node: Node, guest: Guest) -> Callable[[Exception], None]:
    """Return what to do when something fails that was begun for *guest* in the background."""
    return lambda error: end(node, guest, error)


def end(node: Node, guest: Guest, error: Exception) -> None:
    """See that nothing of the guest goes on, and that its end is told: now, or when its processes are gone."""
    launch, reason = guest.launch, f"the agent failed on it: {in_words(error)}"
    node.log.error("agent.guest_failed", job=launch.job, fence=launch.fence, reason=reason, exc_info=error)
    if node.guests.get(guest.key) is not guest:
        return  # its end is told already
    node.runtime.kill([guest.name])
    match guest.phase:
        case Phase.PREPARING:
            node.reports.add(CommandFailed(command=launch.id, reason=reason, transient=True))
            node.clear(guest)
        case Phase.RUNNING | Phase.FREEZING:
            guest.stop = guest.stop or Stop(launch.job, launch.fence, reason)
        case Phase.CLOSING:
            node.finish(
                guest,
                Exited(
                    job=launch.job, fence=launch.fence, code=NOT_KEPT, at=guest.ended_at, cause="agent", reason=reason
                ),
            )
        case _:
            assert_never(guest.phase)


def in_words(error: Exception) -> str:
    """Return *error* with its kind: what nobody foresaw seldom says all by its message."""
    return f"{type(error).__name__}: {error}"
