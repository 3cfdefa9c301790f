"""The embedded cluster as it is used: its own process, real agents (small programs), killed at bad moments."""

import contextlib
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.processes import started
from idleq.scheduler.clock import SystemClock
from idleq.scheduler.core.commands import Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import (
    AllocationGranted,
    AllocationLost,
    CommandFailed,
    Input,
    MainJobStarted,
    Reconciled,
    ViewChanged,
)
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.paths import ServerPaths
from idleq.simulator import embedded, proc
from idleq.simulator.embedded import EmbeddedCluster
from idleq.simulator.errors import BadSettings, ClusterAway, ClusterRunning
from idleq.simulator.jobs import numbered_nodes
from idleq.simulator.live import run
from idleq.simulator.settings import ClusterSettings, MainLoad, write_settings
from idleq.simulator.wire import News, Poll, exchange, short_name

GIVE_UP_S = 30.0
A1 = AllocationId("a1")

# However slow the machine is, one of these comes while the agent is there.
EVERY_SIX_SECONDS = "\n".join(f"{number} {6 * number} 0 1 1 -1 -1 1 1" for number in range(1, 50))

AGENT = """
import json, os, signal, subprocess, sys, time
name, path, behaviour = sys.argv[1:4]
if behaviour == "dies":
    sys.exit(3)
signal.signal(signal.SIGTERM, signal.SIG_IGN if behaviour == "stubborn" else lambda *_: sys.exit(0))
# A guest in a session of its own, and a child of it that has lost its parent.
script = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\\n" \\
         "import time; time.sleep(600)"
guest = subprocess.Popen([sys.executable, "-c", script], start_new_session=True,
                         env={"TMPDIR": os.environ["IDLEQ_SCRATCH"] + "/tmp"})
with open(path + "/" + name + ".tmp", "w") as file:
    json.dump({"argv": sys.argv, "pid": os.getpid(), "guest": guest.pid}, file)
os.rename(path + "/" + name + ".tmp", path + "/" + name)
time.sleep(600)
"""


class Cluster:
    """An embedded cluster with its directory, and what the daemon has heard of it."""

    def __init__(self, folder: Path, behaviour: str = "good", main: str = "", grace: int = 1_000) -> None:
        self.folder, self.notes = folder, folder / "notes"
        self.notes.mkdir()
        self.paths = ServerPaths(folder / "server")
        self.paths.create()
        trace = folder / "main.swf"
        trace.write_text(f"900 0 0 1 1 -1 -1 1 1\n{main}\n")
        template = ("{allocation}", str(self.notes), behaviour, "{node}", "{scratch}", "{cores}", "{until}", "{grace}")
        self.settings = ClusterSettings(
            start=Millis(SystemClock().now() - 2_000),
            nodes=numbered_nodes(1, Resources(4, 4_000)),
            agent_argv=(sys.executable, "-c", AGENT, *template),
            grace_ms=Millis(grace),
            main=MainLoad.TRACE if main else MainLoad.NONE,
            trace=str(trace),
            speed_up=1,
        )
        write_settings(self.paths.root, self.settings)
        self.start_argv = [
            sys.executable,
            "-c",
            "import sys, pathlib; from idleq.simulator.live import run; run(pathlib.Path(sys.argv[1]))",
            str(self.paths.root),
        ]
        self.heard: list[Input] = []
        self.new_daemon()

    def new_daemon(self) -> None:
        self.cluster = EmbeddedCluster(self.paths.root, self.start_argv)

    def poll(self) -> list[Input]:
        new = list(self.cluster.poll())
        self.heard += new
        return new

    def ask(self, name: str = "a1", node: str | None = None) -> None:
        self.cluster.request(
            RequestAllocation(
                id=CommandId(5),
                allocation=AllocationId(name),
                mode=Mode.PREEMPTIBLE,
                node=None if node is None else NodeName(node),
                resources=Resources(1, 100),
                min_ms=Millis(1),
                max_ms=Millis(600_000),
            )
        )

    def release(self) -> None:
        self.cluster.release(ReleaseAllocation(id=CommandId(6), allocation=A1, reason="released"))

    def until(self, what: Callable[[], bool]) -> None:
        give_up = time.monotonic() + GIVE_UP_S
        while not what():
            assert time.monotonic() < give_up, f"{self.heard}\n{self.log()}"
            time.sleep(0.02)

    def until_heard(self, kind: type) -> Input:
        def is_heard() -> bool:
            self.poll()
            return any(isinstance(said, kind) for said in self.heard)

        self.until(is_heard)
        return next(said for said in self.heard if isinstance(said, kind))

    def agent(self, name: str = "a1") -> dict[str, object]:
        self.until((self.notes / name).exists)
        found: dict[str, object] = json.loads((self.notes / name).read_text())
        return found

    def process(self) -> int:
        """The pid of the cluster's process."""
        table = proc.living()
        for pid in table:
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{pid}/cmdline").read_bytes()
                if os.fsencode(self.paths.root) in line and b"simulator.live" in line:
                    return pid
        raise AssertionError("the cluster's process is not there")

    def kill(self) -> None:
        pid = self.process()
        os.kill(pid, signal.SIGKILL)
        self.until(lambda: started(pid) is None)

    def members(self) -> set[int]:
        """All that lives of any allocation."""
        folder = self.paths.cluster.nodes
        return proc.members(proc.living(), None, folder, -1, ())

    def log(self) -> str:
        return self.paths.cluster.log.read_text() if self.paths.cluster.log.exists() else ""

    def clean(self) -> None:
        self.cluster.stop()
        for pid in self.members():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


