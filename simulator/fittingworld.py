"""A site whose main jobs share nodes by cores and by memory, each holding what it asks for."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from simpy import Environment

from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.simulator.events import WorldEvent
from idleq.simulator.guests import Node
from idleq.simulator.jobs import MainJob, NodeSpec
from idleq.simulator.placement import Parts, Placement, SizeUnit
from idleq.simulator.queueing.fitting import Fitting
from idleq.simulator.world import Foresight, World


@dataclass(slots=True, kw_only=True, eq=False)
class FilledNode(Node):
    """A node on which each main job holds its own memory; *memory_of* says how much with each core."""

    memory_of: Mapping[int, int]

    def _reckon(self) -> None:
        spec = self.spec.resources
        memory = spec.memory - sum(cores * self.memory_of[job] for job, cores in self.jobs.items())
        # A log says nothing of GPUs: they go with the cores.
        gpus = spec.gpus * self.free_units // self.units
        self.room = Resources(self.free_units, memory, gpus)
        self.left = self.room - self.held


class FittingWorld(World):
    """A world under a policy that fits jobs into cores and memory; a main job gets the cores that it has chosen."""

    def __init__(
        self,
        env: Environment,
        nodes: Sequence[NodeSpec],
        jobs: Iterable[MainJob],
        tell: Callable[[WorldEvent], None],
        *,
        policy: Fitting,
        grace_ms: Millis = Millis(0),
        sharing: SizeUnit = SizeUnit.CORES,
        placement: Placement = Placement.LOWEST,
        foresight: Foresight | None = None,
    ) -> None:
        self._fitting = policy
        self._memory_of: dict[int, int] = {}
        super().__init__(
            env,
            nodes,
            jobs,
            tell,
            policy=policy,
            grace_ms=grace_ms,
            sharing=sharing,
            placement=placement,
            foresight=foresight,
        )
        self._nodes = [
            FilledNode(spec=node.spec, units=node.units, free_units=node.units, memory_of=self._memory_of)
            for node in self._nodes
        ]

    def _placed(self, job: MainJob) -> Parts:
        self._memory_of[job.id] = max(0, job.memory)
        return super()._placed(job)

    def _main_ended(self, job: MainJob) -> None:
        super()._main_ended(job)
        del self._memory_of[job.id]

    def _by_the_plan(self, now: Millis) -> dict[int, int]:
        """Plan as a queue would in which each of the first waiting jobs has a reservation of nodes."""
        ahead, first = self._fitting.ahead(now), dict[int, int]()
        for job in self._queue.waiting[: self._plan_depth]:
            if len(first) == len(self._nodes):
                break
            found = ahead.earliest(job, self._placement)
            if found is not None:
                start, parts = found
                ahead.take(start, job, parts)
                for node, _ in parts:
                    first[node] = min(start, first.get(node, start))
        return first
