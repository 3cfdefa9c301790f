"""Where there are too many to look at in one turn, everybody has one."""

import pytest

from idleq.ids import Millis
from idleq.scheduler.core.turns import in_turn


def test_as_many_as_there_is_time_for_are_all_looked_at_in_their_order() -> None:
    for number in range(8):
        for now in range(0, 10_000, 7):
            assert list(in_turn(range(number), Millis(now), after=2, most=5)) == list(range(2, min(number, 7)))


def test_of_more_as_many_as_said_are_looked_at_in_their_order_and_none_of_the_first() -> None:
    for now in range(0, 10_000, 7):
        seen = list(in_turn(range(100), Millis(now), after=3, most=5))
        assert seen == sorted(set(seen) - {0, 1, 2})
        assert len(seen) == 5


@pytest.mark.parametrize("every_ms", [1, 20, 1_000, 10_000, 60_000, 3_600_000])
def test_everybody_has_a_turn_whatever_the_rhythm_of_turns(every_ms: int) -> None:
    start, seen = 1_800_000_000_000, set[int]()
    for turn in range(400):
        seen.update(in_turn(range(1_000), Millis(start + turn * every_ms), after=4, most=10))
    assert seen == set(range(4, 1_000))
