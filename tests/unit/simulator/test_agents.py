from dataclasses import replace

import pytest
from simpy import Environment

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName, SnapshotId
from idleq.scheduler.core.commands import Freeze, Kill, Launch, Replan, SegmentPlan
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AgentReady,
    Exited,
    Frozen,
    Input,
    Launched,
    Progressed,
)
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.snapshot import Snapshot
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.simulator.agents import GuestCosts, SimulatedAgents
from idleq.simulator.events import Granted
from idleq.simulator.kernel import advance

EPOCH = Millis(10_000)
A1 = AllocationId("a1")
NODE = NodeName("n1")
ROOM = Resources(4, 400)
NO_PLAN = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)
COSTS = GuestCosts(
    agent_ms=Millis(5),
    launch_ms=Millis(10),
    thaw_ms=Millis(20),
    freeze_ms=Millis(30),
    save_ms=Millis(7),
    bytes=99,
    unknown_run_ms=Millis(1_000),
)


class Diary:
    """Agents, their clock, and what they said at which world time."""

    def __init__(self, costs: GuestCosts = COSTS, *, tells_saves: bool = True) -> None:
        self.env = Environment()
        self.said: list[tuple[int, Input]] = []
        self.left: list[tuple[int, str]] = []
        self.agents = SimulatedAgents(self.env, costs, self.note, self.leave, EPOCH, tells_saves=tells_saves)
        self.agents.granted(Granted(allocation=A1, node=NODE, resources=ROOM, until=Millis(5_000)))
        self.to(5)
        self.said.clear()

    def note(self, said: Input) -> None:
        self.said.append((int(self.env.now), said))

    def leave(self, allocation: AllocationId) -> None:
        self.left.append((int(self.env.now), allocation))

    def to(self, at: int) -> None:
        advance(self.env, at)

    def launch(
        self,
        job: str = "1",
        *,
        run: int | None = 100,
        plan: SegmentPlan = NO_PLAN,
        thaw: Snapshot | None = None,
        freeze: FreezeMethod = FreezeMethod.APP,
    ) -> None:
        expected = None if run is None else Millis(run)
        spec = JobSpec(name="w", argv=("w",), resources=Resources(1, 1), expected_ms=expected, freeze=freeze)
        self.agents.send(
            Launch(id=CommandId(1), allocation=A1, job=JobId(job), fence=Fence(1), spec=spec, plan=plan, thaw_from=thaw)
        )

    def freeze(self, job: str = "1") -> None:
        self.agents.send(Freeze(id=CommandId(2), allocation=A1, job=JobId(job), fence=Fence(1), reason="asked"))

    def kill(self, job: str = "1") -> None:
        self.agents.send(Kill(id=CommandId(3), allocation=A1, job=JobId(job), fence=Fence(1), reason="cancelled"))


def launched(at: int, job: str = "1", thaw: int = 0) -> Launched:
    return Launched(job=JobId(job), fence=Fence(1), at=Millis(EPOCH + at), thaw_ms=Millis(thaw))


def done(at: int, job: str = "1") -> Exited:
    return Exited(job=JobId(job), fence=Fence(1), code=0, at=Millis(EPOCH + at), cause="workload", digest=f"{job}.1")


def lost(at: int, reason: str, job: str = "1") -> Exited:
    return Exited(job=JobId(job), fence=Fence(1), code=-9, at=Millis(EPOCH + at), cause="agent", reason=reason)


def snapshot(at: int, run: int, number: int = 1, job: str = "1") -> Snapshot:
    name = SnapshotId(f"{job}.1.{number}")
    return Snapshot(id=name, fence=Fence(1), digest=name, bytes=99, taken_at=Millis(EPOCH + at), run_ms=Millis(run))


def frozen(at: int, run: int, took: int, reason: str, number: int = 1, job: str = "1") -> Frozen:
    return Frozen(
        job=JobId(job),
        fence=Fence(1),
        snapshot=snapshot(at, run, number, job),
        at=Millis(EPOCH + at),
        freeze_ms=Millis(took),
        reason=reason,
    )


