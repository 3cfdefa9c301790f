"""What a job of which nothing is known is taken to weigh."""

import random

from idleq.ids import JobId
from idleq.scheduler.core.recent import REMEMBERED
from idleq.scheduler.core.sizes import Sizes


def noted(*told: tuple[str, int]) -> Sizes:
    sizes = Sizes()
    for job, size in told:
        sizes.note(JobId(job), size)
    return sizes


def test_a_job_that_saves_often_counts_once_and_by_its_newest_snapshot() -> None:
    told = [("small", 1), *(("large", size) for size in range(100)), ("middling", 7)]
    assert noted(*told) == Sizes(
        of_jobs={JobId("small"): 1, JobId("large"): 99, JobId("middling"): 7}, ordered=[1, 7, 99]
    )


def test_the_largest_but_one_in_twenty_is_what_a_job_is_taken_to_weigh() -> None:
    assert Sizes().cautious is None
    assert noted(("1", 5), ("2", 900), ("3", 6)).cautious == 900
    assert noted(*((str(job), job) for job in range(20))).cautious == 18


def test_the_jobs_that_were_told_of_last_are_remembered_with_their_sizes_in_order() -> None:
    dice, sizes, told = random.Random(5), Sizes(), dict[JobId, int]()
    for _ in range(500):
        job, size = JobId(str(dice.randrange(2 * REMEMBERED))), dice.randrange(4)
        before = list(sizes.ordered)
        has_changed = sizes.note(job, size)
        told.pop(job, None)
        told[job] = size
        told = dict(list(told.items())[-REMEMBERED:])
        assert list(sizes.of_jobs.items()) == list(told.items())
        assert sizes.ordered == sorted(told.values())
        assert has_changed is (sizes.ordered != before)
