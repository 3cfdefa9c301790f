"""Allocations from a real Slurm, and what is seen of it meanwhile."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import pytest

from idleq.ids import AllocationId, CommandId, Millis
from idleq.scheduler.clock import SystemClock
from idleq.scheduler.core.commands import Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import AllocationGranted, AllocationLost, Input, NodeLost, Reconciled, ViewChanged
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.batch import SiteSettings, allocation_of
from idleq.scheduler.slurm.cluster import SlurmCluster
from idleq.scheduler.slurm.commandline import CommandLine
from idleq.scheduler.slurm.errors import SlurmAway, SlurmRefused, SlurmTokenUnusable
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.rest import Fetch, Rest
from idleq.scheduler.slurm.site import Site
from idleq.scheduler.slurm.view import build_view
from support.site import fetch_as, type_as
from testbed.cluster import Testbed
from testbed.slurmconf import CORES, GRACE_SECONDS, MEMORY_MB
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.xdist_group("testbed")]

WHOLE = Resources(CORES, MEMORY_MB * 2**20)
HOME = "/shared/home/alice"
A1 = AllocationId("a1")
AGENT = """
setsid sleep 4321 &
trap 'date +%s > told; exit 0' TERM
nproc > begun.new; mv begun.new begun
while :; do sleep 0.1; done
"""


@pytest.fixture
def site(slurm: Testbed) -> Iterator[SiteSettings]:
    """The server of alice, whose folder is her home; nothing runs before or after."""
    for name in ("told", "begun"):
        (slurm.shared / "home" / "alice" / name).unlink(missing_ok=True)
    yield SiteSettings(server="s1", user="alice", partition="guests", window_partition="main", folder=HOME)
    for user in ("alice", "bob"):
        slurm.login.run("scancel", f"--user={user}")
    slurm.wait_until_idle()


def by_token(slurm: Testbed, token: str = "") -> Fetch:
    """Asks slurmrestd as alice, with one token all the time."""
    token = token or slurm.token("alice")
    return fetch_as(slurm, "alice", lambda _user: token)


WAYS: Mapping[str, Callable[[Testbed], Site]] = {
    "squeue --json": lambda slurm: CommandLine(Format.JSON, type_as(slurm, "alice")),
    "squeue": lambda slurm: CommandLine(Format.TEXT, type_as(slurm, "alice")),
    "slurmrestd": lambda slurm: Rest(by_token(slurm)),
}


def cluster_of(slurm: Testbed, site: SiteSettings, way: str = "squeue --json", lease_ms: int = 60_000) -> SlurmCluster:
    agent = ["bash", "-c", AGENT]
    return SlurmCluster(
        WAYS[way](slurm), site, SystemClock(), lambda _: agent, lease_ms=Millis(lease_ms), bound_ms=Millis(30_000)
    )


def request(cluster: SlurmCluster, resources: Resources = WHOLE, *, min_ms: int = 60_000) -> None:
    cluster.request(
        RequestAllocation(
            id=CommandId(1),
            allocation=A1,
            mode=Mode.PREEMPTIBLE,
            node=None,
            resources=resources,
            min_ms=Millis(min_ms),
            max_ms=Millis(600_000),
        )
    )


def told(cluster: SlurmCluster, kind: type[Input], heard: list[Input]) -> Callable[[], bool]:
    """Whether the cluster has told something of that kind by now; all that it tells is *heard*."""

    def look() -> bool:
        heard.extend(cluster.poll())
        return any(isinstance(said, kind) for said in heard)

    return look


@pytest.mark.parametrize("way", WAYS)
def test_an_idle_cluster_is_seen_as_it_is_whichever_way_it_is_asked(
    slurm: Testbed, site: SiteSettings, way: str
) -> None:
    reading = WAYS[way](slurm).read(SystemClock().now())

    view = build_view(None, reading, lambda job: allocation_of(job, site) is not None)

    assert [(r.name, r.capacity, r.free, r.is_up, r.planned_start) for r in view.reports.values()] == [
        (name, WHOLE, WHOLE, True, None) for name in ("n1", "n2", "n3")
    ]


@pytest.mark.parametrize("way", WAYS)
def test_an_agent_has_its_cores_and_is_told_when_a_main_job_wants_its_node(
    slurm: Testbed, site: SiteSettings, way: str
) -> None:
    cluster, heard = cluster_of(slurm, site, way), list[Input]()
    home = slurm.shared / "home" / "alice"
    assert next(iter(cluster.poll())) == Reconciled(allocations=())
    request(cluster)
    wait_for("the allocation", told(cluster, AllocationGranted, heard), seconds=60, every=0.5)
    (granted,) = (said for said in heard if isinstance(said, AllocationGranted))
    assert (granted.allocation, granted.resources) == (A1, WHOLE)
    wait_for("the agent to begin", (home / "begun").exists, seconds=30)
    assert (home / "begun").read_text() == f"{CORES}\n"
    assert not [said for said in heard if isinstance(said, ViewChanged)], "a guest is nothing that main jobs do"

    wide = slurm.login.run(
        *("sbatch", "--parsable", "--nodes=3", "--exclusive", "--time=1", "--output=/dev/null", "--wrap=sleep 2"),
        user="bob",
    ).strip()

    wait_for("the end of the allocation", told(cluster, AllocationLost, heard), seconds=GRACE_SECONDS + 30, every=0.5)
    assert (home / "told").exists()
    wait_for("the main job to end", lambda: not slurm.login.run("squeue", "-h", "--user=bob"), seconds=60, every=0.5)
    line = slurm.login.run("sacct", "-X", "-n", "-P", "-j", wide, "--format=State")
    assert line.strip() in {"COMPLETED", "RUNNING"}  # accounting is a little late


def test_nothing_that_an_agent_started_outlives_its_allocation(slurm: Testbed, site: SiteSettings) -> None:
    cluster, heard = cluster_of(slurm, site), list[Input]()
    cluster.poll()
    request(cluster)
    wait_for("the allocation", told(cluster, AllocationGranted, heard), seconds=60, every=0.5)
    (granted,) = (said for said in heard if isinstance(said, AllocationGranted))
    node = slurm.nodes[granted.node]
    wait_for(
        "a guest in a session of its own", lambda: "4321" in node.run("pgrep", "-a", "sleep", codes=(0, 1)), seconds=30
    )

    slurm.login.run("scancel", "--signal=KILL", "--user=alice")
    wait_for("its end", told(cluster, AllocationLost, heard), seconds=60, every=0.5)

    assert "4321" not in node.run("pgrep", "-a", "sleep", codes=(0, 1))


def test_a_daemon_that_starts_again_finds_its_allocation_and_asks_for_no_other(
    slurm: Testbed, site: SiteSettings
) -> None:
    first, heard = cluster_of(slurm, site), list[Input]()
    request(first)
    wait_for("the allocation", told(first, AllocationGranted, heard), seconds=60, every=0.5)

    second = cluster_of(slurm, site)
    request(second)

    assert next(iter(second.poll())) == Reconciled(allocations=(A1,))
    assert len(slurm.login.run("squeue", "-h", "--user=alice").splitlines()) == 1


def test_an_allocation_that_an_admin_cancels_is_over(slurm: Testbed, site: SiteSettings) -> None:
    cluster, heard = cluster_of(slurm, site), list[Input]()
    request(cluster)
    wait_for("the allocation", told(cluster, AllocationGranted, heard), seconds=60, every=0.5)

    slurm.login.run("scancel", "--user=alice")
    wait_for("its end", told(cluster, AllocationLost, heard), seconds=60, every=0.5)

    assert [said.allocation for said in heard if isinstance(said, AllocationLost)] == [A1]


def test_an_allocation_that_never_started_can_be_released(slurm: Testbed, site: SiteSettings) -> None:
    cluster, heard = cluster_of(slurm, site), list[Input]()
    slurm.login.run("sbatch", "--nodes=3", "--exclusive", "--output=/dev/null", "--wrap=sleep 60", user="bob")
    wait_for("the main job to run", lambda: set(slurm.states().values()) == {"allocated"}, seconds=30, every=0.5)
    request(cluster)

    cluster.release(ReleaseAllocation(id=CommandId(2), allocation=A1, reason="no longer wanted"))
    wait_for("its end", told(cluster, AllocationLost, heard), seconds=60, every=0.5)

    assert not [said for said in heard if isinstance(said, AllocationGranted)]


def test_what_slurm_will_never_do_is_refused_for_good(slurm: Testbed, site: SiteSettings) -> None:
    cluster = cluster_of(slurm, replace(site, partition="nowhere"))
    cluster.poll()

    with pytest.raises(SlurmRefused, match="invalid partition") as refused:
        request(cluster)
    assert not refused.value.transient


def test_a_token_that_is_not_right_is_refused(slurm: Testbed) -> None:
    assert Rest(by_token(slurm)).ends([999_999]) == {}
    with pytest.raises(SlurmTokenUnusable):
        Rest(by_token(slurm, "e30.e30.AAAA")).read(SystemClock().now())


def test_a_token_that_has_expired_is_refused_and_nothing_is_submitted_with_it(
    slurm: Testbed, site: SiteSettings
) -> None:
    rest = Rest(by_token(slurm, slurm.token("alice", seconds=5)))
    cluster = SlurmCluster(
        rest, site, SystemClock(), lambda _: ["true"], lease_ms=Millis(1000), bound_ms=Millis(30_000)
    )
    cluster.poll()  # it is good at first

    def is_refused() -> bool:
        try:
            rest.read(SystemClock().now())
        except SlurmTokenUnusable:
            return True
        return False

    wait_for("its end", is_refused, seconds=60, every=1)
    with pytest.raises(SlurmTokenUnusable):
        request(cluster)
    assert slurm.login.run("squeue", "-h", "--user=alice") == ""


def test_a_limit_of_the_partition_is_told_in_slurms_words_and_binds_nothing_once_it_is_lifted(
    slurm: Testbed, site: SiteSettings
) -> None:
    cluster = cluster_of(slurm, site)
    cluster.poll()
    slurm.configure({"EnforcePartLimits": "ALL"})
    try:
        slurm.login.run("scontrol", "update", "partitionname=guests", "maxtime=1")
        with pytest.raises(SlurmRefused, match="exceeds some limit"):
            request(cluster, min_ms=600_000)
    finally:
        slurm.login.run("scontrol", "update", "partitionname=guests", "maxtime=1-0")
        slurm.configure({})

    request(cluster)
    assert len(slurm.login.run("squeue", "-h", "--user=alice").splitlines()) == 1


@pytest.mark.slow
def test_an_allocation_on_a_killed_node_is_given_up_after_its_agents_lease(slurm: Testbed, site: SiteSettings) -> None:
    cluster, heard = cluster_of(slurm, site, lease_ms=3000), list[Input]()
    request(cluster)
    wait_for("the allocation", told(cluster, AllocationGranted, heard), seconds=60, every=0.5)
    (granted,) = (said for said in heard if isinstance(said, AllocationGranted))

    slurm.nodes[granted.node].kill()
    try:
        wait_for("its end", told(cluster, AllocationLost, heard), seconds=180, every=0.5)
    finally:
        slurm.bring_back(granted.node)

    told_of_it = [said for said in heard if isinstance(said, NodeLost | AllocationLost)]
    assert told_of_it == [
        NodeLost(allocation=A1, reason="Slurm says that it failed"),
        AllocationLost(allocation=A1, reason="its node failed"),
    ]


def test_a_controller_that_is_away_is_asked_again_later(slurm: Testbed, site: SiteSettings) -> None:
    cluster, heard = cluster_of(slurm, site), list[Input]()
    cluster.poll()
    request(cluster)
    wait_for("the allocation", told(cluster, AllocationGranted, heard), seconds=60, every=0.5)
    # Before that srun may be about to ask the controller for the agent's step, and fails without it.
    wait_for("the agent to begin", (slurm.shared / "home" / "alice" / "begun").exists, seconds=30)
    slurm.stop_controller()
    try:
        with pytest.raises(SlurmAway) as away:
            cluster.poll()
    finally:
        slurm.start_controller()

    assert away.value.transient
    assert not [said for said in cluster.poll() if isinstance(said, AllocationLost)]
