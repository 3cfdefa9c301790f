"""idleq on the login node of the real cluster, as alice uses it, and bob's main jobs beside it."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal
from support.site import Person, main_job, served
from testbed.cluster import Testbed
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

CYCLE_SECONDS = 2
"""The test cluster's bf_interval."""
EPILOG_SECONDS = 8
BOUND_SECONDS = GRACE_SECONDS + CYCLE_SECONDS + EPILOG_SECONDS
"""What a main job may wait for guests here."""


def config_of(*, policy: str = "", partition: str = "guests", min_gap: str = "1m") -> str:
    """A daemon's configuration with these lines in its policy; the cluster's table is the last."""
    return f"""
[server]
transport = "spool"

[policy]
min_gap = "{min_gap}"
max_allocation = "10m"
begin = "3s"
grace = "{GRACE_SECONDS}s"
{policy}

[cluster]
kind = "slurm"
partition = "{partition}"
epilog = "{EPILOG_SECONDS}s"
poll = "1s"
"""


T = TypeVar("T")


class Alice(Person):
    """Alice, with all that is asked of her queue, her journal and her allocations."""

    def counts(self, *, seeds: int, steps: int = 300, cores: int = 1) -> None:
        """Submit counts of ten steps a second, with seeds from 0 on."""
        for seed in range(seeds):
            self.count("--cores", str(cores), steps=steps, seed=seed)

    def summary(self) -> dict[str, Any]:
        """What `idleq status` says."""
        summary: dict[str, Any] = self.told("status")["summary"]
        return summary

    def are_frozen(self, jobs: int) -> bool:
        """Whether all jobs are, and there are so many."""
        return bool(self.summary()["jobs"] == {"frozen": jobs})

    def segments(self) -> list[int]:
        """How many stretches each job has run in."""
        return [row["fence"] for row in self.rows()]

    def results(self) -> list[str]:
        """Each count's accepted result."""
        counts = [row for row in self.rows() if row["name"] == "count"]
        paths = [f"{self.server}/jobs/{row['id']}/result/result.json" for row in counts]
        return [self.slurm.login.run("cat", path, user="alice") for path in paths]

    def facts_of(self, kind: type[T]) -> list[T]:
        """The facts of one kind in her journal."""
        path = self.slurm.folder / Path(self.server).relative_to("/") / "journal.db"
        journal = Journal.open(sqlite_url(path), create=False)
        try:
            return [fact for _, fact in journal.facts() if isinstance(fact, kind)]
        finally:
            journal.close()

    def started_at(self) -> dict[str, float]:
        """When Slurm started each allocation, by its name, in seconds."""
        said = self.slurm.login.run(
            *("env", "SLURM_TIME_FORMAT=%s", "sacct", "-X", "-n", "-P", "--user=alice", "--format=JobName,Start")
        )
        named = (line.rpartition("|") for line in said.splitlines())
        return {name.removeprefix("idleq-"): float(start) for name, _, start in named if start.isdecimal()}

    def allocations(self) -> list[str]:
        """The nodes of her running allocations."""
        return self.slurm.login.run("squeue", "-h", "--user=alice", "--states=R", "--format=%N").split()

    def wait_until_running(self, jobs: int, *, seconds: float = 90) -> None:
        """Wait until that many jobs run."""
        wait_for(f"{jobs} guests to run", lambda: self.states().count("running") >= jobs, seconds=seconds, every=1)

    def wait_until_done(self, *, seconds: float = 300) -> None:
        """Wait until every job is done, by one command: asking again and again would keep a core of this machine busy."""
        jobs = [row["id"] for row in self.rows()]
        self.idleq("wait", *jobs, seconds=seconds)
        assert set(self.states()) == {"done"}


@contextmanager
def alice_at_work(
    slurm: Testbed,
    *,
    policy: str = "",
    cluster: str = "",
    partition: str = "guests",
    server: str = "",
    path: str = "",
    by_network: bool = False,
    min_gap: str = "1m",
) -> Iterator[Alice]:
    """Give alice a running daemon with these lines in its policy and about its cluster; nothing is left of it afterwards.

    Where backfilling starts an allocation, Slurm may make it as short as *min_gap*.
    Agents speak to it through the shared folder, or *by_network*, and then a node that is cut off is cut off from it too.
    """
    person = Alice(slurm, server=server, path=path)
    config = config_of(policy=policy, partition=partition, min_gap=min_gap) + cluster
    if by_network:
        config = config.replace('transport = "spool"', f'transport = "api"\naddress = "{slurm.login.address}"')
    with served(person, config):
        yield person


@dataclass(frozen=True, slots=True, kw_only=True)
class MainJob:
    """A main job of a stream: on so many nodes, *at* seconds after the stream's beginning, for so many seconds."""

    at: int
    nodes: int
    seconds: int


def stream(seed: int, length: int) -> list[MainJob]:
    """Main jobs of mixed sizes over *length* seconds, which take a little more than half of three nodes."""
    dice = random.Random(seed)
    jobs: list[MainJob] = []
    at = 5
    while at < length:
        jobs.append(MainJob(at=at, nodes=dice.choice((1, 1, 2, 2, 3)), seconds=dice.randint(5, 20)))
        at += dice.randint(8, 22)
    return jobs


def submit_stream(slurm: Testbed, jobs: Sequence[MainJob]) -> list[str]:
    """Submit all of *jobs* now, each to be eligible at its time: Slurm, and not this process, keeps the times. Return their numbers."""
    now = int(slurm.login.run("date", "+%s"))
    begins = slurm.login.run(
        "date", "-f", "-", "+%Y-%m-%dT%H:%M:%S", said="".join(f"@{now + job.at}\n" for job in jobs)
    )
    return [
        main_job(slurm, f"--nodes={job.nodes}", f"--begin={begin}", seconds=job.seconds)
        for job, begin in zip(jobs, begins.split(), strict=True)
    ]


def wait_for_main_jobs(slurm: Testbed, *, seconds: float = 90) -> None:
    """Wait until bob has nothing in the queue."""
    wait_for("main jobs to end", lambda: not slurm.login.run("squeue", "-h", "--user=bob"), seconds=seconds, every=0.5)


def submit_and_start(slurm: Testbed, job: str, *, since: str = "Submit") -> tuple[int, int]:
    """When a main job was submitted (or became "Eligible") and when it began, in seconds, as Slurm accounts it."""

    def accounted() -> str:  # a little late
        line = slurm.login.run("sacct", "-X", "-n", "-P", "-j", job, f"--format={since},Start").strip()
        return "" if "Unknown" in line or "None" in line else line

    line = wait_for("the accounting", accounted, seconds=30, every=0.5)
    submitted, began = slurm.login.run("date", "-f", "-", "+%s", said=line.replace("|", "\n")).split()
    return int(submitted), int(began)
