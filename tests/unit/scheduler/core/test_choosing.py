"""Which job a gap is given to, which allocations are asked for, and when guests freeze."""

from math import expm1

import pytest

from idleq.ids import AllocationId, EntryId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core import placement
from idleq.scheduler.core.ask import GAPS_LOOKED_AT, OTHERS_LOOKED_AT
from idleq.scheduler.core.commands import Launch, Mode, ReleaseAllocation, Replan, RequestAllocation, SegmentPlan
from idleq.scheduler.core.costs import Typical
from idleq.scheduler.core.freeze import (
    FreezeCost,
    Unsaved,
    best_interval_ms,
    pack_backwards,
    preemption_order,
    save_interval_ms,
)
from idleq.scheduler.core.hazard import Hazard, Outlook
from idleq.scheduler.core.inputs import (
    AgentReady,
    AllocationLost,
    Exited,
    Frozen,
    JobCancelled,
    Launched,
    NodeReport,
    Paused,
    Progressed,
    Resumed,
    ViewChanged,
)
from idleq.scheduler.core.policy import HOUR, MINUTE, SECOND, Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, RuntimeWish, Submission
from support.engines import GB, NODE, START, Told, report, snapshot, spec


def launched_jobs(told: Told) -> list[str]:
    """The jobs that were started, in order."""
    return [command.job for command in told.commands if isinstance(command, Launch)]


def asked(told: Told) -> list[RequestAllocation]:
    """The allocations that were asked for, in order."""
    return [command for command in told.commands if isinstance(command, RequestAllocation)]


def test_priority_goes_before_fit_and_fit_before_age() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit(
        Submission(spec=spec("old", cores=2)),
        Submission(spec=spec("wide", cores=4)),
        Submission(spec=spec("high", priority=1)),
    )
    told.grant("a1", "n1")
    assert launched_jobs(told) == ["3", "1"]


def test_waiting_becomes_priority_so_that_nothing_starves() -> None:
    told = Told(Policy(patience_ms=HOUR))
    told.submit_job(cores=1)
    told.tick(HOUR + 1)
    told.submit_job(cores=4)
    told.see(report("n1"))
    told.grant("a1", "n1")
    assert launched_jobs(told) == ["1"]


def test_of_two_that_fit_the_one_that_makes_more_of_the_gap_goes_first() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit(*(Submission(spec=spec(cores=4, expected_ms=minutes * MINUTE)) for minutes in (5, 50, 20)))
    told.grant("a1", "n1", until=START + 30 * MINUTE)
    # 50 minutes do not fit: frozen at the end it makes 30 minutes less a freeze, which is more than 20.
    assert launched_jobs(told) == ["2"]


def test_a_gap_that_would_only_pay_for_thaw_and_freeze_is_left_alone() -> None:
    told = Told(Policy(freeze_ms=Millis(10_000), thaw_ms=Millis(10_000), margin_ms=Millis(2_000)))
    told.see(report("n1"), report("n2"))
    told.submit_job()
    told.grant("a1", "n1", until=told.now + 23_000)
    assert launched_jobs(told) == []
    told.grant("a2", "n2", until=told.now + 30_000)
    assert launched_jobs(told) == ["1"]


def test_a_job_that_cannot_freeze_starts_only_where_it_can_end() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=HOUR)
    told.submit_job(freeze=FreezeMethod.NONE)
    told.grant("a1", "n1", until=told.now + 30 * MINUTE)
    assert launched_jobs(told) == ["2"]
    plan = next(command.plan for command in told.commands if isinstance(command, Launch))
    assert (plan.freeze_at, plan.save_every_ms) == (None, None)


def test_the_tasks_of_an_array_start_in_order_and_never_more_than_its_limit() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(10, 19, 3, limit=2))
    told.grant("a1", "n1")
    assert launched_jobs(told) == ["1_10", "1_13"]
    told.tell(Exited(job=JobId("1_10"), fence=Fence(1), code=0, at=told.now, cause="workload"))
    assert launched_jobs(told) == ["1_10", "1_13", "1_16"]


