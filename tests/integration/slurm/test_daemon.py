"""The daemon on the login node of a real Slurm cluster, as a user starts it: guests in gaps, frozen when a main job comes, moved."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from testbed.cluster import Testbed
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

SERVER = "/shared/home/alice/q"
IDLEQ = ("/shared/venv/bin/idleq", "--server-dir", SERVER)
CONFIG = f"""
[server]
transport = "spool"

[policy]
min_gap = "1m"
max_allocation = "10m"
grace = "{GRACE_SECONDS}s"

[cluster]
kind = "slurm"
partition = "guests"
poll = "1s"
"""


UNDISTURBED = "cd $(mktemp -d) && /shared/venv/bin/python -m idleq.workloads.cli count --steps 300 --step-seconds 0 --seed {seed} --output o >&2 && cat o/result.json"


class Alice:
    """What alice types on the login node."""

    def __init__(self, slurm: Testbed) -> None:
        self._slurm = slurm

    def idleq(self, *words: str) -> str:
        return self._slurm.login.run("env", "TERM=dumb", *IDLEQ, *words, user="alice", seconds=120)

    def count(self, *, seeds: int) -> None:
        """Submit counts of half a minute, with seeds from 0 on."""
        for seed in range(seeds):
            self.idleq("submit", "count", "--steps", "300", "--step-seconds", "0.1", "--seed", str(seed))

    def states(self) -> list[str]:
        """Each job's state."""
        return [row["state"] for row in self._rows()]

    def segments(self) -> list[int]:
        """How many stretches each job has run in."""
        return [row["fence"] for row in self._rows()]

    def results(self) -> list[str]:
        """Each job's accepted result."""
        paths = [f"{SERVER}/jobs/{row['id']}/result/result.json" for row in self._rows()]
        return [self._slurm.login.run("cat", path, user="alice") for path in paths]

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.idleq("ps", "--all", "--json"))["jobs"]
        return sorted(rows, key=lambda row: int(row["id"]))


@pytest.fixture
def alice(slurm: Testbed) -> Iterator[Alice]:
    """Alice, whose daemon runs; nothing is left of it afterwards."""
    slurm.login.run("sh", "-c", f"umask 077; mkdir {SERVER}; cat > {SERVER}/config.toml", user="alice", said=CONFIG)
    person = Alice(slurm)
    person.idleq("daemon", "start")
    yield person
    person.idleq("daemon", "stop")
    for user in ("alice", "bob"):
        slurm.login.run("scancel", f"--user={user}")
    slurm.wait_until_idle()
    slurm.login.run("rm", "-r", SERVER)


def main_job(slurm: Testbed, *options: str, seconds: int) -> str:
    fixed = ("sbatch", "--parsable", "--exclusive", "--time=1", "--output=/dev/null", "--chdir=/")
    return slurm.login.run(*fixed, *options, f"--wrap=sleep {seconds}", user="bob").strip()


def waited(slurm: Testbed, job: str) -> int:
    """Seconds from a main job's submission to its start."""
    line = slurm.login.run("sacct", "-X", "-n", "-P", "-j", job, "--format=Submit,Start").strip()
    submitted, began = slurm.login.run("date", "-f", "-", "+%s", said=line.replace("|", "\n")).split()
    return int(began) - int(submitted)


def test_guests_are_frozen_for_main_jobs_and_each_has_its_one_right_result(
    slurm: Testbed, alice: Alice, record_property: Callable[[str, object], None]
) -> None:
    alice.count(seeds=4)
    wait_for("guests to run", lambda: alice.states().count("running") >= 3, seconds=90, every=1)

    wide = main_job(slurm, "--nodes=3", seconds=3)
    wait_for("the main job to end", lambda: not slurm.login.run("squeue", "-h", "--user=bob"), seconds=90, every=0.5)
    wait_for("every guest to be done", lambda: set(alice.states()) == {"done"}, seconds=300, every=1)

    bound = GRACE_SECONDS + 10
    assert waited(slurm, wide) <= bound, "grace, a scheduling cycle and the epilog"
    assert sum(alice.segments()) >= 4 + 3, "three ran when the main job came, and were frozen"
    assert alice.results() == [undisturbed(slurm, seed) for seed in range(4)]
    record_property(
        "summary", f"a main job on all nodes waited {waited(slurm, wide)} s for 3 or more guests (bound {bound} s)"
    )


def test_a_killed_daemon_and_a_restarted_controller_lose_no_guest_and_double_none(slurm: Testbed, alice: Alice) -> None:
    alice.count(seeds=3)
    wait_for("guests to run", lambda: alice.states().count("running") >= 2, seconds=90, every=1)

    slurm.login.run("pkill", "-KILL", "-f", "idleq.*daemon")
    slurm.restart_controller()
    alice.idleq("daemon", "start")
    wait_for("every guest to be done", lambda: set(alice.states()) == {"done"}, seconds=300, every=1)

    assert alice.results() == [undisturbed(slurm, seed) for seed in range(3)]
    assert alice.segments() == [1, 1, 1], "they went on while nobody was there, and were found again"


def undisturbed(slurm: Testbed, seed: int) -> str:
    """The result of a count that nobody froze."""
    return slurm.login.run("sh", "-c", UNDISTURBED.format(seed=seed), user="alice")
