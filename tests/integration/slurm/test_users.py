"""Allocations of many users, submitted by one daemon with a token of each, on a real Slurm."""

from collections.abc import Iterator

import pytest

from idleq.ids import AllocationId, CommandId, Millis
from idleq.scheduler.clock import SystemClock
from idleq.scheduler.core.commands import Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import AllocationGranted, AllocationLost, Input
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.batch import SiteSettings
from idleq.scheduler.slurm.cluster import SlurmCluster
from idleq.scheduler.slurm.errors import SlurmRefused
from idleq.scheduler.slurm.rest import Rest
from idleq.scheduler.slurm.users import AsUsers, UserTokens
from support.site import fetch_as
from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.xdist_group("testbed")]

SITE = SiteSettings(server="s1", user="root", partition="guests", folder="/tmp", secret=b"the daemon's")


@pytest.fixture
def cluster(slurm: Testbed) -> Iterator[SlurmCluster]:
    """What a daemon of the whole site has: the right to make tokens, as root, and a sealed comment for each allocation."""
    tokens = UserTokens(slurm.token, SystemClock())
    site = AsUsers(Rest(fetch_as(slurm, "root", tokens.of)), lambda user: Rest(fetch_as(slurm, user, tokens.of)))
    yield SlurmCluster(
        site, SITE, SystemClock(), lambda _: ["sleep", "600"], lease_ms=Millis(60_000), bound_ms=Millis(30_000)
    )
    for user in ("alice", "bob"):
        slurm.login.run("scancel", f"--user={user}")
    slurm.wait_until_idle()


def request(cluster: SlurmCluster, allocation: str, user: str) -> None:
    cluster.request(
        RequestAllocation(
            id=CommandId(1),
            allocation=AllocationId(allocation),
            mode=Mode.PREEMPTIBLE,
            node=None,
            resources=Resources(1, 2**29),
            min_ms=Millis(60_000),
            max_ms=Millis(600_000),
            user=user,
        )
    )


def test_each_users_allocation_is_that_users_job_and_nobody_can_pass_a_job_off_as_one(
    slurm: Testbed, cluster: SlurmCluster
) -> None:
    heard: list[Input] = list(cluster.poll())
    request(cluster, "a1", "alice")
    request(cluster, "a2", "bob")

    def over(kind: type[Input]) -> set[str]:
        heard.extend(cluster.poll())
        return {said.allocation for said in heard if isinstance(said, kind) and hasattr(said, "allocation")}

    wait_for("both", lambda: over(AllocationGranted) == {"a1", "a2"}, seconds=60, every=0.5)
    comments = slurm.login.run("squeue", "-h", "--format=%u %j %k").splitlines()
    assert sorted(line.rpartition(":")[0] for line in comments) == [
        "alice idleq-a1 idleq:s1:a1",
        "bob idleq-a2 idleq:s1:a2",
    ]

    stolen = next(line.split()[2] for line in comments if line.startswith("alice"))
    slurm.login.run("scancel", "--user=alice")
    wait_for("the end of alice's", lambda: over(AllocationLost) == {"a1"}, seconds=60, every=0.5)
    forged = f"--comment={stolen.replace(':a1:', ':a3:')}"
    for comment in (f"--comment={stolen}", forged):
        slurm.login.run("sbatch", comment, "--output=/dev/null", "--chdir=/", "--wrap=sleep 600", user="bob")
    wait_for("them to run", lambda: slurm.login.run("squeue", "-h", "-t", "R").count("\n") == 3, seconds=60, every=0.5)
    over(AllocationGranted)
    assert [said.allocation for said in heard if isinstance(said, AllocationGranted)] == ["a1", "a2"]

    cluster.release(ReleaseAllocation(id=CommandId(2), allocation=AllocationId("a2"), reason="enough"))
    wait_for("the end of bob's", lambda: over(AllocationLost) == {"a1", "a2"}, seconds=60, every=0.5)


def test_nothing_is_submitted_for_nobody(cluster: SlurmCluster) -> None:
    with pytest.raises(SlurmRefused, match="belongs to no user"):
        request(cluster, "a9", "")
