"""Commands that agents have not yet said they have.

The outbox lives in memory only, and loses nothing by it. A command gets here after the facts that decided it are in the
journal, and until the segment it is about has ended, those facts say what is wanted of it: that it starts, is frozen, is
killed, or goes by this plan. So after a restart the commands are made again from the state (see owed.py), with the ids that
they had; an agent that has one already does nothing, or answers again with what came of it.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from idleq.ids import AllocationId, CommandId
from idleq.scheduler import codec
from idleq.scheduler.core.commands import AgentCommand


@dataclass(frozen=True, slots=True)
class Envelope:
    """A command as the agent gets it: its id, and the JSON of {"id", "kind", "body"}."""

    id: CommandId
    payload: bytes


class Outbox:
    """Implements the port Agents for those who fetch their commands by the API."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owed: dict[AllocationId, dict[CommandId, Envelope]] = {}

    def send(self, command: AgentCommand) -> None:
        """Leave *command* for the agent of its allocation; it is told again until the agent says that it has it."""
        envelope = seal(command)
        with self._lock:
            self._owed.setdefault(command.allocation, {})[command.id] = envelope

    def forget(self, allocation: AllocationId) -> None:
        """The allocation is over: its agent is owed nothing more."""
        with self._lock:
            self._owed.pop(allocation, None)

    def acknowledge(self, allocation: AllocationId, have: Sequence[CommandId]) -> None:
        """The agent has these commands; they are not told again."""
        with self._lock:
            owed = self._owed.get(allocation, {})
            for command in have:
                owed.pop(command, None)

    def owed(self, allocation: AllocationId) -> tuple[Envelope, ...]:
        """Return what the agent has not yet said it has, in the order of sending."""
        with self._lock:
            return tuple(self._owed.get(allocation, {}).values())


def seal(command: AgentCommand) -> Envelope:
    """Return *command* as its agent gets it."""
    kind, body = codec.encode(command)
    return Envelope(command.id, b'{"id":%d,"kind":"%s","body":%s}' % (command.id, kind.encode(), body))
