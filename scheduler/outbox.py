"""Commands that agents have not yet said they have.

The outbox lives in memory only, and loses nothing by it. A command gets here after the facts that decided it are in the
journal, and as long as an agent has not acted on a command, those facts say that it is owed: a segment that starts, that
was asked to freeze, that is to be killed. So after a restart the engine, told what exists (Reconciled, AgentReady), makes
every owed command again, with the id it had; and an agent that has it already answers with what came of it.
"""

import threading
from collections.abc import Callable, Sequence
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
    """Implements the port Agents; *on_post* is told which allocation has got something new, in the thread that sent it."""

    def __init__(self, on_post: Callable[[AllocationId, Envelope], None] = lambda _allocation, _envelope: None) -> None:
        self._lock = threading.Lock()
        self._owed: dict[AllocationId, dict[CommandId, Envelope]] = {}
        self._on_post = on_post

    def send(self, command: AgentCommand) -> None:
        """Leave *command* for the agent of its allocation; it is told again until the agent says that it has it."""
        envelope = seal(command)
        with self._lock:
            self._owed.setdefault(command.allocation, {})[command.id] = envelope
        self._on_post(command.allocation, envelope)

    def forget(self, allocation: AllocationId) -> None:
        """The allocation is over: its agent is owed nothing more."""
        with self._lock:
            self._owed.pop(allocation, None)

    def clear(self) -> None:
        """Nothing is owed: the engine was made anew from the journal and will say what is."""
        with self._lock:
            self._owed.clear()

    def acknowledge(self, allocation: AllocationId, have: Sequence[CommandId]) -> None:
        """The agent has these commands; they are not told again."""
        with self._lock:
            owed = self._owed.get(allocation)
            for command in have if owed else ():
                owed.pop(command, None)

    def owed(self, allocation: AllocationId) -> tuple[Envelope, ...]:
        """Return what the agent has not yet said it has, in the order of sending."""
        with self._lock:
            return tuple(self._owed.get(allocation, {}).values())


def seal(command: AgentCommand) -> Envelope:
    """Return *command* as its agent gets it."""
    kind, body = codec.encode(command)
    return Envelope(command.id, b'{"id":%d,"kind":"%s","body":%s}' % (command.id, kind.encode(), body))
