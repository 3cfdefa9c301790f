from dataclasses import replace
from typing import Any

import pytest

from idleq.ids import Millis
from idleq.scheduler.config import SlurmSettings
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.slurm.accounting import Association, Qos
from idleq.scheduler.slurm.finding import Finding, Weight
from idleq.scheduler.slurm.findings import findings
from idleq.scheduler.slurm.survey import Survey
from support.slurm import recorded_as_json
from support.slurm_sites import recorded_survey

PLAIN, BY_QOS, UNPREEMPTED = (recorded_survey("24.11", site) for site in ("plain", "by_qos", "unpreempted"))
GUESTS = SlurmSettings(partition="guests", poll_ms=Millis(1000))
FIFTEEN = Policy(grace_ms=Millis(15_000), freeze_ms=Millis(10_000))
LINES = (
    "PreemptType=preempt/partition_prio",
    "PreemptMode=REQUEUE",
    "PartitionName=main ... PriorityTier=10 PreemptMode=OFF",
    "PartitionName=guests Nodes=n[1-3] PriorityTier=1 PreemptMode=REQUEUE GraceTime=60 MaxTime=4:00:00",
)


IDLEQ = SlurmSettings(partition="main", qos="idleq")


def only(survey: Survey, **changes: Any) -> Survey:
    """The site with partitions that are as *changes* say."""
    return replace(survey, partitions=tuple(replace(each, **changes) for each in survey.partitions))


TWO_ACCOUNTS = replace(
    only(BY_QOS, accounts=frozenset({"chem"})),
    associations=(*BY_QOS.associations, replace(BY_QOS.associations[0], account="chem")),
)


def found(survey: Survey, name: str, settings: SlurmSettings = GUESTS, policy: Policy = FIFTEEN) -> Finding:
    return next(each for each in findings(survey, settings, policy) if each.name == name)


def with_settings(survey: Survey, **settings: str) -> Survey:
    return replace(survey, settings=dict(survey.settings) | settings)


def test_a_site_as_it_should_be_has_nothing_to_be_set() -> None:
    assert list(findings(PLAIN, GUESTS, FIFTEEN)) == [
        Finding(name="version", found="Slurm 24.11.5"),
        Finding(name="what is shown", found="jobs, nodes and reservations of all"),
        Finding(name="preemption", found="jobs in main take nodes back from guests"),
        Finding(name="grace", found="15s from SIGTERM, which Slurm sends to steps (as the agent is one), to the end"),
        Finding(name="limits", found="allocations of 4h are allowed in guests"),
        Finding(name="account", found="none is asked for"),
        Finding(name="plan", found="made every 2 s (bf_interval)"),
        Finding(
            name="containment",
            found="guests stay in their allocation's control group, within its cores and memory",
        ),
        Finding(name="ended jobs", found="are remembered long enough"),
    ]


def test_a_partition_that_nobody_preempts_is_a_problem_with_the_lines_that_change_it() -> None:
    assert found(UNPREEMPTED, "preemption") == Finding(
        name="preemption",
        weight=Weight.PROBLEM,
        found="nobody takes nodes back from partition guests: guests would be in main jobs' way",
        advice='set policy.mode = "window", or let the admin set these lines',
        lines=LINES,
    )
    assert found(PLAIN, "preemption", replace(GUESTS, partition="main")).weight is Weight.PROBLEM


def test_the_lines_raise_every_partition_that_shares_nodes_with_guests() -> None:
    debug = replace(UNPREEMPTED.partitions[0], name="debug", tier=1, is_default=False)
    more = replace(UNPREEMPTED, partitions=(*UNPREEMPTED.partitions, debug, replace(debug, name="apart", nodes="x1")))

    assert found(more, "preemption").lines == (
        *LINES[:3],
        "PartitionName=debug ... PriorityTier=10 PreemptMode=OFF",
        LINES[3],
    )


def test_windows_are_a_warning_with_the_lines_that_would_make_them_needless() -> None:
    windows = Policy(mode=Mode.WINDOW, max_allocation_ms=Millis(1_800_000))

    assert found(UNPREEMPTED, "preemption", SlurmSettings(window_partition="main"), windows) == Finding(
        name="preemption",
        weight=Weight.WARNING,
        found="windows: a main job that nobody foresaw may wait for 30m",
        advice="with these lines guests would give way; then `idleq init slurm --force`",
        lines=LINES,
    )


