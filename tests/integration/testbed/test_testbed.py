"""The test cluster is what a site's cluster is, can be broken and mended, and leaves nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from idleq import processes
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.xdist_group("testbed")]

ASK = """
import sys, urllib.request
asked = urllib.request.Request("http://login:6820/slurm/v0.0.42/nodes", headers={"X-SLURM-USER-TOKEN": sys.argv[1]})
print(urllib.request.urlopen(asked).status)
"""


LOOKING = """
import os, pathlib, subprocess, tempfile, time
with tempfile.TemporaryDirectory(dir=pathlib.Path.home()) as folder:
    began = time.monotonic()
    before = os.listdir(folder)
    subprocess.run(["touch", folder + "/theirs"], check=True)
    late = os.listdir(folder)
    pathlib.Path(folder, "mine").touch()
    print(before, late, sorted(os.listdir(folder)), time.monotonic() - began > 0.6)
"""
"""What a process sees of a folder in which another one makes a file, and then itself; and whether that took as long as it was to."""


@pytest.fixture
def idle(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, which the test may break: it is mended afterwards."""
    yield slurm
    for node in slurm.compute:
        if not node.is_up:
            slurm.bring_back(node.name)
        node.thaw()
        node.cut_off(is_off=False)
    slurm.wait_until_idle(seconds=120)


def test_a_job_of_a_user_runs_on_every_node_in_a_control_group_of_its_own(slurm: Testbed) -> None:
    said = slurm.login.run(
        "srun", "-N3", "sh", "-c", "echo $(hostname) $(id -un) $(grep -c uid_2001/job /proc/self/cgroup)", user="alice"
    )

    lines = [line.split() for line in said.splitlines()]
    assert sorted((node, user) for node, user, _ in lines) == [("n1", "alice"), ("n2", "alice"), ("n3", "alice")]
    assert all(int(groups) > 0 for _, _, groups in lines)


def test_nodes_have_idleq_and_cannot_change_it(slurm: Testbed) -> None:
    node = slurm.nodes["n1"]

    assert node.run("/shared/venv/bin/idleq", "--version", user="alice").startswith("idleq")
    with pytest.raises(CommandRefused, match="Read-only file system"):
        node.run("touch", "/shared/idleq/README.md")


def test_a_shell_begins_at_home_and_has_idleq_at_hand(slurm: Testbed) -> None:
    said = slurm.login.run("bash", "--login", "-c", "pwd; command -v idleq", user="alice")

    assert said == "/shared/home/alice\n/shared/venv/bin/idleq\n"


def test_a_node_can_be_made_to_see_the_shared_folder_slowly_and_as_it_was_a_while_ago(slurm: Testbed) -> None:
    slurm.nodes["n1"].lag(delay=0.2, stale=60)
    try:
        seen = slurm.nodes["n1"].run("/shared/venv/bin/python", "-c", LOOKING, user="alice")
    finally:
        slurm.nodes["n1"].stop_lagging()

    assert seen == "[] [] ['mine', 'theirs'] True\n"
    assert slurm.nodes["n1"].run("/shared/venv/bin/python", "-c", LOOKING, user="alice").endswith("False\n")


def test_slurmrestd_answers_whoever_has_a_token_and_nobody_else(slurm: Testbed) -> None:
    token = slurm.token("alice")

    assert slurm.login.run("python3", "-c", ASK, token, user="bob") == "200\n"
    with pytest.raises(CommandRefused, match="HTTP Error"):
        slurm.login.run("python3", "-c", ASK, token[:-4] + "AAAA", user="bob")


def test_accounting_knows_what_has_run(slurm: Testbed) -> None:
    job = slurm.login.run("sbatch", "--parsable", "--wait", "--output=/dev/null", "--wrap=true", user="alice").strip()

    def accounted() -> str:
        return slurm.login.run(
            "sacct", "--allocations", "--noheader", "--parsable2", "--format=JobID,User,State", "-j", job
        )

    wait_for("the job to be accounted for", lambda: accounted() == f"{job}|alice|COMPLETED\n", seconds=30)