def test_an_agent_comes_up_after_its_start_and_says_where_it_is() -> None:
    env = Environment()
    said: list[tuple[int, Input]] = []
    agents = SimulatedAgents(env, COSTS, lambda one: said.append((int(env.now), one)), lambda _: None, EPOCH)
    agents.granted(Granted(allocation=A1, node=NODE, resources=ROOM, until=Millis(5_000)))
    advance(env, 100)
    assert said == [(5, AgentReady(allocation=A1, node=NODE, resources=ROOM, until=Millis(15_000)))]


def test_a_guest_runs_to_its_end() -> None:
    diary = Diary()
    diary.launch()
    diary.to(500)
    assert diary.said == [(15, launched(15)), (115, done(115))]


def test_a_thawed_guest_goes_on_from_its_snapshot() -> None:
    diary = Diary()
    diary.launch(thaw=snapshot(0, 60))
    diary.to(500)
    assert diary.said == [(25, launched(25, thaw=20)), (65, done(65))]


def test_a_job_that_does_not_say_how_long_it_runs_runs_for_the_given_time() -> None:
    diary = Diary()
    diary.launch(run=None)
    diary.to(5_000)
    assert diary.said[-1] == (1_015, done(1_015))


def test_the_same_launch_twice_is_one() -> None:
    diary = Diary()
    diary.launch()
    diary.launch()
    diary.to(500)
    diary.launch()
    diary.to(900)
    assert diary.said == [(15, launched(15)), (115, done(115))]


def test_a_guest_freezes_when_its_plan_says_without_being_asked() -> None:
    diary = Diary()
    diary.launch(plan=SegmentPlan(freeze_at=Millis(EPOCH + 55), ends_at=Millis(EPOCH + 90), save_every_ms=None))
    diary.to(500)
    assert diary.said == [(15, launched(15)), (85, frozen(85, 40, 30, "the gap ends"))]


def test_a_new_plan_takes_the_place_of_the_old_one() -> None:
    diary = Diary()
    diary.launch(plan=SegmentPlan(freeze_at=Millis(EPOCH + 55), ends_at=None, save_every_ms=None))
    diary.to(30)
    diary.agents.send(Replan(id=CommandId(4), allocation=A1, job=JobId("1"), fence=Fence(1), plan=NO_PLAN))
    diary.to(500)
    assert diary.said == [(15, launched(15)), (115, done(115))]


def test_a_guest_that_saves_stands_still_for_it_and_goes_on() -> None:
    diary = Diary()
    diary.launch(run=2_000, plan=SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=Millis(1_500)))
    diary.to(5_000)
    saved = Progressed(job=JobId("1"), fence=Fence(1), step=1, total=2, saved=snapshot(1_522, 1_500), save_ms=Millis(7))
    assert diary.said == [(15, launched(15)), (1_522, saved), (2_022, done(2_022))]


@pytest.mark.parametrize("tells_saves", [True, False])
def test_a_guest_that_is_to_freeze_in_the_middle_of_a_save_ends_the_save_first(*, tells_saves: bool) -> None:
    diary = Diary(tells_saves=tells_saves)
    plan = SegmentPlan(freeze_at=Millis(EPOCH + 68), ends_at=Millis(EPOCH + 90), save_every_ms=Millis(50))
    diary.launch(run=2_000, plan=plan)
    diary.to(71)
    diary.agents.preempting(A1, "preempted")
    diary.agents.send(Replan(id=CommandId(4), allocation=A1, job=JobId("1"), fence=Fence(1), plan=NO_PLAN))
    diary.to(90)
    diary.agents.ended(A1)
    saved = [said.saved.run_ms for _, said in diary.said if isinstance(said, Progressed) and said.saved is not None]
    assert saved == [50]
    diary.to(500)
    assert not any(isinstance(said, Frozen) for _, said in diary.said)


@pytest.mark.parametrize("tells_saves", [True, False])
def test_a_guest_that_has_ended_a_save_freezes_if_there_is_time(*, tells_saves: bool) -> None:
    diary = Diary(tells_saves=tells_saves)
    plan = SegmentPlan(freeze_at=Millis(EPOCH + 68), ends_at=Millis(EPOCH + 200), save_every_ms=Millis(50))
    diary.launch(run=2_000, plan=plan)
    diary.to(500)
    assert diary.said[-1] == (102, frozen(102, 50, 30, "the gap ends", number=2))


