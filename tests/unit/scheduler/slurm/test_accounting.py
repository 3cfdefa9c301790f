import pytest

from idleq.scheduler.slurm.accounting import Association, Qos, read_associations, read_qos
from idleq.scheduler.slurm.errors import SlurmUnreadable
from support.slurm import RECORDED

SITE = RECORDED / "24.11" / "by_qos"


def test_qos_are_read_with_whom_they_preempt_and_what_they_charge() -> None:
    assert read_qos((SITE / "qos.txt").read_text()) == (
        Qos(name="normal", preempts=frozenset({"idleq"})),
        Qos(name="idleq", grace_s=60, usage_factor=0, max_submit=8, max_minutes=120),
    )


def test_associations_are_read_with_their_limits() -> None:
    assert read_associations((SITE / "associations.txt").read_text()) == (
        Association(account="lab", qos=frozenset({"normal", "idleq"}), max_submit=100),
    )


def test_nothing_said_is_nothing_kept() -> None:
    assert (read_qos(""), read_associations("\n")) == ((), ())


@pytest.mark.parametrize("line", ["normal|00:00:00", "normal|00:00:00||cluster|much|||", "normal|soon||cluster|1|||"])
def test_a_qos_that_is_not_what_was_asked_for_is_refused(line: str) -> None:
    with pytest.raises(SlurmUnreadable, match="normal"):
        read_qos(line)


@pytest.mark.parametrize("line", ["lab|main", "lab||normal|few||"])
def test_an_association_that_is_not_what_was_asked_for_is_refused(line: str) -> None:
    with pytest.raises(SlurmUnreadable, match="lab"):
        read_associations(line)