def test_a_qos_that_others_preempt_is_well_and_any_other_is_none() -> None:
    own = SlurmSettings(partition="main", qos="idleq")

    assert found(BY_QOS, "preemption", own).found == "jobs in QOS normal take nodes back from guests"
    assert found(BY_QOS, "preemption", replace(own, qos="normal")).weight is Weight.PROBLEM
    assert found(BY_QOS, "account", own) == Finding(name="account", found="lab")


def test_a_partition_or_qos_that_cannot_take_nodes_back_is_warned_of_with_the_line_that_lets_it() -> None:
    debug = replace(PLAIN.partitions[0], name="debug", tier=1, is_default=False)
    rush = Qos(name="rush")
    apart = replace(debug, name="apart", nodes="x1")

    assert found(replace(PLAIN, partitions=(*PLAIN.partitions, debug, apart)), "preemption") == Finding(
        name="preemption",
        weight=Weight.WARNING,
        found="jobs in main take nodes back from guests, but those in debug do not: they may wait for 4h",
        advice="let the admin set these lines for those that are main jobs",
        lines=("PartitionName=debug ... PriorityTier=2 (or more)",),
    )
    assert found(replace(BY_QOS, qos=(*BY_QOS.qos, rush)), "preemption", IDLEQ).lines == (
        "sacctmgr modify qos rush set Preempt+=idleq",
    )


@pytest.mark.parametrize(
    ("survey", "settings", "name", "words"),
    [
        (BY_QOS, SlurmSettings(partition="main", qos="gone"), "qos", "there is no QOS 'gone'"),
        (only(BY_QOS, qos_allowed=frozenset({"normal"})), IDLEQ, "qos", "alice may not use QOS idleq in main"),
        (
            BY_QOS,
            IDLEQ,
            "limits",
            "nothing may run longer than 2h in main (MaxWall of QOS idleq), and allocations ask for 4h",
        ),
        (
            replace(BY_QOS, qos=(*BY_QOS.qos[:1], replace(BY_QOS.qos[1], max_submit=0))),
            IDLEQ,
            "limits",
            "no job may run there: MaxSubmitJobsPerUser of QOS idleq is 0",
        ),
        (
            only(BY_QOS, accounts=frozenset({"chem"})),
            IDLEQ,
            "account",
            "no account of alice's (lab) may submit to main under QOS idleq",
        ),
        (TWO_ACCOUNTS, replace(IDLEQ, account="lab"), "account", "lab may not submit to main under QOS idleq"),
        (only(PLAIN, accounts=frozenset({"chem"})), GUESTS, "partition", "alice may start nothing in guests"),
        (only(BY_QOS, is_closed=True), IDLEQ, "partition", "main takes jobs of root alone, or into reservations alone"),
    ],
)
def test_what_would_be_refused_is_a_problem(survey: Survey, settings: SlurmSettings, name: str, words: str) -> None:
    told = found(survey, name, settings)

    assert (told.weight, told.found) == (Weight.PROBLEM, words)


def test_of_several_accounts_the_one_that_lets_in_is_to_be_named() -> None:
    assert found(TWO_ACCOUNTS, "account", IDLEQ) == Finding(
        name="account",
        weight=Weight.WARNING,
        found="only chem may submit to main under QOS idleq, and Slurm's default may be another",
        advice="set cluster.account to one that may: chem",
    )
    assert found(TWO_ACCOUNTS, "account", replace(IDLEQ, account="chem")) == Finding(name="account", found="chem")


def test_a_grace_that_is_believed_longer_than_it_is_would_kill_guests_half_frozen() -> None:
    assert found(PLAIN, "grace", policy=Policy(grace_ms=Millis(60_000))) == Finding(
        name="grace",
        weight=Weight.PROBLEM,
        found="Slurm gives 15s, and policy.grace believes 1m: guests would die half frozen",
        advice='set policy.grace = "15s", or let the admin give more',
        lines=("PartitionName=guests ... GraceTime=60",),
    )


def test_a_grace_shorter_than_a_freeze_is_a_warning() -> None:
    slow = Policy(grace_ms=Millis(15_000), freeze_ms=Millis(20_000))

    assert found(PLAIN, "grace", policy=slow).weight is Weight.WARNING
    assert found(
        BY_QOS, "grace", SlurmSettings(partition="main", qos="idleq"), Policy(grace_ms=Millis(90_000))
    ).lines == ("sacctmgr modify qos idleq set GraceTime=60",)


