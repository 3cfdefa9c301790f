"""`idleq gaps` on a real Slurm cluster: plans, reservations and drained nodes, each with its cause."""

import json
from collections.abc import Iterator

import pytest

from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

SERVER = "/shared/home/alice/gaps"
IDLEQ = ("env", "TERM=dumb", "/shared/venv/bin/idleq", "--server-dir", SERVER)
RESERVE = ("scontrol", "create", "reservation", "ReservationName=upkeep", "Users=root", "Flags=MAINT,IGNORE_JOBS")


@pytest.fixture
def cluster(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster with alice's daemon, as `idleq init slurm` set it up; left as it was found."""
    slurm.login.run(*IDLEQ, "init", "slurm", user="alice")
    slurm.login.run(*IDLEQ, "daemon", "start", user="alice", seconds=60)
    yield slurm
    slurm.login.run(*IDLEQ, "daemon", "stop", user="alice")
    slurm.login.run("scontrol", "delete", "ReservationName=upkeep", codes=(0, 1))
    slurm.login.run("scontrol", "update", "NodeName=n2", "State=RESUME", codes=(0, 1))
    slurm.login.run("scancel", "--user=bob")
    slurm.wait_until_idle()
    slurm.login.run("rm", "-r", SERVER)


def believed(cluster: Testbed) -> dict[str, tuple[str, str]]:
    """Each node's state and why."""
    gaps = json.loads(cluster.login.run(*IDLEQ, "gaps", "--json", user="alice"))["gaps"]
    return {gap["node"]: (gap["state"], gap["why"]) for gap in gaps}


def submit(cluster: Testbed, *options: str) -> str:
    fixed = ("sbatch", "--parsable", "--exclusive", "--output=/dev/null", "--chdir=/")
    return cluster.login.run(*fixed, *options, "--wrap=sleep 3000", user="bob").strip()


def test_each_gap_is_told_with_what_ends_it(cluster: Testbed) -> None:
    first = submit(cluster, "--nodelist=n1", "--time=30")
    wide = submit(cluster, "--nodes=3", "--time=20")
    plan = f"the plan of job {wide}"
    planned = {
        "n1": ("coming", f"job {first} ends by time limit; then {plan}"),
        "n2": ("open", plan),
        "n3": ("open", plan),
    }
    wait_for("the plan to be believed", lambda: believed(cluster) == planned, seconds=60, every=1)

    cluster.login.run("scancel", wide)
    cluster.login.run(*RESERVE, "Nodes=n3", "StartTime=now+60minutes", "Duration=60")
    cluster.login.run("scontrol", "update", "NodeName=n2", "State=DRAIN", "Reason=disk")
    other = {
        "n1": ("coming", f"job {first} ends by time limit"),
        "n2": ("closed", "drain"),
        "n3": ("open", "maintenance upkeep"),
    }
    wait_for("the new ends to be believed", lambda: believed(cluster) == other, seconds=60, every=1)

    watch = ("timeout", "5", *IDLEQ, "gaps", "--watch", "--json")
    lines = cluster.login.run(*watch, user="alice", codes=(124,)).splitlines()
    assert {gap["node"] for gap in (json.loads(line)["gap"] for line in lines)} == {"n1", "n2", "n3"}
