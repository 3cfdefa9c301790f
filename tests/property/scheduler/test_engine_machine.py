"""Whatever happens, in whatever order: no job is lost or done twice, nothing is over-committed, freezes come in time."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec import structs

from idleq.ids import AllocationId, EntryId, Fence, JobId, Millis, NodeName
from idleq.machines import Machine, Needs, suits
from idleq.scheduler.core.cause import EMPTYING, Cause, CauseKind
from idleq.scheduler.core.commands import (
    Command,
    Freeze,
    Kill,
    Launch,
    Publish,
    ReleaseAllocation,
    Replan,
    RequestAllocation,
)
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.facts import JobDone, MoveEased, SegmentStarted
from idleq.scheduler.core.freeze import FreezeCost
from idleq.scheduler.core.inputs import (
    AgentLeaving,
    AgentReady,
    AllocationGranted,
    AllocationLost,
    CommandFailed,
    Exited,
    Frozen,
    Input,
    JobCancelled,
    JobHeld,
    JobReleased,
    JobsSubmitted,
    Launched,
    LeaseExpired,
    NodeReport,
    Paused,
    Progressed,
    Reconciled,
    Resumed,
    SnapshotRejected,
    SnapshotRemoved,
    Tick,
    ViewChanged,
)
from idleq.scheduler.core.job import Done, Failed, Freezing, Held, Killing, Queued, Running, Starting
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.state import Allocation, Hold
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, Submission
from idleq.scheduler.core.transfers import Transfers
from idleq.scheduler.core.wishes import Changes, ChangeWished, FreezeWished, MoveWished
from support.engines import GB, Told, snapshot, spec
from support.engines import report as shown_as
from support.freezing import Seat, judge

NODES = ("n1", "n2", "n3")
CLOSED = (
    Cause(CauseKind.CLOSED, "completing"),
    Cause(CauseKind.DRAINED, "drain"),
    Cause(CauseKind.MAINTENANCE, "upkeep"),
)
NODE = Resources(4, 8 * GB, 2)
MACHINES = {"n1": Machine(cpu="a", flags=("avx",)), "n2": Machine(cpu="b"), "n3": None}
needs = st.sampled_from((None, None, Needs(cpu="a"), Needs(cpu="b"), Needs(flags=("avx",))))
SIZES = st.integers(0, 4).map(lambda doublings: 1 << 19 << doublings)
POLICY = Policy(
    grace_ms=Millis(0), min_gap_ms=Millis(20_000), freeze_ms=Millis(2_000), thaw_ms=Millis(1_000), margin_ms=Millis(2_000),
    stall_segments=4, max_array=8, retry_ms=Millis(1_000), slow_ms=Millis(5_000), bandwidth=1 << 19,
)  # fmt: skip

submissions = st.builds(
    Submission,
    spec=st.builds(
        spec,
        name=st.sampled_from(("a", "b")),
        cores=st.integers(1, 4),
        memory=st.integers(1, 4).map(lambda n: n * GB),
        gpus=st.sampled_from((0, 0, 0, 1, 2)),
        priority=st.integers(0, 2),
        expected_ms=st.sampled_from((None, 5_000, 600_000)),
        max_run_ms=st.sampled_from((None, None, 300_000)),
        retries=st.integers(0, 1),
        freeze=st.sampled_from((FreezeMethod.APP, FreezeMethod.APP, FreezeMethod.NONE)),
    ),
    array=st.none()
    | st.builds(ArrayRange, st.just(0), st.integers(0, 7), st.integers(1, 2), st.none() | st.integers(1, 2)),
    held=st.sampled_from((False, False, False, True)),
)


changes = st.builds(
    Changes,
    priority=st.none() | st.integers(-2, 2),
    expected_ms=st.sampled_from((None, 0, 5_000, 600_000)),
    max_run_ms=st.sampled_from((None, None, 0, 100_000, 300_000)),
    retries=st.none() | st.integers(0, 2),
    cores=st.none() | st.integers(0, 5),
    memory=st.none() | st.integers(1, 4).map(lambda n: n * GB),
)


def report(name: str, *, free: Resources = NODE, planned: int | None = None, is_up: bool = True) -> NodeReport:
    """A node with GPUs."""
    return structs.replace(shown_as(name, free=free, planned=planned, is_up=is_up), capacity=NODE)


class World(RuleBasedStateMachine):
    """A cluster that does what it is told, or fails to, and tells it late and twice."""

    policy = POLICY

    def __init__(self) -> None:
        super().__init__()
        self.told = Told(self.policy)
        self.history: list[Input] = []
        self.pending: dict[AllocationId, RequestAllocation] = {}
        self.agents: dict[AllocationId, NodeName] = {}
        self.guests: dict[tuple[JobId, Fence], Launch] = {}
        self.seats: dict[tuple[JobId, Fence], Seat] = {}
        self.shown: dict[NodeName, NodeReport] = {}
        self.ends: dict[AllocationId, Millis | None] = {}
        self.judged: dict[AllocationId, tuple[object, ...]] = {}
        self.deadlines: dict[AllocationId, Millis | None] = {}
        self.one_is_taken = False
        self.given_up: set[tuple[JobId, Fence]] = set()
        self.told_to_end: set[tuple[JobId, Fence]] = set()
        self.wishes: list[Freeze] = []
        self.done: Counter[JobId] = Counter()
        self.snapshots = 0

    # What the engine says is done at once, and guests freeze when their plans say so.

    def tell(self, what: Input, after_ms: int = 10) -> None:
        then = Millis(self.told.now + after_ms)
        self.live_until(then)
        self.hear(what, max(then - self.told.now, 1))

    def hear(self, what: Input, after_ms: int) -> None:
        jobs = self.told.engine.state.jobs
        moves = {job: jobs[job].move for job in self.told.engine.state.moving}
        decision = self.told.tell(what, after_ms=after_ms)
        self.history.append(what)
        for fact in decision.facts:
            if isinstance(fact, MoveEased):
                moves[fact.job] = fact.move
            elif isinstance(fact, SegmentStarted) and (move := moves.get(fact.job)) is not None:
                assert move.allows(fact.node), f"{fact.job} goes on on {fact.node}, though it is moved as {move} says"
        self.done.update(fact.job for fact in decision.facts if isinstance(fact, JobDone))
        for command in decision.commands:
            self.obey(command)
        self.judge_plans()
        for command in decision.commands:
            if isinstance(command, ReleaseAllocation):
                self.end_agent(command.allocation)
                self.hear(AllocationLost(allocation=command.allocation, reason="released"), 10)

    def obey(self, command: Command) -> None:
        match command:
            case RequestAllocation():
                self.pending[command.allocation] = command
            case ReleaseAllocation():
                self.pending.pop(command.allocation, None)
            case Launch():
                self.launch(command)
            case Replan():
                seat = self.seats[command.job, command.fence]
                seat.plan, seat.told_at = command.plan, self.told.now
            case Freeze(is_wish=True):
                self.wishes.append(command)
                self.told_to_end.add((command.job, command.fence))
            case Freeze() | Kill():
                self.told_to_end.add((command.job, command.fence))
            case Publish():
                pass

    def live_until(self, then: Millis) -> None:
        while True:
            due = [
                (seat.transfers_at if seat.over_at is None else seat.over_at, seat.over_at is not None, key)
                for key, seat in ((key, self.seats[key]) for key in self.guests)
                if seat.plan.freeze_at is not None
            ]
            if not due or min(due)[0] > then:
                return
            _, is_over, key = min(due)
            if is_over:
                self.end_freeze(key)
            else:
                self.transfer(key)

    def transfer(self, key: tuple[JobId, Fence]) -> None:
        seat = self.seats[key]
        there = [self.seats[guest] for guest in self.guests if self.seats[guest].allocation == seat.allocation]
        is_free_at = max((other.over_at for other in there if other.over_at is not None), default=0)
        begins_at = max(seat.begins_at, seat.told_at) + seat.cost.latency_ms
        seat.over_at = Millis(max(begins_at, is_free_at) + seat.cost.transfer_ms)
        # Whoever was told to end has no plan any more: plans that move are not told them.
        deadline = None if key in self.told_to_end else self.deadlines.get(seat.allocation)
        assert deadline is None or seat.over_at <= deadline, f"{key} is not frozen before its gap's end"

    def end_freeze(self, key: tuple[JobId, Fence]) -> None:
        seat, (job, fence) = self.seats[key], key
        assert seat.over_at is not None
        del self.guests[key]
        self.snapshots += 1
        left = snapshot(job, fence, self.snapshots, run_ms=self.told.now % 1_000_000)
        took = seat.cost.latency_ms
        self.hear(
            Frozen(job=job, fence=fence, snapshot=left, at=seat.over_at, freeze_ms=took, reason="gap ends"),
            max(seat.over_at - self.told.now, 1),
        )

    def judge_plans(self) -> None:
        for allocation in self.told.engine.state.allocations.values():
            if allocation.hold is Hold.READY:
                self.judge_agent(allocation)

    def judge_agent(self, allocation: Allocation) -> None:
        """Whenever an agent's guests, their plans or their gap have changed, see whether all can be frozen in time."""
        state, shown = self.told.engine.state, self.shown[self.agents[allocation.id]]
        if not shown.is_up or shown.free == NOTHING:
            return  # it is too late: whoever is left there is told to go
        end = min((end for end in (self.ends[allocation.id], shown.planned_start) if end is not None), default=None)
        guests = [(job, state.jobs[job].fence) for job in allocation.guests]
        present = end, *guests, *(self.seats[guest].plan for guest in guests)
        if self.judged.get(allocation.id) == present:
            return
        self.judged[allocation.id] = present
        savers = []
        for job, fence in guests:
            seat, entry = self.seats[job, fence], state.entries[state.jobs[job].entry]
            if not isinstance(state.jobs[job].state, Starting | Running):
                continue
            if end is None or entry.spec.freeze is FreezeMethod.NONE:
                assert seat.plan.freeze_at is None
                continue
            typical, its_own = state.typical(entry, state.jobs[job]), state.jobs[job].bytes
            size = typical.bytes if its_own is None else its_own
            seat.cost = FreezeCost(typical.freeze_ms, Millis(size * 1000 // self.policy.write_rate))
            savers.append(seat)
        self.deadlines[allocation.id] = None if end is None else judge(savers, end, POLICY.margin_ms, self.told.now)

    def launch(self, command: Launch) -> None:
        key = command.job, command.fence
        if key in self.guests:
            return  # told again
        alive = [fence for job, fence in self.guests if job == command.job and (job, fence) not in self.given_up]
        assert not alive, f"{key} was started while segments {alive} live"
        older = [fence for job, fence in self.guests if job == command.job]
        assert all(fence < command.fence for fence in older)
        bound_to = None if command.thaw_from is None else command.thaw_from.bound_to
        assert suits(bound_to, MACHINES[self.agents[command.allocation]])
        self.guests[key] = command
        self.seats[key] = Seat(allocation=command.allocation, plan=command.plan, told_at=self.told.now)

    def end_agent(self, allocation: AllocationId) -> None:
        self.agents.pop(allocation, None)
        for key, launch in list(self.guests.items()):
            if launch.allocation == allocation:
                del self.guests[key]

    # People.

    @initialize(
        jobs=st.lists(submissions, min_size=1, max_size=3),
        lead=st.none() | st.integers(30_000, 300_000),
        one_is_taken=st.booleans(),
    )
    def begin_busy(self, jobs: list[Submission], lead: int | None, *, one_is_taken: bool) -> None:
        self.one_is_taken = one_is_taken
        planned = None if lead is None else self.told.now + lead
        self.show(*(report(name, planned=planned) for name in NODES))
        self.tell(JobsSubmitted(submissions=tuple(jobs), request="first"))
        for name, node in zip(list(self.pending), NODES, strict=False):
            self.start_agent(name, NodeName(node), until=None)

    def show(self, *reports: NodeReport) -> None:
        self.live_until(Millis(self.told.now + 10))
        self.shown.update((shown.name, shown) for shown in reports)
        self.hear(ViewChanged(deltas=reports), 10)

    def start_agent(self, name: AllocationId, node: NodeName, until: Millis | None) -> None:
        if self.pending.pop(name, None) is None:
            return  # it was given back meanwhile
        self.agents[name], self.ends[name] = node, until
        self.tell(AgentReady(allocation=name, node=node, resources=NODE, until=until, machine=MACHINES[node]))

    @rule(jobs=st.lists(submissions, min_size=1, max_size=3), chain=st.booleans(), user=st.sampled_from(("ann", "bob")))
    def submit(self, *, jobs: list[Submission], chain: bool, user: str) -> None:
        if chain and len(jobs) > 1:
            jobs[1] = Submission(spec=jobs[1].spec, array=jobs[1].array, after_here=(0,), held=jobs[1].held)
        self.tell(JobsSubmitted(submissions=tuple(jobs), request=f"r{len(self.history)}", user=user))

    @precondition(lambda self: self.told.engine.state.entries)
    @rule(data=st.data(), what=st.sampled_from((JobCancelled, JobHeld, JobReleased, FreezeWished)))
    def act_on_a_job(self, data: st.DataObject, what: type) -> None:
        state = self.told.engine.state
        targets = [JobId(str(entry)) for entry in state.entries] + list(state.jobs)
        target = data.draw(st.sampled_from(sorted(targets)))
        self.tell(what(target=target, reason="asked") if what in {JobHeld, FreezeWished} else what(target=target))

    @precondition(lambda self: self.told.engine.state.entries)
    @rule(data=st.data(), changes=changes)
    def change(self, data: st.DataObject, changes: Changes) -> None:
        entry = data.draw(st.sampled_from(sorted(self.told.engine.state.entries)))
        self.tell(ChangeWished(target=JobId(str(entry)), changes=changes))

    @precondition(lambda self: self.guests)
    @rule(data=st.data(), to=st.none() | st.sampled_from((*NODES, "n9")), freezes=st.booleans())
    def move(self, data: st.DataObject, to: str | None, *, freezes: bool) -> None:
        job, fence = self.any_guest(data)
        self.tell(MoveWished(target=job, to=None if to is None else NodeName(to)))
        if freezes and isinstance(self.told.engine.state.jobs[job].state, Freezing) and (job, fence) in self.guests:
            del self.guests[job, fence]
            self.snapshots += 1
            left = snapshot(job, fence, self.snapshots, self.told.now % 1_000_000)
            self.tell(
                Frozen(job=job, fence=fence, snapshot=left, at=self.told.now, freeze_ms=Millis(9), reason="moved")
            )

    @precondition(lambda self: self.wishes)
    @rule(data=st.data())
    def fail_a_wish(self, data: st.DataObject) -> None:
        wish = data.draw(st.sampled_from(self.wishes))
        self.tell(CommandFailed(command=wish.id, reason="a socket is open", transient=False))
        job = self.told.engine.state.jobs[wish.job]
        if isinstance(job.state, Running) and job.fence == wish.fence:
            self.told_to_end.discard((wish.job, wish.fence))

    @rule(
        what=st.sampled_from(
            (Resumed(), Resumed(), Resumed(), Paused(empty=False, reason="x"), Paused(empty=True, reason="x"))
        )
    )
    def pause_or_resume(self, what: Paused | Resumed) -> None:
        self.tell(what)

    # The cluster.

    @precondition(lambda self: self.pending)
    @rule(data=st.data(), length=st.none() | st.integers(10_000, 400_000))
    def grant(self, data: st.DataObject, length: int | None) -> None:
        name = data.draw(st.sampled_from(sorted(self.pending)))
        free = self.free_for(self.pending[name])
        if not free:
            return
        node = data.draw(st.sampled_from(free))
        until = None if length is None else Millis(self.told.now + length)
        if data.draw(st.booleans()):
            self.tell(AllocationGranted(allocation=name, node=node, resources=NODE, until=until))
        self.start_agent(name, node, until)

    def free_for(self, request: RequestAllocation) -> list[NodeName]:
        """The nodes that the site's scheduler could give for *request*."""
        return [
            name
            for name, shown in self.shown.items()
            if name not in self.agents.values()
            and shown.is_up
            and shown.free != NOTHING
            and request.node in {None, name}
        ]

    @precondition(lambda self: self.agents)
    @rule(data=st.data())
    def reconnect(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.agents)))
        here = tuple(key for key, launch in self.guests.items() if launch.allocation == name)
        node = self.agents[name]
        self.tell(
            AgentReady(allocation=name, node=node, resources=NODE, until=None, guests=here, machine=MACHINES[node])
        )

    @precondition(lambda self: self.agents)
    @rule(data=st.data(), how=st.sampled_from(("lost", "silent", "leaving")))
    def trouble(self, data: st.DataObject, how: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.agents)))
        if how == "leaving":
            self.tell(AgentLeaving(allocation=name, reason="preempted"))
            return
        mine = {key for key, launch in self.guests.items() if launch.allocation == name}
        self.given_up |= mine
        if how == "lost":
            self.end_agent(name)
            self.tell(AllocationLost(allocation=name, reason="preempted"))
        else:
            self.tell(LeaseExpired(allocation=name))

    @rule(
        name=st.sampled_from(NODES),
        lead=st.none() | st.integers(0, 300_000),
        busy=st.sampled_from((False, False, True)),
        closed=st.sampled_from((None, None, None, *CLOSED)),
    )
    def change_node(self, *, name: str, lead: int | None, busy: bool, closed: Cause | None) -> None:
        planned = None if lead is None else self.told.now + lead
        shown = report(name, free=NOTHING if busy else NODE, planned=planned, is_up=closed is None)
        self.show(structs.replace(shown, cause=closed))
        if closed is not None and closed.kind in EMPTYING:
            held = self.told.engine.state.allocations.values()
            open_ones = [each.id for each in held if each.node == name and each.hold in {Hold.GRANTED, Hold.READY}]
            assert open_ones == [], "somebody waits for what is there to leave"

    @precondition(lambda self: self.pending)
    @rule(data=st.data())
    def refuse_a_request(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.pending)))
        self.tell(CommandFailed(command=self.pending.pop(name).id, reason="limit", transient=True))

    # The agents.

    def any_guest(self, data: st.DataObject) -> tuple[JobId, Fence]:
        return data.draw(st.sampled_from(sorted(self.guests)))

    @precondition(lambda self: self.guests)
    @rule(data=st.data())
    def start_running(self, data: st.DataObject) -> None:
        job, fence = self.any_guest(data)
        self.tell(Launched(job=job, fence=fence, at=self.told.now, thaw_ms=Millis(300)))

    @precondition(lambda self: self.guests)
    @rule(data=st.data(), step=st.integers(1, 9), saves=st.booleans(), bound_to=needs, size=SIZES)
    def progress(self, *, data: st.DataObject, step: int, saves: bool, bound_to: Needs | None, size: int) -> None:
        job, fence = self.any_guest(data)
        self.snapshots += 1
        taken = snapshot(job, fence, self.snapshots, self.told.now % 1_000_000, bound_to=bound_to, size=size)
        saved = taken if saves else None
        self.tell(
            Progressed(job=job, fence=fence, step=step, total=9, saved=saved, save_ms=Millis(100) if saves else None)
        )

    @precondition(lambda self: self.guests)
    @rule(data=st.data(), took=st.integers(0, 4_000), bound_to=needs, size=SIZES)
    def freeze(self, data: st.DataObject, took: int, bound_to: Needs | None, size: int) -> None:
        job, fence = self.any_guest(data)
        del self.guests[job, fence]
        self.snapshots += 1
        left = snapshot(job, fence, self.snapshots, self.told.now % 1_000_000, bound_to=bound_to, size=size)
        self.tell(
            Frozen(job=job, fence=fence, snapshot=left, at=self.told.now, freeze_ms=Millis(took), reason="gap ends")
        )

    @precondition(lambda self: self.guests)
    @rule(data=st.data(), code=st.sampled_from((0, 0, 1, -9)), cause=st.sampled_from(("workload", "workload", "agent")))
    def exit(self, data: st.DataObject, code: int, cause: str) -> None:
        job, fence = self.any_guest(data)
        del self.guests[job, fence]
        self.tell(Exited(job=job, fence=fence, code=code, at=self.told.now, cause=cause, reason="x"))  # type: ignore[arg-type]  # drawn from the two

    @precondition(lambda self: self.guests)
    @rule(data=st.data())
    def reject_snapshot(self, data: st.DataObject) -> None:
        job, fence = self.any_guest(data)
        launch = self.guests[job, fence]
        found = self.told.engine.state.jobs[job]
        if launch.thaw_from is not None and isinstance(found.state, Starting) and found.fence == fence:
            del self.guests[job, fence]
            self.tell(SnapshotRejected(job=job, fence=fence, snapshot=launch.thaw_from.id, reason="a bit flipped"))

    @precondition(lambda self: self.guests)
    @rule(data=st.data(), lacks=st.booleans())
    def fail_a_launch(self, *, data: st.DataObject, lacks: bool) -> None:
        job, fence = self.any_guest(data)
        launch = self.guests[job, fence]
        segment = self.told.engine.state.jobs[job].segment
        if segment is not None and segment.fence == fence and segment.since is None:
            del self.guests[job, fence]
            self.tell(CommandFailed(command=launch.id, reason="no image", transient=True, image_missing=lacks))

    @rule(data=st.data())
    def remove_a_snapshot(self, data: st.DataObject) -> None:
        jobs = self.told.engine.state.jobs.values()
        kept = sorted((job.id, one.id) for job in jobs for one in job.snapshots)
        if kept:
            job, name = data.draw(st.sampled_from(kept))
            self.tell(SnapshotRemoved(job=job, snapshot=name, reason="not wanted"))

    # Time, repetition, restarts.

    @rule(after_ms=st.sampled_from((1, 1_000, 30_000, 4_000_000)))
    def wait(self, after_ms: int) -> None:
        self.tell(Tick(), after_ms)

    def next_freeze(self) -> Millis | None:
        plans = (self.seats[guest].plan.freeze_at for guest in self.guests)
        return min((freeze_at for freeze_at in plans if freeze_at is not None), default=None)

    @precondition(lambda self: self.next_freeze() is not None)
    @rule(beyond=st.sampled_from((0, 2_000, 10_000)))
    def wait_for_a_freeze(self, beyond: int) -> None:
        self.tell(Tick(), max((self.next_freeze() or self.told.now) - self.told.now, 1) + beyond)

    @precondition(lambda self: self.next_freeze() is not None)
    @rule()
    def wait_until_all_are_frozen(self) -> None:
        last = max(self.seats[guest].plan.freeze_at or 0 for guest in self.guests)
        self.tell(Tick(), max(last - self.told.now, 1) + 10_000)

    @precondition(lambda self: self.history)
    @rule(data=st.data())
    def hear_again(self, data: st.DataObject) -> None:
        late = (Launched, Progressed, Frozen, Exited, SnapshotRejected, JobsSubmitted, AllocationLost, LeaseExpired)
        old = [what for what in self.history if isinstance(what, late)]
        if old:
            self.tell(data.draw(st.sampled_from(old)))

    @rule()
    def restart(self) -> None:
        self.told.engine = Engine.restore(self.told.facts)
        there = [*self.pending, *self.agents]
        self.tell(Reconciled(allocations=tuple(AllocationId(name) for name in there)))

    # What always holds.

    @invariant()
    def a_restart_knows_the_same(self) -> None:
        assert Engine.restore(self.told.facts).state == self.told.engine.state

    @invariant()
    def every_job_is_counted_once(self) -> None:
        state = self.told.engine.state
        for entry in state.entries.values():
            assert entry.left + len(entry.open) + entry.done + entry.failed + entry.cancelled == entry.submission.tasks
            active = [job for job in entry.open if state.jobs[job].segment is not None]
            assert entry.active == len(active)
            array = entry.submission.array
            assert array is None or array.limit is None or entry.active <= array.limit
        assert all(count == 1 for count in self.done.values())
        done = {job.id for job in state.jobs.values() if isinstance(job.state, Done)}
        assert done == set(self.done)

    @invariant()
    def nothing_is_overcommitted(self) -> None:
        state = self.told.engine.state
        for allocation in state.allocations.values():
            seated = [guest for guest in allocation.guests if guest not in allocation.ahead]
            held = sum((state.jobs[g].segment.resources for g in seated), NOTHING)  # type: ignore[union-attr]  # as below
            assert allocation.used == held
            assert held.fits_in(allocation.resources)
            assert all(state.jobs[guest].segment.allocation == allocation.id for guest in allocation.guests)  # type: ignore[union-attr]  # guests are active
        active = [job for job in state.jobs.values() if job.segment is not None]
        assert sum(len(a.guests) for a in state.allocations.values()) == len(active)

    @invariant()
    def who_lives_on_a_node_fits_there(self) -> None:
        """Those too that are being killed, and those that nobody believes in any more."""
        state = self.told.engine.state
        for name in self.agents:
            ahead = state.allocations[name].ahead if name in state.allocations else {}
            launches = self.guests.values()
            living = [launch for launch in launches if launch.allocation == name and launch.job not in ahead]
            held = sum((launch.spec.resources for launch in living), NOTHING)
            assert held.fits_in(NODE), f"{living} hold {held} of {name}"

    @invariant()
    def the_queue_is_who_may_start(self) -> None:
        state = self.told.engine.state
        queued = {key[1] for key in state.queue.shapes if key[1] is not None}
        may = {
            j.id for j in state.jobs.values() if isinstance(j.state, Queued) and state.entries[j.entry].room_for() != 0
        }
        assert queued == may
        assert state.queue.choosy == sum(shape.is_choosy for shape in state.queue.lines)
        moved = [job for job in state.jobs.values() if isinstance(job.state, Queued) and job.move is not None]
        assert set(state.moving) == {job.id for job in moved}
        for job in moved:
            where = state.queue.shapes.get((job.entry, job.id))
            assert where is None or where[0].move == job.move
        for name in queued:
            snapshots = state.jobs[name].snapshots
            shape, _, _ = state.queue.shapes[state.jobs[name].entry, name]
            assert shape.bound_to == (snapshots[-1].bound_to if snapshots else None)
        for (number, _), (shape, place, _) in state.queue.shapes.items():
            entry = state.entries[number]
            assert shape.resources == entry.spec.resources
            assert place.standing == entry.queued_since - entry.spec.priority * POLICY.patience_ms
        assert state.queue.jobs == sum(line.jobs for line in state.queue.lines.values())

    @invariant()
    def agents_act_by_the_plans_that_we_know(self) -> None:
        state = self.told.engine.state
        for job in state.jobs.values():
            if isinstance(job.state, Starting | Running):
                plan = job.state.segment.plan
                allocation = state.allocations[job.state.segment.allocation]
                assert self.seats[job.id, job.state.segment.fence].plan == plan, "the agent acts by another plan"
                if allocation.until is not None:
                    assert plan.ends_at is not None
                    assert plan.ends_at <= allocation.until

    def teardown(self) -> None:
        """When all trouble ends, every job that was not cancelled comes to its end, though a main job may stay on one node."""
        if not self.told.engine.state.nodes:
            return
        self.freeze_all_as_they_run()
        for name in list(self.agents):
            self.end_agent(name)
            self.tell(AllocationLost(allocation=name, reason="over"))
        self.tell(Resumed())
        self.show(*(report(name) for name in NODES))
        for _ in range(200):
            state = self.told.engine.state
            self.release_all()
            self.take_a_named_node()
            if all(entry.is_over for entry in state.entries.values()):
                break
            self.serve()
        state = self.told.engine.state
        left = [entry.id for entry in state.entries.values() if not entry.is_over]
        assert not left, f"entries {left} never came to an end"
        for job in state.jobs.values():
            assert not isinstance(job.state, Freezing | Killing)
            assert isinstance(job.state, Done) or job.is_final
            assert not isinstance(job.state, Failed) or job.state.code != 0 or job.state.reason

    def take_a_named_node(self) -> None:
        named = next((request.node for request in self.pending.values() if request.node is not None), None)
        if self.one_is_taken and named is not None and all(shown.free != NOTHING for shown in self.shown.values()):
            self.show(report(named, free=NOTHING))

    def freeze_all_as_they_run(self) -> None:
        """Bind every guest to machines like its own: their nodes are asked for by name, and one of these may be taken then."""
        for job, fence in list(self.guests):
            if self.guests.pop((job, fence), None) is None:
                continue
            machine = MACHINES[self.agents.get(self.seats[job, fence].allocation, NodeName("n3"))]
            bound_to = None if machine is None else Needs(cpu=machine.cpu)
            self.snapshots += 1
            left = snapshot(job, fence, self.snapshots, run_ms=self.told.now % 1_000_000, bound_to=bound_to)
            self.tell(
                Frozen(job=job, fence=fence, snapshot=left, at=self.told.now, freeze_ms=Millis(0), reason="asked")
            )

    def release_all(self) -> None:
        state = self.told.engine.state
        for entry in list(state.entries):
            held = [j for j in state.entries[EntryId(entry)].open if isinstance(state.jobs[j].state, Held)]
            if held or state.entries[EntryId(entry)].rest.value == "held":
                self.tell(JobReleased(target=JobId(str(entry))))

    def serve(self) -> None:
        self.tell(Tick(), 6_000)
        for name, request in list(self.pending.items()):
            free = self.free_for(request)
            if free:
                self.start_agent(name, free[0], until=None)
        for job, fence in list(self.guests):
            if (job, fence) in self.guests:
                del self.guests[job, fence]
                self.tell(Exited(job=job, fence=fence, code=0, at=self.told.now, cause="workload"))


class WorldOfTurns(World):
    """The same, where but one node may write to the shared file system at once."""

    policy = replace(POLICY, shared_bandwidth=POLICY.bandwidth)

    @invariant()
    def one_node_writes_at_once(self) -> None:
        state = self.told.engine.state
        turns = sorted(
            (one.transfer for one in state.allocations.values() if one.transfer), key=lambda turn: turn.since
        )
        assert all(before.until <= after.since for before, after in pairwise(turns))
        assert all(turn.since < turn.until <= turn.due for turn in turns)
        again = Transfers()
        for turn in turns:
            again.add(turn)
        assert state.transfers == again


# They restore the engine from its facts after each of 2,000 steps.
SETTINGS = settings(
    max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestEngine = pytest.mark.timeout(600)(World.TestCase)
TestEngine.settings = SETTINGS
TestEngineInTurns = pytest.mark.timeout(600)(WorldOfTurns.TestCase)
TestEngineInTurns.settings = SETTINGS
