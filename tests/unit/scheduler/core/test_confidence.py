import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from idleq.ids import Millis
from idleq.scheduler.codec import decode_fact
from idleq.scheduler.core.cause import Cause, CauseKind
from idleq.scheduler.core.commands import RequestAllocation
from idleq.scheduler.core.confidence import Belief, TrackRecord
from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.noderows import node_rows
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.sitefacts import GapClosed
from support.engines import NODE, Told, report

JOB, MAINTENANCE = CauseKind.JOB, CauseKind.MAINTENANCE
HOUR = 3_600_000


def record(*ratios: tuple[CauseKind, int]) -> TrackRecord:
    """Gaps that closed after so many thousandths of the time that was first said of them."""
    learned = TrackRecord()
    for kind, ratio in ratios:
        learned.learn(kind, Millis(5000), Millis(6000), Millis(5000 + ratio))
    return learned


def test_before_anything_was_seen_the_odds_are_even() -> None:
    assert record().belief(JOB) == Belief(early=100, percent=52, cases=0)


def test_few_cases_are_drawn_to_what_was_believed_before() -> None:
    late = record(*[(JOB, 1000)] * 8).belief(JOB)

    # Half of the weight is the kind's own cases, a quarter those of all, a quarter the belief before: a plan fails in
    # a quarter of 949 / 2000 cases.
    assert late == Belief(early=400, percent=88, cases=8)


def test_many_cases_outweigh_what_was_believed_before() -> None:
    always_half = record(*[(JOB, 500)] * 256).belief(JOB)

    assert (always_half.early, always_half.percent, always_half.cases) == (500, 0, 256)


def test_each_kind_is_believed_by_its_own_record() -> None:
    mixed = record(*[(JOB, 300)] * 100, *[(MAINTENANCE, 1000)] * 100)

    assert mixed.belief(MAINTENANCE).percent > 90
    assert mixed.belief(JOB).percent < 10
    assert mixed.belief(CauseKind.RESERVATION).percent == 50, (
        "of a kind that was never seen what all kinds have in common"
    )


def test_the_earliest_end_is_that_part_of_what_is_left() -> None:
    belief = Belief(early=400, percent=90, cases=9)

    assert belief.earliest(Millis(2000), Millis(1000)) == 1400
    assert belief.earliest(Millis(900), Millis(1000)) == 900, "what is over is not ahead"


def test_a_gap_that_lasted_longer_than_was_said_is_no_error() -> None:
    assert record(*[(JOB, 3000)] * 50).belief(JOB).percent > 90


def test_an_end_that_was_named_when_it_was_over_says_nothing() -> None:
    learned = record()
    learned.learn(JOB, Millis(5000), Millis(5000), Millis(5000))

    assert learned == record()


@given(ratios=st.lists(st.tuples(st.sampled_from(CauseKind), st.integers(0, 5000)), max_size=30))
def test_beliefs_stay_within_what_can_be(ratios: list[tuple[CauseKind, int]]) -> None:
    learned = record(*ratios)

    for kind in CauseKind:
        belief = learned.belief(kind)
        assert 0 <= belief.early <= 1000
        assert 0 <= belief.percent <= 100


@given(ratios=st.lists(st.integers(0, 2000), max_size=20), worse=st.integers(0, 900))
def test_another_end_that_came_early_never_raises_the_trust(ratios: list[int], worse: int) -> None:
    before = record(*[(JOB, ratio) for ratio in ratios]).belief(JOB)
    after = record(*[(JOB, ratio) for ratio in (*ratios, worse)]).belief(JOB)

    assert after.percent <= before.percent