def test_a_guest_that_cannot_freeze_is_ended_with_the_gap() -> None:
    diary = Diary()
    plan = SegmentPlan(freeze_at=None, ends_at=Millis(EPOCH + 60), save_every_ms=None)
    diary.launch(plan=plan, freeze=FreezeMethod.NONE)
    diary.to(500)
    assert diary.said == [(15, launched(15)), (60, lost(60, "the gap ends"))]


def test_commands_to_freeze_and_to_kill_are_carried_out_at_once() -> None:
    diary = Diary()
    for job in ("1", "2", "3"):
        diary.launch(job)
    diary.to(20)
    diary.freeze("1")
    diary.freeze("1")
    diary.kill("2")
    diary.kill("9")
    diary.to(60)
    assert diary.said[3:] == [
        (20, lost(20, "cancelled", "2")),
        (20, lost(20, "unknown segment", "9")),
        (50, frozen(50, 5, 30, "asked")),
    ]


def test_a_preempted_agent_writes_out_the_most_unsaved_first_one_after_the_other_and_leaves() -> None:
    """They stop side by side (10 ms); each then takes 20 ms of their way to the file system."""
    diary = Diary(replace(COSTS, freeze_ms=Millis(10), freeze_ms_per_gb=202_020_203))
    diary.launch("1")
    diary.to(10)
    diary.launch("2")
    diary.to(17)
    diary.launch("3")
    diary.to(40)
    diary.agents.preempting(A1, "preempted by main job 7")
    diary.agents.preempting(A1, "again")
    diary.to(500)
    assert diary.said[3:] == [
        (40, AgentLeaving(allocation=A1, reason="preempted by main job 7")),
        (70, frozen(70, 25, 30, "preempted", job="1")),
        (90, frozen(90, 20, 50, "preempted", job="2")),
        (110, frozen(110, 13, 70, "preempted", job="3")),
    ]
    assert diary.left == [(110, "a1")]


def test_a_preempted_agent_with_nothing_to_save_leaves_at_once() -> None:
    diary = Diary()
    diary.launch()
    diary.to(7)
    diary.agents.preempting(A1, "preempted")
    assert diary.said[1:] == [(7, lost(7, "preempted"))]
    assert diary.left == [(7, "a1")]


def test_nothing_is_heard_of_an_allocation_that_is_over() -> None:
    diary = Diary()
    diary.launch()
    diary.to(50)
    diary.freeze()
    diary.agents.ended(A1)
    diary.launch("2")
    diary.kill()
    diary.agents.preempting(A1, "preempted")
    diary.agents.forget(A1)
    diary.to(500)
    assert diary.said == [(15, launched(15))]
    assert diary.left == []


@pytest.mark.parametrize("job", ["1", "2"])
def test_a_launch_that_comes_while_the_agent_leaves_is_turned_away(job: str) -> None:
    diary = Diary()
    diary.launch("1")
    diary.to(40)
    diary.agents.preempting(A1, "preempted")
    diary.launch(job)
    assert [said for _, said in diary.said[2:]] == ([lost(40, "preempted", "2")] if job == "2" else [])


def test_a_guest_that_runs_waits_for_one_moment_however_far_its_plan_goes() -> None:
    diary = Diary()
    plan = SegmentPlan(freeze_at=Millis(EPOCH + 4_000), ends_at=Millis(EPOCH + 4_500), save_every_ms=Millis(50))
    diary.launch(run=10**12, plan=plan)
    diary.to(1_000)
    assert len(diary.env._queue) == 1


@pytest.mark.parametrize(("grace", "saved"), [(29, []), (30, [50 - 15])])
def test_a_guest_that_relies_on_the_grace_has_lost_nothing_when_stock_is_taken(grace: int, saved: list[int]) -> None:
    diary = Diary()
    diary.launch("1")
    diary.to(50)
    diary.agents.take_stock(Millis(grace))
    told = [said for _, said in diary.said if not isinstance(said, Launched)]
    assert [said.saved.run_ms for said in told if isinstance(said, Progressed) and said.saved is not None] == saved
    assert [type(said) for said in told] == [Progressed] * len(saved)
