import threading
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from idleq.ids import AllocationId, Millis
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.errors import JournalUnavailable
from idleq.scheduler.faults import TRIES
from idleq.scheduler.intake import Intake
from idleq.scheduler.leases import Leases
from idleq.scheduler.listening import Listener
from idleq.scheduler.mailbox import Decisions
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.poller import ClusterPoller
from idleq.scheduler.rounds import SpoolRounds
from idleq.scheduler.spool import AgentSpool, Answer, DaemonSpool, Question
from support.daemon import FakeClock, FakeCluster, quiet_log, ready
from support.reports import write_reports
from testbed.waiting import wait_for

A1 = AllocationId("a1")
LEASE_MS = Millis(80)


@dataclass
class Engine:
    """Takes what it is told, or fails to."""

    heard: list[Input] = field(default_factory=list)
    failure: Exception | None = None

    def ask(self, inputs: Sequence[Input]) -> "Future[Decisions]":
        reply: Future[Decisions] = Future()
        if self.failure is not None:
            reply.set_exception(self.failure)
        else:
            self.heard += inputs
            reply.set_result(())
        return reply


class Side:
    """The daemon's side and one agent's, over one folder."""

    def __init__(self, root: Path) -> None:
        self.paths, self.engine = ServerPaths(root), Engine()
        self.leases = Leases(FakeClock(0), LEASE_MS, Millis(0))
        self.leases.add(A1)
        self.intake = Intake(self.paths)
        self.rounds = SpoolRounds(DaemonSpool(self.paths, 0), self.intake, self.leases, "d1", quiet_log(), 0)
        self.listener = Listener(
            rounds=self.rounds, intake=self.intake, ask=self.engine.ask, log=quiet_log(), lease_ms=LEASE_MS
        )
        self.paths.allocation(A1).root.mkdir(parents=True)
        self.agent = AgentSpool(self.paths.allocation(A1))

    def poller(self, cluster: FakeCluster) -> ClusterPoller:
        """Return the daemon's poller of *cluster*."""
        return ClusterPoller(
            cluster=cluster,
            intake=self.intake,
            leases=self.leases,
            ask=self.engine.ask,
            check=lambda: None,
            admit=lambda _: None,
            log=quiet_log(),
            every_ms=Millis(10),
            calm_ms=Millis(40),
            rounds=self.rounds,
        )


@pytest.fixture
def side(tmp_path: Path) -> Side:
    return Side(tmp_path)


def answer(beat: int, taken: int) -> Answer:
    return Answer(beat=beat, taken=taken, lease_ms=LEASE_MS, leave=False, daemon="d1")


class HangingCluster(FakeCluster):
    """A site's scheduler that answers nobody until it *may*."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.may = threading.Event(), threading.Event()

    def poll(self, known: Collection[AllocationId] = ()) -> Iterable[Input]:
        self.is_asked.set()
        assert self.may.wait(60)
        return super().poll(known)


def test_agents_are_heard_and_answered_while_the_sites_scheduler_hangs(side: Side) -> None:
    cluster = HangingCluster()
    poller = side.poller(cluster)
    poller.start()
    side.listener.start()
    try:
        assert cluster.is_asked.wait(60)
        write_reports(side.paths, A1, ready(A1))
        side.agent.ask(Question(beat=1))

        assert wait_for("the answer", side.agent.answer, seconds=60) == answer(beat=1, taken=1)
        assert side.engine.heard == [ready(A1)]
    finally:
        cluster.may.set()
        side.listener.stop()
        poller.stop()


def test_what_an_agent_says_is_told_once_whoever_hears_it(side: Side) -> None:
    write_reports(side.paths, A1, ready(A1))
    side.agent.ask(Question(beat=1))
    side.listener.round()
    side.poller(FakeCluster()).collect()
    side.listener.round()

    assert side.engine.heard == [ready(A1)]


def test_what_could_not_be_journalled_is_told_again_and_the_agent_is_answered(side: Side) -> None:
    write_reports(side.paths, A1, ready(A1))
    side.engine.failure = JournalUnavailable("full")
    for beat in range(1, TRIES + 3):
        side.agent.ask(Question(beat=beat))
        side.listener.round()
        assert side.agent.answer() == answer(beat, taken=0)
    side.engine.failure = None
    side.agent.ask(Question(beat=9))
    side.listener.round()

    assert (side.agent.answer(), side.engine.heard) == (answer(beat=9, taken=1), [ready(A1)])


def test_what_the_engine_fails_on_is_not_told_for_ever(side: Side) -> None:
    write_reports(side.paths, A1, ready(A1))
    side.engine.failure = ZeroDivisionError()
    side.agent.ask(Question(beat=1))
    for _ in range(TRIES):
        side.listener.round()
        assert side.intake.taken(A1) == 0
    side.listener.round()

    assert side.intake.taken(A1) == 1


def test_the_thread_outlives_whatever_happens_in_a_round(side: Side) -> None:
    hear, faults = side.rounds.hear, [ZeroDivisionError()]

    def fragile() -> object:
        if faults:
            raise faults.pop()
        return hear()

    side.rounds.hear = fragile  # type: ignore[method-assign,assignment] # it fails once
    side.agent.ask(Question(beat=1))
    side.listener.start()
    try:
        assert wait_for("the answer", side.agent.answer, seconds=60) == answer(beat=1, taken=0)
    finally:
        side.listener.stop()
