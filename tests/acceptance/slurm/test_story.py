"""The acceptance story: a busy cluster, guests in its gaps, and nobody who comes to harm."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any

import pytest

from idleq.scheduler.core.facts import JobDone, SegmentFrozen, SegmentStarted
from support.on_slurm import (
    BOUND_SECONDS,
    Alice,
    alice_at_work,
    stream,
    submit_stream,
    wait_for_main_jobs,
)
from support.site import main_job, undisturbed
from support.trained import alone, digests, sized
from support.waits import Accounted, accounted_of, waits_for_guests
from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

SEED, SECONDS = 3, 110
"""Main jobs come for so long, one after another on one, two or three nodes."""

PAIRS, TAKEN_SECONDS = ("n1,n2", "n2,n3", "n1,n3"), 4
"""Main jobs beside those: where, and for how long."""

COUNTS, STEPS, TRAINED, TRAINING_SECONDS = 6, 500, "1", 30
"""Guests long enough to be moved in the middle; the training is, whatever pace it has: it is sized by what this machine does."""

PATIENCE_SECONDS = 400
"""A machine with a dozen of others' processes takes minutes to load PyTorch."""

POLICY = """
progress = "1s"
stall_segments = 50
"""
"""What the training does is seen in time to move it in the middle; and on a busy machine several gaps in a row may be too short for
PyTorch to be loaded in."""


def row_of(alice: Alice, job: str) -> dict[str, Any]:
    """What `idleq ps` shows of *job*."""
    return next(row for row in alice.rows() if row["id"] == job)


def node_of(alice: Alice, job: str) -> str | None:
    """Wait until *job* runs and has done some of its steps; return its node, None if it is done."""

    def look() -> tuple[str | None] | None:
        row = row_of(alice, job)
        is_at_work = row["node"] and row["step"]
        return (row["node"],) if is_at_work or row["state"] == "done" else None

    (node,) = wait_for(f"{job} to run, with some steps done", look, seconds=PATIENCE_SECONDS, every=0.5)
    return node


def move(slurm: Testbed, alice: Alice, job: str) -> list[str]:
    """Take *job*'s node from it by a main job until it runs elsewhere; return the main job's number, nothing if *job* is done."""
    node = node_of(alice, job)
    if node is None:
        return []
    taker = main_job(slurm, f"--nodelist={node}", seconds=600, minutes=10)

    def has_left() -> bool:
        row = row_of(alice, job)
        return row["node"] not in {None, node} or row["state"] == "done"

    wait_for(f"{job} to go on elsewhere", has_left, seconds=PATIENCE_SECONDS, every=1)
    slurm.login.run("scancel", taker)
    return [taker]


def move_counts(slurm: Testbed, alice: Alice) -> list[str]:
    """Let main jobs take two nodes after two others until every count was moved, or is done; return their numbers.

    Whoever was frozen goes on, before those that were frozen later, where the next main job has ended: elsewhere.
    """
    takers: list[str] = []
    for pair in cycle(PAIRS):
        rest = [row for row in alice.rows() if row["id"] != TRAINED and row["state"] != "done"]
        if all(moved_at(alice, row["id"]) for row in rest):
            break
        taker = main_job(slurm, f"--nodelist={pair}", "--nodes=2", seconds=TAKEN_SECONDS)
        takers.append(taker)
        wait_until_over(slurm, taker)
    return takers


def wait_until_over(slurm: Testbed, job: str) -> None:
    """Wait until a main job is not in the queue any more."""

    def is_over() -> bool:
        return job not in slurm.login.run("squeue", "-h", "--user=bob", "--format=%i").split()

    wait_for(f"main job {job} to end", is_over, seconds=PATIENCE_SECONDS, every=0.5)


def moved_at(alice: Alice, job: str) -> list[int]:
    """The steps at which *job* was frozen and then thawed on another node."""
    frozen = {fact.snapshot.id: fact.snapshot.step for fact in alice.facts_of(SegmentFrozen) if fact.job == job}
    stretches = [fact for fact in alice.facts_of(SegmentStarted) if fact.job == job]
    return [
        frozen[after.thaw_from]
        for before, after in pairwise(stretches)
        if after.thaw_from in frozen and after.node != before.node
    ]


