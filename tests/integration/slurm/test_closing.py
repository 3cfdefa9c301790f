"""Nodes that close under running guests, which leave them, and names of main jobs that are made to break what reads them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from idleq.scheduler.core.facts import SegmentFrozen, SegmentStarted
from idleq.scheduler.core.sitefacts import MainJobHeldUp
from support.on_slurm import BOUND_SECONDS, Alice, alice_at_work, submit_and_start, wait_for_main_jobs
from support.site import main_job, undisturbed
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

STEPS = 200
"""Ten a second: longer than what is to happen meanwhile takes."""
LOOK_SECONDS = 2
"""The poll of one second, and the look itself."""
RESERVE = ("scontrol", "create", "reservation", "reservationname=upkeep", "users=bob", "duration=5")
NAME = "x\n99|RUNNING|guests|alice|0|0|0|0|n1||cpu=2|None|idleq:|\r\x1b[31mred"
"""Like rows of which there are more, for whoever splits at line breaks or bars."""


@pytest.fixture
def alice(slurm: Testbed) -> Iterator[Alice]:
    """Alice, whose daemon runs, and whose allocations are longer than any test; nothing is left of it afterwards."""
    with alice_at_work(slurm, min_gap="5m") as person:
        yield person


def start_guests(alice: Alice, *, jobs: int, running: int) -> str:
    """Submit so many guests, each of a whole node, and wait until so many run; return the node of the first."""
    alice.counts(seeds=jobs, steps=STEPS, cores=2)
    alice.wait_until_running(running)
    return alice.facts_of(SegmentStarted)[0].node


def now(slurm: Testbed) -> int:
    """The cluster's time in seconds."""
    return int(slurm.login.run("date", "+%s"))


def wait_until_left(slurm: Testbed, node: str, *, seconds: float) -> int:
    """Wait until alice holds nothing of *node*, and Slurm has cleaned up there; return when that was."""
    asked = ("squeue", "-h", "--user=alice", f"--nodelist={node}", "--states=R,CG")
    wait_for(f"guests to leave {node}", lambda: not slurm.login.run(*asked), seconds=seconds, every=0.5)
    return now(slurm)


def assert_done_elsewhere(alice: Alice, node: str) -> None:
    """Every job has its right result; of those that ran on *node* one went on elsewhere from its snapshot, and none came after it."""
    results, starts = alice.results(), alice.facts_of(SegmentStarted)
    assert results == [undisturbed(alice.slurm, seed, STEPS) for seed in range(len(results))]
    (frozen,) = alice.facts_of(SegmentFrozen)
    assert [fact.job for fact in starts if fact.node == node] == [frozen.job]
    (went_on,) = (fact for fact in starts if fact.thaw_from is not None)
    assert (went_on.job, went_on.thaw_from) == (frozen.job, frozen.snapshot.id)


def test_a_guest_leaves_a_node_that_is_drained_under_it_and_goes_on_elsewhere(
    slurm: Testbed, alice: Alice, record_property: Callable[[str, object], None]
) -> None:
    node = start_guests(alice, jobs=4, running=3)  # the fourth would be next where room is left
    drained = now(slurm)
    slurm.login.run("scontrol", "update", f"nodename={node}", "state=drain", "reason=disk")
    try:
        left = wait_until_left(slurm, node, seconds=60)
        alice.wait_until_done()
    finally:
        slurm.login.run("scontrol", "update", f"nodename={node}", "state=resume")

    assert left - drained <= GRACE_SECONDS + LOOK_SECONDS
    assert_done_elsewhere(alice, node)
    assert [fact.reason for fact in alice.facts_of(SegmentFrozen)] == ["its node is wanted empty (drain)"]
    record_property("summary", f"left after {left - drained} s")


@contextmanager
def reserved(slurm: Testbed, *options: str) -> Iterator[None]:
    """A reservation of bob's for a while."""
    slurm.login.run(*RESERVE, *options)
    try:
        yield
    finally:
        slurm.login.run("scontrol", "delete", "reservationname=upkeep")


def test_slurm_makes_a_reservation_over_guests_only_where_it_is_to_ignore_jobs(slurm: Testbed, alice: Alice) -> None:
    nodes = f"nodes={start_guests(alice, jobs=1, running=1)}"
    for options in (("starttime=now",), ("starttime=now+60",), ("starttime=now+60", "flags=maint")):
        with pytest.raises(CommandRefused, match="Requested nodes are busy"):
            slurm.login.run(*RESERVE, nodes, *options)
    with reserved(slurm, nodes, "starttime=now+1hour"):  # the allocation is over by then
        pass
    with reserved(slurm, nodes, "starttime=now+60", "flags=ignore_jobs"):
        pass


@pytest.mark.parametrize(("ahead", "flags"), [(45, "maint,ignore_jobs"), (0, "ignore_jobs")])
def test_guests_leave_before_a_reservation_that_is_made_over_them_begins_and_at_once_where_it_has_begun(
    slurm: Testbed, alice: Alice, ahead: int, flags: str, record_property: Callable[[str, object], None]
) -> None:
    alice.counts(seeds=2, steps=3 * STEPS, cores=2)
    alice.wait_until_running(2)
    node = alice.facts_of(SegmentStarted)[0].node
    begins = now(slurm) + ahead
    with reserved(slurm, f"nodes={node}", f"starttime=now+{ahead}", f"flags={flags}"):
        left = wait_until_left(slurm, node, seconds=90)
        wait_for("it to go on", lambda: len(alice.facts_of(SegmentStarted)) > 2, seconds=30, every=0.5)

    assert left <= (begins if ahead else begins + GRACE_SECONDS + LOOK_SECONDS)
    (frozen,) = alice.facts_of(SegmentFrozen)
    first, second, went_on = alice.facts_of(SegmentStarted)
    assert (went_on.job, went_on.thaw_from) == (frozen.job, frozen.snapshot.id)
    assert went_on.node not in {first.node, second.node}
    record_property("summary", f"left {left - begins:+d} s after it began")


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_main_job_with_a_name_of_many_lines_has_its_node_in_time_and_its_line_in_the_report(
    slurm: Testbed, form: str
) -> None:
    with alice_at_work(slurm, cluster=f'format = "{form}"') as alice:
        start_guests(alice, jobs=3, running=3)
        wide = main_job(slurm, "--nodes=3", f"--job-name={NAME}", f"--comment={NAME}", seconds=1)
        wait_for_main_jobs(slurm)
        alice.wait_until_done()

        submitted, began = submit_and_start(slurm, wide)
        assert began - submitted <= BOUND_SECONDS
        assert alice.results() == [undisturbed(slurm, seed, STEPS) for seed in range(3)]
        assert [fact.main_job for fact in alice.facts_of(MainJobHeldUp)] == [wide]
        assert [row["main_job"] for row in alice.told("report")["harm"]["rows"]] == [wide]
        assert "is not what idleq understands" not in alice.read("daemon.log")
