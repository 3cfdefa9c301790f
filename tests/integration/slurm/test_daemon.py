"""The daemon on the login node of a real Slurm cluster, as a user starts it: guests in gaps, frozen when a main job comes, moved."""

from collections.abc import Callable, Iterator

import pytest

from support.on_slurm import (
    BOUND_SECONDS,
    Alice,
    alice_at_work,
    submit_and_start,
    wait_for_main_jobs,
)
from support.site import main_job, undisturbed
from testbed.cluster import Testbed
from testbed.slurmconf import GRACE_SECONDS
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]


@pytest.fixture
def alice(slurm: Testbed) -> Iterator[Alice]:
    """Alice, whose daemon runs; nothing is left of it afterwards."""
    with alice_at_work(slurm) as person:
        yield person


def test_guests_are_frozen_for_main_jobs_and_each_has_its_one_right_result_and_the_report_has_the_harm(
    slurm: Testbed, alice: Alice, record_property: Callable[[str, object], None]
) -> None:
    alice.counts(seeds=4)
    alice.wait_until_running(3)
    nodes = sorted(alice.allocations())

    wide = main_job(slurm, "--nodes=3", seconds=3)
    wait_for_main_jobs(slurm)
    alice.wait_until_done()

    submitted, began = submit_and_start(slurm, wide)
    assert began - submitted <= BOUND_SECONDS
    assert sum(alice.segments()) >= 4 + 3, "three ran when the main job came, and were frozen"
    assert alice.results() == [undisturbed(slurm, seed) for seed in range(4)]
    harm = alice.told("report")["harm"]
    (row,) = harm["rows"]
    assert (row["main_job"], sorted(row["nodes"]), row["bound_ms"]) == (wide, nodes, BOUND_SECONDS * 1000)
    assert 0 < row["waited_ms"] <= (began - submitted) * 1000, "from the signal, which came after the submission"
    assert (harm["over_bound"], harm["guests_alive"], harm["back_offs"]) == (0, 0, 0)
    record_property(
        "summary", f"a main job on all nodes waited {row['waited_ms'] // 1000} s for guests (bound {BOUND_SECONDS} s)"
    )


def test_a_main_job_that_is_over_before_anybody_has_looked_is_in_the_report_too(slurm: Testbed, alice: Alice) -> None:
    alice.counts(seeds=1, cores=2)
    alice.wait_until_running(1)

    brief = main_job(slurm, "--nodes=3", seconds=0)
    alice.wait_until_done()

    (row,) = alice.told("report")["harm"]["rows"]
    assert row["main_job"] == brief


def test_where_main_jobs_wait_longer_than_the_site_allows_idleq_backs_off_and_says_so(slurm: Testbed) -> None:
    with alice_at_work(slurm, policy='harm_limit = "0s"') as alice:
        alice.counts(seeds=3, cores=2)
        alice.wait_until_running(3)
        wide = main_job(slurm, "--nodes=3", seconds=1)
        wait_for_main_jobs(slurm)

        said = wait_for("the back-off", lambda: alice.summary()["slowed_reason"], seconds=30, every=0.5)
        assert said.startswith(f"main job {wide} waited ")
        wait_for("guests to be off", lambda: alice.are_frozen(3), seconds=30, every=0.5)
        assert alice.allocations() == []


def test_the_kill_switch_empties_the_cluster_within_the_grace_and_no_work_is_lost(
    slurm: Testbed, alice: Alice, record_property: Callable[[str, object], None]
) -> None:
    alice.counts(seeds=3, cores=2)
    alice.wait_until_running(3)

    alice.idleq("pause", "--now", "--reason", "maintenance")
    pressed = int(
        slurm.login.run("date", "+%s")
    )  # how long the command itself takes on a loaded machine is not the question
    wait_for("the cluster to be empty", lambda: not slurm.login.run("squeue", "-h"), seconds=60, every=0.2)
    emptied = int(slurm.login.run("date", "+%s"))
    assert emptied - pressed <= GRACE_SECONDS
    assert alice.are_frozen(3)
    wide = main_job(slurm, "--nodes=3", seconds=1)
    wait_for_main_jobs(slurm)
    submitted, began = submit_and_start(slurm, wide)
    assert began - submitted <= GRACE_SECONDS, "nothing was in its way"

    alice.idleq("resume")
    alice.wait_until_done()
    assert alice.results() == [undisturbed(slurm, seed) for seed in range(3)]
    assert alice.segments() == [2, 2, 2]
    record_property("summary", f"`idleq pause --now` emptied three nodes in {emptied - pressed} s")


def test_a_killed_daemon_and_a_restarted_controller_lose_no_guest_and_double_none(slurm: Testbed, alice: Alice) -> None:
    alice.counts(seeds=3)
    alice.wait_until_running(2)

    slurm.login.run("pkill", "-KILL", "-f", "idleq.*daemon")
    slurm.restart_controller()
    alice.idleq("daemon", "start")
    alice.wait_until_done()

    assert alice.results() == [undisturbed(slurm, seed) for seed in range(3)]
    assert alice.segments() == [1, 1, 1], "they went on while nobody was there, and were found again"