def test_a_frozen_task_of_a_full_array_goes_on_before_fresh_ones_start() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 9, 1, limit=1))
    told.grant("a1", "n1")
    left = snapshot("1_0", 1, 1, 60_000)
    told.tell(Frozen(job=JobId("1_0"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(10), reason="x"))
    assert launched_jobs(told) == ["1_0", "1_0"]


def test_no_more_is_asked_for_than_the_queue_can_use() -> None:
    told = Told(Policy(ramp_start=10))
    told.see(*(report(f"n{i}") for i in range(9)))
    told.submit(*[Submission(spec=spec(cores=2))] * 3)
    assert len(asked(told)) == 2
    assert asked(told)[0] == RequestAllocation(
        id=asked(told)[0].id,
        allocation=AllocationId("a1"),
        mode=Mode.PREEMPTIBLE,
        node=None,
        resources=NODE,
        min_ms=told.policy.min_gap_ms,
        max_ms=told.policy.max_allocation_ms,
        seen_on=NodeName("n8"),
    )


def test_requests_begin_few_grow_with_grants_and_never_exceed_the_limit() -> None:
    told = Told(Policy(ramp_start=2, max_pending=3))
    told.see(*(report(f"n{i}") for i in range(9)))
    told.submit_job(ArrayRange(0, 999), cores=4)
    assert len(asked(told)) == 2
    told.grant("a1", "n1")
    assert len(told.engine.state.asked) == 3
    told.grant("a2", "n2")
    assert len(told.engine.state.asked) == 3


def test_gaps_too_short_or_too_small_for_anybody_are_not_asked_for() -> None:
    told = Told()
    told.submit_job(cores=4)
    told.submit_job(memory=7 * GB, freeze=FreezeMethod.NONE, expected_ms=HOUR)
    told.see(report("n1", planned=START + 4 * MINUTE), report("n2", free=Resources(2, GB)))
    told.see(report("n3", free=Resources(2, 8 * GB), planned=START + 30 * MINUTE))
    assert asked(told) == []


@pytest.mark.parametrize(
    ("wishes", "shortest"),
    [
        ({"freeze": FreezeMethod.NONE, "expected_ms": HOUR}, HOUR + 3_000),
        ({"freeze": FreezeMethod.NONE}, 5 * MINUTE),
        ({"expected_ms": HOUR}, 20 * MINUTE + 7_000),
        ({"expected_ms": 10 * MINUTE}, 10 * MINUTE + 3_000),
        ({}, 20 * MINUTE + 7_000),
    ],
    ids=["cannot be frozen", "nobody knows", "in parts", "at once", "endless"],
)
def test_what_is_asked_for_is_never_too_short_for_whom_it_is_asked(wishes: dict[str, object], shortest: int) -> None:
    told = Told(Policy(freeze_ms=Millis(10 * MINUTE)))
    told.submit_job(**wishes)  # type: ignore[arg-type]  # passed through
    told.see(report("n1", planned=START + 2 * HOUR))
    (request,) = asked(told)
    assert (request.min_ms, request.max_ms) == (shortest, START + 2 * HOUR - told.now)


def test_a_gap_that_is_too_short_once_the_site_has_cut_it_and_the_agent_has_begun_is_not_asked_for() -> None:
    told = Told(Policy(grain_ms=Millis(MINUTE)))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=HOUR)
    told.see(report("n1", planned=START + HOUR + MINUTE))
    assert asked(told) == []
    told.see(report("n1", planned=START + HOUR + 2 * MINUTE))
    assert [(request.min_ms, request.max_ms) for request in asked(told)] == [(HOUR + MINUTE, HOUR + MINUTE)]


def test_windows_lie_on_the_node_with_the_longest_gap_and_end_with_it() -> None:
    told = Told(Policy(mode=Mode.WINDOW))
    told.submit_job()
    told.see(report("n1", planned=START + HOUR), report("n2", planned=START + 2 * HOUR))
    (request,) = asked(told)
    assert request.node == "n2"
    assert request.max_ms <= 2 * HOUR
    assert told.engine.state.nodes[NodeName("n2")].allocation == "a1"


def test_gpus_are_counted_when_demand_is_reckoned() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit_job()
    node = Resources(4, 8 * GB, 2)
    gpu = Submission(spec=spec())
    told.submit(Submission(spec=gpu.spec), Submission(spec=gpu.spec))
    told.see(report("n1", free=node), report("n2", free=node))
    assert len(asked(told)) == 1


