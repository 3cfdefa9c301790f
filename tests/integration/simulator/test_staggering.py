"""Many nodes whose gaps end at once, and a file system that does not take what all their guests would write then."""

from dataclasses import dataclass

from idleq.ids import Millis
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.facts import PlanMoved, SegmentFrozen, SegmentLost
from idleq.scheduler.core.inputs import JobsSubmitted
from idleq.scheduler.core.policy import HOUR, MINUTE, SECOND, Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, JobSpec, Submission
from idleq.simulator.agents import GuestCosts
from idleq.simulator.experiment import Experiment
from idleq.simulator.jobs import MainJob, numbered_nodes

IDLE = 32
NODE = Resources(cores=1, memory=4_000)
MB = 1_000_000
END = Millis(2 * HOUR)
GUESTS = JobSpec(name="guest", argv=("guest",), resources=NODE, expected_ms=Millis(100 * HOUR))
COSTS = GuestCosts(
    freeze_ms=Millis(SECOND), thaw_ms=Millis(SECOND), save_ms=Millis(SECOND), bytes=1000 * MB, bandwidth=400 * MB
)
"""Each guest's gigabyte is written in two and a half seconds where nobody else writes, in 80 where all 32 do."""

BIG = (
    MainJob(id=1, submit=0, run=END, limit=END, size=1),
    MainJob(id=2, submit=1, run=MINUTE, limit=MINUTE, size=IDLE + 1),
)
"""One node is busy until the end; then the second wants all of them."""


def policy(shared_bandwidth: int, mode_of: int = 200 * MB) -> Policy:
    return Policy(
        grace_ms=Millis(0),
        max_allocation_ms=Millis(10 * HOUR),
        max_pending=100,
        ramp_start=100,
        freeze_ms=Millis(SECOND),
        thaw_ms=Millis(SECOND),
        bandwidth=mode_of,
        shared_bandwidth=shared_bandwidth,
    )


@dataclass(frozen=True)
class Came:
    """What became of the guests at the end, and how long before it the first was frozen."""

    frozen: int
    lost: int
    first_ms: int
    last_ms: int
    replans: int


def at_the_end(shared_bandwidth: int) -> Came:
    run = Experiment(Engine(policy(shared_bandwidth)), numbered_nodes(IDLE + 1, NODE), BIG, COSTS)
    guests = Submission(spec=GUESTS, array=ArrayRange(0, IDLE - 1))
    run.tell(Millis(0), JobsSubmitted(submissions=(guests,), request="request", user="somebody"))
    run.run(Millis(END + 30 * SECOND))
    near = [(at, fact) for at, fact in run.facts if at > END - 10 * MINUTE]
    begun = [at - fact.freeze_ms for at, fact in near if isinstance(fact, SegmentFrozen)]
    over = [at for at, fact in near if isinstance(fact, SegmentFrozen)]
    return Came(
        frozen=len(begun),
        lost=sum(isinstance(fact, SegmentLost) for _, fact in near),
        first_ms=END - min(begun, default=END),
        last_ms=END - max(over, default=END),
        replans=sum(isinstance(fact, PlanMoved) for _, fact in run.facts),
    )


def test_x() -> None:
    print(at_the_end(0))
    print(at_the_end(400 * MB))
    assert 0
