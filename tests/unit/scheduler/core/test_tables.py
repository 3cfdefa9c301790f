"""What is looked up instead of asked for kind by kind, and values that change."""

from typing import get_args

import pytest

from idleq.ids import EntryId, Fence, JobId, Millis
from idleq.scheduler.core.apply import APPLIED_BY
from idleq.scheduler.core.change import changed
from idleq.scheduler.core.engine import ACCEPTED_BY
from idleq.scheduler.core.facts import Fact
from idleq.scheduler.core.inputs import Input
from idleq.scheduler.core.job import Job, Queued


def test_every_kind_of_input_is_taken_in() -> None:
    assert set(ACCEPTED_BY) == set(get_args(Input))


def test_every_kind_of_fact_is_applied() -> None:
    assert set(APPLIED_BY) == set(get_args(Fact))


def test_a_changed_value_is_what_replacing_makes_and_leaves_the_old_one_alone() -> None:
    old = Job(id=JobId("1"), entry=EntryId(1), state=Queued(), queued_since=Millis(5), fence=Fence(2))
    kept = old._replace()
    new = changed(old, fence=Fence(3), step=7)
    assert (new, hash(new)) == (old._replace(fence=Fence(3), step=7), hash(old._replace(fence=Fence(3), step=7)))
    assert old == kept
    with pytest.raises(KeyError):
        changed(old, fences=Fence(3))
