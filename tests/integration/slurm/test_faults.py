"""What goes wrong on a real cluster: guests end up with their one right result all the same."""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import pytest

from idleq.ids import NodeName
from idleq.scheduler.core.facts import JobDone, SegmentFailed, SegmentFrozen, SegmentStarted
from idleq.scheduler.core.sitefacts import AllocationEnded, AllocationFailed
from support.on_slurm import (
    BOUND_SECONDS,
    Alice,
    alice_at_work,
    submit_and_start,
    wait_for_main_jobs,
)
from support.site import main_job, undisturbed
from testbed.cluster import SMALL, Testbed
from testbed.machine import Node
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

KILLS, SEED = 10, 20261125
STEPS = 200
"""Twenty seconds: a guest that is frozen, and whose node is killed then, is not done before."""
LATER_STEPS = 50
PATIENCE_SECONDS = 600
"""For guests of two minutes on a machine that is used by others too."""
BIN, GARBLED = "/shared/home/alice/bin", "/shared/home/alice/garbled"
GARBLING = f"""#!/bin/sh
[ -e {GARBLED} ] || exec /usr/bin/squeue "$@"
/usr/bin/squeue "$@" | head -c 200
"""


@pytest.fixture
def alice(slurm: Testbed) -> Iterator[Alice]:
    """Alice, whose daemon runs; nothing is left of it afterwards."""
    with alice_at_work(slurm) as person:
        yield person


def assert_right(alice: Alice, *, steps: int) -> None:
    """Every job has exactly one accepted result, the right one."""
    results = alice.results()
    assert results == [undisturbed(alice.slurm, seed, steps) for seed in range(len(results))]
    assert Counter(fact.job for fact in alice.facts_of(JobDone)) == {row["id"]: 1 for row in alice.rows()}


def test_an_allocation_that_an_admin_cancels_is_no_failure_of_its_guests(slurm: Testbed, alice: Alice) -> None:
    alice.counts(seeds=2, steps=150, cores=2)
    alice.wait_until_running(2)

    slurm.login.run("scancel", "--user=alice")
    alice.wait_until_done()

    assert_right(alice, steps=150)
    assert alice.segments() == [2, 2]
    assert alice.facts_of(SegmentFailed) == []
    assert len(alice.facts_of(SegmentFrozen)) == 2


def test_no_guest_is_sent_to_a_node_that_is_drained(slurm: Testbed, alice: Alice) -> None:
    slurm.login.run("scontrol", "update", "nodename=n1", "state=drain", "reason=test")
    try:
        alice.counts(seeds=3, steps=50, cores=2)
        alice.wait_until_done()
    finally:
        slurm.login.run("scontrol", "update", "nodename=n1", "state=resume")

    assert {fact.node for fact in alice.facts_of(SegmentStarted)} == {"n2", "n3"}


def test_a_partition_that_slurm_does_not_know_is_told_and_the_job_waits(slurm: Testbed) -> None:
    with alice_at_work(slurm, partition="nowhere") as alice:
        alice.counts(seeds=1)
        said = wait_for("the refusal", lambda: alice.summary()["slowed_reason"], seconds=30, every=0.5)

        assert "invalid partition" in said
        assert "invalid partition" in alice.idleq("explain", "1")
        assert alice.states() == ["queued"]


def test_while_slurm_answers_with_half_of_its_json_guests_go_on_and_later_ones_wait_for_a_whole_answer(
    slurm: Testbed,
) -> None:
    slurm.login.run(
        "sh", "-c", f"mkdir -p {BIN}; cat > {BIN}/squeue; chmod +x {BIN}/squeue", user="alice", said=GARBLING
    )
    with alice_at_work(slurm, path=BIN) as alice:
        alice.counts(seeds=1, steps=100)
        alice.wait_until_running(1)
        slurm.login.run("touch", GARBLED, user="alice")
        try:
            alice.wait_until_done()
            log = slurm.shared / "home" / "alice" / "q" / "daemon.log"
            wait_for("the log to say so", lambda: "is not what idleq understands" in log.read_text(), seconds=30)
        finally:
            slurm.login.run("rm", GARBLED)
        alice.counts(seeds=1, steps=100)
        alice.wait_until_done()

        assert len(set(alice.results())) == 1
        assert alice.segments() == [1, 1]


def test_while_slurmctld_is_away_for_two_minutes_guests_are_done_and_later_ones_wait_for_it(slurm: Testbed) -> None:
    steps = 1300  # ten a second: longer than a lease
    with alice_at_work(slurm, min_gap="5m") as alice:
        alice.counts(seeds=2, steps=steps)
        alice.wait_until_running(2)
        slurm.stop_controller()
        try:
            alice.wait_until_done(seconds=PATIENCE_SECONDS)
            assert alice.segments() == [1, 1], "they were done where they were"
            alice.count(steps=LATER_STEPS, seed=2)
        finally:
            slurm.start_controller()
        alice.wait_until_done()

        early, later = alice.results()[:2], alice.results()[2]
        assert early == [undisturbed(slurm, seed, steps) for seed in range(2)]
        assert later == undisturbed(slurm, 2, LATER_STEPS)
        assert Counter(fact.job for fact in alice.facts_of(JobDone)) == {"1": 1, "2": 1, "3": 1}


