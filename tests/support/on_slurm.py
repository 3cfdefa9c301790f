"""idleq on the login node of the real cluster, as alice uses it, and bob's main jobs beside it."""

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from idleq.scheduler.store.database import sqlite_url
from idleq.scheduler.store.journal import Journal
from testbed.cluster import Testbed
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

SERVER = "/shared/home/alice/q"
IDLEQ = "/shared/venv/bin/idleq"
PYTHON = "/shared/venv/bin/python"

CYCLE_SECONDS = 2
"""The test cluster's bf_interval."""
EPILOG_SECONDS = 8
BOUND_SECONDS = GRACE_SECONDS + CYCLE_SECONDS + EPILOG_SECONDS
"""What a main job may wait for guests here."""

CONFIG = f"""
[server]
transport = "spool"

[policy]
min_gap = "1m"
max_allocation = "10m"
grace = "{GRACE_SECONDS}s"
{{policy}}

[cluster]
kind = "slurm"
partition = "{{partition}}"
epilog = "{EPILOG_SECONDS}s"
poll = "1s"
"""


T = TypeVar("T")


class Alice:
    """What alice types on the login node; *path* is where her commands are looked for first."""

    def __init__(self, slurm: Testbed, server: str = SERVER, path: str = "") -> None:
        self.slurm, self._server = slurm, server
        self._before = ("env", "TERM=dumb", *([f"PATH={path}:/usr/sbin:/usr/bin:/sbin:/bin"] if path else []))

    def idleq(self, *words: str, seconds: float = 120) -> str:
        """Run idleq."""
        argv = (*self._before, IDLEQ, "--server-dir", self._server, *words)
        return self.slurm.login.run(*argv, user="alice", seconds=seconds)

    def told(self, *words: str) -> Any:
        """Run idleq and return its JSON."""
        return json.loads(self.idleq(*words, "--json"))

    def count(self, *, seeds: int, steps: int = 300, cores: int = 1) -> None:
        """Submit counts of ten steps a second, with seeds from 0 on."""
        for seed in range(seeds):
            what = ("count", "--steps", str(steps), "--step-seconds", "0.1", "--seed", str(seed))
            self.idleq("submit", "--cores", str(cores), *what)

    def rows(self) -> list[dict[str, Any]]:
        """What `idleq ps` shows of each job, by number."""
        rows: list[dict[str, Any]] = self.told("ps", "--all")["jobs"]
        return sorted(rows, key=lambda row: int(row["id"]))

    def states(self) -> list[str]:
        """Each job's state."""
        return [row["state"] for row in self.rows()]

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
        paths = [f"{self._server}/jobs/{row['id']}/result/result.json" for row in counts]
        return [self.slurm.login.run("cat", path, user="alice") for path in paths]

    def facts_of(self, kind: type[T]) -> list[T]:
        """The facts of one kind in her journal."""
        path = self.slurm.folder / Path(self._server).relative_to("/") / "journal.db"
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
    slurm: Testbed, *, policy: str = "", partition: str = "guests", server: str = SERVER, path: str = ""
) -> Iterator[Alice]:
    """Give alice a running daemon with these lines in its policy; nothing is left of it afterwards."""
    config = CONFIG.format(policy=policy, partition=partition)
    slurm.login.run("sh", "-c", f"umask 077; mkdir {server}; cat > {server}/config.toml", user="alice", said=config)
    person = Alice(slurm, server, path)
    person.idleq("daemon", "start")
    try:
        yield person
    finally:
        person.idleq("daemon", "stop")
        for user in ("alice", "bob"):
            slurm.login.run("scancel", f"--user={user}")
        slurm.wait_until_idle()
        slurm.login.run("rm", "-r", server)


def main_job(slurm: Testbed, *options: str, seconds: float, minutes: int = 1) -> str:
    """Submit a main job of bob's on whole nodes; return its number."""
    fixed = ("sbatch", "--parsable", "--exclusive", f"--time={minutes}", "--output=/dev/null", "--chdir=/")
    return slurm.login.run(*fixed, *options, f"--wrap=sleep {seconds}", user="bob").strip()


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


UNDISTURBED = (
    "cd $(mktemp -d) && {python} -m idleq.workloads.cli count --steps {steps} --step-seconds 0 --seed {seed} --output o >&2"
    " && cat o/result.json"
)


def undisturbed(slurm: Testbed, seed: int, steps: int = 300) -> str:
    """The result of a count that nobody froze."""
    return slurm.login.run("sh", "-c", UNDISTURBED.format(python=PYTHON, seed=seed, steps=steps), user="alice")
