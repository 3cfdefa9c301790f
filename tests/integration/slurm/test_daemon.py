"""The daemon on the login node of a real Slurm cluster, as a user starts it: guests in gaps, frozen when a main job comes, moved."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from testbed.cluster import Testbed
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow]

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

    def jobs(self) -> dict[str, str]:
        """Each job's state."""
        return {row["id"]: row["state"] for row in self._rows()}

    def segments(self) -> dict[str, int]:
        """How many stretches each job has run in."""
        return {row["id"]: row["fence"] for row in self._rows()}

    def result(self, job: str) -> str:
        """The job's accepted result."""
        return self._slurm.login.run("cat", f"{SERVER}/jobs/{job}/result/result.json", user="alice")

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.idleq("ps", "--all", "--json"))["jobs"]
        return rows


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


def test_guests_are_frozen_for_main_jobs_and_each_has_its_one_right_result(slurm: Testbed, alice: Alice) -> None:
    count = ("count", "--steps", "300", "--step-seconds", "0.1")
    seeds = ("1", "2", "3", "4")
    for seed in seeds:
        alice.idleq("submit", *count, "--seed", seed)
    wait_for("guests to run", lambda: list(alice.jobs().values()).count("running") >= 3, seconds=90, every=1)

    wide = main_job(slurm, "--nodes=3", seconds=3)
    wait_for("the main job to end", lambda: not slurm.login.run("squeue", "-h", "--user=bob"), seconds=90, every=0.5)
    wait_for("every guest to be done", lambda: set(alice.jobs().values()) == {"done"}, seconds=300, every=1)

    assert waited(slurm, wide) <= GRACE_SECONDS + 10, "grace, a scheduling cycle and the epilog"
    assert sum(alice.segments().values()) >= len(seeds) + 3, "three ran when the main job came, and were frozen"
    for job, seed in zip(alice.jobs(), seeds, strict=True):
        undisturbed = slurm.login.run("sh", "-c", UNDISTURBED.format(seed=seed), user="alice")
        assert alice.result(job) == undisturbed