Factory = Callable[..., Cluster]


@pytest.fixture
def cluster_of(tmp_path: Path) -> Iterator[Factory]:
    made: list[Cluster] = []

    def make(**options: object) -> Cluster:
        made.append(Cluster(tmp_path, **options))  # type: ignore[arg-type]  # as Cluster's own
        return made[-1]

    yield make
    for cluster in made:
        cluster.clean()


def test_an_agent_is_started_for_a_granted_allocation_and_nothing_of_it_outlives_the_release(
    cluster_of: Factory,
) -> None:
    site = cluster_of()
    site.ask()
    granted = site.until_heard(AllocationGranted)
    assert isinstance(granted, AllocationGranted)
    agent = site.agent()
    scratch = site.paths.cluster.scratch(NodeName("n1"), A1)
    assert agent["argv"] == ["-c", "a1", str(site.notes), "good", "n1", str(scratch), "1", str(granted.until), "1000"]
    assert scratch.is_dir()
    site.until(lambda: len(site.members()) == 3)
    site.release()
    assert site.until_heard(AllocationLost) == AllocationLost(allocation=A1, reason="released")
    assert (site.members(), scratch.exists()) == (set(), False)


def test_the_first_poll_tells_everything_and_the_socket_is_ours_alone(cluster_of: Factory) -> None:
    site = cluster_of()
    first = site.poll()
    assert first[0] == Reconciled(allocations=())
    assert [type(said) for said in first[1:]] == [ViewChanged]
    assert site.paths.cluster.socket.stat().st_mode & 0o777 == 0o600
    assert site.poll() == []


def test_a_preempted_agent_leaves_before_the_main_job_starts(cluster_of: Factory) -> None:
    site = cluster_of(main=EVERY_SIX_SECONDS, grace=20_000)
    site.ask()
    site.agent()
    harm = site.until_heard(MainJobStarted)
    assert isinstance(harm, MainJobStarted)
    assert (harm.nodes, harm.guests_alive, harm.bound_ms) == ((NodeName("n1"),), 0, 20_000)
    assert harm.waited_ms < harm.bound_ms
    assert site.members() == set()


def test_an_agent_that_ignores_its_notice_is_killed_after_the_grace_with_its_guests(cluster_of: Factory) -> None:
    site = cluster_of(behaviour="stubborn", main=EVERY_SIX_SECONDS, grace=700)
    site.ask()
    site.agent()
    harm = site.until_heard(MainJobStarted)
    assert isinstance(harm, MainJobStarted)
    assert (harm.waited_ms, harm.guests_alive) == (700, 0)
    assert site.members() == set()


def test_an_agent_that_dies_at_once_loses_its_allocation_with_its_exit_code(cluster_of: Factory) -> None:
    site = cluster_of(behaviour="dies")
    site.ask()
    lost = AllocationLost(allocation=A1, reason="its agent ended with exit code 3")
    assert site.until_heard(AllocationLost) == lost


