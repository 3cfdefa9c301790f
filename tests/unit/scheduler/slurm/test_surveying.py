import pytest

from idleq.scheduler.slurm.errors import SlurmAway, SlurmRefused
from support.slurm_sites import recorded_survey


def test_an_accounting_that_is_away_is_not_taken_for_one_that_knows_nobody() -> None:
    for site in ("plain", "by_qos"):
        with pytest.raises(SlurmAway):
            recorded_survey("24.11", site, accounting_error=SlurmAway("sacctmgr: Connection refused"))


def test_an_accounting_that_may_not_be_asked_matters_only_where_it_enforces_something() -> None:
    refused = SlurmRefused("sacctmgr: Access denied")

    assert recorded_survey("24.11", "plain", accounting_error=refused).qos == ()
    with pytest.raises(SlurmRefused):
        recorded_survey("24.11", "by_qos", accounting_error=refused)


def test_where_there_is_no_accounting_none_is_asked() -> None:
    old = recorded_survey("22.05", "plain", accounting_error=SlurmAway("not to be asked"))

    assert (old.qos, old.associations) == ((), ())
