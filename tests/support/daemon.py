"""A daemon with everything around it made up: what it does outside is written into one diary, in order."""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from idleq.ids import AllocationId, EntryId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import AgentCommand, Launch, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.engine import Decision
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import (
    AgentReady,
    AllocationGranted,
    Exited,
    Input,
    JobsSubmitted,
    Launched,
    NodeReport,
    Reconciled,
    ViewChanged,
)
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, JobSpec, Submission
from idleq.scheduler.daemon import Daemon
from idleq.scheduler.errors import JournalUnavailable
from idleq.scheduler.hands import Hands
from idleq.scheduler.intake import Intake
from idleq.scheduler.leases import Leases
from idleq.scheduler.mailbox import Mailbox
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.ports import Turn

NOON = Millis(1_767_607_200_000)
GIB = 2**30
NODE = Resources(4, 8 * GIB)
ONE_CORE = Resources(1, GIB)
POLICY = Policy(lease_ms=Millis(60_000), margin_ms=Millis(2_000), min_gap_ms=Millis(1_000))

Event = tuple[str, Any]


@dataclass
class FakeClock:
    """Stands still until `advance`."""

    at: int = NOON

    def now(self) -> Millis:
        return Millis(self.at)

    def advance(self, by: int) -> None:
        self.at += by


@dataclass
class DiaryJournal:
    """A journal in memory that notes each append, and can be broken: for writing, or for reading too."""

    diary: list[Event] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    cannot_write: bool = False
    cannot_read: bool = False
    keeps_what_fails: bool = False
    appends: int = 0

    def append(self, turns: Sequence[Turn]) -> None:
        if self.cannot_write:
            if self.keeps_what_fails:
                self.turns.extend(turns)
            raise JournalUnavailable("the disk is full")
        self.appends += 1
        self.turns.extend(turns)
        self.diary.extend(("journal", type(fact).__name__) for turn in turns for fact in turn.facts)

    def facts(self) -> Iterator[tuple[Millis, Fact]]:
        if self.cannot_read:
            raise JournalUnavailable("the disk is away")
        return ((turn.at, fact) for turn in list(self.turns) for fact in turn.facts)


@dataclass
class DiaryAgents:
    """Notes what agents are sent."""

    diary: list[Event] = field(default_factory=list)

    def send(self, command: AgentCommand) -> None:
        self.diary.append((type(command).__name__, command.job))

    def forget(self, allocation: AllocationId) -> None:
        self.diary.append(("forget", allocation))


@dataclass
class DiaryResults:
    """Notes what is published; may be out of disk."""

    diary: list[Event] = field(default_factory=list)
    is_full: bool = False

    def publish(self, job: JobId, fence: Fence) -> None:
        if self.is_full:
            raise OSError(28, "No space left on device")
        self.diary.append(("publish", (job, fence)))


@dataclass
class FakeCluster:
    """Grants everything at the next poll, on its one node; notes what it is asked."""

    node: NodeName = NodeName("n1")
    asked: list[AllocationId] = field(default_factory=list)
    released: list[AllocationId] = field(default_factory=list)
    news: list[Input] = field(default_factory=list)
    alive: dict[AllocationId, None] = field(default_factory=dict)
    refusal: Exception | None = None
    absence: Exception | None = None
    is_first: bool = True
    known: Collection[AllocationId] = ()

    def request(self, command: RequestAllocation) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(command.allocation)
        self.alive[command.allocation] = None
        self.news.append(granted(command.allocation))

    def release(self, command: ReleaseAllocation) -> None:
        self.released.append(command.allocation)
        self.alive.pop(command.allocation, None)

    def poll(self, known: Collection[AllocationId] = ()) -> Iterable[Input]:
        self.known = known
        if self.absence is not None:
            raise self.absence
        news, self.news = self.news, []
        if self.is_first:
            self.is_first = False
            return [Reconciled(allocations=tuple(self.alive)), a_node(), *news]
        return news


