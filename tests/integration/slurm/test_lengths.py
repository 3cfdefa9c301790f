"""How long allocations are on a real Slurm cluster: long enough for whom they were asked for."""

import pytest

from idleq.scheduler.core.sitefacts import AllocationAsked
from support.on_slurm import alice_at_work
from support.site import main_job
from testbed.cluster import Testbed
from testbed.waiting import wait_for

pytestmark = [pytest.mark.testbed, pytest.mark.slow, pytest.mark.xdist_group("testbed")]


def test_before_a_planned_main_job_a_guest_that_cannot_be_frozen_is_given_the_time_that_it_needs(
    slurm: Testbed,
) -> None:
    main_job(slurm, "--nodelist=n1", minutes=6, seconds=3000)
    wide = main_job(slurm, "--nodes=3", minutes=20, seconds=3000)
    wait_for(
        "Slurm to plan",
        lambda: "N/A" not in slurm.login.run("squeue", "-h", f"--jobs={wide}", "--format=%S"),
        seconds=60,
    )

    with alice_at_work(slurm) as alice:
        alice.count("--freeze", "none", "--expected", "150s", steps=50)
        alice.wait_until_done(seconds=120)

        asked = [(fact.allocation, fact.min_ms) for fact in alice.facts_of(AllocationAsked)]
        assert asked == [("a1", 180_000)], "the first was long enough"
        assert alice.segments() == [1]