@pytest.mark.parametrize(
    ("setting", "said", "line"),
    [
        ("ProctrackType", "proctrack/linuxproc", "ProctrackType=proctrack/cgroup"),
        ("TaskPlugin", "task/affinity", "TaskPlugin=task/cgroup,task/affinity"),
        ("ConstrainCores", "no", "ConstrainCores=yes        (cgroup.conf)"),
        ("ConstrainRAMSpace", "no", "ConstrainRAMSpace=yes     (cgroup.conf)"),
    ],
)
def test_each_thing_that_keeps_guests_in_their_place_is_asked_for(setting: str, said: str, line: str) -> None:
    told = found(with_settings(PLAIN, **{setting: said}), "containment")

    assert (told.weight, told.lines) == (Weight.WARNING, (line,))


def test_hidden_jobs_are_a_problem_and_nothing_else_that_is_hidden_is_shown_for_it() -> None:
    told = found(with_settings(PLAIN, PrivateData="accounts,jobs,reservations"), "what is shown")

    assert (told.weight, told.lines) == (Weight.PROBLEM, ("PrivateData=accounts",))
    assert told.advice == "let the admin show them to every user, with this line"
    assert told.found == "others' jobs and reservations are hidden: gaps look larger than they are"


@pytest.mark.parametrize(
    ("survey", "settings", "name", "advice"),
    [
        (
            PLAIN,
            SlurmSettings(partition="gone"),
            "partition",
            "set cluster.partition to one that there is: main, guests",
        ),
        (
            recorded_survey("22.05", "plain"),
            GUESTS,
            "version",
            'set cluster.format = "text" in config.toml: this version has no plan in its JSON',
        ),
        (
            replace(PLAIN, partitions=tuple(replace(each, max_minutes=60) for each in PLAIN.partitions)),
            GUESTS,
            "limits",
            'set policy.max_allocation = "1h"',
        ),
        (
            replace(PLAIN, partitions=tuple(replace(each, state="DOWN") for each in PLAIN.partitions)),
            GUESTS,
            "preemption",
            "ask the admin when it is up",
        ),
        (
            replace(BY_QOS, associations=()),
            SlurmSettings(partition="main", qos="idleq"),
            "account",
            "let the admin add one: sacctmgr add user alice account=ACCOUNT",
        ),
    ],
)
def test_what_cannot_work_is_a_problem_with_what_to_do(
    survey: Survey, settings: SlurmSettings, name: str, advice: str
) -> None:
    told = found(survey, name, settings)

    assert (told.weight, told.advice) == (Weight.PROBLEM, advice)


def test_no_plan_is_worse_for_windows_than_for_guests_that_give_way() -> None:
    unplanned = with_settings(PLAIN, SchedulerType="sched/builtin")

    assert found(unplanned, "plan").weight is Weight.WARNING
    assert found(unplanned, "plan", policy=Policy(mode=Mode.WINDOW)).weight is Weight.PROBLEM
    assert found(unplanned, "plan").lines == ("SchedulerType=sched/backfill",)


def test_slurm_has_to_remember_ended_jobs_for_some_looks() -> None:
    forgetful = with_settings(PLAIN, MinJobAge="10 sec")

    assert found(forgetful, "ended jobs").weight is Weight.OK
    assert found(forgetful, "ended jobs", replace(GUESTS, poll_ms=Millis(5000))).lines == ("MinJobAge=300",)


def test_the_default_partition_counts_where_none_is_set() -> None:
    nobody = replace(PLAIN, associations=(Association(account="lab"),))

    assert found(nobody, "limits", SlurmSettings()).found == "allocations of 4h are allowed in main"


def test_features_that_no_node_has_are_a_problem_with_those_that_there_are() -> None:
    unlike = replace(PLAIN, nodes=recorded_as_json("24.11", "unlike").nodes)
    wanting = replace(GUESTS, features="avx2, bigmem")

    assert found(unlike, "features", wanting).found == "1 of 3 nodes in guests have avx2 and bigmem"
    assert found(unlike, "features", replace(wanting, features="avx512")) == Finding(
        name="features",
        weight=Weight.PROBLEM,
        found="0 of 3 nodes in guests have avx512",
        advice="set cluster.features to some of: avx2, bigmem",
    )
