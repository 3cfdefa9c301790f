"""What a site does not show: partitions that are hidden are read too, and where it hides jobs nothing is begun."""

from collections.abc import Iterator

import pytest

from idleq.ids import Millis
from idleq.scheduler.slurm.commandline import CommandLine
from idleq.scheduler.slurm.questions import Format
from idleq.scheduler.slurm.reading import Reading
from idleq.scheduler.slurm.view import build_view
from support.site import Person, clear, main_job, type_as
from testbed.cluster import Testbed
from testbed.errors import CommandRefused
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.xdist_group("testbed")]


@pytest.fixture
def secret(slurm: Testbed) -> Iterator[str]:
    """A hidden partition of n3, for bob alone."""
    name = "secret"
    options = ("Nodes=n3", "Hidden=YES", "AllowGroups=bob", "PriorityTier=20", "PreemptMode=OFF", "State=UP")
    slurm.login.run("scontrol", "create", f"PartitionName={name}", *options)
    try:
        yield name
    finally:
        slurm.login.run("scancel", "--user=bob")
        wait_for("its jobs to end", lambda: not slurm.login.run("squeue", "-h", "--all"), seconds=60, every=0.5)
        slurm.login.run("scontrol", "delete", f"PartitionName={name}")


def test_a_gap_ends_with_the_planned_job_of_a_partition_that_we_are_not_shown(slurm: Testbed, secret: str) -> None:
    first = main_job(slurm, f"--partition={secret}", seconds=600, minutes=5)
    # Nodes are asked before jobs: of one that starts in between, its node would not tell yet.
    running = ("squeue", "--all", "--noheader", "--states=running", f"--jobs={first}")
    wait_for("the first to run", lambda: slurm.login.run(*running), seconds=60, every=0.5)
    then = main_job(slurm, f"--partition={secret}", seconds=60, minutes=5)
    shown = slurm.login.run("squeue", "--noheader", "--format=%A", user="alice").split()
    assert not {first, then} & set(shown), "unasked, Slurm does not show them"

    now = Millis(int(slurm.login.run("date", "+%s%3N")))
    for form in Format:
        site = CommandLine(form, type_as(slurm, "alice"))

        def planned(site: CommandLine = site) -> Reading | None:
            reading = site.read(now)
            return reading if any(str(job.job_id) == then and job.scheduled_nodes for job in reading.jobs) else None

        reading = wait_for(f"the plan in {form}", planned, seconds=60, every=0.5)
        jobs = {str(job.job_id): job for job in reading.jobs}
        assert (jobs[first].nodes, jobs[then].scheduled_nodes) == ("n3", "n3")
        reports = {report.name: report for report in build_view(None, reading, lambda _: False).reports.values()}
        assert [name for name, report in reports.items() if report.free.cores == 0] == ["n3"]


@pytest.fixture
def private(slurm: Testbed) -> Iterator[Testbed]:
    """The cluster, whose users see their own jobs alone."""
    slurm.configure({"PrivateData": "jobs"})
    yield slurm
    slurm.configure({})


@pytest.mark.parametrize("words", [("init", "slurm"), ("daemon", "start", "--cluster", "slurm")], ids=" ".join)
def test_where_others_jobs_are_hidden_nothing_is_begun(private: Testbed, words: tuple[str, ...]) -> None:
    alice = Person(private)
    try:
        with pytest.raises(CommandRefused, match="Slurm hides other users' jobs") as refused:
            alice.idleq(*words)
    finally:
        clear(private, alice)
    assert refused.value.code == 69
