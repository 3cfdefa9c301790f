"""How long the engine takes to decide on a large site: 10,000 nodes, 100,000 queued jobs of many shapes, one core."""

import random
import resource
import statistics
import time
from collections.abc import Iterator

from bench.row import Row
from idleq.bootstrap import collect_rarely
from idleq.ids import EntryId, Fence, Millis, NodeName, job_id
from idleq.scheduler.core.commands import Launch, RequestAllocation
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import (
    AgentReady,
    AllocationGranted,
    AllocationLost,
    Exited,
    Input,
    JobCancelled,
    JobsSubmitted,
    Launched,
    NodeReport,
    Progressed,
    ViewChanged,
)
from idleq.scheduler.core.policy import HOUR, MINUTE, Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import JobSpec, Submission

NODES = 10_000
JOBS = 100_000
TOUCHED = 500
WHOLE = Resources(64, 256 << 30, 4)
BUSY = Resources(0, 0, 0)


def _jobs(dice: random.Random) -> tuple[Submission, ...]:
    """Single jobs, not arrays: each is a place in the queue of its own; some 400 shapes."""
    shapes = [
        (
            Resources(
                dice.choice((1, 2, 4, 8, 16, 32)), dice.choice((1, 2, 4, 8, 16)) << 30, dice.choice((0, 0, 0, 1))
            ),
            expected,
        )
        for expected in (None, Millis(10 * MINUTE), Millis(HOUR), Millis(6 * HOUR))
        for _ in range(100)
    ]
    specs = [
        JobSpec(name=f"w{i % 20}", argv=("run",), resources=resources, expected_ms=expected, priority=i % 3)
        for i, (resources, expected) in enumerate(shapes)
    ]
    return tuple(Submission(spec=dice.choice(specs)) for _ in range(JOBS))


def _node(number: int, now: int, dice: random.Random) -> NodeReport:
    is_free = dice.random() < 0.2
    planned = Millis(now + dice.randrange(60, 12 * 3600) * 1000) if is_free and dice.random() < 0.7 else None
    return NodeReport(
        name=NodeName(f"n{number:05}"), capacity=WHOLE, free=WHOLE if is_free else BUSY, planned_start=planned
    )


class Site:
    """An engine, and a cluster that answers it; every handled input is timed, by the processor: others are at work too."""

    def __init__(self, dice: random.Random) -> None:
        self.engine = Engine(Policy(max_pending=100))
        self.dice = dice
        self.now = Millis(1_800_000_000_000)
        self.seconds: dict[str, list[float]] = {}
        self.wall: dict[str, list[float]] = {}
        self.asked: list[RequestAllocation] = []
        self.running: list[Launch] = []

    def tell(self, what: Input, kind: str) -> None:
        """Handle one input and remember what it led to."""
        self.now = Millis(self.now + 20)
        began, busy = time.perf_counter(), time.process_time()
        decision = self.engine.handle(what, self.now)
        self.seconds.setdefault(kind, []).append(time.process_time() - busy)
        self.wall.setdefault(kind, []).append(time.perf_counter() - began)
        assert decision.refusal is None, decision.refusal
        self.asked += (c for c in decision.commands if isinstance(c, RequestAllocation))
        self.running += (c for c in decision.commands if isinstance(c, Launch))

    def stream(self, steps: int) -> Iterator[tuple[Input, str]]:
        """Yield what a busy site tells: grants, agents, exits, progress, cancellations, single nodes and whole polls."""
        for step in range(steps):
            yield from self._one(step)

    def _one(self, step: int) -> Iterator[tuple[Input, str]]:
        state, dice = self.engine.state, self.dice
        if step % 15 == 0:
            some = dice.sample(range(NODES), TOUCHED)
            deltas = tuple(_node(number, self.now, dice) for number in some)
            yield ViewChanged(deltas=deltas), "view"
        if self.asked and state.open_gaps.order:
            wanted = self.asked.pop()
            _, node = state.open_gaps.order[-1]
            yield AllocationGranted(allocation=wanted.allocation, node=node, resources=WHOLE, until=None), "input"
            yield AgentReady(allocation=wanted.allocation, node=node, resources=WHOLE, until=None), "input"
        for _ in range(min(8, len(self.running))):
            launch = self.running.pop(dice.randrange(len(self.running)))
            job, fence = launch.job, Fence(launch.fence)
            if launch.allocation not in state.allocations or step % 7 == 0:
                continue
            yield Launched(job=job, fence=fence, at=self.now, thaw_ms=Millis(0)), "input"
            yield Progressed(job=job, fence=fence, step=1, total=2), "input"
            yield Exited(job=job, fence=fence, code=0, at=self.now, cause="workload"), "input"
        if step % 11 == 0:
            last = EntryId(JOBS - step)
            if not state.entries[last].is_over:
                yield JobCancelled(target=job_id(last, None)), "input"
        if step % 13 == 0 and state.allocations:
            yield AllocationLost(allocation=dice.choice(list(state.allocations)), reason="preempted"), "input"


def rows() -> list[Row]:
    """A fresh view, then a long stream of inputs."""
    collect_rarely()  # as the daemon does
    dice = random.Random(1)
    site = Site(dice)
    site.tell(JobsSubmitted(submissions=_jobs(dice), request="all"), "submit")
    fresh = tuple(_node(number, site.now, dice) for number in range(NODES))
    site.tell(ViewChanged(deltas=fresh), "plan")
    for what, kind in site.stream(600):
        site.tell(what, kind)
    seconds, wall = site.seconds, site.wall
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    inputs, views = seconds["input"], seconds["view"]
    size = f"{NODES} nodes, {JOBS} queued jobs"
    return [
        Row(name=f"deciding one input, p95 ({size})", value=_p95(inputs) * 1000, unit="ms", target=1.0,
            note=f"processor time; {_p95(wall['input']) * 1000:.3f} ms on the clock on the wall; "
            f"median {statistics.median(inputs) * 1000:.3f} ms, longest {max(inputs) * 1000:.2f} ms of {len(inputs)}"),
        Row(name=f"deciding an input that touches {TOUCHED} nodes, p95 ({size})", value=_p95(views) * 1000, unit="ms",
            target=20.0, note=f"processor time; {_p95(wall['view']) * 1000:.1f} ms on the clock on the wall; longest {max(views) * 1000:.1f} ms of {len(views)}"),
        Row(name=f"a plan from a fresh view ({size})", value=seconds["plan"][0], unit="s", target=1.0,
            note=f"processor time; {wall['plan'][0]:.2f} s on the clock on the wall"),
        Row(name=f"memory of the engine ({size})", value=memory, unit="GiB", target=1.0),
    ]  # fmt: skip


def _p95(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.95)]
