"""Whether compressing pays."""

import pytest

from idleq.migration.rates import Trial, level_for

MB = 1e6
TRIALS = {1: Trial(500 * MB, 0.4), 3: Trial(200 * MB, 0.35)}


@pytest.mark.parametrize(
    ("write_rate", "level"),
    [
        (20 * MB, 3),  # the file system takes 17.5 ms for what is left of a megabyte, the compressor 5
        (100 * MB, 1),  # 5 ms for either level, but 3.5 left to write by the one and 4 by the other
        (250 * MB, 1),
        (460 * MB, 0),  # 2 ms to compress, 2.2 to write as it is: not worth it
        (3000 * MB, 0),
    ],
)
def test_the_slower_the_file_system_the_more_is_compressed(write_rate: float, level: int) -> None:
    assert level_for(write_rate, TRIALS) == level


def test_what_does_not_become_smaller_is_not_compressed() -> None:
    assert level_for(10 * MB, {1: Trial(1000 * MB, 1.0), 3: Trial(900 * MB, 0.99)}) == 0


def test_of_levels_that_are_equally_quick_the_one_that_leaves_less_is_taken() -> None:
    assert level_for(1000 * MB, {1: Trial(2000 * MB, 0.5), 3: Trial(2000 * MB, 0.4)}) == 3


def test_without_levels_nothing_is_compressed() -> None:
    assert level_for(10 * MB, {}) == 0
