import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from idleq.ids import Millis
from idleq.scheduler.config import Config, SlurmSettings, parse_config
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.slurm.accounting import Association, Qos
from idleq.scheduler.slurm.errors import SlurmHidesJobs, SlurmUnfit
from idleq.scheduler.slurm.proposal import propose
from idleq.scheduler.slurm.rendering import config_text
from idleq.scheduler.slurm.survey import Survey
from support.slurm import RECORDED
from support.slurm_sites import recorded_survey

GOLDEN = Path(__file__).with_name("golden")
MINUTE = 60_000
PLAIN, BY_QOS, UNPREEMPTED = (recorded_survey("24.11", site) for site in ("plain", "by_qos", "unpreempted"))


def proposed(survey: Survey) -> Config:
    """What the daemon reads out of the file that is proposed."""
    return parse_config(tomllib.loads(config_text(propose(survey))), "proposed")


def reasons(survey: Survey) -> dict[str, str]:
    return {setting.key: setting.reason for setting in propose(survey).settings}


def with_settings(survey: Survey, **settings: str) -> Survey:
    return replace(survey, settings=dict(survey.settings) | settings)


def test_the_partition_of_the_lowest_tier_is_taken_with_its_grace() -> None:
    assert proposed(PLAIN).cluster == SlurmSettings(partition="guests", poll_ms=Millis(1000))
    assert proposed(PLAIN).policy == Policy(
        mode=Mode.PREEMPTIBLE, grain_ms=Millis(MINUTE), begin_ms=Millis(15_000), grace_ms=Millis(15_000)
    )


def test_a_qos_that_others_preempt_is_taken_with_its_limits() -> None:
    assert proposed(BY_QOS).cluster == SlurmSettings(partition="main", qos="idleq", poll_ms=Millis(1000))
    assert proposed(BY_QOS).policy == Policy(
        grain_ms=Millis(MINUTE),
        begin_ms=Millis(15_000),
        grace_ms=Millis(MINUTE),
        max_allocation_ms=Millis(120 * MINUTE),
        max_pending=4,
    )


def test_where_nobody_is_preempted_there_are_short_windows() -> None:
    assert proposed(UNPREEMPTED).cluster == SlurmSettings(window_partition="main", poll_ms=Millis(1000))
    assert proposed(UNPREEMPTED).policy == Policy(
        mode=Mode.WINDOW, grain_ms=Millis(MINUTE), begin_ms=Millis(15_000), max_allocation_ms=Millis(30 * MINUTE)
    )
    assert "may wait for the rest of a window" in propose(UNPREEMPTED).notes[0]


def test_a_slurm_without_a_plan_in_json_is_asked_for_columns() -> None:
    old = recorded_survey("22.05", "plain")

    assert proposed(old).cluster == SlurmSettings(partition="guests", format="text", poll_ms=Millis(1000))
    assert propose(old).notes == (
        "There is no accounting data base: nothing is charged, and there is no QOS to keep guests apart with.",
    )
    assert propose(old).commands == ()


@pytest.mark.parametrize("site", ["plain", "by_qos", "unpreempted"])
def test_the_file_says_why_beside_each_key(site: str) -> None:
    text = config_text(propose(recorded_survey("24.11", site)))

    assert text == (GOLDEN / f"config-{site}.toml").read_text()


def test_a_qos_of_its_own_is_proposed_where_guests_would_be_charged() -> None:
    assert propose(PLAIN).commands == (
        "sacctmgr add qos idleq",
        "sacctmgr modify qos idleq set UsageFactor=0 Priority=0 GraceTime=15 MaxSubmitJobsPerUser=200",
    )
    assert propose(BY_QOS).commands == ()


def test_a_user_whom_the_accounting_knows_is_to_be_let_into_the_qos() -> None:
    known = replace(PLAIN, associations=(Association(account="lab", qos=frozenset({"normal"})),))

    assert propose(known).commands == (*propose(PLAIN).commands, "sacctmgr modify user alice set qos+=idleq")


def test_a_qos_that_is_to_be_preempted_is_named_to_all_others() -> None:
    mine = Association(account="lab", qos=frozenset({"normal", "low"}))
    both = (Qos(name="normal", preempts=frozenset({"low"})), Qos(name="low"))
    charged = replace(BY_QOS, qos=both, associations=(mine,))

    assert propose(charged).commands == (
        "sacctmgr add qos idleq",
        "sacctmgr modify qos idleq set UsageFactor=0 Priority=0 GraceTime=60 MaxSubmitJobsPerUser=200",
        "sacctmgr modify qos normal set Preempt+=idleq",
        "sacctmgr modify qos low set Preempt+=idleq",
        "sacctmgr modify user alice set qos+=idleq",
    )


def test_a_qos_that_is_not_charged_is_taken_in_a_preempted_partition_too() -> None:
    free = replace(PLAIN, qos=(Qos(name="normal"), Qos(name="free", usage_factor=0)))

    assert proposed(free).cluster == SlurmSettings(partition="guests", qos="free", poll_ms=Millis(1000))
    assert propose(free).commands == ()


def test_the_least_of_all_limits_holds() -> None:
    mine = Association(account="lab", qos=frozenset({"normal"}), max_submit=10, max_minutes=3)
    limited = replace(PLAIN, associations=(mine,))

    assert proposed(limited).policy == Policy(
        grain_ms=Millis(MINUTE),
        begin_ms=Millis(15_000),
        grace_ms=Millis(15_000),
        min_gap_ms=Millis(3 * MINUTE),
        max_allocation_ms=Millis(3 * MINUTE),
        max_pending=5,
    )
    assert reasons(limited)["max_allocation"] == "Nothing may run longer there (MaxWall of account lab)."