def test_while_slurmctld_hangs_agents_are_heard_and_their_guests_done(slurm: Testbed) -> None:
    with alice_at_work(slurm, policy='lease = "20s"', min_gap="5m") as alice:
        alice.counts(seeds=2, steps=600)  # three leases
        alice.wait_until_running(2)
        slurm.hang_controller()
        try:
            alice.wait_until_done(seconds=180)
        finally:
            slurm.wake_controller()

        assert_right(alice, steps=600)
        assert alice.segments() == [1, 1], "an agent that hears nobody during a lease saves and leaves"


def test_a_daemon_that_is_killed_again_and_again_while_allocations_come_and_go_loses_and_doubles_nothing(
    slurm: Testbed, alice: Alice
) -> None:
    alice.counts(seeds=8, steps=60, cores=2)
    dice = random.Random(SEED)
    for _ in range(KILLS):
        # No waiting for something: the instant is what is tried out.
        threading.Event().wait(dice.uniform(0, 4))
        slurm.login.run("pkill", "-KILL", "-u", "alice", "-f", "idleq.*daemon", codes=(0, 1))
        alice.idleq("daemon", "start")
    alice.wait_until_done()

    assert_right(alice, steps=60)
    wait_for(
        "no allocation to be left", lambda: not slurm.login.run("squeue", "-h", "--user=alice"), seconds=60, every=0.5
    )


def test_a_full_shared_folder_delays_no_main_job_and_costs_no_guest_its_result(slurm: Testbed) -> None:
    with alice_at_work(slurm, server=f"{SMALL}/q") as alice:
        alice.counts(seeds=2, steps=150, cores=2)
        alice.wait_until_running(2)
        slurm.login.run("dd", "if=/dev/zero", f"of={SMALL}/full", "bs=64k", user="bob", codes=(1,))
        try:
            wide = main_job(slurm, "--nodes=3", seconds=1)
            wait_for_main_jobs(slurm)
        finally:
            slurm.login.run("rm", f"{SMALL}/full")
        wait_for("the daemon to have its journal again", alice.is_answered, seconds=90, every=1)
        alice.wait_until_done()

        submitted, began = submit_and_start(slurm, wide)
        assert began - submitted <= BOUND_SECONDS
        assert_right(alice, steps=150)


