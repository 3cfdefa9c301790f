"""Amounts of what can be counted."""

from itertools import product

from idleq.scheduler.core.resources import NOTHING, Resources


def test_nothing_and_what_is_taken_from_itself_are_reckoned_as_any_other_amount() -> None:
    amounts = (NOTHING, Resources(0, 0), Resources(2, 3), Resources(5, 7, 1))
    for one, other in product(amounts, amounts):
        both = Resources(one.cores + other.cores, one.memory + other.memory, one.gpus + other.gpus)
        less = Resources(one.cores - other.cores, one.memory - other.memory, one.gpus - other.gpus)
        assert (one + other, one - other) == (both, less)