def test_whose_jobs_cannot_take_nodes_back_is_noted() -> None:
    debug = replace(PLAIN.partitions[0], name="debug", tier=1, is_default=False)

    assert propose(replace(PLAIN, partitions=(*PLAIN.partitions, debug))).notes[0] == (
        "Jobs in partition debug take nothing back from guests: they may wait for 4h. `idleq doctor` says what the admin"
        " would set so that guests give way to them too."
    )
    assert (
        "Jobs in QOS rush take nothing back" in propose(replace(BY_QOS, qos=(*BY_QOS.qos, Qos(name="rush")))).notes[0]
    )


def test_of_several_accounts_one_that_lets_in_is_written() -> None:
    lab, chem, bio = (replace(BY_QOS.associations[0], account=name) for name in ("lab", "chem", "bio"))
    closed = tuple(replace(each, accounts=frozenset({"chem", "bio"})) for each in BY_QOS.partitions)
    several = replace(BY_QOS, partitions=closed, associations=(lab, chem, replace(bio, max_jobs=0)))

    assert proposed(several).cluster == SlurmSettings(
        partition="main", qos="idleq", account="chem", poll_ms=Millis(1000)
    )
    assert "account" not in reasons(BY_QOS)


def test_a_qos_that_only_another_account_than_the_partitions_may_use_is_not_taken() -> None:
    lab = Association(account="lab", qos=frozenset({"normal", "idleq"}))
    chem = Association(account="chem", qos=frozenset({"normal"}))
    closed = tuple(replace(each, accounts=frozenset({"chem"})) for each in BY_QOS.partitions)

    assert proposed(replace(BY_QOS, partitions=closed, associations=(lab, chem))).policy.mode is Mode.WINDOW


def test_a_partition_that_suspends_guests_is_none_for_them() -> None:
    guests = next(each for each in PLAIN.partitions if each.name == "guests")
    others = tuple(each for each in PLAIN.partitions if each is not guests)
    suspending = replace(PLAIN, partitions=(*others, replace(guests, preempt_mode="SUSPEND,GANG")))

    assert proposed(suspending).policy.mode is Mode.WINDOW


def test_a_low_partition_without_a_node_in_common_with_a_higher_one_is_none_either() -> None:
    apart = tuple(replace(each, nodes="x1") if each.name == "guests" else each for each in PLAIN.partitions)

    assert proposed(replace(PLAIN, partitions=apart)).policy.mode is Mode.WINDOW


def test_no_grace_is_said() -> None:
    hasty = tuple(replace(each, grace_s=0) for each in PLAIN.partitions)

    assert "There is no grace" in propose(replace(PLAIN, partitions=hasty)).notes[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda site: replace(site, partitions=()), "no partition in which alice may start jobs"),
        (
            lambda site: replace(site, partitions=tuple(replace(each, state="DOWN") for each in site.partitions)),
            "no partition in which alice may start jobs now (of 2)",
        ),
        (
            lambda site: with_settings(replace(site, associations=()), AccountingStorageEnforce="associations,limits"),
            "sacctmgr add user alice account=ACCOUNT",
        ),
        (
            lambda site: with_settings(site, PreemptType="preempt/none", SchedulerType="sched/builtin"),
            "guests would be in the way",
        ),
        (
            lambda site: replace(site, associations=(Association(account="lab", max_jobs=0),)),
            "MaxJobs of account lab is 0",
        ),
    ],
)
def test_a_site_without_a_way_to_run_guests_is_refused_with_what_to_change(
    change: Callable[[Survey], Survey], words: str
) -> None:
    with pytest.raises(SlurmUnfit, match=words.replace("(", r"\(").replace(")", r"\)")):
        propose(change(PLAIN))


def test_a_site_that_hides_jobs_is_refused() -> None:
    with pytest.raises(SlurmHidesJobs):
        propose(with_settings(PLAIN, PrivateData="jobs"))


def test_large_sites_are_asked_less_often() -> None:
    large = replace(PLAIN, nodes=tuple(PLAIN.nodes) * 400)

    assert reasons(large)["poll"] == "Each look at 1200 nodes is work for the controller."
    assert reasons(with_settings(PLAIN, SchedulerParameters="defer"))["poll"].startswith("The plan is made every 30 s")


def test_what_slurm_names_stays_within_its_quotes_and_comments() -> None:
    nasty = 'gu"ests\n[server]'
    partitions = tuple(replace(each, name=nasty) if each.name == "guests" else each for each in PLAIN.partitions)
    strange = with_settings(replace(PLAIN, partitions=partitions), ClusterName="x\n[policy]\nlease = 1")

    assert proposed(strange).cluster == SlurmSettings(partition=nasty, poll_ms=Millis(1000))
    assert proposed(strange).policy == proposed(PLAIN).policy


def test_every_recorded_site_has_been_recorded_with_its_version() -> None:
    assert [survey.version for survey in (PLAIN, BY_QOS, UNPREEMPTED)] == [(24, 11)] * 3
    assert (RECORDED / "22.05" / "plain" / "version.txt").read_text() == "slurm-wlm 22.05.8\n"
