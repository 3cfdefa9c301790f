"""What the agent and the daemon say to each other, whatever carries it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from idleq.ids import CommandId, Millis
from idleq.scheduler.agent.reports import Report
from idleq.scheduler.core.commands import AgentCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the daemon says.

    Attributes:
        taken: it has every report up to this number.
        commands: what the agent has not yet said that it has.
        lease_ms: the agent may go on for this long from when it asked.
        leave: the allocation is over or unknown.
        daemon: changes whenever another daemon process answers.
        epoch: of that daemon: each is higher than those of the daemons before it.
        age_ms: how long before this question that one was asked which this answers (files may be slow).
    """

    taken: int
    commands: tuple[AgentCommand, ...]
    lease_ms: Millis
    leave: bool
    daemon: str
    epoch: int = 0
    age_ms: Millis = Millis(0)


class LinkDown(Exception):
    """The daemon cannot be reached now; the text says why."""


class Link(Protocol):
    """One line to the daemon, used by one thread."""

    def exchange(self, reports: Sequence[Report], have: Sequence[CommandId], wait_ms: Millis) -> Answer:
        """Tell *reports* and which commands have come, and wait up to *wait_ms* for new ones.

        Raises:
            LinkDown: nobody knows what of it was heard; everything may be said again.
        """
        ...