@dataclass
class Bench:
    """The daemon with fakes; one diary for all that it does outside."""

    root: Path
    policy: Policy = POLICY
    diary: list[Event] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    steady: FakeClock = field(default_factory=lambda: FakeClock(0))
    journal: Any = None
    agents: Any = None
    restored: int = 0

    def __post_init__(self) -> None:
        self.journal = DiaryJournal(self.diary) if self.journal is None else self.journal
        self.agents = DiaryAgents(self.diary) if self.agents is None else self.agents
        self.results = DiaryResults(self.diary)
        self.paths = ServerPaths(self.root)
        self.mailbox = Mailbox()
        self.leases = Leases(self.steady, self.policy.lease_ms, self.policy.margin_ms)
        self.intake = Intake(self.paths)
        self.rung: list[str] = []
        self.forgotten: list[AllocationId] = []
        self.on_ring: Callable[[Iterable[str]], None] = lambda _topics: None
        self.daemon = Daemon(
            policy=self.policy,
            on_restored=self._restored,
            journal=self.journal,
            clock=self.clock,
            steady=self.steady,
            mailbox=self.mailbox,
            leases=self.leases,
            hands=self._hands(),
            log=quiet_log(),
        )

    def _hands(self) -> Hands:
        return Hands(
            order=lambda command: self.diary.append((type(command).__name__, command.allocation)),
            agents=self.agents,
            results=self.results,
            leases=self.leases,
            intake=self.intake,
            ring=self._ring,
            forget=self.forgotten.append,
            log=quiet_log(),
        )

    def _ring(self, topics: Iterable[str]) -> None:
        self.rung.extend(topics)
        self.on_ring(topics)

    def _restored(self) -> None:
        self.restored += 1

    def ask(self, *inputs: Input, sender: AllocationId | None = None) -> "Future[tuple[Decision, ...]]":
        """Leave *inputs* in the mailbox as one question."""
        return self.mailbox.ask(inputs, sender)

    def turn(self) -> None:
        """Let the daemon take one turn with what lies in its mailbox."""
        self.daemon.turn(self.mailbox.take(Millis(0)))

    def tell(self, *inputs: Input, sender: AllocationId | None = None) -> tuple[Decision, ...]:
        """Ask, take a turn, return the decisions."""
        reply = self.ask(*inputs, sender=sender)
        self.turn()
        return reply.result(timeout=0)

    def events(self) -> list[Event]:
        """Return what was done since the last call."""
        events = list(self.diary)
        self.diary.clear()
        return events

    def host_a_job(self) -> Launch:
        """Submit a job and bring it to its launch; return that."""
        self.tell(a_node())
        self.tell(a_job())
        (allocation,) = (what for kind, what in self.diary if kind == "RequestAllocation")
        self.tell(granted(allocation))
        decisions = self.tell(ready(allocation))
        (launch,) = (c for decision in decisions for c in decision.commands if isinstance(c, Launch))
        return launch

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the daemon's loop in a thread of its own."""
        thread = threading.Thread(target=self.daemon.run)
        thread.start()
        try:
            yield
        finally:
            self.daemon.stop()
            thread.join()


def quiet_log() -> Any:
    """Return a log that says nothing."""
    return structlog.wrap_logger(None, processors=[_drop])


def _drop(_logger: Any, _name: str, _event: Any) -> Any:
    raise structlog.DropEvent


def a_node(name: str = "n1", resources: Resources = NODE) -> ViewChanged:
    return ViewChanged(deltas=(NodeReport(name=NodeName(name), capacity=resources, free=resources),))


def a_job(request: str = "r1", *, array: ArrayRange | None = None, cores: int = 1) -> JobsSubmitted:
    spec = JobSpec(name="true", argv=("true",), resources=Resources(cores, GIB))
    return JobsSubmitted(submissions=(Submission(spec=spec, array=array),), request=request, user="ada")


def granted(allocation: AllocationId) -> AllocationGranted:
    return AllocationGranted(allocation=allocation, node=NodeName("n1"), resources=NODE, until=None)


def ready(allocation: AllocationId, guests: tuple[tuple[JobId, Fence], ...] = ()) -> AgentReady:
    return AgentReady(allocation=allocation, node=NodeName("n1"), resources=NODE, until=None, guests=guests)


def launched(launch: Launch) -> Launched:
    return Launched(job=launch.job, fence=launch.fence, at=NOON, thaw_ms=Millis(0))


def done(launch: Launch) -> Exited:
    return Exited(job=launch.job, fence=launch.fence, code=0, at=NOON, cause="workload", digest="d")


def entries(decisions: tuple[Decision, ...]) -> tuple[EntryId, ...]:
    return decisions[0].entries
