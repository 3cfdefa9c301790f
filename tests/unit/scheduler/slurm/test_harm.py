"""Which main jobs waited for guests, by Slurm's records."""

from collections.abc import Sequence

import pytest

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.inputs import MainJobStarted
from idleq.scheduler.slurm.harm import Evictions, follow, lately_left
from idleq.scheduler.slurm.records import JobRecord
from support.slurm import is_guest, job

BOUND = Millis(27_000)


def guest(number: int, nodes: str = "n1", *, told: int = 0, state: str = "RUNNING", **fields: object) -> JobRecord:
    said = {"start_time": 10, "preempt_time": told, "comment": f"idleq:s:a{number}"}
    return job(number, state, nodes=nodes, **(said | fields))


def main(number: int, nodes: str, *, start: int, eligible: int = 50, state: str = "RUNNING") -> JobRecord:
    return job(number, state, nodes=nodes, start_time=start, eligible_time=eligible)


def held_up(number: int, *nodes: str, seconds: int) -> MainJobStarted:
    return MainJobStarted(
        main_job=str(number),
        nodes=tuple(NodeName(name) for name in nodes),
        waited_ms=Millis(seconds * 1000),
        bound_ms=BOUND,
        guests_alive=0,
    )


def told(*looks: Sequence[JobRecord]) -> list[MainJobStarted]:
    """What is told, one look after the other, a minute and a half apart."""
    known, heard = Evictions(), list[MainJobStarted]()
    for number, jobs in enumerate(looks):
        known, started = follow(known, jobs, is_guest, BOUND, Millis(90_000 * (number + 1)))
        heard += started
    return heard


def test_the_wait_is_from_the_signal_to_the_start() -> None:
    looks = [[guest(1, told=100)], [guest(1, told=100, state="COMPLETING")], [main(2, "n1", start=107)]]
    assert told(*looks) == [held_up(2, "n1", seconds=7)]


def test_a_main_job_on_many_nodes_has_waited_since_the_first_signal_and_is_told_once() -> None:
    guests = [guest(1, "n1", told=100), guest(2, "n2", told=103)]
    start = main(3, "n[1-3]", start=110)
    assert told(guests, [start], [start]) == [held_up(3, "n1", "n2", seconds=10)]


def test_what_came_and_went_between_two_looks_is_told_as_well() -> None:
    over = guest(1, told=100, state="PREEMPTED", end_time=102)
    assert told([over, main(2, "n1", start=103, state="COMPLETED")]) == [held_up(2, "n1", seconds=3)]


def test_a_main_job_that_was_over_before_guests_were_let_in_again_is_told_as_well() -> None:
    over = guest(1, told=100, state="PREEMPTED", end_time=102)
    brief, next_guest = main(2, "n1", start=103, state="COMPLETED"), guest(3, start_time=104)
    assert told([over, brief, next_guest], [next_guest]) == [held_up(2, "n1", seconds=3)]


def test_a_main_job_is_looked_for_where_guests_have_lately_left_and_none_was_seen_to_begin() -> None:
    over, still_there = guest(1, "n1", told=100, state="PREEMPTED", end_time=102), guest(2, "n2", told=100)
    by_itself = guest(3, "n3", state="COMPLETED", end_time=102)
    known, _ = follow(Evictions(), [over, still_there, by_itself], is_guest, BOUND, Millis(103_000))

    def looked_for(known: Evictions, *jobs: JobRecord, at: int) -> frozenset[str]:
        return lately_left(known, jobs, is_guest, Millis(at * 1000))

    assert looked_for(Evictions(), over, still_there, by_itself, at=103) == {"n1"}
    assert looked_for(known, still_there, at=162) == {"n1"}
    assert looked_for(known, still_there, at=163) == frozenset()
    known, _ = follow(known, [main(4, "n1", start=104)], is_guest, BOUND, Millis(105_000))
    assert looked_for(known, over, at=105) == frozenset()


