"""Areas of stretches, and gap time that lies idle behind guests."""

import numpy as np
import pytest

from idleq.simulator.pieces import Part, Pieces
from idleq.simulator.tails import tail_waste


def test_a_stretch_counts_with_what_of_it_lies_between_two_edges() -> None:
    pieces = Pieces()
    pieces.add(Part.MAIN, 0, 5, 25, 2)
    pieces.add(Part.MAIN, 1, 0, 100, 0.5)
    pieces.add(Part.LOST, 0, 30, 40, 1)
    areas = pieces.areas([10, 20, 30, 50])
    assert areas[Part.MAIN].tolist() == [25, 15, 10]
    assert areas[Part.LOST].tolist() == [0, 0, 10]
    assert areas[Part.SAVE].tolist() == [0, 0, 0]


def test_nothing_is_kept_of_an_empty_stretch() -> None:
    pieces = Pieces()
    pieces.add(Part.MAIN, 0, 5, 5, 2)
    pieces.add(Part.SAVE, 0, 5, 9, 0)
    assert len(pieces) == 0


def test_areas_are_right_to_the_millisecond_after_a_year() -> None:
    pieces, year = Pieces(), 365 * 86_400_000
    for day in range(365):
        pieces.add(Part.USEFUL, 0, day * 86_400_000 + 1, (day + 1) * 86_400_000, 1)
    assert np.allclose(pieces.areas([year - 86_400_000, year])[Part.USEFUL], [86_399_999], atol=0.5)


def test_a_window_cuts_stretches_off() -> None:
    pieces = Pieces()
    pieces.add(Part.MAIN, 3, 5, 25, 2)
    pieces.add(Part.MAIN, 3, 30, 35, 2)
    assert list(pieces.within(10, 30)) == [(Part.MAIN, 3, 10, 25, 2.0)]


@pytest.mark.parametrize(
    ("guests", "waste"),
    [
        ([], 0),  # a gap that never had a guest has no tail
        ([(0, 10, 30, 1)], 10),
        ([(0, 10, 20, 1), (0, 25, 35, 1)], 5),
        ([(0, 10, 40, 1)], 0),
    ],
)
def test_a_tail_lasts_from_the_last_guest_until_main_jobs_take_the_node(
    guests: list[tuple[int, int, int, int]], waste: int
) -> None:
    assert tail_waste(1, 1, [(0, 40, 50, 1)], guests, since=0, until=100) == waste


def test_cores_that_no_guest_had_and_gaps_that_are_still_open_have_no_tail() -> None:
    assert tail_waste(4, 1, [(0, 40, 50, 4)], [(0, 0, 30, 2)], since=0, until=100) == 2 * 10
    assert tail_waste(4, 1, [(0, 40, 50, 4)], [(0, 60, 70, 2)], since=0, until=100) == 0


def test_only_what_of_a_tail_is_measured_counts() -> None:
    assert tail_waste(1, 1, [(0, 40, 50, 1)], [(0, 0, 10, 1)], since=25, until=100) == 15
