import threading
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from idleq.errors import IdleqError
from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import AllocationLost, CommandFailed, Exited, Input, Reconciled
from idleq.scheduler.errors import JournalUnavailable, Superseded
from idleq.scheduler.faults import TRIES
from idleq.scheduler.intake import Intake
from idleq.scheduler.leases import Leases
from idleq.scheduler.mailbox import Decisions
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.poller import PATIENCE, ClusterPoller
from support.daemon import NODE, FakeClock, FakeCluster, a_node, granted, quiet_log, ready
from support.reports import write_reports

A1, A2 = AllocationId("a1"), AllocationId("a2")
LOST = AllocationLost(allocation=A1, reason="preempted")
EXITED = Exited(job=JobId("1"), fence=Fence(1), code=0, at=Millis(5), cause="workload")


class Away(IdleqError):
    """The site's scheduler restarts."""

    transient = True


@dataclass
class Listener:
    """Takes what the poller tells, or fails to."""

    heard: list[tuple[Input, ...]] = field(default_factory=list)
    failure: Exception | None = None
    has_heard: threading.Event = field(default_factory=threading.Event)

    def ask(self, inputs: Sequence[Input]) -> "Future[Decisions]":
        reply: Future[Decisions] = Future()
        if self.failure is None:
            self.heard.append(tuple(inputs))
            reply.set_result(())
            self.has_heard.set()
        else:
            reply.set_exception(self.failure)
        return reply


class Polled:
    """A poller whose rounds are taken one by one."""

    def __init__(self, root: Path) -> None:
        self.paths = ServerPaths(root)
        self.cluster, self.listener, self.admitted = FakeCluster(), Listener(), list[str]()
        self.superseded: Superseded | None = None
        self.leases = Leases(FakeClock(0), Millis(1000), Millis(0))
        self.poller = ClusterPoller(
            cluster=self.cluster,
            intake=Intake(self.paths),
            leases=self.leases,
            ask=self.listener.ask,
            check=self.check,
            admit=self.admit,
            log=quiet_log(),
            every_ms=Millis(10),
            calm_ms=Millis(40),
        )

    def check(self) -> None:
        if self.superseded is not None:
            raise self.superseded

    def admit(self, allocation: AllocationId) -> None:
        self.admitted.append(f"{allocation}, {len(self.cluster.asked)} asked")

    def round(self) -> list[tuple[Input, ...]]:
        """Take one round; return what was told in it."""
        self.listener.heard.clear()
        self.poller.carry_out(self.poller.waiting_orders())
        self.poller._tell(*self.poller.collect())
        return list(self.listener.heard)

    def record(self, allocation: AllocationId, *said: Input) -> None:
        """Let an agent write its reports down."""
        write_reports(self.paths, allocation, *said)


@pytest.fixture
def polled(tmp_path: Path) -> Polled:
    return Polled(tmp_path)


def request(allocation: AllocationId = A1) -> RequestAllocation:
    return RequestAllocation(
        id=CommandId(7), allocation=allocation, mode=Mode.PREEMPTIBLE, node=None, resources=NODE,
        min_ms=Millis(1), max_ms=Millis(2),
    )  # fmt: skip


def test_what_exists_is_told_first(polled: Polled) -> None:
    assert polled.round() == [(Reconciled(allocations=()), a_node())]
    assert polled.round() == []


def test_the_cluster_is_told_with_what_the_engine_counts(polled: Polled) -> None:
    polled.leases.add(A1)
    polled.round()
    assert polled.cluster.known == (A1,)


def test_an_allocation_is_asked_for_once_its_agents_token_is_there(polled: Polled) -> None:
    polled.round()
    polled.poller.order(request())
    assert polled.round() == [(granted(A1),)]
    assert (polled.cluster.asked, polled.admitted) == ([A1], ["a1, 0 asked"])


def test_an_allocation_is_given_back(polled: Polled) -> None:
    polled.poller.order(ReleaseAllocation(id=CommandId(8), allocation=A1, reason="idle"))
    polled.round()
    assert polled.cluster.released == [A1]