def test_main_jobs_that_begin_together_on_a_node_have_all_waited_and_each_is_told_once() -> None:
    over = guest(1, told=100, state="PREEMPTED", end_time=102)
    one, other, late = (main(2, "n1", start=103), main(3, "n[1-2]", start=104), main(4, "n1", start=104, eligible=103))
    assert told([over, one, other, late], [over, one, other, late]) == [
        held_up(2, "n1", seconds=3),
        held_up(3, "n1", seconds=4),
    ]


def test_one_of_them_that_is_seen_to_begin_a_look_later_is_told_too() -> None:
    over = guest(1, told=100, state="PREEMPTED", end_time=102)
    one, other = main(2, "n1", start=103), main(3, "n1", start=104)
    known, first = follow(Evictions(), [over, one], is_guest, BOUND, Millis(103_000))
    known, second = follow(known, [over, one, other], is_guest, BOUND, Millis(108_000))
    _, third = follow(known, [over, one, other], is_guest, BOUND, Millis(113_000))
    assert (first, second, third) == ((held_up(2, "n1", seconds=3),), (held_up(3, "n1", seconds=4),), ())


def test_of_a_wide_one_only_the_guests_that_left_last_count_and_not_those_that_had_long_left() -> None:
    early = guest(1, "n1", told=100, state="PREEMPTED", end_time=102)
    last = guest(2, "n2", told=900, state="PREEMPTED", end_time=905)
    assert told([early], [early, last, main(3, "n[1-2]", start=910)]) == [held_up(3, "n1", "n2", seconds=10)]


def test_what_slurm_still_shows_of_a_guest_that_left_is_not_held_against_the_next_main_job() -> None:
    over = guest(1, told=100, state="PREEMPTED", end_time=102)
    first, second = main(2, "n1", start=103, state="COMPLETED"), main(3, "n1", start=160, eligible=101)
    assert told([over, first], [over, second]) == [held_up(2, "n1", seconds=3)]


def test_where_slurm_does_not_say_when_a_guest_without_a_grace_was_told_it_was_when_it_was_ended() -> None:
    over = guest(1, state="PREEMPTED", end_time=100)
    cleaning = guest(1, state="PREEMPTED", end_time=100, job_state=["PREEMPTED", "COMPLETING"])
    assert told([cleaning], [over, main(2, "n1", start=109)]) == [held_up(2, "n1", seconds=9)]


def test_a_main_job_is_told_once_though_slurm_says_later_that_the_guest_was_told_when_its_grace_was_over() -> None:
    over = guest(1, told=115, state="PREEMPTED", end_time=116)
    start = main(2, "n1", start=117)
    assert told([guest(1, told=100)], [over, start], [over, start]) == [held_up(2, "n1", seconds=17)]


def test_a_main_job_that_came_after_the_signal_has_waited_since_it_came() -> None:
    over = guest(1, told=100, state="PREEMPTED", end_time=112)
    assert told([over, main(2, "n1", start=115, eligible=110)]) == [held_up(2, "n1", seconds=5)]


@pytest.mark.parametrize(
    "looks",
    [
        pytest.param([[guest(1)], [main(2, "n1", start=200)]], id="the guest left by itself"),
        pytest.param([[guest(1, told=100)], [main(2, "n2", start=103)]], id="it began elsewhere"),
        pytest.param([[guest(1, told=100), main(2, "n1", start=90)]], id="it was there before"),
        pytest.param(
            [[guest(1, told=100, state="PREEMPTED", end_time=102)], [main(2, "n1", start=500, eligible=499)]],
            id="it came when the guest had long left",
        ),
        pytest.param(
            [[guest(1, told=100, state="PREEMPTED", end_time=102)], [main(2, "n1", start=1500)]],
            id="it waited before, and began when the guest had long left, for another that did not come",
        ),
        pytest.param(
            [[guest(1, told=100)], [guest(3, start_time=120)], [main(2, "n1", start=300)]],
            id="guests were let in again in between",
        ),
        pytest.param(
            [[guest(1, told=100)], [main(2, "n1", start=130, state="PENDING")]], id="its start is planned only"
        ),
    ],
)
def test_a_main_job_that_did_not_wait_for_a_guest_is_not_told(looks: list[list[JobRecord]]) -> None:
    assert told(*looks) == []
