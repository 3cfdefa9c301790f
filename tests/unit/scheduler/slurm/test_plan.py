from idleq.ids import Millis
from idleq.scheduler.slurm.plan import Plan, PlannedStart, follow
from support.slurm import is_guest, job, reading

PLANNED = job(4, "PENDING", start_time=2000, scheduled_nodes="n[1-2]")
WIPED = job(4, "PENDING")
START = PlannedStart(Millis(2_000_000), "n[1-2]")


def test_a_start_with_nodes_is_planned_and_a_placeholder_is_not() -> None:
    placeholder = job(5, "PENDING", start_time=2000)

    assert follow(None, reading([PLANNED, placeholder], planned_at=10), is_guest) == Plan(10, {4: START})


def test_our_own_waiting_allocations_are_no_part_of_the_plan() -> None:
    ours = job(6, "PENDING", start_time=2000, scheduled_nodes="n1", comment="idleq:a1")

    assert follow(None, reading([ours]), is_guest).starts == {}


def test_a_plan_that_is_being_made_anew_hides_nothing() -> None:
    known = follow(None, reading([PLANNED], planned_at=10), is_guest)

    in_the_middle = follow(known, reading([WIPED], planned_at=10), is_guest)
    again = follow(in_the_middle, reading([WIPED], planned_at=10), is_guest)

    assert again == Plan(10, {4: START})


def test_two_whole_plans_without_a_start_are_believed() -> None:
    known = follow(None, reading([PLANNED], planned_at=10), is_guest)

    once = follow(known, reading([WIPED], planned_at=12), is_guest)
    twice = follow(once, reading([WIPED], planned_at=14), is_guest)

    assert once.starts == {4: PlannedStart(START.start, START.nodes, cycles_without=1)}
    assert twice == Plan(14, {})


def test_where_slurm_does_not_say_when_it_plans_two_looks_count_as_two_plans() -> None:
    known = follow(None, reading([PLANNED]), is_guest)

    assert follow(follow(known, reading([WIPED]), is_guest), reading([WIPED]), is_guest).starts == {}


def test_a_new_start_wins_over_the_old_one_at_once() -> None:
    known = follow(None, reading([PLANNED], planned_at=10), is_guest)
    sooner = job(4, "PENDING", start_time=1500, scheduled_nodes="n3")

    assert follow(known, reading([sooner], planned_at=10), is_guest).starts == {
        4: PlannedStart(Millis(1_500_000), "n3")
    }


def test_a_job_that_no_longer_waits_is_no_longer_planned() -> None:
    known = follow(None, reading([PLANNED], planned_at=10), is_guest)

    assert follow(known, reading([job(4, nodes="n[1-2]")], planned_at=10), is_guest).starts == {}
    assert follow(known, reading([], planned_at=10), is_guest).starts == {}