@pytest.mark.slow
def test_nodes_that_are_killed_frozen_or_cut_off_go_down_and_come_back(idle: Testbed) -> None:
    idle.nodes["n1"].kill()
    idle.nodes["n2"].freeze()
    idle.nodes["n3"].cut_off()
    # Slurm looks after its nodes rarely; a job that cannot be started there makes it look now.
    wait_for(
        "all of them to be down", lambda: all(s.startswith("down") for s in idle.states().values()), seconds=90, every=1
    )

    idle.bring_back("n1")
    idle.nodes["n2"].thaw()
    idle.nodes["n3"].cut_off(is_off=False)
    idle.wait_until_idle(seconds=120)

    assert idle.login.run("srun", "-N3", "hostname", user="alice").split().__len__() == 3


def test_a_job_outlives_the_controller(slurm: Testbed) -> None:
    job = slurm.login.run("sbatch", "--parsable", "--output=/dev/null", "--wrap=sleep 300", user="alice").strip()

    def state() -> str:
        return slurm.login.run("squeue", "--noheader", "--format=%T", "-j", job).strip()

    wait_for("the job to run", lambda: state() == "RUNNING", seconds=30)
    slurm.restart_controller()

    assert state() == "RUNNING"
    slurm.login.run("scancel", job)
    slurm.wait_until_idle()


def test_clocks_of_uptime_can_differ_between_nodes(idle: Testbed) -> None:
    node = idle.nodes["n1"]
    node.kill()
    node.start(uptime_seconds=100_000)
    node.run_script("compute.sh")

    ahead = float(node.run("cat", "/proc/uptime").split()[0]) - float(Path("/proc/uptime").read_text().split()[0])
    assert 99_000 < ahead < 101_000


LEAVES_A_FROZEN_PROCESS = """
cd /sys/fs/cgroup/freezer 2>/dev/null || exit 0  # of version 2 a frozen process can be killed
mkdir left
sleep 600 </dev/null >/dev/null 2>&1 &
until grep -q sleep /proc/$!/comm; do :; done
echo $! >left/cgroup.procs
echo FROZEN >left/freezer.state
"""


@pytest.mark.parametrize("is_crashed", [False, True], ids=["after it is up", "when its starter is killed half-way"])
def test_down_leaves_nothing(tmp_path: Path, request: pytest.FixtureRequest, *, is_crashed: bool) -> None:
    strangers, mounts = other_networks(), Path("/proc/mounts").read_text()
    cluster = Testbed(tmp_path / "cluster", compute=1)
    request.addfinalizer(cluster.down)
    command = [sys.executable, "-m", "testbed", "--compute=1", f"--folder={cluster.folder}", "up"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(["tests", "src"])}
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as starter:
        if is_crashed:
            wait_for("a node to come up", lambda: cluster.login.is_up, seconds=60)
            starter.send_signal(signal.SIGKILL)
        assert (starter.wait(120) == 0) is not is_crashed
    assert other_networks() > strangers
    if not is_crashed:
        cluster.nodes["n1"].run("sh", "-c", LEAVES_A_FROZEN_PROCESS)

    cluster.down()
    cluster.down()

    assert not cluster.folder.exists()
    assert list(Path("/sys/fs/cgroup").glob(f"*/{cluster.groups}")) == []
    assert Path("/proc/mounts").read_text() == mounts
    wait_for("its last process to be reaped", lambda: other_networks() <= strangers, seconds=10)


def other_networks() -> set[tuple[int, int]]:
    """Every process that is in a network namespace other than ours, by number and start."""
    own = str(Path("/proc/self/ns/net").readlink())
    found = set()
    for process in processes.read_processes().values():
        try:
            if str(Path(f"/proc/{process.pid}/ns/net").readlink()) != own:
                found.add((process.pid, process.started))
        except OSError:
            continue
    return found
