"""The last measurements of one kind."""

import random

from idleq.ids import Millis
from idleq.scheduler.core.costs import Costs, Recent


def test_a_quantile_is_that_of_the_last_values_sorted_whichever_leave_and_come() -> None:
    dice, recent, came = random.Random(3), Recent(kept=5), list[Millis]()
    for _ in range(200):
        came.append(Millis(dice.randrange(4)))
        recent.add(came[-1])
        last = sorted(came[-5:])
        assert recent == Recent(values=came[-5:], ordered=last, kept=5)
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
