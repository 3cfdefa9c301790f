"""The last measurements of one kind, and what the next one is expected to take by its size."""

import random

from idleq.ids import Millis
from idleq.scheduler.core.recent import REMEMBERED, Recent


def test_a_quantile_is_that_of_the_last_values_sorted_whichever_leave_and_come() -> None:
    dice, recent, came = random.Random(3), Recent(kept=5), list[Millis]()
    for _ in range(200):
        came.append(Millis(dice.randrange(4)))
        recent.add(came[-1])
        last = sorted(came[-5:])
        assert recent == Recent(values=came[-5:], sizes=[0] * len(last), ordered=last, kept=5)
        assert [recent.quantile(permille, Millis(9)) for permille in (1, 500, 1000)] == [
            last[0],
            last[-(-len(last) // 2) - 1],
            last[-1],
        ]
    assert Recent().quantile(500, Millis(9)) == 9


def test_only_the_newest_measurements_count() -> None:
    recent = Recent()
    for took in range(REMEMBERED + 8):
        recent.add(Millis(took))
    assert [recent.quantile(permille, Millis(0)) for permille in (1, 1000)] == [8, REMEMBERED + 7]


def test_of_what_was_never_measured_nothing_is_known_whatever_its_size() -> None:
    assert Recent().expected(950, MB, Millis(9)) == 9


MB = 1_000_000


def learned(*measured: tuple[int, int]) -> Recent:
    """Measurements of so many megabytes that took so many milliseconds, in this order."""
    recent = Recent()
    for size, took in measured:
        recent.add(Millis(took), size * MB)
    return recent


def expected(recent: Recent, permille: int, megabytes: int) -> int:
    return recent.expected(permille, megabytes * MB, Millis(1))


def test_one_of_another_size_is_expected_to_take_as_long_as_its_bytes_do() -> None:
    recent = learned((100, 600), (200, 1100), (300, 1600), (400, 2100), (1000, 5100))
    assert [expected(recent, permille, 1000) for permille in (500, 950)] == [5100, 5100]
    assert expected(recent, 950, 100) == 600  # and not the 5100 of one that was ten times as large


def test_what_varies_beyond_the_bytes_is_in_the_quantile() -> None:
    recent = learned(*((size, 5 * size + wait) for size in (100, 200, 300, 400) for wait in (0, 10, 20, 30, 200)))
    assert expected(recent, 500, 400) in range(2005, 2035)
    assert expected(recent, 950, 400) in range(2190, 2210)


def test_some_wild_measurements_do_not_move_the_line() -> None:
    tame = [(size, 5 * size) for size in range(100, 300, 10)]
    wild = [(150, 60_000), (110, 40_000), (290, 30_000)]
    assert expected(learned(*tame, *wild, (1000, 5000)), 500, 1000) in range(4900, 5200)


def test_more_bytes_never_take_less() -> None:
    assert expected(learned((100, 900), (200, 500), (300, 300), (400, 100), (500, 50)), 1000, 500) == 900


def test_sizes_that_hardly_differ_say_nothing() -> None:
    recent = learned((1000, 900), (1001, 100), (1002, 500), (1003, 300), (1004, 200))
    assert [expected(recent, permille, 1004) for permille in (500, 1000)] == [300, 900]
    assert expected(learned((100, 900), (900, 100)), 1000, 900) == 900
    assert expected(learned(*[(0, 300)] * 5), 1000, 0) == 300


def test_sizes_that_hardly_differ_say_nothing_where_one_other_size_was_measured_too() -> None:
    """A training's first snapshot had no optimiser yet; all others weigh the same but for a few kilobytes, and took as long as the machine was busy."""
    recent = learned((5, 1077))
    for number in range(7):
        recent.add(Millis(1000 + 200 * number), 10 * MB + 3000 * number)
    assert recent.expected(950, 10 * MB + 18_000, Millis(1)) in range(2200, 2400)


def test_a_byte_takes_no_more_than_its_share_of_what_was_measured() -> None:
    recent = learned((100, 100), (100, 110), (120, 900), (120, 910))
    assert expected(recent, 1000, 120) == 910
    assert expected(recent, 1000, 1000) in range(7000, 8000)  # and not the 36,000 of a line that begins below zero
