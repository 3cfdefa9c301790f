"""agent.json: who the agent of an allocation is, so that it is found again and never doubled."""

import os
from dataclasses import dataclass
from pathlib import Path

from idleq.ids import NodeName
from idleq.processes import boot_id, read_process, started
from idleq.scheduler import codec
from idleq.scheduler.agent.errors import AgentRunning
from idleq.scheduler.atomic import write_atomically
from idleq.scheduler.errors import BadMessage


@dataclass(frozen=True, slots=True)
class Presence:
    """A process that no later one is taken for: its number, when it started (clock ticks since boot), and which boot."""

    pid: int
    started: int
    boot: str
    node: NodeName


def present(node: NodeName) -> Presence:
    """Return this very process."""
    me = read_process(os.getpid())
    assert me is not None
    return Presence(me.pid, me.started, boot_id(), node)


def claim(path: Path, mine: Presence) -> None:
    """Write *mine* to *path*.

    Raises:
        AgentRunning: the agent that is written there lives, or may: an allocation stays on its node, so one that was begun on
            another machine is a second job's.
    """
    try:
        other = codec.from_json(path.read_bytes(), Presence)
    except (FileNotFoundError, BadMessage):
        other = None
    if other is not None and other != mine and is_alive(other):
        raise AgentRunning(f"an agent of this allocation runs already (process {other.pid}); end it first")
    if other is not None and other.node != mine.node and other.boot != mine.boot:
        raise AgentRunning(f"an agent of this allocation was begun on {other.node}; this one, on {mine.node}, leaves")
    write_atomically(path, codec.to_json(mine))


def is_alive(other: Presence) -> bool:
    """Whether that process lives, on this machine since this boot; of others nobody here can say."""
    return other.boot == boot_id() and started(other.pid) == other.started