def test_an_allocation_that_nothing_fits_is_given_back_after_lingering() -> None:
    told = Told(Policy(linger_ms=Millis(2_000)))
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    told.tell(Exited(job=JobId("1"), fence=Fence(1), code=0, at=told.now, cause="workload"))
    assert told.tick(1_999).commands == ()
    (back,) = told.tick(1).commands
    assert isinstance(back, ReleaseAllocation)
    assert told.tick(60_000).commands == ()


def test_the_engine_is_woken_for_an_allocation_only_while_that_is_empty() -> None:
    told = Told(Policy(linger_ms=Millis(2_000)))
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    assert told.engine.wake_at() is None
    told.tell(Exited(job=JobId("1"), fence=Fence(1), code=0, at=told.now, cause="workload"))
    assert told.engine.wake_at() == told.now + 2_000
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    assert told.engine.wake_at() is None


def test_a_paused_idleq_starts_nothing_and_gives_back_what_is_empty() -> None:
    told = Told()
    told.see(report("n1"), report("n2"))
    told.tell(Paused(empty=False, reason="maintenance"))
    told.submit_job()
    assert told.commands == []
    told.tell(Resumed())
    assert len(asked(told)) == 1
    told.tell(JobCancelled(target=JobId("1")))
    told.tell(Paused(empty=True, reason="again"))
    assert isinstance(told.commands[-1], ReleaseAllocation)


def test_a_job_that_came_up_while_idleq_was_being_emptied_is_frozen_at_once() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    told.tell(Paused(empty=True, reason="power cut"))
    assert told.state_of("1") == "Freezing"
    told.tell(Launched(job=JobId("1"), fence=Fence(1), at=told.now, thaw_ms=Millis(0)))
    assert told.state_of("1") == "Freezing"


def test_the_freeze_moves_with_the_gaps_end() -> None:
    policy = Policy(freeze_ms=Millis(10_000), margin_ms=Millis(2_000))
    told = Told(policy)
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    end = Millis(told.now + 60_000)
    told.see(report("n1", planned=end))
    (moved,) = [command for command in told.commands if isinstance(command, Replan)]
    assert moved.plan == SegmentPlan(freeze_at=Millis(end - 12_000), ends_at=end, save_every_ms=None)
    told.see(report("n1", planned=end + 900))
    told.see(report("n1", planned=end + 60_000))
    told.see(report("n1"))
    ends = [command.plan.ends_at for command in told.commands if isinstance(command, Replan)]
    assert ends == [end, end + 60_000, None]


