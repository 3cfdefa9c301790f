"""What the agent works with on its node."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from structlog.typing import FilteringBoundLogger

from idleq.machines import Machine
from idleq.migration.packer import Packer
from idleq.migration.ports import Freezer, Meter, Runtime
from idleq.scheduler.agent.background import IDLE, Background
from idleq.scheduler.agent.folders import Scratch
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.reports import Reports, SegmentEnd
from idleq.scheduler.agent.room import Key, Room
from idleq.scheduler.agent.settings import AgentSettings
from idleq.scheduler.core.commands import Launch
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.ports import Clock


class AgentRuntime(Runtime, Meter, Freezer, Protocol):
    """A runtime that also measures and freezes, and ends with its agent."""

    def close(self) -> None:
        """Kill everything that still lives."""
        ...


@dataclass(slots=True)
class Node:
    """The guests here, those that wait for room, in their order, and all that they are served with.

    What leaves (freezes, saves, results) goes through *background*, what comes (thaws, containers) through *arrivals*: an engine that
    hangs over a start keeps nobody from leaving in time.
    """

    settings: AgentSettings
    paths: ServerPaths
    clock: Clock
    runtime: AgentRuntime
    reports: Reports
    background: Background
    arrivals: Background
    room: Room
    scratch: Scratch
    environment: Mapping[str, str]
    log: FilteringBoundLogger
    machine: Machine
    packer: Packer
    abilities: tuple[str, ...] = ()
    guests: dict[Key, Guest] = field(default_factory=dict)
    waiting: dict[Key, Launch] = field(default_factory=dict)

    def finish(self, guest: Guest, end: SegmentEnd) -> None:
        """Tell how the segment ended, and forget it."""
        self.reports.add(end)
        self.clear(guest)

    def clear(self, guest: Guest) -> None:
        """The guest holds nothing any more, its scratch is removed."""
        del self.guests[guest.key]
        self.room.give_back(guest.key)
        if not self.scratch.give_back(guest.folders):
            self.background.submit(IDLE, guest.folders.remove, lambda _: None, self._note_left_behind)

    def _note_left_behind(self, error: Exception) -> None:
        self.log.warning("agent.scratch_not_removed", reason=str(error))