def test_a_daemon_that_another_has_replaced_neither_asks_the_cluster_for_anything_nor_ends_anything(
    polled: Polled,
) -> None:
    polled.round()
    polled.superseded = Superseded("a daemon on login2 has taken over")
    polled.cluster.news.append(LOST)
    polled.poller.order(request(A2))
    polled.poller.order(ReleaseAllocation(id=CommandId(8), allocation=A1, reason="idle"))

    told = polled.round()

    assert told == [
        tuple(
            CommandFailed(command=CommandId(n), reason="a daemon on login2 has taken over", transient=False)
            for n in (7, 8)
        )
    ]
    assert (polled.cluster.asked, polled.cluster.released, polled.admitted) == ([], [], [])


@pytest.mark.parametrize(
    ("refusal", "transient"), [(Away("try later"), True), (IdleqError("never"), False), (OSError("full"), True)]
)
def test_what_the_cluster_refuses_is_told_with_its_reason(
    polled: Polled, refusal: Exception, *, transient: bool
) -> None:
    polled.round()
    polled.cluster.refusal = refusal
    polled.poller.order(request())
    assert polled.round() == [(CommandFailed(command=CommandId(7), reason=str(refusal), transient=transient),)]


def test_what_an_agent_recorded_is_told_before_its_allocation_is_over(polled: Polled) -> None:
    polled.round()
    polled.record(A1, ready(A1), EXITED)
    polled.record(A2, ready(A2))
    polled.cluster.news.append(LOST)
    assert polled.round() == [(ready(A1), EXITED, LOST)]


def test_what_any_agent_recorded_is_told_before_what_exists(polled: Polled) -> None:
    polled.leases.add(A1)
    polled.record(A1, ready(A1), EXITED)
    assert polled.round() == [(ready(A1), EXITED, Reconciled(allocations=()), a_node())]


def test_what_could_not_be_journalled_is_told_again_whole(polled: Polled) -> None:
    polled.round()
    polled.record(A1, EXITED)
    polled.cluster.news.append(LOST)
    polled.listener.failure = JournalUnavailable("full")
    assert polled.round() == []
    polled.listener.failure = None
    polled.cluster.news.append(granted(A2))
    assert polled.round() == [(EXITED, LOST, granted(A2))]
    assert polled.round() == []


def test_the_pauses_grow_while_nothing_can_be_told(polled: Polled) -> None:
    polled.listener.failure = JournalUnavailable("full")
    pauses = []
    for _ in range(15):
        is_told = polled.poller._tell(*polled.poller.collect())
        polled.poller._pause_ms = Millis(10) if is_told else polled.poller._longer()
        pauses.append(polled.poller._pause_ms)
    assert (pauses[:3], pauses[-1]) == ([20, 40, 80], 30_000)


def test_the_pauses_grow_while_nothing_changes_and_an_order_or_a_change_ends_that(polled: Polled) -> None:
    def pause(*orders: RequestAllocation) -> int:
        """How long the thread would wait after a round with *orders*."""
        polled.poller._round(orders)
        polled.poller._pause_ms = polled.poller._usual()
        return polled.poller._pause_ms

    assert pause() == 10, "it was told what exists"
    assert [pause() for _ in range(5)] == [15, 22, 33, 40, 40]
    assert pause(request()) == 10
    assert pause() == 15
    polled.cluster.news.append(LOST)
    assert pause() == 10


def test_a_cluster_that_is_away_tells_nothing_and_loses_nothing(polled: Polled) -> None:
    polled.round()
    polled.cluster.absence = Away("the controller restarts")
    polled.cluster.news.append(LOST)
    assert polled.round() == []
    polled.cluster.absence = None
    assert polled.round() == [(LOST,)]


def test_a_cluster_that_is_away_is_asked_more_and_more_rarely_until_it_is_back(polled: Polled) -> None:
    polled.cluster.absence = Away("the controller restarts")
    assert not polled.poller._round(())
    assert not polled.poller._round(())
    polled.cluster.absence = None
    assert polled.poller._round(())


def test_a_new_engine_is_told_what_exists(polled: Polled) -> None:
    polled.round()
    polled.poller.order(request(A1))
    polled.poller.order(request(A2))
    polled.round()
    polled.cluster.news.append(LOST)
    polled.round()
    polled.poller.start_over()
    assert polled.round() == [(Reconciled(allocations=(A2,)),)]


