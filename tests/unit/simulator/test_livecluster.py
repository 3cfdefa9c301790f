from collections.abc import Sequence
from pathlib import Path

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.scheduler.core.commands import Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import (
    AllocationGranted,
    AllocationLost,
    Input,
    MainJobStarted,
    NodeReport,
    ViewChanged,
)
from idleq.scheduler.core.resources import Resources
from idleq.simulator.book import AgentStarted, Book, Record
from idleq.simulator.jobs import numbered_nodes
from idleq.simulator.livecluster import LiveCluster, kept_records
from idleq.simulator.settings import ClusterSettings, MainLoad
from idleq.simulator.wire import Answer, Done, News, Poll, Refusal, Stop, unpacked_input

EPOCH = Millis(1_000_000)
A1, A2 = AllocationId("a1"), AllocationId("a2")
N1 = NodeName("n1")
SMALL = Resources(1, 100)
NODE = Resources(4, 4_000)


class HandClock:
    def __init__(self) -> None:
        self.at = EPOCH

    def now(self) -> Millis:
        return self.at

    def to(self, world_time: int) -> None:
        self.at = Millis(EPOCH + world_time)


class FakeHost:
    """Agents that live until they are ended or `left`; *stays* processes survive every kill."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []
        self.running: dict[AllocationId, AgentStarted] = {}
        self.left: dict[AllocationId, str] = {}
        self.stays = 0
        self.guests = 0
        self.cannot_start = False

    def start(self, allocation: AllocationId, node: NodeName, resources: Resources, until: Millis) -> AgentStarted:
        if self.cannot_start:
            raise OSError(2, "no such program")
        self.done.append(("start", f"{allocation} {node} {resources.cores} {until}"))
        self.running[allocation] = AgentStarted(allocation=allocation, pid=7, started=1, machine_boot="boot")
        return self.running[allocation]

    def find(self, agent: AgentStarted, node: NodeName) -> bool:
        return node == N1 and self.running.get(agent.allocation) == agent

    def ask_to_leave(self, allocation: AllocationId) -> None:
        self.done.append(("ask", allocation))

    def end(self, allocation: AllocationId, node: NodeName) -> int:
        self.done.append(("end", f"{allocation} {node}"))
        self.running.pop(allocation, None)
        return self.stays

    def alive(self, allocation: AllocationId) -> int:
        return self.guests if allocation in self.running else 0

    def gone(self) -> dict[AllocationId, str]:
        left, self.left = self.left, {}
        return left


class FullDisk:
    """A book in which nothing can be written from some record on."""

    def __init__(self, room: int) -> None:
        self.room = room

    def add(self, record: Record) -> None:
        self.room -= 1
        if self.room < 0:
            raise OSError(28, "No space left on device", str(record))

    def close(self) -> None:
        pass


class Bench:
    """A cluster of one node with its clock, host, book and daemon; one main job at 10 s for 5 s."""

    def __init__(self, tmp_path: Path, *, grace: int = 2_000, main: str = "1 10 0 5 1 -1 -1 1 6") -> None:
        trace = tmp_path / "main.swf"
        trace.write_text(f"; MaxProcs: 1\n{main}\n" if main else "1 1000000 0 5 1 -1 -1 1 6\n")
        # The log's first job sets its time 0.
        trace.write_text("900 0 0 1 1 -1 -1 1 1\n" + trace.read_text())
        self.settings = ClusterSettings(
            start=EPOCH,
            nodes=numbered_nodes(1, NODE),
            agent_argv=("agent",),
            grace_ms=Millis(grace),
            main=MainLoad.TRACE,
            trace=str(trace),
            speed_up=1,
        )
        self.path = tmp_path / "allocations.jsonl"
        self.clock, self.host = HandClock(), FakeHost()
        self.clock.to(2_000)
        self.life, self.taken = "", 0
        self.cluster = self.build()
        self.poll()

    def build(self) -> LiveCluster:
        records = kept_records(Book.read(self.path), EPOCH)
        return LiveCluster(self.settings, self.clock, self.host, Book.rewrite(self.path, records), records)

    def restart(self) -> None:
        self.cluster = self.build()

    def ask(self, allocation: AllocationId, *, resources: Resources = SMALL, node: NodeName | None = None) -> Answer:
        return self.cluster.answer(
            RequestAllocation(
                id=CommandId(1),
                allocation=allocation,
                mode=Mode.PREEMPTIBLE,
                node=node,
                resources=resources,
                min_ms=Millis(1),
                max_ms=Millis(100_000),
            )
        )

    def release(self, allocation: AllocationId) -> Answer:
        return self.cluster.answer(ReleaseAllocation(id=CommandId(2), allocation=allocation, reason="released"))

    def to(self, world_time: int) -> None:
        self.clock.to(world_time)
        self.cluster.turn()

    def poll(self) -> Sequence[Input]:
        news = self.cluster.answer(Poll(life=self.life, taken=self.taken))
        assert isinstance(news, News)
        self.life, self.taken = news.life, news.last
        self.allocations = news.allocations
        return [unpacked_input(kind, body) for kind, body in news.inputs]


def granted(until: int, allocation: AllocationId = A1) -> AllocationGranted:
    return AllocationGranted(allocation=allocation, node=N1, resources=SMALL, until=Millis(EPOCH + until))


def view(busy_until: int | None = None, name: str = "") -> ViewChanged:
    end = None if busy_until is None else Millis(EPOCH + busy_until)
    free = NODE if busy_until is None else Resources(0, 0)
    return ViewChanged(deltas=(NodeReport(name=N1, capacity=NODE, free=free, busy_until=end, main_job=name),))


def test_a_granted_allocation_gets_an_agent_and_the_daemon_hears_of_it_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.ask(A1) == Done()
    assert bench.host.done == [("start", f"a1 n1 1 {EPOCH + 102_000}")]
    assert (bench.poll(), bench.poll()) == ([granted(102_000)], [])


def test_news_that_the_daemon_did_not_take_are_told_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    before = bench.taken
    assert bench.poll() == [granted(102_000)]
    bench.taken = before
    assert bench.poll() == [granted(102_000)]


def test_preempted_agents_are_asked_first_and_killed_after_the_grace(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.poll()
    bench.to(10_000)
    bench.to(11_999)
    assert bench.host.done[1:] == [("ask", "a1")]
    bench.to(12_000)
    assert bench.host.done[1:] == [("ask", "a1"), ("end", "a1 n1")]
    assert bench.poll() == [
        view(16_000, "1"),
        AllocationLost(allocation=A1, reason="preempted by main job 1"),
        MainJobStarted(main_job="1", nodes=(N1,), waited_ms=Millis(2_000), bound_ms=Millis(2_000), guests_alive=0),
        view(18_000, "1"),
    ]


def test_a_guest_that_would_not_die_is_counted_when_the_main_job_starts(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.host.stays = 3
    bench.to(12_000)
    assert [said.guests_alive for said in bench.poll() if isinstance(said, MainJobStarted)] == [3]


def test_an_agent_that_ends_by_itself_ends_its_allocation_with_all_that_is_left_in_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.poll()
    bench.host.left = {A1: "its agent ended with exit code 3"}
    bench.to(3_000)
    assert bench.host.done[1:] == [("end", "a1 n1")]
    assert bench.poll() == [AllocationLost(allocation=A1, reason="its agent ended with exit code 3")]


def test_an_agent_that_cannot_be_started_loses_its_allocation(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.host.cannot_start = True
    assert bench.ask(A1) == Done()
    lost = AllocationLost(allocation=A1, reason="its agent could not be started: [Errno 2] no such program")
    assert bench.poll() == [granted(102_000), lost]


def test_asking_again_changes_nothing_whether_it_runs_or_is_over(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.ask(A1)
    bench.host.left = {A1: "its agent has left"}
    bench.to(3_000)
    bench.poll()
    assert bench.ask(A1) == Done()
    assert bench.poll() == [AllocationLost(allocation=A1, reason="its agent has left")]
    assert [act for act, _ in bench.host.done] == ["start", "end"]


def test_what_is_not_known_is_lost_when_it_is_released(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.release(A1) == Done()
    assert bench.poll() == [AllocationLost(allocation=A1, reason="it is not known here")]


def test_what_can_never_be_granted_is_refused_for_good(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    answer = bench.ask(A1, node=NodeName("n9"))
    assert answer == Refusal(reason="there is no node n9 here; the nodes are n1", transient=False)
    assert (bench.poll(), bench.allocations) == ([], ())


def test_a_full_disk_refuses_a_request_for_now_and_changes_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.cluster._book = FullDisk(0)
    answer = bench.ask(A1)
    assert answer == Refusal(reason="the cluster cannot write its records: No space left on device", transient=True)
    assert (bench.poll(), bench.allocations, bench.host.done) == ([], (), [])


def test_a_disk_that_fills_up_while_an_agent_starts_takes_the_allocation_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.cluster._book = FullDisk(2)
    assert bench.ask(A1) == Done()
    assert [act for act, _ in bench.host.done] == ["start", "end"]
    assert isinstance(bench.poll()[-1], AllocationLost)


def test_a_new_daemon_is_told_everything(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.ask(A2, resources=NODE)
    bench.life = ""
    assert bench.poll() == [view(), granted(102_000)]
    assert bench.allocations == (A2, A1)


def test_a_cluster_started_again_finds_its_agents_and_takes_up_where_it_was(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.ask(A2, resources=NODE)
    bench.poll()
    bench.clock.to(5_000)
    bench.restart()
    assert bench.poll() == [view(), granted(102_000)]
    assert bench.allocations == (A2, A1)
    bench.release(A1)
    bench.to(7_000)
    assert bench.host.done[1:3] == [("ask", "a1"), ("end", "a1 n1")]
    assert bench.host.done[3][1].startswith("a2 n1 4")


def test_an_agent_that_died_while_nobody_looked_is_lost_and_its_leftovers_are_killed(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.poll()
    bench.host.running.clear()
    bench.restart()
    assert bench.host.done[1:] == [("end", "a1 n1")]
    assert bench.poll() == [
        view(),
        AllocationLost(allocation=A1, reason="its agent died while the cluster's process was away"),
    ]


def test_guests_beside_a_main_job_that_started_while_nobody_looked_are_harm_and_leave(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.clock.to(11_000)
    bench.host.guests = 2
    bench.restart()
    harm = MainJobStarted(main_job="1", nodes=(N1,), waited_ms=Millis(0), bound_ms=Millis(2_000), guests_alive=2)
    assert bench.poll() == [view(16_000, "1"), granted(102_000), harm]
    assert bench.host.done[1:] == [("ask", "a1")]
    bench.to(13_000)
    assert bench.host.done[2:] == [("end", "a1 n1")]


def test_an_allocation_whose_time_was_up_while_nobody_looked_is_ended(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.clock.to(200_000)
    bench.restart()
    lost = AllocationLost(allocation=A1, reason="its time was up while the cluster's process was away")
    assert bench.poll() == [view(), lost]


def test_a_world_that_was_held_up_takes_the_same_course_after_a_restart(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    bench.to(12_000)
    bench.clock.to(13_000)
    bench.restart()
    assert bench.poll()[0] == view(18_000, "1")


def test_stopping_ends_every_allocation(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.ask(A1)
    assert bench.cluster.answer(Stop()) == Done()
    assert bench.cluster.is_stopping
    bench.cluster.end()
    assert bench.host.done[1:] == [("end", "a1 n1")]


def test_a_daemon_that_was_away_for_long_is_told_the_present_and_every_loss(tmp_path: Path) -> None:
    bench = Bench(tmp_path, main="")
    bench.ask(A1)
    bench.host.left = {A1: "its agent has left"}
    bench.to(3_000)
    for _ in range(10_001):
        bench.cluster._say(view())
    assert bench.poll() == [view(), AllocationLost(allocation=A1, reason="its agent has left")]


def test_the_cluster_naps_until_the_next_moment_but_never_long(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.cluster.nap_ms() == 1_000
    bench.to(9_700)
    assert bench.cluster.nap_ms() == 300
