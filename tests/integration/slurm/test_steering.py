"""People freeze, move and modify jobs on a real Slurm cluster: what they wish comes to pass on its nodes, or is refused with the reason."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from idleq.scheduler.core.facts import SegmentFrozen, SegmentStarted
from support.on_slurm import Alice, alice_at_work
from support.site import main_job, undisturbed
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.slurmconf import CORES
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

STEPS = 150
"""Ten a second: enough to be met at work in each of three segments on a busy machine."""

TOLD = (
    "guest=$(pgrep -o -u alice -f 'workloads.cli count') &&"
    " control=$(tr '\\0' '\\n' < /proc/$guest/environ | sed -n 's/^IDLEQ_CONTROL=//p') && cat $control/segment.json"
)


@pytest.fixture(scope="module")
def at_work(slurm: Testbed) -> Iterator[Alice]:
    """Alice, whose one daemon serves all tests here."""
    with alice_at_work(slurm, min_gap="5m") as person:
        yield person


@pytest.fixture
def alice(at_work: Alice) -> Iterator[Alice]:
    """Alice, who has nothing of an earlier test in her queue or on a node."""
    yield at_work
    open_ones = [str(row["id"]) for row in at_work.told("ps")["jobs"]]
    if open_ones:
        at_work.idleq("cancel", *open_ones)
    wait_for("alice to hold no node", lambda: has_none(at_work), seconds=60, every=0.5)


@pytest.fixture(scope="module")
def right(slurm: Testbed) -> str:
    """What a count that nobody touched ends with."""
    return undisturbed(slurm, steps=STEPS)


def count(alice: Alice, *options: str, steps: int = STEPS, cores: int = CORES) -> str:
    """Submit a count; return its number."""
    alice.count("--cores", str(cores), *options, steps=steps)
    return str(alice.rows()[-1]["id"])


def has_none(alice: Alice) -> bool:
    """Whether alice holds no node and asks for none; Slurm may still clean up where she did."""
    return not alice.held("RUNNING", "PENDING")


def row_of(alice: Alice, job: str) -> dict[str, Any]:
    """The job, as `idleq ps` shows it."""
    (row,) = (row for row in alice.rows() if row["id"] == job)
    return row


def starts(alice: Alice, job: str) -> list[SegmentStarted]:
    """All starts of the job."""
    return [fact for fact in alice.facts_of(SegmentStarted) if fact.job == job]


def frozen(alice: Alice, job: str) -> list[SegmentFrozen]:
    """All freezes of the job."""
    return [fact for fact in alice.facts_of(SegmentFrozen) if fact.job == job]


def wait_until_at_work(alice: Alice, job: str, segment: int) -> str:
    """Wait until the job's segment of that number has gone on from where it began; return the node that it runs on in Slurm."""

    def is_at_work() -> bool:
        row = row_of(alice, job)
        if row["state"] != "running" or row["fence"] != segment:
            return False
        begun = frozen(alice, job)[-1].snapshot.step if segment > 1 else 0
        return bool(row["step"] > begun)

    wait_for(f"segment {segment} of {job}", is_at_work, seconds=60, every=0.5)
    (node,) = alice.allocations()
    return node


def wait_until(alice: Alice, job: str, state: str) -> None:
    """Wait until the job is in that state."""
    wait_for(f"{job} to be {state}", lambda: row_of(alice, job)["state"] == state, seconds=60, every=0.5)


def assert_goes_on_to_its_result(alice: Alice, job: str, right: str) -> None:
    """Wait for the job's end: its result is right, and each segment went on from the snapshot that the one before it left."""
    alice.idleq("wait", job)
    assert alice.result(int(job)) == right
    left = [None, *(fact.snapshot.id for fact in frozen(alice, job))]
    assert [fact.thaw_from for fact in starts(alice, job)] == left


@contextmanager
def taken(slurm: Testbed, nodes: int) -> Iterator[None]:
    """A main job of bob's that has so many nodes."""
    job = main_job(slurm, f"--nodes={nodes}", minutes=20, seconds=3000)
    try:
        wait_for(
            "bob's main job", lambda: slurm.login.run("squeue", "-h", "-t", "R", f"--jobs={job}"), seconds=60, every=0.5
        )
        yield
    finally:
        slurm.login.run("scancel", job)


