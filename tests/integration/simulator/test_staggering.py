"""Many nodes whose gaps end at once, and a file system that does not take what all their guests would write then."""

from dataclasses import dataclass

from idleq.ids import Millis
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.facts import SegmentFrozen, SegmentLost
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


def policy(shared_bandwidth: int) -> Policy:
    return Policy(
        grace_ms=Millis(0),
        max_allocation_ms=Millis(10 * HOUR),
        max_pending=100,
        ramp_start=100,
        freeze_ms=Millis(SECOND),
        thaw_ms=Millis(SECOND),
        bandwidth=200 * MB,
        shared_bandwidth=shared_bandwidth,
    )


@dataclass(frozen=True)
class Came:
    """What became of the guests: how many were frozen and lost, and between how many seconds before the end they were frozen."""

    frozen: int
    lost: int
    first_s: int = 0
    last_s: int = 0


def at_the_end(shared_bandwidth: int) -> Came:
    run = Experiment(Engine(policy(shared_bandwidth)), numbered_nodes(IDLE + 1, NODE), BIG, COSTS)
    guests = Submission(spec=GUESTS, array=ArrayRange(0, IDLE - 1))
    run.tell(Millis(0), JobsSubmitted(submissions=(guests,), request="request", user="somebody"))
    run.run(Millis(END + 30 * SECOND))
    assert run.starts == {1: 0, 2: END}
    lost = sum(isinstance(fact, SegmentLost) for _, fact in run.facts)
    frozen = [(at, fact.freeze_ms) for at, fact in run.facts if isinstance(fact, SegmentFrozen)]
    if not frozen:
        return Came(0, lost)
    first, last = min(at - took for at, took in frozen), max(at for at, _ in frozen)
    return Came(len(frozen), lost, (END - first) // SECOND, (END - last) // SECOND)


def test_where_all_write_at_once_as_fast_as_one_could_alone_all_come_too_late() -> None:
    assert at_the_end(0) == Came(frozen=0, lost=IDLE)


def test_in_turns_all_come_in_time_and_the_first_no_earlier_than_there_is_to_write() -> None:
    assert at_the_end(400 * MB) == Came(frozen=IDLE, lost=0, first_s=IDLE * 1000 // 400 + 3, last_s=2)


def test_a_file_system_that_is_said_to_take_more_than_it_does_is_believed() -> None:
    came = at_the_end(1600 * MB)
    assert came.lost > 0
    assert came.frozen + came.lost == IDLE
