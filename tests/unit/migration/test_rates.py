"""Whether compressing pays."""

import pytest

from idleq.migration.rates import Trial, Write, level_for, write_rate

MB = 1e6
SIZES = (2, 8, 16, 32, 64)
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


def test_on_a_file_system_too_fast_to_be_measured_nothing_is_compressed() -> None:
    assert level_for(float("inf"), TRIALS) == 0


@pytest.mark.parametrize(
    ("seconds", "rate"),
    [
        ((0.01, 0.02, 0.04), 1000),  # a quick file system: the files themselves cost nothing
        (
            (0.11, 0.12, 0.14),
            1000,
        ),  # a quick one where each file costs a tenth of a second: 10 MB alone would say 90 MB/s
        ((1.1, 2.1, 4.1), 10),  # a slow one
    ],
)
def test_what_a_file_costs_whatever_its_size_is_told_from_what_its_bytes_cost(
    seconds: tuple[float, ...], rate: float
) -> None:
    writes = [Write(int(size * MB), took) for size, took in zip((10, 20, 40), seconds, strict=True)]
    assert write_rate(writes) == pytest.approx(rate * MB)


@pytest.mark.parametrize("held_up", range(5))
def test_one_write_that_others_hold_up_does_not_change_what_is_made_of_it(held_up: int) -> None:
    writes = [Write(int(size * MB), 0.01 + size / 500 + (0.3 if at == held_up else 0)) for at, size in enumerate(SIZES)]
    assert 400 * MB < write_rate(writes) < 600 * MB


@pytest.mark.parametrize(
    "writes",
    [
        [],
        [Write(10, 0.1)],
        [Write(10, 0.1), Write(10, 0.2)],
        [Write(10, 0.2), Write(20, 0.2), Write(40, 0.1)],
    ],
)
def test_where_time_is_not_seen_to_grow_with_size_the_file_system_is_taken_to_be_too_fast_to_be_measured(
    writes: list[Write],
) -> None:
    assert write_rate(writes) == float("inf")
