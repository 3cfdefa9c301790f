"""The acceptance story: a busy cluster, guests in its gaps, and nobody who comes to harm."""

import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from idleq.scheduler.core.facts import JobDone
from support.on_slurm import (
    BOUND_SECONDS,
    alice_at_work,
    stream,
    submit_stream,
    wait_for_main_jobs,
)
from support.site import undisturbed
from support.waits import accounted_of, waits_for_guests
from testbed.cluster import Testbed

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

SEED = 3
SECONDS = 100
COUNTS, STEPS = 6, 300
TRAINING = ("train-cgan", "--quick", "--steps", "30", "--events", "200")
KEPT = ("generator.safetensors", "summary.json")
"""What a training leaves that is the same bit for bit, however often it was frozen (its pictures and times are not looked at)."""


def digests(folder: Path) -> dict[str, str]:
    """What a training left in *folder*."""
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in KEPT}


def train_alone(slurm: Testbed, folder: Path) -> dict[str, str]:
    """Train on this machine, undisturbed, and leave the data set where the guest finds it; return what came of it."""
    data = slurm.shared / "data"
    alone = ["-m", "idleq.workloads.cli", *TRAINING, "--data", str(data), "--output", str(folder / "alone")]
    subprocess.run([sys.executable, *alone], stdout=subprocess.DEVNULL, cwd=folder, check=True)
    slurm.login.run("chown", "-R", "alice", "/shared/data")
    return digests(folder / "alone")


def test_guests_fill_the_gaps_of_a_busy_cluster_get_their_right_results_and_harm_nobody(
    slurm: Testbed, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    trained = train_alone(slurm, tmp_path)
    with alice_at_work(slurm) as alice:
        alice.idleq("submit", *TRAINING, "--data", "/shared/data")
        alice.counts(seeds=COUNTS, steps=STEPS)
        alice.wait_until_running(3)
        main_jobs = submit_stream(slurm, stream(SEED, SECONDS))
        wait_for_main_jobs(slurm, seconds=SECONDS + 120)
        alice.wait_until_done(seconds=300)

        report = alice.told("report")
        done = Counter(fact.job for fact in alice.facts_of(JobDone))
        assert done == {str(number): 1 for number in range(1, COUNTS + 2)}, "each has one accepted result"
        assert alice.results() == [undisturbed(slurm, seed, STEPS) for seed in range(COUNTS)]
        assert digests(slurm.shared / "home" / "alice" / "q" / "jobs" / "1" / "result") == trained
        record_property("summary", summary(report, alice.idleq("report")))

    harm, use = report["harm"], report["utilisation"]
    by_slurm = {job.job: job for job in accounted_of(slurm, "bob", ended=main_jobs) if job.job in main_jobs}
    waits = waits_for_guests(by_slurm.values(), accounted_of(slurm, "alice"))
    assert harm["main_jobs"] >= 3, "guests had to leave for several of them"
    assert {row["main_job"] for row in harm["rows"]} <= by_slurm.keys()
    assert [row for row in harm["rows"] if row["waited_ms"] > BOUND_SECONDS * 1000] == []
    assert waits, "guests were on the nodes of some of them, by Slurm's accounting too"
    assert {job: wait for job, wait in waits.items() if wait > BOUND_SECONDS + 1} == {}, "which counts whole seconds"
    assert (harm["over_bound"], harm["guests_alive"], harm["back_offs"]) == (0, 0, 0)
    assert report["moves"] >= 2
    assert use["effective_share"] > use["main_share"]


def summary(report: dict[str, dict[str, float]], text: str) -> str:
    """The figures in a line, and the report as people read it."""
    harm, use = report["harm"], report["utilisation"]
    return (
        f"utilisation {use['main_share']:.0%} by main jobs alone, {use['effective_share']:.0%} effective with guests; "
        f"{report['freezes']} freezes, {report['moves']} moves; {harm['main_jobs']} main jobs waited for guests, "
        f"{harm['waited_ms_max'] / 1000:g} s at most (bound {BOUND_SECONDS} s)\n{text}"
    )