def test_guests_of_one_node_freeze_one_after_the_other() -> None:
    told = Told(Policy(freeze_ms=Millis(1_000), margin_ms=Millis(0), bandwidth=1 << 20))
    told.see(report("n1"))
    told.submit_job(cores=2)
    told.grant("a1", "n1")
    left = snapshot("1", 1, 1, 90_000)
    told.tell(Frozen(job=JobId("1"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(1_000), reason="x"))
    told.submit_job(cores=2)
    end = told.now + 60_000
    told.see(report("n1", planned=end))
    plans = {c.job: c.plan.freeze_at for c in told.commands if isinstance(c, Replan)}
    assert sorted(end - at for at in plans.values() if at is not None) == [2_000, 3_000]


def test_without_enough_grace_the_workload_saves_at_the_interval_for_a_gap_that_has_just_opened() -> None:
    told = Told(Policy(grace_ms=Millis(0), freeze_ms=Millis(2_000)))
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    plan = next(command.plan for command in told.commands if isinstance(command, Launch))
    just_open = Hazard().rates(Outlook(Millis(0), None, 0), Millis(0)).mean_ms(0)
    assert plan.save_every_ms == best_interval_ms(Millis(2_000), just_open) == 58_674


def test_measured_costs_replace_the_policys_guesses() -> None:
    told = Told(Policy(freeze_ms=Millis(60_000), margin_ms=Millis(0)))
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    saved = snapshot("1", 1, 1, 100)
    told.tell(Launched(job=JobId("1"), fence=Fence(1), at=told.now, thaw_ms=Millis(0)))
    told.tell(Progressed(job=JobId("1"), fence=Fence(1), step=1, total=None, saved=saved, save_ms=Millis(70)))
    left = snapshot("1", 1, 2, 9_000)
    told.tell(Frozen(job=JobId("1"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(800), reason="x"))
    told.tell(Launched(job=JobId("1"), fence=Fence(2), at=told.now, thaw_ms=Millis(300)))
    state = told.engine.state
    assert state.typical(state.entries[EntryId(1)], None) == Typical(
        freeze_ms=Millis(800),
        longest_freeze_ms=Millis(800),
        save_ms=Millis(70),
        thaw_ms=Millis(300),
        slow_thaw_ms=Millis(300),
        bytes=1 << 20,
    )


def test_freezes_are_packed_backwards_from_the_end() -> None:
    costs = (FreezeCost(Millis(100), Millis(50)), FreezeCost(Millis(10), Millis(20)), FreezeCost(Millis(0), Millis(20)))
    assert pack_backwards(Millis(1_000), costs) == (810, 970, 960)
    assert pack_backwards(Millis(1_000), ()) == ()


def test_in_a_hurry_the_most_unsaved_work_per_byte_is_frozen_first() -> None:
    guests = [
        Unsaved(JobId(job), Fence(1), Millis(work), size)
        for job, work, size in (("1", 50, 10), ("2", 60, 60), ("3", 60, 1), ("4", 5, 0))
    ]
    assert [guest.job for guest in preemption_order(guests)] == ["3", "1", "4", "2"]


@pytest.mark.parametrize(
    ("save", "closures", "exposure", "expected"),
    [(50, 1, 3_600_000, 18_973), (1, 1_000_000, 1, 1000), (5_000, 10**9, 1, 5_000)],
)
def test_the_save_interval_is_youngs_and_never_shorter_than_a_save(
    save: int, closures: int, exposure: int, expected: int
) -> None:
    assert save_interval_ms(Millis(save), closures, Millis(exposure)) == expected


def useful_share(work: float, save: float, mean: float) -> float:
    """What comes of a gap that closes at a constant rate if its guest works for *work* between saves."""
    return work / expm1((work + save) / mean)


@pytest.mark.parametrize("save", [1, 30, 300, 1_000, 1_800])
def test_no_other_interval_makes_more_of_a_gap_that_may_close_at_any_time(save: int) -> None:
    mean = 1_000
    chosen = best_interval_ms(Millis(save * SECOND), Millis(mean * SECOND)) / SECOND
    others = [useful_share(work, save, mean) for work in range(max(save, 1), 4_000)]
    assert useful_share(chosen, save, mean) > 0.999 * max(others)


@pytest.mark.parametrize(
    ("save", "mean", "expected"),
    [(1, 100, 1_000), (5_000, 1, 5_000), (50_000, 25_000, 50_000), (30_000, 16_000, 30_000)],
)
def test_nobody_saves_for_longer_than_he_works(save: int, mean: int, expected: int) -> None:
    assert best_interval_ms(Millis(save), Millis(mean)) == expected


def test_an_agents_own_end_counts_if_it_is_earlier() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    end = Millis(told.now + 30 * 60 * SECOND)
    told.tell(AgentReady(allocation=AllocationId("a1"), node=NodeName("n1"), resources=NODE, until=end))
    plan = next(command.plan for command in told.commands if isinstance(command, Launch))
    assert plan.ends_at == end


def test_a_workload_that_turns_out_slower_to_freeze_than_the_grace_begins_to_save() -> None:
    told = Told(Policy(grace_ms=Millis(20_000), freeze_ms=Millis(1_000)))
    told.see(report("n1"))
    told.submit_job(cores=2)
    told.submit_job(cores=2)
    told.grant("a1", "n1")
    left = snapshot("1", 1, 1, 90_000)
    told.commands.clear()
    told.tell(Frozen(job=JobId("1"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(60_000), reason="x"))
    (moved,) = [command for command in told.commands if isinstance(command, Replan)]
    assert (moved.job, moved.plan.freeze_at) == ("2", None)
    assert moved.plan.save_every_ms is not None


def test_whoever_has_waited_for_long_gets_room_even_if_it_takes_more_than_comes_free_at_once() -> None:
    told = Told(Policy(patience_ms=HOUR))
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 99))
    told.grant("a1", "n1")
    told.submit_job(name="wide", cores=4, priority=1)
    told.tell(Exited(job=JobId("1_0"), fence=Fence(1), code=0, at=told.now, cause="workload"))
    assert launched_jobs(told)[-1] == "1_4"
    told.tick(HOUR + 1)
    for task in range(1, 5):
        assert launched_jobs(told)[-1] == "1_4"
        told.tell(Exited(job=JobId(f"1_{task}"), fence=Fence(1), code=0, at=told.now, cause="workload"))
    assert launched_jobs(told)[-1] == "2"


def test_a_gap_that_grows_is_offered_to_jobs_that_did_not_pay_in_it() -> None:
    told = Told(Policy(freeze_ms=Millis(30_000)))
    told.see(report("n1", planned=START + 400_000))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=5 * MINUTE)
    told.grant("a1", "n1")
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=10 * MINUTE)
    assert launched_jobs(told) == ["1"]
    told.see(report("n1", planned=START + 400_000 + 10 * MINUTE))
    assert launched_jobs(told) == ["1", "2"]


