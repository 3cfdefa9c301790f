"""Windows on a real Slurm: guests on a named node up to a planned main job, where no tier gives way."""

import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.scheduler.clock import SystemClock
from idleq.scheduler.core.commands import Mode, RequestAllocation
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.batch import SiteSettings, batch_job
from idleq.scheduler.slurm.commandline import CommandLine
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.rest import Rest
from idleq.scheduler.slurm.site import Site
from support.site import accounted, fetch_as, main_job, serving, type_as, undisturbed
from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

LATE_SECONDS = 15
"""A scheduling cycle (2 s), and what a loaded machine adds."""

CONFIG = """
[server]
transport = "spool"

[policy]
mode = "window"
min_gap = "1m"
freeze = "3s"
thaw = "3s"

[cluster]
kind = "slurm"
window_partition = "windows"
poll = "1s"
"""


@pytest.fixture
def windows(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, with a partition for windows of the same tier as that of main jobs: nothing is preempted there."""
    slurm.login.run(
        *("scontrol", "create", "partitionname=windows", "nodes=n1,n2,n3", "prioritytier=10", "preemptmode=off")
    )
    yield slurm
    slurm.login.run("scontrol", "delete", "partitionname=windows")


def planned_start(slurm: Testbed, job: str) -> int | None:
    """When Slurm plans to start *job*, in seconds since the epoch; None while it has no plan."""
    said = slurm.login.run("env", "SLURM_TIME_FORMAT=%s", "squeue", "-h", f"--jobs={job}", "--format=%S %Y").split()
    return int(said[0]) if len(said) == 2 and said[0].isdigit() and said[1] != "(null)" else None


WAYS: Mapping[str, Callable[[Testbed], Site]] = {
    "sbatch": lambda slurm: CommandLine(Format.JSON, type_as(slurm, "alice")),
    "slurmrestd": lambda slurm: Rest(fetch_as(slurm, "alice", slurm.token)),
}


@pytest.mark.parametrize("way", WAYS)
def test_slurm_itself_drops_a_window_that_could_not_be_over_in_time(windows: Testbed, way: str) -> None:
    windows.login.run("scontrol", "update", "partitionname=windows", "state=down")
    now = SystemClock().now()
    window = RequestAllocation(
        id=CommandId(1),
        allocation=AllocationId("a1"),
        mode=Mode.WINDOW,
        node=NodeName("n1"),
        resources=Resources(1, 2**29),
        min_ms=Millis(60_000),
        max_ms=Millis(90_000),
        ends_by=Millis(now + 90_000),
    )
    site = SiteSettings(
        server="s1", user="alice", window_partition="windows", mode=Mode.WINDOW, folder="/shared/home/alice"
    )

    job = WAYS[way](windows).submit(batch_job(window, site, ["sleep", "60"], now))

    shown = windows.login.run("env", "SLURM_TIME_FORMAT=%s", "scontrol", "--oneliner", "show", "job", str(job))
    assert f" Deadline={(now + 90_000) // 1000} " in shown
    assert " TimeLimit=00:01:00 " in shown
    assert " ReqNodeList=n1 " in shown
    wait_for(
        "the window to be dropped", lambda: accounted(windows, str(job), "State") == ["DEADLINE"], seconds=90, every=1
    )


def test_a_guest_runs_in_a_window_is_frozen_before_its_end_and_the_main_job_starts_when_it_was_planned_to(
    windows: Testbed, record_property: Callable[[str, object], None]
) -> None:
    main_job(windows, "--nodelist=n2,n3", "--nodes=2", minutes=2, seconds=117)
    wide = main_job(windows, "--nodes=3", minutes=1, seconds=1)
    plan = wait_for("a plan", lambda: planned_start(windows, wide), seconds=30, every=0.5)

    with serving(windows, CONFIG) as alice:
        alice.count(steps=900)
        wait_for("the guest to run", lambda: alice.states() == ["running"], seconds=60, every=0.5)
        (window,) = json.loads(windows.login.run("squeue", "--json", "--user=alice"))["jobs"]
        assert window["nodes"] == "n1"
        assert window["end_time"]["number"] <= plan, "it is over before the main job is to begin, whatever happens"
        wait_for(
            "the guest to be frozen", lambda: alice.states() == ["queued"] and not alice.held(), seconds=120, every=0.5
        )
        wait_for("the main job to end", lambda: accounted(windows, wide, "State") == ["COMPLETED"], seconds=90, every=1)
        (start,) = accounted(windows, wide, "Start")
        wait_for("the guest to be done", lambda: alice.states() == ["done"], seconds=120, every=1)

        (row,) = alice.rows()
        assert row["fence"] == 2, "it ran in one window before the main job and in one after it"
        assert alice.result(1) == undisturbed(windows, steps=900)
    late = int(start) - plan
    assert late <= LATE_SECONDS, "a window that ran on would keep it for a minute"
    record_property("summary", f"a main job planned beside a guest's window began {late:+d} s from its planned time")


def test_a_window_that_waits_is_cancelled_when_the_plan_moves_to_earlier(windows: Testbed) -> None:
    windows.login.run("scontrol", "update", "partitionname=windows", "maxnodes=0")
    busy = main_job(windows, "--nodelist=n2,n3", "--nodes=2", minutes=10, seconds=600)
    wide = main_job(windows, "--nodes=3", minutes=1, seconds=1)
    plan = wait_for("a plan", lambda: planned_start(windows, wide), seconds=30, every=0.5)

    with serving(windows, CONFIG) as alice:
        alice.count()
        wait_for("a window to wait", lambda: alice.held() == [("idleq-a1", "PENDING")], seconds=60, every=0.5)

        windows.login.run("scontrol", "update", f"jobid={busy}", "timelimit=4")
        wait_for("the plan to move", lambda: (planned_start(windows, wide) or plan) < plan, seconds=30, every=0.5)

        wait_for("the window to go", lambda: ("idleq-a1", "PENDING") not in alice.held(), seconds=20, every=0.5)
        said = [json.loads(line) for line in alice.read("daemon.log").splitlines()]
        assert any("ReleaseAllocation" in turn.get("commands", {}) for turn in said)
        wait_for("a shorter window", lambda: alice.held() == [("idleq-a2", "PENDING")], seconds=20, every=0.5)
