"""How often guests save, by how surprising gaps of one age have been."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import Launch, Mode, Replan
from idleq.scheduler.core.entry import Entry, Rest
from idleq.scheduler.core.freeze import best_interval_ms
from idleq.scheduler.core.gaps import Foresight, Gap, GapEnd
from idleq.scheduler.core.hazard import AGES, FIRST_PLACES, HOLDS, PLACES, USUAL, Hazard, Outlook, place_of
from idleq.scheduler.core.inputs import Progressed, ViewChanged
from idleq.scheduler.core.policy import HOUR, MINUTE, Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.state import Allocation, Hold, Node, State
from idleq.scheduler.core.submission import Submission
from idleq.scheduler.core.timing import LOOKS_AHEAD, plan_alone
from support.engines import Told, report, snapshot, spec

NOTHING_FREE = Resources(0, 0)


def gap(since: int = 0, planned_end: int | None = None, place: int = 0) -> Outlook:
    return Outlook(Millis(since), None if planned_end is None else Millis(planned_end), place)


def closed(outlook: Outlook, *lengths: int) -> Hazard:
    hazard = Hazard()
    for length in lengths:
        hazard.expose(outlook, Millis(0), Millis(length))
        hazard.surprise(outlook, Millis(length))
    return hazard


def per_hour(hazard: Hazard, outlook: Outlook, at: int, ahead: int = 0) -> float:
    return HOUR / hazard.rates(outlook, Millis(at)).mean_ms(ahead)


def test_a_gap_counts_at_every_age_that_it_reached_and_its_end_at_the_last() -> None:
    hazard = closed(gap(), 30 * MINUTE)
    assert hazard.exposed_at_age == [5 * MINUTE, 15 * MINUTE, 10 * MINUTE, 0, 0, 0, 0]
    assert hazard.ended_at_age == [0, 0, 1, 0, 0, 0, 0]


@given(
    since=st.integers(0, 10**9),
    notice=st.none() | st.integers(0, 10**9),
    place=st.integers(0, PLACES - 1),
    cuts=st.lists(st.integers(0, 10**9), min_size=2),
)
def test_however_a_time_is_cut_up_the_same_is_counted(
    since: int, notice: int | None, place: int, cuts: list[int]
) -> None:
    outlook = gap(since, None if notice is None else since + notice, place)
    times = sorted(Millis(since + cut) for cut in cuts)
    at_once, in_pieces = Hazard(), Hazard()
    at_once.expose(outlook, times[0], times[-1])
    for begin, end in pairwise(times):
        in_pieces.expose(outlook, begin, end)
    assert at_once == in_pieces
    assert sum(at_once.exposed_ms) == sum(at_once.exposed_at_age) == times[-1] - times[0]


def test_time_is_counted_in_the_cell_whose_rate_is_asked_for() -> None:
    outlook = gap(planned_end=3 * HOUR)
    before = [per_hour(Hazard(), outlook, at) for at in range(0, 4 * HOUR, MINUTE)]
    for number, at in enumerate(range(0, 4 * HOUR, MINUTE)):
        hazard = Hazard()
        hazard.expose(outlook, Millis(at), Millis(at + 1))
        # One millisecond would be lost in rounding.
        hazard.exposed_ms = [1000 * exposed for exposed in hazard.exposed_ms]
        assert per_hour(hazard, outlook, at) < before[number]


def test_as_long_as_nothing_was_learned_old_gaps_are_safer_than_young_ones() -> None:
    rates = [per_hour(Hazard(), gap(), at) for at in (0, *AGES)]
    assert rates == [HOUR / mean for mean in USUAL]
    assert rates == sorted(rates, reverse=True)


def test_a_few_gaps_make_no_rate_of_their_own_and_many_do() -> None:
    known = per_hour(Hazard(), gap(), 0)
    few, many = (per_hour(closed(gap(), *[MINUTE] * count), gap(), 0) for count in (2, 2_000))
    assert known < few < 2 * known
    assert 55 < many < 61


def test_where_short_gaps_are_many_old_ones_are_safer() -> None:
    hazard = closed(gap(), *[MINUTE // 2] * 90, *[4 * HOUR] * 10)
    rates = [per_hour(hazard, gap(), at) for at in (0, 10 * MINUTE, 2 * HOUR)]
    assert rates == sorted(rates, reverse=True)


def test_nodes_that_are_taken_first_and_gaps_whose_planned_end_is_near_have_rates_of_their_own() -> None:
    first, last = gap(place=0), gap(place=PLACES - 1)
    near, far = gap(planned_end=5 * MINUTE), gap(planned_end=50 * HOUR)
    hazard = Hazard()
    for outlook, often in ((first, 300), (last, 3), (near, 300), (far, 3)):
        hazard.expose(outlook, Millis(0), Millis(4 * MINUTE * 100))
        for _ in range(often):
            hazard.surprise(outlook, Millis(MINUTE))
    assert per_hour(hazard, first, 0) > 2 * per_hour(hazard, last, 0)
    assert per_hour(hazard, near, 0) > 2 * per_hour(hazard, far, 0)


def test_the_further_one_looks_ahead_the_less_a_gaps_place_says() -> None:
    """Else a guest behind many free nodes would not save for days, though a job of many nodes may come in any hour."""
    first, last = gap(place=0), gap(place=PLACES - 1)
    hazard = Hazard()
    for outlook, often in ((first, 300), (last, 0)):
        hazard.expose(outlook, Millis(0), Millis(4 * MINUTE * 100))
        for _ in range(often):
            hazard.surprise(outlook, Millis(MINUTE))
    of_all = HOUR * 304 / (sum(hazard.exposed_at_age[:1]) + 4 * USUAL[0])
    apart = [abs(per_hour(hazard, last, 0, ahead) / of_all - 1) for ahead in (0, HOLDS, 10 * HOLDS, 10_000 * HOLDS)]
    assert apart == sorted(apart, reverse=True)
    assert apart[0] > 0.5
    assert apart[-1] < 0.001


def test_places_are_powers_of_two() -> None:
    assert [place_of(before) for before in (0, 1, 2, 3, 4, 63, FIRST_PLACES, 10_000)] == [0, 1, 2, 2, 3, 6, 7, 7]


def places(told: Told) -> dict[str, int]:
    return {name: node.place for name, node in told.engine.state.nodes.items() if node.gap is not None}


def test_a_node_moves_up_when_those_before_it_are_taken() -> None:
    told = Told()
    told.see(*(report(f"n{number}") for number in (10, 1, 2, 3)))
    assert places(told) == {"n1": 0, "n2": 1, "n3": 2, "n10": 2}
    told.see(report("n1", free=NOTHING_FREE), report("n2", free=NOTHING_FREE))
    assert places(told) == {"n3": 0, "n10": 1}
    told.tell(ViewChanged(deltas=(), gone=(NodeName("n3"),)))
    assert places(told) == {"n10": 0}


def test_while_gaps_are_open_their_time_is_counted_once() -> None:
    told = Told()
    told.see(report("n1"), report("n2"))
    begin = told.now
    told.tick(HOUR)
    told.see(report("n1", free=NOTHING_FREE))
    first = told.now - begin
    told.tick(HOUR)
    told.see(report("n2", planned=told.now + HOUR))
    told.tick(HOUR)
    told.see(report("n2", free=NOTHING_FREE))
    hazard = told.engine.state.foresight.hazard
    assert sum(hazard.exposed_ms) == sum(hazard.exposed_at_age) == first + told.now - begin
    assert sum(hazard.ended) == sum(hazard.ended_at_age) == 1


def test_a_guest_saves_more_often_once_its_node_is_the_next_to_be_taken() -> None:
    told = hosting()
    told.see(*(report(f"n{number}") for number in range(2, 9)), report("o1"))
    told.submit_job(cores=4)
    told.grant("a2", "o1")
    told.launched("2")
    told.see(*(report(f"n{number}", free=NOTHING_FREE) for number in range(1, 9)))
    replan = told.commands[-1]
    job = told.engine.state.jobs[JobId("2")]
    started = next(command for command in told.commands if isinstance(command, Launch) and command.job == "2")
    assert isinstance(replan, Replan)
    assert job.segment is not None
    assert replan.plan == job.segment.plan
    assert replan.plan.save_every_ms is not None
    assert started.plan.save_every_ms is not None
    assert replan.plan.save_every_ms < started.plan.save_every_ms * 4 // 5


def hosting() -> Told:
    """A node of many short gaps and few long ones, with a guest that saves."""
    told = Told(policy=Policy(grace_ms=Millis(0)))
    told.submit_job()
    for _ in range(40):
        told.see(report("n1"))
        told.tick(MINUTE // 2)
        told.see(report("n1", free=NOTHING_FREE))
    told.see(report("n1"))
    told.grant("a1", "n1")
    told.launched("1")
    return told


def exposed(told: Told) -> int:
    return sum(told.engine.state.foresight.hazard.exposed_ms)


def saved(told: Told, number: int) -> None:
    kept = snapshot("1", 1, number, run_ms=number * 1000, taken_at=told.now)
    told.tell(
        Progressed(job=JobId("1"), fence=Fence(1), step=number, total=None, saved=kept, save_ms=Millis(10_000)),
        after_ms=2 * HOUR,
    )


def test_a_gap_that_is_still_open_counts_when_its_guest_saves() -> None:
    """Else a site whose gaps last for days would take them for short ones until they close."""
    told = hosting()
    opened, before = told.engine.state.nodes[NodeName("n1")].counted_until, exposed(told)
    saved(told, 1)
    assert exposed(told) - before == told.now - opened > HOUR


def test_the_next_save_waits_for_longer_once_the_gap_is_old() -> None:
    told = hosting()
    job = told.engine.state.jobs[JobId("1")]
    assert job.segment is not None
    first = job.segment.plan.save_every_ms
    saved(told, 1)
    replan = told.commands[-1]
    assert isinstance(replan, Replan)
    assert first is not None
    assert replan.plan.save_every_ms is not None
    assert replan.plan.save_every_ms > first * 5 // 4


def test_a_closure_before_the_planned_end_is_a_surprise_however_early_the_plan_was_known() -> None:
    told = Told()
    told.see(report("n1", planned=told.now + 10 * HOUR))
    told.tick(HOUR)
    told.see(report("n1", free=NOTHING_FREE))
    assert told.engine.state.foresight.surprises == 1
    told.see(report("n1", planned=told.now + HOUR))
    told.tick(HOUR)
    told.see(report("n1", free=NOTHING_FREE))
    assert told.engine.state.foresight.surprises == 1


def planned_and_reckoned(known: list[tuple[int, int]], age: int, notice: int | None) -> tuple[Millis | None, Millis]:
    """Return how often a guest saves by its plan, and how often by the rates at each of the times that count, each asked for anew."""
    policy, hazard = Policy(grace_ms=Millis(0)), Hazard()
    for length, surprises in known:
        for _ in range(surprises):
            hazard.expose(gap(), Millis(0), Millis(length))
            hazard.surprise(gap(), Millis(length))
    outlook = gap(planned_end=None if notice is None else age + notice)
    state = State(policy=policy, now=Millis(age), foresight=Foresight(hazard=hazard))
    node, room = NodeName("n1"), Resources(1, 1)
    shown = Gap(node, room, outlook.since, GapEnd(outlook.planned_end, None))
    state.nodes[node] = Node(report(node), gap=shown, place=outlook.place)
    holding = Allocation(
        AllocationId("a1"), Hold.READY, Mode.PREEMPTIBLE, CommandId(1), node, room, Millis(0), Millis(HOUR)
    )
    begin, save_ms = age + policy.thaw_ms, policy.freeze_ms
    every = best_interval_ms(save_ms, hazard.rates(outlook, Millis(begin)).mean_ms(save_ms))
    for _ in range(LOOKS_AHEAD):
        mean_ms = hazard.rates(outlook, Millis(begin + every)).mean_ms(every + save_ms)
        every = best_interval_ms(save_ms, mean_ms)
    entry = Entry(EntryId(1), Submission(spec=spec()), "r", "", Millis(0), Rest.QUEUED, "", is_ready=True, left=1)
    return plan_alone(state, holding, entry, None).save_every_ms, every


@given(
    known=st.lists(st.tuples(st.integers(1, 8 * HOUR), st.integers(0, 30)), max_size=4),
    age=st.integers(0, 8 * HOUR),
    notice=st.none() | st.integers(1, 8 * HOUR),
)
def test_a_guest_saves_as_often_as_the_rate_asks_for_when_its_interval_is_over(
    known: list[tuple[int, int]], age: int, notice: int | None
) -> None:
    planned, reckoned = planned_and_reckoned(known, age, notice)
    assert planned == reckoned


@pytest.mark.parametrize(
    ("known", "age", "notice"),
    [
        pytest.param([], 180_000, None, id="the second look finds the rate of the first, not that of the beginning"),
        pytest.param([(114 * MINUTE, 8)], 54 * MINUTE, 3 * MINUTE, id="it lies between the two, at a rate of its own"),
        pytest.param([(15 * MINUTE, 20)], 90_000, None, id="it comes back to that of the beginning"),
        pytest.param([(15 * MINUTE, 20)], 150_000, None, id="as found once"),
        pytest.param([], 4 * HOUR, None, id="all are one"),
    ],
)
def test_rates_are_asked_for_where_an_interval_leaves_the_cell_of_the_last(
    known: list[tuple[int, int]], age: int, notice: int | None
) -> None:
    planned, reckoned = planned_and_reckoned(known, age, notice)
    assert planned == reckoned
