"""An engine under test: what was told to it, what it answered, and short ways to say things."""

from dataclasses import dataclass, field

from idleq.ids import AllocationId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.machines import Machine, Needs
from idleq.scheduler.core.commands import Command
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import (
    AgentReady,
    AllocationGranted,
    Input,
    JobsSubmitted,
    Launched,
    NodeReport,
    Tick,
    ViewChanged,
)
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, JobSpec, RuntimeWish, Submission

GB = 1 << 30
NODE = Resources(4, 8 * GB)
START = Millis(1_800_000_000_000)


def spec(
    name: str = "w",
    cores: int = 1,
    memory: int = GB,
    *,
    priority: int = 0,
    expected_ms: int | None = None,
    max_run_ms: int | None = None,
    retries: int = 0,
    freeze: FreezeMethod = FreezeMethod.APP,
    runtime: RuntimeWish = RuntimeWish.AUTO,
    image: str = "",
    gpus: int = 0,
) -> JobSpec:
    """A small job."""
    return JobSpec(
        name=name,
        argv=("run",),
        resources=Resources(cores, memory, gpus),
        priority=priority,
        expected_ms=None if expected_ms is None else Millis(expected_ms),
        max_run_ms=None if max_run_ms is None else Millis(max_run_ms),
        retries=retries,
        freeze=freeze,
        runtime=runtime,
        image=image,
    )


def report(name: str, *, free: Resources = NODE, planned: int | None = None, is_up: bool = True) -> NodeReport:
    """A node as squeue would show it."""
    planned_start = None if planned is None else Millis(planned)
    return NodeReport(name=NodeName(name), capacity=NODE, free=free, is_up=is_up, planned_start=planned_start)


def snapshot(
    job: str,
    fence: int,
    number: int,
    run_ms: int,
    taken_at: int = START,
    bound_to: Needs | None = None,
    size: int = 1 << 20,
) -> Snapshot:
    """A snapshot, of a megabyte unless said otherwise."""
    return Snapshot(
        id=SnapshotId(f"{job}-{fence}-{number}"),
        fence=Fence(fence),
        digest="d",
        bytes=size,
        taken_at=Millis(taken_at),
        run_ms=Millis(run_ms),
        bound_to=bound_to,
    )


@dataclass
class Told:
    """An engine, its time, and everything that it ever said."""

    policy: Policy = field(default_factory=Policy)
    now: Millis = START
    facts: list[tuple[Millis, Fact]] = field(default_factory=list)
    commands: list[Command] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine()
        self._keep(self.engine.configure(self.policy, self.now))

    def tell(self, what: Input, *, after_ms: int = 1) -> Decision:
        """Tell one input, *after_ms* later than the one before."""
        self.now = Millis(self.now + after_ms)
        return self._keep(self.engine.handle(what, self.now))

    def _keep(self, decision: Decision) -> Decision:
        self.facts += ((decision.at, fact) for fact in decision.facts)
        self.commands += decision.commands
        return decision

    def tick(self, after_ms: int) -> Decision:
        """Let time pass."""
        return self.tell(Tick(), after_ms=after_ms)

    def submit(self, *submissions: Submission, request: str | None = None) -> Decision:
        """Submit in one call."""
        return self.tell(JobsSubmitted(submissions=submissions, request=request or f"r{self.now}"))

    def submit_job(self, array: ArrayRange | None = None, **wishes: object) -> Decision:
        """Submit one job or array of `spec(**wishes)`."""
        return self.submit(Submission(spec=spec(**wishes), array=array))  # type: ignore[arg-type]  # passed through

    def see(self, *reports: NodeReport) -> Decision:
        """Show nodes."""
        return self.tell(ViewChanged(deltas=reports))

    def grant(
        self,
        allocation: str,
        node: str,
        *,
        until: int | None = None,
        resources: Resources = NODE,
        abilities: tuple[str, ...] = (),
        machine: Machine | None = None,
    ) -> Decision:
        """Start an allocation and its agent; return what the agent's arrival led to."""
        end = None if until is None else Millis(until)
        name, where = AllocationId(allocation), NodeName(node)
        self.tell(AllocationGranted(allocation=name, node=where, resources=resources, until=end))
        return self.tell(
            AgentReady(
                allocation=name, node=where, resources=resources, until=end, abilities=abilities, machine=machine
            )
        )

    def launched(self, job: str, fence: int = 1, thaw_ms: int = 0) -> Decision:
        """Say that a segment's process is up."""
        return self.tell(Launched(job=JobId(job), fence=Fence(fence), at=self.now, thaw_ms=Millis(thaw_ms)))

    def state_of(self, job: str) -> str:
        """The name of the state that a job is in."""
        found = self.engine.state.job(JobId(job))
        assert found is not None
        return type(found.state).__name__