def test_a_gap_is_asked_for_by_those_who_fit_whatever_else_waits() -> None:
    told = Told(Policy(ramp_start=10))
    told.submit(Submission(spec=spec()), Submission(spec=spec(memory=7 * GB)))
    told.see(report("n1", free=Resources(2, 2 * GB)), report("n2", free=Resources(2, 2 * GB)))
    assert len(asked(told)) == 1


def test_a_task_that_comes_back_to_a_full_array_stands_in_line_once() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 9, 1, limit=1))
    told.grant("a1", "n1")
    told.see(report("n1", is_up=False))
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    assert told.engine.state.queue.jobs == 10


def test_a_younger_job_may_start_where_an_older_one_of_its_kind_would_not_end() -> None:
    told = Told(Policy(patience_ms=HOUR))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=100 * MINUTE)
    told.tick(HOUR + 1)
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=75 * MINUTE)
    told.see(report("n1"))
    told.grant("a1", "n1", until=told.now + 80 * MINUTE)
    assert launched_jobs(told) == ["2"]


def test_a_task_that_would_end_in_a_gap_goes_although_others_of_its_array_would_not() -> None:
    told = Told(Policy(freeze_ms=Millis(10 * MINUTE), thaw_ms=Millis(1_000), margin_ms=Millis(0)))
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 1), cores=2, expected_ms=HOUR)
    told.grant("a1", "n1")
    told.tell(Paused(empty=False, reason="x"))
    for job, run_ms in (("1_0", 10 * MINUTE), ("1_1", 55 * MINUTE)):
        left, took = snapshot(job, 1, 1, run_ms), Millis(10 * MINUTE)
        told.tell(Frozen(job=JobId(job), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=took, reason="x"))
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="x"))
    told.tell(Resumed())
    told.commands.clear()
    told.see(report("n2"))
    told.grant("a2", "n2", until=told.now + 7 * MINUTE)
    assert launched_jobs(told) == ["1_1"]


def test_nothing_is_planned_anew_where_main_jobs_have_taken_the_node() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1", until=told.now + 4 * HOUR)
    told.launched("1")
    told.see(report("n1", planned=told.now + HOUR))
    told.commands.clear()
    told.see(report("n1", free=Resources(0, 0)))
    assert told.commands == []
    told.see(report("n1"))
    assert [type(command) for command in told.commands] == [Replan]


def test_a_node_is_filled_from_several_lines_as_if_each_place_were_given_by_itself() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 9, limit=1))
    told.submit_job(ArrayRange(0, 9, limit=1), expected_ms=10 * MINUTE)
    told.submit_job(ArrayRange(0, 9, limit=1))
    told.submit_job(priority=1)
    told.grant("a1", "n1")
    assert launched_jobs(told) == ["4", "1_0", "3_0", "2_0"]


def too_small(number: int) -> list[NodeReport]:
    """So many nodes of which one core is free, for ever."""
    return [report(f"n{i}", free=Resources(1, 8 * GB)) for i in range(number)]


