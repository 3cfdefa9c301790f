"""A small world for tests: built in one line, and everything it tells written down."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from simpy import Environment

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.resources import Resources
from idleq.simulator.events import MainStarted, NodeChanged, WorldEvent
from idleq.simulator.guests import Request
from idleq.simulator.jobs import MainJob, numbered_nodes
from idleq.simulator.kernel import advance
from idleq.simulator.world import World

NODE = Resources(cores=4, memory=4_000)
SMALL = Resources(cores=1, memory=100)


def main_job(number: int, submit: int, run: int, size: int = 1, limit: int | None = None) -> MainJob:
    return MainJob(id=number, submit=submit, run=run, limit=run if limit is None else limit, size=size)


@dataclass
class Site:
    """A world with its clock and its diary."""

    jobs: Iterable[MainJob] = ()
    nodes: int = 2
    node: Resources = NODE
    options: dict[str, Any] = field(default_factory=dict)
    diary: list[tuple[int, WorldEvent]] = field(default_factory=list)
    make: Callable[..., World] = World

    def __post_init__(self) -> None:
        self.env = Environment()
        specs = numbered_nodes(self.nodes, self.node)
        self.world = self.make(self.env, specs, self.jobs, self.note, **self.options)

    def note(self, event: WorldEvent) -> None:
        self.diary.append((int(self.env.now), event))

    def to(self, at: int) -> None:
        advance(self.env, at)

    def ask(
        self,
        name: str,
        *,
        node: str | None = None,
        mode: Mode = Mode.PREEMPTIBLE,
        resources: Resources = SMALL,
        shortest: int = 1,
        longest: int = 1_000_000,
        ends_by: int | None = None,
    ) -> AllocationId:
        allocation = AllocationId(name)
        self.world.request(
            Request(
                allocation=allocation,
                mode=mode,
                node=None if node is None else NodeName(node),
                resources=resources,
                min_ms=Millis(shortest),
                max_ms=Millis(longest),
                ends_by=None if ends_by is None else Millis(ends_by),
            )
        )
        advance(self.env, int(self.env.now))
        return allocation

    def told(self, *kinds: type) -> list[tuple[int, WorldEvent]]:
        """What was told of these kinds (of all but views if none is named), with its time."""
        return [
            (at, event)
            for at, event in self.diary
            if (isinstance(event, kinds) if kinds else not isinstance(event, NodeChanged))
        ]

    def starts(self) -> dict[int, int]:
        return {event.job.id: at for at, event in self.diary if isinstance(event, MainStarted)}


def in_seconds(jobs: Sequence[MainJob]) -> list[MainJob]:
    """Return *jobs* with each of their milliseconds a second: gaps are long enough to pay then."""
    return [replace(job, submit=job.submit * 1000, run=job.run * 1000, limit=job.limit * 1000) for job in jobs]
