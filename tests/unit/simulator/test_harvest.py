from idleq.ids import Millis
from idleq.simulator.harvest import Clairvoyant, IdleGap, gaps_without_guests, harvestable_ms, share
from idleq.simulator.jobs import MainJob


def job(number: int, submit: int, run: int, size: int) -> MainJob:
    return MainJob(id=number, submit=submit, run=run, limit=run, size=size)


def gap(node: int, since: int, until: int, units: int = 1) -> IdleGap:
    return IdleGap(node, Millis(since), Millis(until), units)


def test_gaps_lie_between_main_jobs_and_end_with_the_run() -> None:
    jobs = [job(1, 10, 20, 1), job(2, 50, 10, 2)]
    assert sorted(gaps_without_guests([1, 1], jobs, Millis(100))) == [
        gap(0, 0, 10),
        gap(0, 30, 50),
        gap(0, 60, 100),
        gap(1, 0, 50),
        gap(1, 60, 100),
    ]


def test_of_a_shared_node_the_units_that_came_free_last_are_taken_first() -> None:
    jobs = [job(1, 0, 30, 2), job(2, 40, 10, 3)]
    assert sorted(gaps_without_guests([4], jobs, Millis(60))) == [
        gap(0, 0, 40, 1),
        gap(0, 0, 60, 1),
        gap(0, 30, 40, 2),
        gap(0, 50, 60, 3),
    ]


def test_short_gaps_hold_nothing_to_harvest() -> None:
    assert harvestable_ms([gap(0, 0, 10), gap(0, 20, 50), gap(1, 0, 25, units=2)], 20) == 10 + 2 * 5
    assert share(5, 0) is None


def test_the_clairvoyant_names_the_next_end_of_each_node() -> None:
    foresee = Clairvoyant([gap(0, 30, 50), gap(0, 0, 10), gap(1, 0, 50)])
    assert foresee(Millis(9)) == {0: 10, 1: 50}
    assert foresee(Millis(10)) == {0: 50, 1: 50}
    assert foresee(Millis(50)) == {}