@pytest.mark.timeout(1800)  # four minutes, or as long as a machine takes that others use too
def test_guests_fill_the_gaps_of_a_busy_cluster_are_moved_get_their_right_results_and_harm_nobody(
    slurm: Testbed, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    training = sized(slurm.shared / "data", tmp_path / "timed", seconds=TRAINING_SECONDS)
    slurm.login.run("chown", "-R", "alice", "/shared/data")
    with alice_at_work(slurm, policy=POLICY) as alice, alone(training, tmp_path / "alone") as undisturbed_training:
        alice.idleq("submit", "--priority", "5", *training.argv(Path("/shared/data")))
        main_jobs = move(slurm, alice, TRAINED)
        alice.counts(seeds=COUNTS, steps=STEPS)
        alice.wait_until_running(COUNTS, seconds=PATIENCE_SECONDS)
        main_jobs += submit_stream(slurm, stream(SEED, SECONDS))
        main_jobs += move_counts(slurm, alice)
        wait_for_main_jobs(slurm, seconds=PATIENCE_SECONDS)
        alice.wait_until_done(seconds=2 * PATIENCE_SECONDS)

        report = alice.told("report")
        moves = {row["id"]: moved_at(alice, row["id"]) for row in alice.rows()}
        assert undisturbed_training.wait(timeout=PATIENCE_SECONDS) == 0
        each_has_its_one_right_result(slurm, alice, tmp_path / "alone")
        record_property("summary", summary(report, alice.idleq("report"), moves, training.steps))

    nobody_came_to_harm(slurm, report, main_jobs)
    assert [step for step in moves[TRAINED] if 0 < step < training.steps], "the training was moved in the middle"
    assert len([job for job, steps in moves.items() if steps]) >= COUNTS, "six guests and more were moved"


def each_has_its_one_right_result(slurm: Testbed, alice: Alice, undisturbed_training: Path) -> None:
    """One accepted result each: a count's that of an undisturbed count, the training's bit for bit."""
    done = Counter(fact.job for fact in alice.facts_of(JobDone))
    assert done == {str(number): 1 for number in range(1, COUNTS + 2)}
    assert alice.results() == [undisturbed(slurm, seed, STEPS) for seed in range(COUNTS)]
    assert digests(slurm.shared / "home" / "alice" / "q" / "jobs" / TRAINED / "result") == digests(undisturbed_training)


def were_mixed_and_came_for_minutes(main_jobs: Collection[Accounted]) -> None:
    """The cluster was as busy as it was meant to be."""
    assert {len(job.nodes) for job in main_jobs} == {1, 2, 3}
    assert max(job.end for job in main_jobs) - min(job.start for job in main_jobs) >= 120


def nobody_came_to_harm(slurm: Testbed, report: Mapping[str, Any], main_jobs: Sequence[str]) -> None:
    """Several main jobs found guests in their place, and each began within the bound, by our report and by Slurm's accounting."""
    harm, use = report["harm"], report["utilisation"]
    by_slurm = {job.job: job for job in accounted_of(slurm, "bob", ended=main_jobs) if job.job in main_jobs}
    were_mixed_and_came_for_minutes(by_slurm.values())
    waits = waits_for_guests(by_slurm.values(), accounted_of(slurm, "alice"))
    assert harm["main_jobs"] >= 3, "guests had to leave for several of them"
    assert {row["main_job"] for row in harm["rows"]} <= by_slurm.keys()
    assert [row for row in harm["rows"] if row["waited_ms"] > BOUND_SECONDS * 1000] == []
    assert waits, "guests were on the nodes of some of them, by Slurm's accounting too"
    assert {job: wait for job, wait in waits.items() if wait > BOUND_SECONDS + 1} == {}, "which counts whole seconds"
    assert (harm["over_bound"], harm["guests_alive"], harm["back_offs"]) == (0, 0, 0)
    assert use["effective_share"] > use["main_share"]


def summary(report: dict[str, dict[str, float]], text: str, moves: Mapping[str, list[int]], steps: int) -> str:
    """The figures in a line, and the report as people read it."""
    harm, use = report["harm"], report["utilisation"]
    trained = ", ".join(map(str, moves[TRAINED])) or "none"
    return (
        f"utilisation {use['main_share']:.0%} by main jobs alone, {use['effective_share']:.0%} effective with guests; "
        f"{report['freezes']} freezes, {report['moves']} moves of {sum(map(bool, moves.values()))} guests"
        f" (the training's at steps {trained} of {steps}); {harm['main_jobs']} main jobs waited for guests, "
        f"{harm['waited_ms_max'] / 1000:g} s at most (bound {BOUND_SECONDS} s)\n{text}"
    )
