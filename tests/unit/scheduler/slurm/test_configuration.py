import pytest

from idleq.scheduler.slurm.configuration import (
    BACKFILL_MS,
    check_that_all_is_shown,
    cluster_name,
    read_configuration,
    scheduling_cycle_ms,
)
from idleq.scheduler.slurm.errors import SlurmHidesJobs, SlurmUnreadable
from support.slurm import RECORDED


@pytest.mark.parametrize("version", ["22.05", "24.11"])
def test_settings_are_read_as_the_site_made_them(version: str) -> None:
    settings = read_configuration((RECORDED / version / "busy" / "config.txt").read_text())

    told = {
        name: settings[name]
        for name in ("ClusterName", "PreemptMode", "PreemptType", "SelectTypeParameters", "KillWait")
    }
    assert told == {
        "ClusterName": "testbed",
        "PreemptMode": "REQUEUE",
        "PreemptType": "preempt/partition_prio",
        "SelectTypeParameters": "CR_CORE_MEMORY",
        "KillWait": "5 sec",
    }
    check_that_all_is_shown(settings)


@pytest.mark.parametrize("version", ["22.05", "24.11"])
def test_a_site_that_hides_jobs_is_told_from_an_empty_one(version: str) -> None:
    settings = read_configuration((RECORDED / version / "hidden" / "config.txt").read_text())

    with pytest.raises(SlurmHidesJobs, match="jobs and reservations"):
        check_that_all_is_shown(settings)


def test_a_cluster_is_asked_for_as_the_accounting_calls_it() -> None:
    assert cluster_name({"ClusterName": "Tux"}) == "tux"
    with pytest.raises(SlurmUnreadable, match="ClusterName"):
        cluster_name({})


def test_settings_that_do_not_say_what_is_hidden_are_refused() -> None:
    with pytest.raises(SlurmUnreadable, match="PrivateData"):
        check_that_all_is_shown({})


def test_hiding_what_gaps_are_not_made_of_is_fine() -> None:
    check_that_all_is_shown({"PrivateData": "accounts,usage,users"})


@pytest.mark.parametrize(
    ("parameters", "cycle_ms"),
    [("bf_interval=2,bf_resolution=10", 2_000), ("bf_continue,bf_interval=60", 60_000), ("(null)", 30_000)],
)
def test_a_scheduling_cycle_is_what_slurm_leaves_between_two_backfills(parameters: str, cycle_ms: int) -> None:
    assert scheduling_cycle_ms({"SchedulerParameters": parameters}) == cycle_ms
    assert scheduling_cycle_ms({}) == BACKFILL_MS
