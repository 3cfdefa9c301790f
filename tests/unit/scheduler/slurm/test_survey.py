import getpass
import grp
import os
from dataclasses import replace

from idleq.scheduler.slurm.questions import ask_associations
from idleq.scheduler.slurm.surveying import groups_of
from support.slurm_sites import recorded_survey

PLAIN = recorded_survey("24.11", "plain")


def test_a_partition_that_is_closed_to_all_groups_of_the_user_is_none_to_submit_to() -> None:
    for_staff = replace(PLAIN.partitions[0], groups=frozenset({"staff", "lab"}))

    assert not replace(PLAIN, groups=frozenset({"users"})).may_submit_to(for_staff)
    assert replace(PLAIN, groups=frozenset({"users", "lab"})).may_submit_to(for_staff)
    assert PLAIN.may_submit_to(PLAIN.partitions[0])


def test_the_groups_of_a_user_are_those_of_this_machine() -> None:
    assert grp.getgrgid(os.getgid()).gr_name in groups_of(getpass.getuser())
    assert groups_of("nobody is called so") == frozenset()


def test_of_an_accounting_of_many_clusters_only_this_one_is_asked() -> None:
    """What is recorded is the answer to just this question."""
    assert "cluster=testbed" in ask_associations("alice", "testbed")
    assert [each.account for each in recorded_survey("24.11", "by_qos").associations] == ["lab"]
