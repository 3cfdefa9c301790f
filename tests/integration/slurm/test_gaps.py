"""`idleq gaps` on a real Slurm cluster: plans, reservations and drained nodes, each with its cause."""

import json
import shlex
from collections.abc import Iterator

import pytest

from support.site import Person, clear, main_job
from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

SERVER = "/shared/home/alice/gaps"
IDLEQ = ("env", "TERM=dumb", "/shared/venv/bin/idleq", "--server-dir", SERVER)
WATCHED = f"""
out=$(mktemp)
{shlex.join(IDLEQ)} gaps --watch --json > $out &
timeout 30 sh -c "until [ \\$(wc -l < $out) -ge 3 ]; do sleep 0.2; done"
kill $!
cat $out
"""
"""The first lines of a watch, however long it takes to start."""

RESERVE = ("scontrol", "create", "reservation", "ReservationName=upkeep", "Users=root", "Flags=MAINT,IGNORE_JOBS")


@pytest.fixture
def cluster(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster with alice's daemon, as `idleq init slurm` set it up; left as it was found."""
    slurm.login.run(*IDLEQ, "init", "slurm", user="alice")
    try:
        slurm.login.run(*IDLEQ, "daemon", "start", user="alice", seconds=60)
        yield slurm
        slurm.login.run(*IDLEQ, "daemon", "stop", user="alice")
    finally:
        slurm.login.run("scontrol", "delete", "ReservationName=upkeep", codes=(0, 1))
        slurm.login.run("scontrol", "update", "NodeName=n2", "State=RESUME", codes=(0, 1))
        clear(slurm, Person(slurm, server=SERVER))


def believed(cluster: Testbed) -> dict[str, tuple[str, str]]:
    """Each node's state and why."""
    gaps = json.loads(cluster.login.run(*IDLEQ, "gaps", "--json", user="alice"))["gaps"]
    return {gap["node"]: (gap["state"], gap["why"]) for gap in gaps}


def test_each_gap_is_told_with_what_ends_it(cluster: Testbed) -> None:
    first = main_job(cluster, "--nodelist=n1", minutes=30, seconds=3000)
    wide = main_job(cluster, "--nodes=3", minutes=20, seconds=3000)
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

    lines = cluster.login.run("sh", "-c", WATCHED, user="alice", seconds=60).splitlines()
    assert {gap["node"] for gap in (json.loads(line)["gap"] for line in lines)} == {"n1", "n2", "n3"}
