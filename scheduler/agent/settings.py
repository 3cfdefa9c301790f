"""What an agent is told when it is started."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from idleq.ids import AllocationId, Millis, NodeName
from idleq.migration.packer import Compression
from idleq.scheduler.core.resources import Resources


class Transport(StrEnum):
    """How the agent and the daemon reach each other."""

    #: HTTPS to the daemon.
    API = "api"
    #: Files in the shared server directory, for nodes that cannot reach the login node.
    SPOOL = "spool"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often things are looked at; all in milliseconds.

    Attributes:
        watch_ms: memory, progress and saves of the guests.
        wait_ms: how long the daemon may keep a question until it has a command.
        retry_ms: after a daemon that did not answer; doubled up to *retry_most_ms*.
        retry_most_ms: see retry_ms.
        farewell_ms: how long a leaving agent tries to tell its last reports; they are in its file anyway.
        first_lease_ms: how long it waits to hear from a daemon at all.
    """

    watch_ms: Millis = Millis(1000)
    wait_ms: Millis = Millis(1000)
    retry_ms: Millis = Millis(100)
    retry_most_ms: Millis = Millis(5000)
    farewell_ms: Millis = Millis(2000)
    first_lease_ms: Millis = Millis(120_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """One agent.

    Attributes:
        server_dir: the server directory, shared with the daemon.
        allocation: where it lives.
        node: the node it is on.
        scratch: the node's own disk, as far as this allocation may use it.
        resources: what it hands out to guests.
        until: when the allocation ends; None if nobody knows.
        grace_ms: from SIGTERM until everything here is killed.
        transport: how it reaches the daemon.
        pace: how often things are looked at.
        mount_roots: the folders of the node of which containers may be shown something.
        compression: whether snapshots are compressed.
        key_file: of the keys that encrypt them; None if nothing does.
        generations: how many snapshots of each job are kept.
        niceness: of guests that are plain processes; 19 leaves them what nobody else on the machine wants.
    """

    server_dir: Path
    allocation: AllocationId
    node: NodeName
    scratch: Path
    resources: Resources
    until: Millis | None = None
    grace_ms: Millis = Millis(30_000)
    transport: Transport = Transport.API
    pace: Pace = field(default_factory=Pace)
    mount_roots: tuple[str, ...] = ()
    compression: Compression = "auto"
    key_file: Path | None = None
    generations: int = 2
    niceness: int = 0
