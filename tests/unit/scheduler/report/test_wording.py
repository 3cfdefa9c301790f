"""Numbers as people read them."""

import pytest

from idleq.scheduler.report import wording


@pytest.mark.parametrize(
    ("ms", "words"),
    [
        (None, "-"),
        (0, "0 s"),
        (1840, "1.84 s"),
        (42_400, "42 s"),
        (120_000, "2 min"),
        (200_000, "3 min 20 s"),
        (7_500_000, "2 h 05 min"),
        (7_200_000, "2 h"),
        (86_400_000 * 3 + 3_600_000 * 4, "3 d 04 h"),
        (86_400_000, "1 d"),
    ],
)
def test_a_duration_is_told_in_the_units_that_fit_its_length(ms: int | None, words: str) -> None:
    assert wording.duration(ms) == words


def test_core_time_is_told_in_the_unit_of_the_whole_it_is_a_part_of() -> None:
    assert wording.core_time(1500) == "1,500 core-s"
    assert wording.core_time(1500, 36_000) == "0.42 core-h"
    assert wording.core_time(3_600_000) == "1,000.00 core-h"


def test_marks_of_an_axis_are_as_fine_as_their_distance() -> None:
    at = 1_767_607_205_000
    assert [wording.time_of_day(at, step) for step in (1000, 60_000, 86_400_000)] == ["10:00:05", "10:00", "05 Jan"]


def test_a_long_name_is_cut() -> None:
    assert wording.plain("x" * 100) == "x" * 59 + "…"
