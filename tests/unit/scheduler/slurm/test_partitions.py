from dataclasses import replace

import pytest

from idleq.scheduler.slurm.errors import SlurmUnreadable
from idleq.scheduler.slurm.partitions import Partition, parse_minutes, parse_seconds, read_partitions
from support.slurm import RECORDED

MAIN = Partition(
    name="main",
    nodes="n[1-3]",
    node_count=3,
    is_default=True,
    state="UP",
    tier=10,
    preempt_mode="OFF",
    grace_s=0,
    max_minutes=1440,
)
GUESTS = replace(MAIN, name="guests", is_default=False, tier=1, preempt_mode="REQUEUE", grace_s=15)


@pytest.mark.parametrize("version", ["22.05", "24.11"])
def test_partitions_are_read_as_the_site_made_them(version: str) -> None:
    said = (RECORDED / version / "plain" / "partitions.txt").read_text()

    assert read_partitions(said) == (MAIN, GUESTS)


@pytest.mark.parametrize("version", ["22.05", "24.11"])
def test_partitions_that_start_nothing_are_told_from_others(version: str) -> None:
    said = (RECORDED / version / "closed" / "partitions.txt").read_text()

    assert read_partitions(said) == (replace(MAIN, state="DOWN"), replace(GUESTS, state="INACTIVE"))
    assert not any(each.starts_jobs for each in read_partitions(said))


def test_who_may_submit_is_read() -> None:
    line = (RECORDED / "24.11" / "plain" / "partitions.txt").read_text().splitlines()[0]
    line = line.replace("AllowAccounts=ALL", "DenyAccounts=toys AllowAccounts=lab,field").replace("QoS=N/A", "QoS=cap")
    line = line.replace("AllowGroups=ALL", "AllowGroups=staff,lab")

    assert read_partitions(line.replace("RootOnly=NO", "RootOnly=YES")) == (
        replace(
            MAIN,
            groups=frozenset({"staff", "lab"}),
            accounts=frozenset({"lab", "field"}),
            denied_accounts=frozenset({"toys"}),
            qos="cap",
            is_closed=True,
        ),
    )


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("UNLIMITED", None),
        ("", None),
        ("30", 30),
        ("30:00", 30),
        ("2:30:00", 150),
        ("1-00:00:00", 1440),
        ("1-12", 2160),
    ],
)
def test_time_limits_are_read_in_all_their_forms(text: str, minutes: int | None) -> None:
    assert parse_minutes(text) == minutes


@pytest.mark.parametrize("text", ["soon", "1:2:3:4", "-5", "1-"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time"):
        parse_seconds(text)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("State=UP", "", "a partition lacks 'State'"),
        ("PriorityTier=10", "PriorityTier=high", "cannot be read"),
        ("MaxTime=1-00:00:00", "MaxTime=long", "'long' is no time"),
    ],
)
def test_a_line_that_lacks_what_matters_is_refused_by_name(before: str, after: str, words: str) -> None:
    line = (RECORDED / "24.11" / "plain" / "partitions.txt").read_text().splitlines()[0]

    with pytest.raises(SlurmUnreadable, match=words):
        read_partitions(line.replace(before, after))