def test_a_guest_that_is_frozen_leaves_its_node_and_stays_held_beside_others_that_run_until_its_release(
    alice: Alice, right: str
) -> None:
    job = count(alice)
    wait_until_at_work(alice, job, 1)

    alice.idleq("freeze", job, "--reason", "look")
    wait_until(alice, job, "held")
    wait_for("its node to be given back", lambda: has_none(alice), seconds=60, every=0.5)
    alice.idleq("wait", count(alice, steps=5))

    assert [row_of(alice, job)[key] for key in ("state", "reason", "node")] == ["held", "look", None]
    assert len(starts(alice, job)) == 1
    alice.idleq("release", job)
    assert_goes_on_to_its_result(alice, job, right)
    assert [fact.reason for fact in frozen(alice, job)] == ["look"]


def test_a_guest_goes_on_on_the_node_that_it_is_moved_to_and_leaves_it_where_any_other_will_do(
    slurm: Testbed, alice: Alice, right: str
) -> None:
    slurm.wait_until_idle()  # no node takes a guest while Slurm cleans up there
    job = count(alice)
    first = wait_until_at_work(alice, job, 1)
    wanted = max({node.name for node in slurm.compute} - {first})  # Slurm itself begins with n1

    for node, refusal in ((first, f"runs on {first} already"), ("n9", "there is no node n9")):
        with pytest.raises(CommandRefused, match=refusal):
            alice.idleq("move", job, "--to", node)
    alice.idleq("move", job, "--to", wanted)
    second = wait_until_at_work(alice, job, 2)
    alice.idleq("move", job)
    third = wait_until_at_work(alice, job, 3)

    assert second == wanted
    assert third != wanted
    assert_goes_on_to_its_result(alice, job, right)
    assert [fact.node for fact in starts(alice, job)] == [first, second, third]
    assert [fact.reason for fact in frozen(alice, job)] == [f"moved to {wanted}", f"moved off {wanted}"]


def test_what_is_modified_of_jobs_that_wait_and_that_run_holds_from_when_it_is_said_to_hold(
    slurm: Testbed, alice: Alice, right: str
) -> None:
    with taken(slurm, 2):
        later, sooner = count(alice, "--hold", steps=5), count(alice, "--hold", steps=3000)
        with pytest.raises(CommandRefused, match=f"job {later} cannot be so: "):
            alice.idleq("modify", later, "--cores", "64")
        alice.idleq("modify", sooner, "--priority", "5")
        job = count(alice, "--memory", "512M", cores=1)
        node = wait_until_at_work(alice, job, 1)
        alice.idleq("release", later, sooner)

        with pytest.raises(CommandRefused, match=f"no other node can host job {job} now; .*main jobs have it"):
            alice.idleq("move", job)
        alice.idleq("modify", job, "--cores", str(CORES), "--memory", "1G")
        kept = told(slurm, node)
        alice.idleq("freeze", job)
        wait_until(alice, sooner, "running")
        alice.idleq("modify", sooner, "--max-run", "1s")
        wait_until(alice, sooner, "failed")
        alice.idleq("wait", later)
        alice.idleq("release", job)
        wait_until_at_work(alice, job, 2)

        assert [kept, told(slurm, node)] == [{"cores": 1, "memory": 2**29}, {"cores": CORES, "memory": 2**30}]
        with pytest.raises(CommandRefused, match=f"job {sooner} is over already"):
            alice.idleq("modify", sooner, "--priority", "1")
        assert_goes_on_to_its_result(alice, job, right)
        assert [fact.job for fact in alice.facts_of(SegmentStarted)[-4:]] == [job, sooner, later, job]


def told(slurm: Testbed, node: str) -> dict[str, int]:
    """What resources the one guest on *node* is told that it has."""
    said = json.loads(slurm.nodes[node].run("sh", "-c", TOLD))
    return {key: said[key] for key in ("cores", "memory")}
