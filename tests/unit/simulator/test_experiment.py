"""The experiment around an engine that follows a script."""

from dataclasses import dataclass, field

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import (
    Command,
    Launch,
    Mode,
    Publish,
    ReleaseAllocation,
    RequestAllocation,
    SegmentPlan,
)
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import (
    AgentReady,
    AllocationGranted,
    AllocationLost,
    CommandFailed,
    Exited,
    Input,
    Launched,
    NodeReport,
    Resumed,
    Tick,
    ViewChanged,
)
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.sitefacts import AllocationEnded
from idleq.scheduler.core.submission import JobSpec
from idleq.simulator.agents import GuestCosts
from idleq.simulator.experiment import Experiment, replay
from idleq.simulator.jobs import MainJob, numbered_nodes

EPOCH = Millis(1_000_000)
NODE = Resources(2, 200)
N1, A1 = NodeName("n1"), AllocationId("a1")
FREE = GuestCosts(thaw_ms=Millis(0), freeze_ms=Millis(0))
FACT = AllocationEnded(allocation=A1, reason="a fact")

REQUEST = RequestAllocation(
    id=CommandId(1),
    allocation=A1,
    mode=Mode.PREEMPTIBLE,
    node=None,
    resources=NODE,
    min_ms=Millis(1),
    max_ms=Millis(90),
)
LAUNCH = Launch(
    id=CommandId(2),
    allocation=A1,
    job=JobId("1"),
    fence=Fence(1),
    spec=JobSpec(name="w", argv=("w",), resources=Resources(1, 1), expected_ms=Millis(40)),
    plan=SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None),
    thaw_from=None,
)
PUBLISH = Publish(id=CommandId(3), job=JobId("1"), fence=Fence(1))
RELEASE = ReleaseAllocation(id=CommandId(4), allocation=A1, reason="done")


@dataclass
class Said:
    facts: tuple[Fact, ...] = ()
    commands: tuple[Command, ...] = ()


@dataclass
class Scripted:
    """Answers each kind of input with its commands; wants a tick at each of *alarms*, for ever at the last if it *insists*."""

    script: dict[type, tuple[Command, ...]] = field(default_factory=dict)
    alarms: list[int] = field(default_factory=list)
    insists: bool = False

    def handle(self, what: Input, now: Millis, /) -> Said:
        if isinstance(what, Tick) and not self.insists and self.alarms[0] <= now:
            del self.alarms[0]
        commands = self.script.get(type(what), ())
        return Said((FACT,) if commands else (), commands)

    def wake_at(self) -> Millis | None:
        return Millis(self.alarms[0]) if self.alarms else None


def experiment(engine: Scripted, jobs: tuple[MainJob, ...] = ()) -> Experiment:
    return Experiment(engine, numbered_nodes(1, NODE), jobs, FREE, epoch=EPOCH)


def test_a_job_goes_from_the_request_to_its_published_result() -> None:
    engine = Scripted({Resumed: (REQUEST,), AgentReady: (LAUNCH,), Exited: (PUBLISH, RELEASE)})
    run = experiment(engine)
    run.tell(Millis(10), Resumed())
    run.run(Millis(500))
    at = Millis(EPOCH + 10)
    end = Millis(EPOCH + 50)
    until = Millis(EPOCH + 100)
    assert run.inputs == [
        (EPOCH, ViewChanged(deltas=(NodeReport(name=N1, capacity=NODE, free=NODE),))),
        (at, Resumed()),
        (at, AllocationGranted(allocation=A1, node=N1, resources=NODE, until=until)),
        (at, AgentReady(allocation=A1, node=N1, resources=NODE, until=until)),
        (at, Launched(job=JobId("1"), fence=Fence(1), at=at, thaw_ms=Millis(0))),
        (end, Exited(job=JobId("1"), fence=Fence(1), code=0, at=end, cause="workload", digest="1.1")),
        (end, AllocationLost(allocation=A1, reason="done")),
    ]
    assert run.commands == [(at, REQUEST), (at, LAUNCH), (end, PUBLISH), (end, RELEASE)]
    assert run.published == {JobId("1"): (Fence(1), end)}
    assert run.facts == [(at, FACT), (at, FACT), (end, FACT)]
    assert replay(engine, run.inputs) == run.commands


def test_main_jobs_are_seen_and_their_starts_noted_in_the_worlds_time() -> None:
    run = experiment(Scripted(), (MainJob(id=7, submit=20, run=30, limit=40, size=1),))
    run.run(Millis(500))
    free = NodeReport(name=N1, capacity=NODE, free=NODE)
    busy = NodeReport(name=N1, capacity=NODE, free=Resources(0, 0), busy_until=Millis(EPOCH + 60), main_job="7")
    assert run.inputs == [
        (EPOCH, ViewChanged(deltas=(free,))),
        (Millis(EPOCH + 20), ViewChanged(deltas=(busy,))),
        (Millis(EPOCH + 50), ViewChanged(deltas=(free,))),
    ]
    assert run.starts == {7: 20}


def test_a_request_that_no_node_can_meet_fails_as_a_command() -> None:
    large = RequestAllocation(
        id=CommandId(9),
        allocation=A1,
        mode=Mode.PREEMPTIBLE,
        node=None,
        resources=Resources(3, 1),
        min_ms=Millis(1),
        max_ms=Millis(2),
    )
    run = experiment(Scripted({Resumed: (large,)}))
    run.tell(Millis(0), Resumed())
    run.run(Millis(10))
    failed = run.inputs[-1][1]
    assert isinstance(failed, CommandFailed)
    assert (failed.command, failed.transient) == (CommandId(9), False)


def test_ticks_come_when_they_are_wanted() -> None:
    run = experiment(Scripted(alarms=[EPOCH + 30, EPOCH + 70]))
    run.run(Millis(500))
    assert [at for at, said in run.inputs if said == Tick()] == [EPOCH + 30, EPOCH + 70]


def test_an_engine_that_always_wants_a_tick_does_not_stop_time() -> None:
    run = experiment(Scripted(alarms=[0], insists=True))
    run.run(Millis(5))
    assert [at for at, said in run.inputs if said == Tick()] == [EPOCH + number for number in range(1, 6)]


def test_a_run_can_be_ended_by_a_condition() -> None:
    run = experiment(Scripted({Resumed: (REQUEST,), AgentReady: (LAUNCH,), Exited: (PUBLISH,)}))
    run.tell(Millis(10), Resumed())
    run.run_while(lambda: not run.published, Millis(500))
    assert (run.now, set(run.published)) == (EPOCH + 50, {JobId("1")})
