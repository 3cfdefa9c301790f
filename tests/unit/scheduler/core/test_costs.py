"""The last measurements of one kind."""

import random

from idleq.ids import Millis
from idleq.scheduler.core.costs import REMEMBERED, Costs, Recent, Typical


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


def test_until_a_freeze_was_measured_it_is_expected_to_take_no_less_than_saves_did() -> None:
    costs = Costs()
    costs.learn_save("slow", Millis(90), 1)
    costs.learn_save("slow", Millis(70), 1)
    costs.learn_save("quick", Millis(5), 1)
    assert [costs.freeze_ms(name, 950, Millis(10)) for name in ("slow", "quick", "never seen")] == [90, 10, 10]
    costs.learn_freeze("slow", Millis(8), 1)
    assert costs.freeze_ms("slow", 950, Millis(10)) == 8


def _learn(costs: Costs, kind: str, took: Millis, size: int) -> None:
    match kind:
        case "freeze":
            costs.learn_freeze("a", took, size)
        case "save":
            costs.learn_save("a", took, size)
        case _:
            costs.learn_thaw("a", took)


def test_what_a_workload_is_typically_like_follows_from_its_newest_measurements_however_often_it_was_asked() -> None:
    dice, asked = random.Random(4), Costs()
    said: list[tuple[str, Millis, int]] = []
    for _ in range(5 * REMEMBERED):
        said.append(
            (dice.choice(("freeze", "save", "thaw")), Millis(dice.choice((5, 5, 5, 40))), dice.choice((7, 7, 9)))
        )
        _learn(asked, *said[-1])
        never_asked = Costs()
        for kind, took, size in said:
            _learn(never_asked, kind, took, size)
        assert asked.typical("a", Millis(1), Millis(2)) == never_asked.typical("a", Millis(1), Millis(2))
        assert asked.typical("a", Millis(60), Millis(2)) == never_asked.typical("a", Millis(60), Millis(2))
        assert asked == never_asked


def test_what_was_never_measured_is_typically_as_the_policy_says() -> None:
    said = Typical(
        freeze_ms=Millis(3),
        longest_freeze_ms=Millis(3),
        save_ms=Millis(3),
        thaw_ms=Millis(4),
        slow_thaw_ms=Millis(4),
        bytes=0,
    )
    assert Costs().typical("a", Millis(3), Millis(4)) == said


MB = 1_000_000


def learned(*measured: tuple[int, int]) -> Costs:
    """Costs of freezes of so many megabytes that took so many milliseconds, in this order."""
    costs = Costs()
    for size, took in measured:
        costs.learn_freeze("w", Millis(took), size * MB)
    return costs


def test_a_freeze_of_another_size_is_expected_to_take_as_long_as_its_bytes_do() -> None:
    costs = learned((100, 600), (200, 1100), (300, 1600), (400, 2100), (1000, 5100))
    assert [costs.freeze_ms("w", permille, Millis(1)) for permille in (500, 950)] == [5100, 5100]
    costs.learn_freeze("w", Millis(600), 100 * MB)
    assert costs.freeze_ms("w", 950, Millis(1)) == 600  # and not the 5100 of one that was ten times as large


def test_what_varies_beyond_the_bytes_is_in_the_quantile() -> None:
    costs = learned(*((size, 5 * size + wait) for size in (100, 200, 300, 400) for wait in (0, 10, 20, 30, 200)))
    assert costs.freeze_ms("w", 500, Millis(1)) in range(2005, 2035)
    assert costs.freeze_ms("w", 950, Millis(1)) in range(2190, 2210)


def test_some_wild_measurements_do_not_move_the_line() -> None:
    tame = [(size, 5 * size) for size in range(100, 300, 10)]
    wild = [(150, 60_000), (110, 40_000), (290, 30_000)]
    costs = learned(*tame, *wild, (1000, 5000))
    assert costs.freeze_ms("w", 500, Millis(1)) in range(4900, 5200)


def test_more_bytes_never_take_less() -> None:
    assert learned((100, 900), (200, 500), (300, 300), (400, 100), (500, 50)).freeze_ms("w", 1000, Millis(1)) == 900


def test_sizes_that_hardly_differ_say_nothing() -> None:
    costs = learned((1000, 900), (1001, 100), (1002, 500), (1003, 300), (1004, 200))
    assert [costs.freeze_ms("w", permille, Millis(1)) for permille in (500, 1000)] == [300, 900]
    assert learned((100, 900), (900, 100)).freeze_ms("w", 1000, Millis(1)) == 900
    assert learned(*[(0, 300)] * 5).freeze_ms("w", 1000, Millis(1)) == 300


def test_sizes_that_hardly_differ_say_nothing_where_one_other_size_was_measured_too() -> None:
    """A training's first snapshot had no optimiser yet; all others weigh the same but for a few kilobytes, and took as long as the machine was busy."""
    costs = Costs()
    costs.learn_freeze("w", Millis(1077), 5 * MB)
    for number in range(7):
        costs.learn_freeze("w", Millis(1000 + 200 * number), 10 * MB + 3000 * number)
    assert costs.freeze_ms("w", 950, Millis(1)) in range(2200, 2400)


def test_a_byte_takes_no_more_than_its_share_of_what_freezes_took() -> None:
    costs = learned((100, 100), (100, 110), (120, 900), (120, 910))
    assert costs.freeze_ms("w", 1000, Millis(1)) == 910
    costs.learn_save("w", Millis(900), 1000 * MB)
    assert costs.freeze_ms("w", 1000, Millis(1)) in range(
        7000, 8000
    )  # and not the 36,000 of a line that begins below zero
