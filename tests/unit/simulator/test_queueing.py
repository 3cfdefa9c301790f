import pytest

from idleq.simulator.errors import JobTooLarge
from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing import easy, fcfs, replay
from idleq.simulator.queueing.around import CompressingAround
from idleq.simulator.queueing.compressing import Compressing
from idleq.simulator.queueing.easy import reservation
from idleq.simulator.queueing.outcome import Outcome, outcome


def job(number: int, *, submit: int = 0, run: int = 10, limit: int | None = None, size: int = 1) -> MainJob:
    return MainJob(id=number, submit=submit, run=run, limit=run if limit is None else limit, size=size)


def test_nobody_overtakes_under_first_come_first_served() -> None:
    assert fcfs([job(1, size=2), job(2, size=3), job(3)], 4, [], 0) == [0]


def test_a_short_job_overtakes_when_it_ends_before_the_reservation() -> None:
    waiting = [job(1, size=4), job(2, size=2, limit=10, run=1), job(3, size=2, limit=11, run=1)]
    assert easy(waiting, 2, [(10, 1, 2)], 0) == [1]


def test_a_long_job_overtakes_only_on_processors_that_the_reservation_leaves_over() -> None:
    waiting = [job(1, size=3), job(2, size=2, run=99), job(3, size=1, run=99), job(4, size=1, run=99)]
    assert easy(waiting, 2, [(10, 1, 2)], 0) == [2]


def test_a_reservation_counts_all_that_ends_at_its_instant() -> None:
    assert reservation(3, 1, [(10, 1, 2), (10, 2, 4), (12, 3, 1)]) == (10, 4)


def test_jobs_that_start_in_the_same_pass_count_for_the_reservation() -> None:
    waiting = [job(1, size=2, run=5), job(2, size=4), job(3, size=1, run=5), job(4, size=1, run=6)]
    assert easy(waiting, 3, [(9, 1, 1)], 0) == [0, 2]


@pytest.mark.parametrize(("end", "wakes"), [(100, None), (99, None), (101, 101), (150, 150)])
def test_a_compressing_queue_does_not_look_at_every_instant_for_the_end_of_a_job_that_is_overdue(
    end: int, wakes: int | None
) -> None:
    queue = Compressing()
    assert queue([job(2, size=2)], 1, [(end, 1, 1)], 100) == []
    assert queue.wake_at() == wakes


def test_a_compressing_queue_does_so_around_outages_too() -> None:
    queue = CompressingAround(2, ())
    assert queue([job(1, limit=50, size=1)], 2, [], 0) == [0]
    queue.started(job(1, limit=50, size=1), 0)
    assert queue([job(2, size=2)], 1, [], 40) == []
    assert queue.wake_at() == 50
    assert queue([job(2, size=2)], 1, [], 60) == []
    assert queue.wake_at() is None


def test_a_job_larger_than_the_machine_is_refused_by_name() -> None:
    with pytest.raises(JobTooLarge, match="main job 7 asks for 5 of 4"):
        replay([job(7, size=5)], 4, easy)


def test_waits_and_slowdowns_are_those_of_the_definition() -> None:
    jobs = [job(1, run=10), job(2, run=4, submit=2), job(3, run=40, submit=0)]
    assert outcome(jobs, {1: 0, 2: 22, 3: 40}) == Outcome(
        jobs=3, mean_wait=20.0, max_wait=40, mean_bounded_slowdown=(1.0 + 2.4 + 2.0) / 3, makespan=80
    )
