"""A site whose queue chooses the nodes of main jobs itself."""

from collections.abc import Callable, Iterable, Sequence

from simpy import Environment

from idleq.ids import Millis
from idleq.simulator.events import WorldEvent
from idleq.simulator.jobs import MainJob, NodeSpec
from idleq.simulator.placement import Parts, Placement, Sharing
from idleq.simulator.queueing import Semantics
from idleq.simulator.queueing.policy import Choosing
from idleq.simulator.world import Foresight, World


class ChosenWorld(World):
    """A world in which a main job gets the nodes that its policy has chosen for it; the plan that it shows is a counted one."""

    def __init__(
        self,
        env: Environment,
        nodes: Sequence[NodeSpec],
        jobs: Iterable[MainJob],
        tell: Callable[[WorldEvent], None],
        *,
        policy: Choosing,
        semantics: Semantics = Semantics.PER_TIMESTAMP,
        grace_ms: Millis = Millis(0),
        sharing: Sharing = Sharing.NODES,
        placement: Placement = Placement.LOWEST,
        foresight: Foresight | None = None,
    ) -> None:
        self._chosen = policy.chosen
        super().__init__(
            env,
            nodes,
            jobs,
            tell,
            policy=policy,
            semantics=semantics,
            grace_ms=grace_ms,
            sharing=sharing,
            placement=placement,
            foresight=foresight,
        )

    def _placed(self, job: MainJob) -> Parts:
        return self._chosen(job)
