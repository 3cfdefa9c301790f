"""What is looked up instead of asked for kind by kind, and values that change."""

from typing import get_args

from idleq.scheduler.core.apply import APPLIED_BY
from idleq.scheduler.core.engine import ACCEPTED_BY
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import Input


def test_every_kind_of_input_is_taken_in() -> None:
    assert set(ACCEPTED_BY) == set(get_args(Input))


def test_every_kind_of_fact_is_applied() -> None:
    assert set(APPLIED_BY) == set(get_args(Fact))