def test_closed_gaps_are_kept_with_what_was_first_said_of_them_and_learned_from() -> None:
    told = Told()
    planned = report("n1", planned=told.now + HOUR)
    by_job = structs.replace(planned, cause=Cause(JOB, "17"))
    told.see(by_job)
    told.tick(HOUR // 2)
    told.see(structs.replace(by_job, planned_start=Millis(told.now + 1)))
    told.see(report("n1", free=NOTHING))

    (closed,) = [fact for _, fact in told.facts if isinstance(fact, GapClosed)]
    assert (closed.first_end, closed.cause) == (planned.planned_start, JOB)
    assert told.engine.state.foresight.record.of_kind[JOB].values == [500]


def test_a_main_job_that_takes_a_part_of_a_node_closes_its_gap_where_guests_would_slow_it() -> None:
    told = Told()
    told.see(report("n1"), report("n2"))
    part = Resources(NODE.cores - 1, NODE.memory)
    told.see(structs.replace(report("n1", free=part), is_spared=True))
    told.submit_job()

    assert [fact.node for _, fact in told.facts if isinstance(fact, GapClosed)] == ["n1"]
    assert [command.seen_on for command in told.commands if isinstance(command, RequestAllocation)] == ["n2"]

    told.see(structs.replace(report("n2", free=part)))
    told.see(report("n1"))
    assert told.engine.state.free_nodes.first() == [(2, "n1"), (2, "n2")], (
        "once it has left, and beside one that does not mind"
    )


@pytest.mark.parametrize(("ahead_ms", "surprises"), [(HOUR, 0), (1000, 1)])
def test_what_a_maintenance_was_announced_for_says_nothing_of_the_job_that_is_planned_before_it(
    ahead_ms: int, surprises: int
) -> None:
    told = Told()
    upkeep = structs.replace(report("n1", planned=told.now + 14 * 24 * HOUR), cause=Cause(MAINTENANCE, "upkeep"))
    told.see(upkeep)
    told.tick(HOUR)
    told.see(structs.replace(upkeep, planned_start=Millis(told.now + ahead_ms), cause=Cause(JOB, "17")))
    told.tick(ahead_ms)
    told.see(report("n1", free=NOTHING))

    (closed,) = [fact for _, fact in told.facts if isinstance(fact, GapClosed)]
    assert closed.warned_ms < ahead_ms + 100
    (ratio,) = told.engine.state.foresight.record.of_kind[JOB].values
    assert 1000 <= ratio < 1010
    assert told.engine.state.foresight.surprises == surprises


def test_a_reservation_that_begins_closes_a_gap_and_a_node_that_fails_does_not() -> None:
    told = Told()
    told.see(structs.replace(report("n1", planned=told.now + HOUR), cause=Cause(MAINTENANCE, "upkeep")))
    told.see(report("n2", planned=told.now + HOUR))
    told.tick(HOUR)
    told.see(structs.replace(report("n1", is_up=False), cause=Cause(MAINTENANCE, "upkeep")))
    told.see(structs.replace(report("n2", is_up=False), cause=Cause(CauseKind.CLOSED, "down")))

    closed = [(fact.node, fact.cause) for _, fact in told.facts if isinstance(fact, GapClosed)]
    assert closed == [("n1", MAINTENANCE)]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (report("n1"), (None, None, None, "no main job is planned here")),
        (report("n1", is_up=False), (None, None, None, "")),
        (
            structs.replace(report("n1", is_up=False), cause=Cause(CauseKind.CLOSED, "draining")),
            (None, None, None, "draining"),
        ),
    ],
)
def test_a_gap_without_a_planned_end_has_nothing_to_be_trusted(
    seen: NodeReport, expected: tuple[int | None, int | None, int | None, str]
) -> None:
    told = Told()
    told.see(seen)

    (row,) = node_rows(told.engine.state, told.now)
    assert (row.gap_until, row.gap_early, row.gap_trust, row.gap_source) == expected


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (None, "the plan"),
        (Cause(JOB, "17"), "the plan of job 17"),
        (Cause(CauseKind.RESERVATION, "course"), "reservation course"),
        (Cause(MAINTENANCE, "upkeep"), "maintenance upkeep"),
        (Cause(CauseKind.HELD), "it is held for a job that is not shown"),
    ],
)
def test_the_end_of_a_gap_is_told_with_its_cause_and_how_far_to_trust_it(cause: Cause | None, words: str) -> None:
    told = Told()
    end = Millis(told.now + HOUR)
    told.see(structs.replace(report("n1", planned=end), cause=cause))

    now = Millis(told.now + HOUR // 2)
    (row,) = node_rows(told.engine.state, now)
    assert (row.gap_until, row.gap_early, row.gap_trust, row.gap_cases) == (end, now + (end - now) // 10, 52, 0)
    assert row.gap_source == words


def test_journals_of_before_causes_were_kept_can_be_read() -> None:
    old = '{"node":"n1","opened_at":1,"planned_end":5,"warned_ms":2}'

    assert decode_fact("GapClosed", old) == GapClosed(
        node=report("n1").name, opened_at=Millis(1), planned_end=Millis(5), warned_ms=Millis(2)
    )