def test_before_anything_was_asked_nothing_is_said_to_exist(polled: Polled) -> None:
    polled.cluster.absence = Away("the controller restarts")
    polled.poller.start_over()
    assert polled.round() == []


def test_a_new_engine_is_told_that_nothing_exists(polled: Polled) -> None:
    polled.round()
    polled.poller.start_over()
    assert polled.round() == [(Reconciled(allocations=()),)]


def make_unreadable(polled: Polled, allocation: AllocationId) -> Path:
    """A folder in place of the file raises as a damaged disk does, for root too."""
    reports = polled.paths.allocation(allocation).reports
    reports.mkdir(parents=True)
    return reports


def test_an_allocation_whose_file_cannot_be_read_is_not_over_before_it_can(polled: Polled) -> None:
    polled.round()
    reports = make_unreadable(polled, A1)
    polled.cluster.news += [LOST, granted(A2)]
    assert polled.round() == [(granted(A2),)]
    assert polled.round() == []
    reports.rmdir()
    polled.record(A1, EXITED)
    assert polled.round() == [(EXITED, LOST)]
    assert polled.round() == []


def test_a_file_that_can_never_be_read_keeps_its_allocation_for_a_while_only(polled: Polled) -> None:
    polled.round()
    make_unreadable(polled, A1)
    polled.cluster.news.append(LOST)
    assert [polled.round() for _ in range(PATIENCE + 2)] == [*[[]] * PATIENCE, [(LOST,)], []]


def test_one_file_that_cannot_be_read_keeps_nobody_from_being_told_what_exists(polled: Polled) -> None:
    polled.leases.add(A1)
    polled.leases.add(A2)
    reports = make_unreadable(polled, A1)
    polled.record(A2, EXITED)
    assert polled.round() == [(EXITED, Reconciled(allocations=(A1,)), a_node())]
    reports.rmdir()
    assert polled.round() == [(AllocationLost(allocation=A1, reason="it is gone"),)]


def test_the_pauses_grow_while_a_file_cannot_be_read(polled: Polled) -> None:
    make_unreadable(polled, A1)
    polled.cluster.news.append(LOST)
    assert [polled.poller._round([]), polled.poller._round([])] == [False, False]


def test_the_thread_outlives_whatever_the_cluster_raises(polled: Polled) -> None:
    poll, faults = polled.cluster.poll, [ZeroDivisionError()]

    def fragile(known: Collection[AllocationId] = ()) -> Iterable[Input]:
        if faults:
            raise faults.pop()
        return poll(known)

    polled.cluster.poll = fragile  # type: ignore[method-assign] # the fake fails once
    polled.poller.start()
    assert polled.listener.has_heard.wait(10)
    polled.poller.stop()
    assert polled.listener.heard[0][0] == Reconciled(allocations=())


def test_what_was_not_asked_for_because_of_a_fault_is_not_said_to_exist(polled: Polled) -> None:
    polled.round()

    def broken(command: RequestAllocation) -> None:
        raise ZeroDivisionError(command.id)

    polled.cluster.request = broken  # type: ignore[method-assign] # the fake fails
    with pytest.raises(ZeroDivisionError):
        polled.poller._round([request()])
    polled.poller.start_over()
    assert polled.round()[0][0] == Reconciled(allocations=())


def test_an_input_that_the_engine_fails_on_is_not_told_for_ever(polled: Polled) -> None:
    polled.round()
    polled.poller.order(request())
    polled.listener.failure = ZeroDivisionError()
    polled.round()
    polled.listener.failure = None
    assert polled.round() == [(Reconciled(allocations=(A1,)),)]


def test_reports_with_one_that_the_engine_fails_on_are_told_again_until_it_is_set_aside(polled: Polled) -> None:
    polled.round()
    polled.record(A1, EXITED)
    polled.cluster.news.append(LOST)
    polled.listener.failure = ZeroDivisionError()
    for _ in range(TRIES):
        polled.round()
    polled.listener.failure = None
    assert polled.round() == [(EXITED, LOST)]


def test_the_thread_polls_and_stops(polled: Polled) -> None:
    polled.poller.start()
    polled.poller.order(request())
    polled.poller.stop()
    assert polled.listener.heard[0][0] == Reconciled(allocations=())