@pytest.mark.parametrize("others", [GAPS_LOOKED_AT - 1, GAPS_LOOKED_AT, 3 * GAPS_LOOKED_AT])
def test_a_gap_of_use_is_asked_for_however_many_longer_ones_are_of_none(others: int) -> None:
    told = Told()
    told.see(*too_small(others), report("x", planned=START + 3 * HOUR))
    told.submit_job(cores=4)
    assert [request.seen_on for request in asked(told)] == ["x"]


def test_where_gaps_are_all_unlike_those_that_one_turn_has_no_time_for_are_looked_at_in_others() -> None:
    told = Told()
    number = GAPS_LOOKED_AT + 4 * OTHERS_LOOKED_AT
    told.see(*(report(f"n{i}", free=Resources(1, GB + i)) for i in range(number)))
    told.see(report("short", free=Resources(3, GB), planned=START + MINUTE))
    told.see(report("x", planned=START + 3 * HOUR))
    told.submit_job(cores=4)
    for turn in range(10):
        told.tell(ViewChanged(deltas=(report("n0", free=Resources(1, 2 * GB + turn)),)), after_ms=10_000)
    assert {request.seen_on for request in asked(told)} == {"x"}


def test_a_gap_that_a_request_was_made_for_is_not_asked_for_again_behind_those_of_no_use() -> None:
    told = Told(Policy(ramp_start=2, mode=Mode.PREEMPTIBLE))
    told.see(*too_small(GAPS_LOOKED_AT), report("x", planned=START + 3 * HOUR))
    told.submit_job(ArrayRange(0, 7), cores=4)
    told.see(report("n0", free=Resources(1, 7 * GB)))
    assert [request.seen_on for request in asked(told)] == ["x"]


FIRST = placement.LOOKED_AT


@pytest.mark.parametrize("others", [FIRST, 20 * FIRST])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_job_starts_however_many_of_its_size_wait_before_it_for_what_the_node_lacks(
    others: int, *, is_known: bool
) -> None:
    told = Told()
    told.submit(*[Submission(spec=spec(name=f"w{i}", runtime=RuntimeWish.DOCKER)) for i in range(others)])
    plain = f"{others + 1}"
    if is_known:
        told.see(report("n1"))
        told.grant("a1", "n1")
        told.submit_job()
    else:
        told.submit_job()
        told.see(report("n1"))
        told.grant("a1", "n1")
    assert launched_jobs(told) == [plain]


@pytest.mark.parametrize("others", [FIRST, 20 * FIRST])
def test_a_job_that_ends_in_a_gap_starts_however_many_like_each_other_that_do_not_wait_before_it(others: int) -> None:
    told = Told()
    too_long = spec(freeze=FreezeMethod.NONE, expected_ms=9 * HOUR // 2)
    told.submit(*[Submission(spec=too_long)] * others)
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=5 * HOUR // 2)
    told.see(report("n1", planned=told.now + 4 * HOUR))
    told.grant("a1", "n1", until=told.now + 4 * HOUR)
    assert launched_jobs(told) == [f"{others + 1}"]


def test_a_job_that_ends_in_a_gap_has_its_turn_behind_many_that_do_not_and_are_all_unlike() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    many = FIRST + 4 * placement.OTHERS_LOOKED_AT
    longer = [spec(freeze=FreezeMethod.NONE, expected_ms=9 * HOUR // 2 + i) for i in range(many)]
    told.see(report("n1", planned=told.now + 3 * HOUR))
    told.submit(*(Submission(spec=one) for one in longer))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=5 * HOUR // 2)
    for turn in range(1, 10):
        told.see(report("n1", planned=told.now + 3 * HOUR + turn * MINUTE))
    assert launched_jobs(told) == ["1", f"{many + 2}"]


def test_of_those_that_have_their_turn_at_once_the_first_in_line_starts() -> None:
    told = Told()
    longer = [spec(freeze=FreezeMethod.NONE, expected_ms=9 * HOUR // 2 + i) for i in range(FIRST)]
    told.submit(*(Submission(spec=one) for one in longer))
    shorter = [spec(cores=1, freeze=FreezeMethod.NONE, expected_ms=5 * HOUR // 2 - i) for i in range(10)]
    told.submit(*(Submission(spec=one) for one in shorter))
    told.see(report("n1"))
    told.grant("a1", "n1", until=told.now + 4 * HOUR)
    assert launched_jobs(told) == [f"{FIRST + 1 + i}" for i in range(4)]