def test_guests_of_an_agent_that_was_killed_are_killed_too(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask()
    agent = site.agent()
    os.kill(int(str(agent["pid"])), signal.SIGKILL)
    lost = AllocationLost(allocation=A1, reason="its agent was ended by signal 9")
    assert site.until_heard(AllocationLost) == lost
    assert site.members() == set()


def test_a_killed_cluster_is_started_again_by_the_next_poll_and_finds_its_agent(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask()
    agent = site.agent()
    site.poll()
    site.kill()
    assert site.paths.cluster.socket.exists()
    site.heard.clear()
    assert isinstance(site.until_heard(AllocationGranted), AllocationGranted)
    assert [said for said in site.heard if isinstance(said, Reconciled | AllocationLost)] == []
    assert started(int(str(agent["pid"]))) is not None
    site.release()
    assert site.until_heard(AllocationLost) == AllocationLost(allocation=A1, reason="released")
    assert site.members() == set()


def test_an_agent_that_died_while_the_cluster_was_away_is_lost_with_its_guests(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask()
    agent = site.agent()
    site.kill()
    os.kill(int(str(agent["pid"])), signal.SIGKILL)
    lost = site.until_heard(AllocationLost)
    assert lost == AllocationLost(allocation=A1, reason="its agent died while the cluster's process was away")
    assert site.members() == set()


def test_a_new_daemon_hears_what_exists(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask()
    site.until_heard(AllocationGranted)
    site.new_daemon()
    again = site.poll()
    assert again[0] == Reconciled(allocations=(A1,))
    assert [type(said) for said in again[1:]] == [ViewChanged, AllocationGranted]


def test_a_request_that_comes_twice_starts_one_agent(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask()
    site.agent()
    (site.notes / "a1").unlink()
    site.ask()
    site.poll()
    assert len([said for said in site.heard if isinstance(said, AllocationGranted)]) == 1
    assert not (site.notes / "a1").exists()


def test_a_refused_request_comes_back_as_a_failed_command(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask(node="n9")
    reason = "there is no node n9 here; the nodes are n1"
    assert CommandFailed(command=CommandId(5), reason=reason, transient=False) in site.poll()


def test_a_daemon_that_dies_in_the_middle_of_a_request_harms_nobody(cluster_of: Factory) -> None:
    site = cluster_of()
    site.poll()
    with socket.socket(socket.AF_UNIX) as peer, short_name(site.paths.cluster.socket) as name:
        peer.connect(name)
        peer.sendall(b'{"kind": "RequestAllocation", "body": {"id"')
    with socket.socket(socket.AF_UNIX) as peer, short_name(site.paths.cluster.socket) as name:
        peer.connect(name)
        peer.sendall(b"no message\n")
        assert b"Refusal" in peer.makefile("rb").readline()
    assert site.poll() == []


def test_stopping_leaves_nothing_behind(cluster_of: Factory) -> None:
    site = cluster_of(behaviour="stubborn")
    site.ask()
    site.agent()
    pid = site.process()
    site.cluster.stop()
    assert (site.members(), started(pid), site.paths.cluster.socket.exists()) == (set(), None, False)


def test_stopping_a_cluster_whose_process_was_killed_ends_its_agents_all_the_same(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask()
    site.agent()
    site.kill()
    assert site.cluster.stop()
    assert (site.members(), site.paths.cluster.socket.exists()) == (set(), False)
    assert not site.cluster.stop()


def test_a_cluster_that_hangs_is_not_said_to_be_stopped(cluster_of: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "ANSWER_TIMEOUT_S", 0.2)
    site = cluster_of()
    site.poll()
    pid = site.process()
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(ClusterAway, match="does not answer: timed out; see"):
            site.cluster.stop()
    finally:
        os.kill(pid, signal.SIGCONT)


def test_a_terminated_cluster_ends_its_agents(cluster_of: Factory) -> None:
    site = cluster_of()
    site.ask()
    site.agent()
    pid = site.process()
    os.kill(pid, signal.SIGTERM)
    site.until(lambda: started(pid) is None)
    assert site.members() == set()


def test_there_is_one_cluster_for_a_directory(cluster_of: Factory) -> None:
    site = cluster_of()
    site.poll()
    with pytest.raises(ClusterRunning, match="runs already"):
        run(site.paths.root)
    assert isinstance(exchange(site.paths.cluster.socket, Poll(life="", taken=0), 5), News)


def test_without_settings_the_cluster_says_so_and_the_daemon_is_told_where_to_look(cluster_of: Factory) -> None:
    site = cluster_of()
    site.paths.cluster.settings.unlink()
    with pytest.raises(BadSettings, match=r"there is no .*settings.json"):
        run(site.paths.root)
    with pytest.raises(ClusterAway, match=r"exit code 1.*cluster.log"):
        site.cluster.poll()
    site.cluster.request(
        RequestAllocation(
            id=CommandId(5),
            allocation=A1,
            mode=Mode.PREEMPTIBLE,
            node=None,
            resources=Resources(1, 1),
            min_ms=Millis(1),
            max_ms=Millis(2),
        )
    )
    write_settings(site.paths.root, site.settings)
    first, failed, *_ = site.poll()
    assert first == Reconciled(allocations=())
    assert isinstance(failed, CommandFailed)
    assert failed.transient


DIES_ONCE = """
import os, pathlib, signal, socket, sys, time
from idleq.simulator.live import run
from idleq.simulator.wire import short_name
root = pathlib.Path(sys.argv[1])
if (root / "died").exists():
    sys.exit(run(root))
path = root / "cluster" / "socket"
path.unlink(missing_ok=True)
with socket.socket(socket.AF_UNIX) as listener, short_name(path) as name:
    listener.bind(name)
    listener.listen()
    listener.accept()[0].close()
(root / "died").touch()
time.sleep(0.3)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_cluster_that_hangs_up_before_it_is_dead_is_started_again_by_the_same_call(cluster_of: Factory) -> None:
    site = cluster_of()
    dying = EmbeddedCluster(site.paths.root, [sys.executable, "-c", DIES_ONCE, str(site.paths.root)])
    assert next(iter(dying.poll())) == Reconciled(allocations=())


def test_a_directory_with_a_long_name_has_a_socket_too(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    site = Cluster(folder)
    try:
        assert site.poll()[0] == Reconciled(allocations=())
    finally:
        site.clean()
