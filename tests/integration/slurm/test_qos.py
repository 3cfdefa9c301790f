"""A real Slurm that preempts by QOS, set up by the lines of docs/how-to/admit-idleq.md: guests have no partition of their own."""

from collections.abc import Iterator

import pytest

from support.on_slurm import Alice, wait_for_main_jobs
from support.site import clear, main_job, undisturbed
from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]

STEPS = 150
SOON = 's/^mode/slow = "5s"\\nmode/'
"""After a refusal idleq asks again soon."""

SLURM_CONF = {"PreemptType": "preempt/qos", "AccountingStorageEnforce": "limits,qos"}
USERS = ("add account site", "add user alice,bob account=site")
QOS = (
    "add qos idleq",
    "modify qos idleq set GraceTime=60 Priority=0",
    "modify qos normal set Preempt+=idleq",
    "modify qos idleq set UsageFactor=0 MaxSubmitJobsPerUser=200 MaxTRESPerUser=cpu=1024",
    "modify user alice set qos+=idleq",
)
UNDONE = ("modify qos normal set Preempt=", "delete user alice,bob", "delete account site", "delete qos idleq")


@pytest.fixture
def by_qos(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, as an admin makes it preempt by QOS; as it was afterwards."""
    accounting(slurm, *USERS, *QOS)
    slurm.configure(SLURM_CONF)
    try:
        slurm.wait_until_idle()
        yield slurm
    finally:
        slurm.configure({})
        accounting(slurm, *UNDONE)
        slurm.wait_until_idle()


def accounting(slurm: Testbed, *lines: str) -> None:
    """Have an admin type *lines* after sacctmgr."""
    for line in lines:
        slurm.login.run("sacctmgr", "--immediate", *line.split())


def test_what_init_proposes_gives_way_to_main_jobs_and_ends_by_the_admins_kill_switch(by_qos: Testbed) -> None:
    alice = Alice(by_qos)
    try:
        settings = alice.told("init", "slurm")["proposal"]["settings"]
        alice.run("sed", "-i", SOON, f"{alice.server}/config.toml")
        alice.idleq("daemon", "start")
        alice.counts(seeds=1, steps=STEPS, cores=2)
        alice.wait_until_running(1)
        wide = main_job(by_qos, "--nodes=3", seconds=1)
        wait_for_main_jobs(by_qos)
        alice.wait_until_running(1)

        accounting(by_qos, "modify qos idleq set MaxSubmitJobsPerUser=0")
        by_qos.login.run("scancel", "--user=alice", "--qos=idleq")
        wait_for("the site's refusal", lambda: alice.summary()["slowed_reason"], seconds=60, every=0.5)
        assert alice.are_frozen(1)
        assert alice.held("PENDING", "RUNNING") == []

        accounting(by_qos, "modify qos idleq set MaxSubmitJobsPerUser=200")
        alice.wait_until_done()
        (held_up,) = alice.told("report")["harm"]["rows"]
        assert alice.results() == [undisturbed(by_qos, steps=STEPS)]
        alice.idleq("daemon", "stop")
    finally:
        clear(by_qos, alice)

    chosen = {each["key"]: each["value"] for each in settings}
    assert (chosen["mode"], chosen["qos"], chosen["grace"]) == ("preemptible", "idleq", "1m")
    assert held_up["main_job"] == wide