@pytest.fixture
def lagging(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, whose nodes see the shared folder slowly, and what is new there only after some seconds."""
    for node in slurm.compute:
        node.lag(delay=0.05, stale=4)
    yield slurm
    for node in slurm.compute:
        node.stop_lagging()


def test_nodes_that_see_the_shared_folder_late_keep_no_main_job_waiting_and_lose_no_result(lagging: Testbed) -> None:
    with alice_at_work(lagging) as alice:
        alice.counts(seeds=3, steps=150, cores=2)
        alice.wait_until_running(3)
        wide = main_job(lagging, "--nodes=3", seconds=1)
        wait_for_main_jobs(lagging)
        alice.wait_until_done()

        submitted, began = submit_and_start(lagging, wide)
        assert began - submitted <= BOUND_SECONDS
        assert_right(alice, steps=150)
        assert alice.segments() == [2, 2, 2]
        assert alice.facts_of(SegmentFailed) == []


def test_guests_leave_before_a_reservation_begins(
    slurm: Testbed, alice: Alice, record_property: Callable[[str, object], None]
) -> None:
    begins = int(slurm.login.run("date", "+%s")) + 100
    when = slurm.login.run("date", "-d", f"@{begins}", "+%Y-%m-%dT%H:%M:%S").strip()
    slurm.login.run(
        *("scontrol", "create", "reservation", "reservationname=course", f"starttime={when}", "duration=2"),
        *("nodes=ALL", "users=bob", "flags=ignore_jobs"),
    )
    try:
        alice.counts(seeds=2, steps=1200, cores=2)
        alice.wait_until_running(2)
        wait_for("guests to leave", lambda: "running" not in alice.states(), seconds=120, every=0.5)
        wait_for(
            "the nodes to be empty",
            lambda: not slurm.login.run("squeue", "-h", "--user=alice", "-t", "R,CG"),
            seconds=30,
        )
        left = int(slurm.login.run("date", "+%s"))
        assert left <= begins
        wait_for("its begin", lambda: int(slurm.login.run("date", "+%s")) > begins, seconds=120, every=0.5)
        assert alice.are_frozen(2)
    finally:
        slurm.login.run("scontrol", "delete", "reservationname=course")
    record_property("summary", f"the last guest left {begins - left} s before the reservation")


@pytest.fixture
def watchful(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, whose Slurm gives a silent node up soon (sites wait for five minutes)."""
    slurm.configure({"SlurmdTimeout": "5"})
    slurm.wait_until_idle()
    yield slurm
    slurm.configure({})
    slurm.wait_until_idle()


@pytest.fixture
def thawed(watchful: Testbed) -> Iterator[tuple[Alice, NodeName]]:
    """Alice, whose guest was frozen once and goes on from that snapshot on this node; an agent's silence is borne for ten seconds."""
    with alice_at_work(watchful, policy='lease = "10s"', by_network=True) as alice:
        alice.counts(seeds=1, steps=STEPS, cores=2)
        alice.wait_until_running(1)
        alice.idleq("pause", "--now")
        wait_for("a snapshot", lambda: alice.are_frozen(1), seconds=60, every=0.5)
        alice.idleq("resume")
        alice.wait_until_running(1)
        yield alice, alice.facts_of(SegmentStarted)[-1].node


def wait_until_it_is_elsewhere(alice: Alice, node: NodeName) -> None:
    """Wait until the one guest has been started on another node than *node*."""
    wait_for("it to go on elsewhere", lambda: alice.facts_of(SegmentStarted)[-1].node != node, seconds=180, every=0.5)


def assert_it_went_on(alice: Alice) -> None:
    """The guest has its right result, of its last stretch, and each stretch but the first went on from a snapshot."""
    assert_right(alice, steps=STEPS)
    first, *later = alice.facts_of(SegmentStarted)
    assert first.thaw_from is None
    assert all(fact.thaw_from is not None for fact in later)
    assert [fact.fence for fact in alice.facts_of(JobDone)] == [later[-1].fence]


def test_a_guest_of_a_killed_node_goes_on_elsewhere_from_its_last_snapshot(
    watchful: Testbed, thawed: tuple[Alice, NodeName]
) -> None:
    alice, node = thawed
    watchful.nodes[node].kill()
    try:
        alice.wait_until_done()
    finally:
        watchful.bring_back(node)

    assert_it_went_on(alice)
    assert alice.facts_of(SegmentStarted)[-1].node != node


SILENCES: Mapping[str, tuple[Callable[[Node], None], Callable[[Node], None]]] = {
    "it was cut off": (Node.cut_off, lambda node: node.cut_off(is_off=False)),
    "it hung": (Node.freeze, Node.thaw),
}
"""How a node, its agent and its guest fall silent, and come back."""


@pytest.mark.parametrize("silence", SILENCES)
def test_a_guest_of_a_silent_node_goes_on_elsewhere_and_is_stopped_and_counts_no_more_where_it_was(
    watchful: Testbed, thawed: tuple[Alice, NodeName], silence: str
) -> None:
    alice, name = thawed
    node, (falls_silent, comes_back) = watchful.nodes[name], SILENCES[silence]
    falls_silent(node)
    try:
        wait_until_it_is_elsewhere(alice, name)
    finally:
        comes_back(node)
    alice.wait_until_done()

    assert_it_went_on(alice)
    wait_for(
        "nothing of alice to be left there", lambda: not node.run("pgrep", "-u", "alice", codes=(0, 1)), seconds=60
    )


def failed_jobs(cluster: Testbed) -> set[str]:
    """Those of alice whose nodes failed, as long as Slurm remembers them: those of earlier tests too."""
    return set(cluster.login.run("squeue", "-h", "--user=alice", "--states=NODE_FAIL", "--format=%A").split())


def test_a_daemon_that_starts_after_a_node_hung_waits_for_the_lease_of_the_agent_there(
    watchful: Testbed, thawed: tuple[Alice, NodeName]
) -> None:
    alice, name = thawed
    node, earlier = watchful.nodes[name], failed_jobs(watchful)
    node.freeze()
    try:
        watchful.login.run("pkill", "-KILL", "-u", "alice", "-f", "idleq.*daemon")
        wait_for("Slurm to give the node up", lambda: failed_jobs(watchful) - earlier, seconds=120, every=0.5)
        alice.idleq("daemon", "start")
        wait_until_it_is_elsewhere(alice, name)
    finally:
        node.thaw()
    alice.wait_until_done()

    assert_it_went_on(alice)
    lost = alice.facts_of(AllocationFailed)[0]
    ends = {fact.allocation: fact.reason for fact in alice.facts_of(AllocationEnded)}
    assert ends[lost.allocation] == "its node failed", "it was not told to be gone with the first look"


def test_where_only_slurmd_hangs_the_guest_saves_and_leaves_before_it_goes_on_elsewhere(watchful: Testbed) -> None:
    steps = 500  # ten a second: more than are done before Slurm gives the node up
    with alice_at_work(watchful, by_network=True) as alice:
        alice.counts(seeds=1, steps=steps, cores=2)
        alice.wait_until_running(1)
        name = alice.facts_of(SegmentStarted)[-1].node
        node, slurmd = watchful.nodes[name], "^[^ ]*slurmd( |$)"
        node.run("pkill", "-STOP", "-f", slurmd)
        try:
            wait_until_it_is_elsewhere(alice, name)
        finally:
            node.run("pkill", "-CONT", "-f", slurmd)
        alice.wait_until_done()

        assert_right(alice, steps=steps)
        (frozen,) = alice.facts_of(SegmentFrozen)
        assert frozen.reason == "its node failed"
        assert alice.facts_of(SegmentStarted)[-1].thaw_from == frozen.snapshot.id
