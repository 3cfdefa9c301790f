"""What the agent does next."""

from dataclasses import replace
from typing import Any

import pytest

from idleq.ids import Fence, JobId, Millis
from idleq.scheduler.agent.decide import (
    PATIENCE_MS,
    Ask,
    GuestView,
    Leave,
    Phase,
    Situation,
    Stop,
    next_actions,
    wake_at,
)
from idleq.scheduler.agent.lease import Lease
from idleq.scheduler.core.commands import SegmentPlan

CALM = Situation(now=Millis(1000), lease=Lease(Millis(60_000), Millis(40_000)))
ONE = Fence(1)


def plan(freeze_at: int | None = None, ends_at: int | None = None) -> SegmentPlan:
    return SegmentPlan(
        freeze_at=None if freeze_at is None else Millis(freeze_at),
        ends_at=None if ends_at is None else Millis(ends_at),
        save_every_ms=None,
    )


def guest(job: str = "1", **more: Any) -> GuestView:
    given: dict[str, Any] = {"phase": Phase.RUNNING, "plan": plan(), "can_freeze": True, **more}
    return GuestView(job=JobId(job), fence=ONE, **given)


def at(now: int, **more: Any) -> Situation:
    return replace(CALM, now=Millis(now), **more)


def ask(job: str, reason: str) -> Ask:
    return Ask(JobId(job), ONE, reason)


def stop(job: str, reason: str) -> Stop:
    return Stop(JobId(job), ONE, reason)


def test_nothing_is_done_while_all_is_well() -> None:
    assert next_actions([guest(), guest("2", can_freeze=False, plan=plan(5000, 6000))], CALM) == []
    assert next_actions([], CALM) == []


def test_a_guest_is_asked_to_save_when_its_plan_says_so_and_only_once() -> None:
    planned = guest(plan=plan(5000, 9000))
    assert next_actions([planned], at(4999)) == []
    assert next_actions([planned], at(5000)) == [ask("1", "the gap ends")]
    freezing = replace(planned, phase=Phase.FREEZING, asked_at=Millis(5000))
    assert next_actions([freezing], at(5001)) == []


def test_once_the_node_is_wanted_a_guest_has_the_whole_grace_to_save_whatever_end_was_believed() -> None:
    planned = guest(plan=plan(1000, 2000))
    wanted = at(2000, notice_until=Millis(8000))
    assert next_actions([planned], wanted) == [ask("1", "preempted")]
    freezing = replace(planned, phase=Phase.FREEZING, asked_at=Millis(1900))
    assert next_actions([freezing], wanted) == []
    assert next_actions([freezing], replace(wanted, now=Millis(8000))) == [
        stop("1", "the grace time ended before it had saved")
    ]


def test_a_guest_that_has_not_left_when_the_gap_ends_is_killed() -> None:
    freezing = guest(plan=plan(5000, 9000), phase=Phase.FREEZING, asked_at=Millis(5000))
    assert next_actions([freezing], at(8999)) == []
    assert next_actions([freezing], at(9000)) == [stop("1", "the gap ended before it had saved")]
    assert next_actions([replace(freezing, is_stopping=True)], at(9001)) == []


def test_a_guest_that_hears_of_the_gaps_end_when_that_is_past_has_as_long_to_save_as_was_planned() -> None:
    planned = guest(plan=plan(5000, 9000))
    assert next_actions([planned], at(9500)) == [ask("1", "the gap ends")]
    freezing = replace(planned, phase=Phase.FREEZING, asked_at=Millis(9500))
    assert next_actions([freezing], at(13_499)) == []
    assert wake_at([freezing], at(13_000)) == 13_500
    assert next_actions([freezing], at(13_500)) == [stop("1", "the gap ended before it had saved")]
    assert next_actions([planned], at(9500, until=Millis(9400))) == [stop("1", "the allocation ended")]


def test_a_guest_that_cannot_save_may_run_to_the_very_end() -> None:
    plain = guest(can_freeze=False, plan=plan(5000, 9000))
    assert next_actions([plain], at(8999)) == []
    assert next_actions([plain], at(9000)) == [stop("1", "the gap ended")]


def test_a_guest_that_is_still_being_thawed_when_it_should_freeze_is_not_started() -> None:
    assert next_actions([guest(phase=Phase.PREPARING, plan=plan(5000))], at(5000)) == [stop("1", "the gap ends")]


def test_on_notice_the_most_unsaved_work_per_byte_is_saved_first_and_what_cannot_save_leaves_at_once() -> None:
    guests = [
        guest("1", unsaved_ms=Millis(1000), bytes=1000),
        guest("2", can_freeze=False),
        guest("3", unsaved_ms=Millis(9000), bytes=1000),
        guest("4", unsaved_ms=Millis(9000), bytes=100_000),
        guest("5", phase=Phase.CLOSING),
    ]
    assert next_actions(guests, at(2000, notice_until=Millis(8000))) == [
        stop("2", "preempted"),
        ask("3", "preempted"),
        ask("1", "preempted"),
        ask("4", "preempted"),
    ]


def test_what_is_left_when_the_grace_is_over_is_killed() -> None:
    freezing = guest(phase=Phase.FREEZING, asked_at=Millis(2000))
    situation = at(8000, notice_until=Millis(8000))
    assert next_actions([freezing], situation) == [stop("1", "the grace time ended before it had saved")]


def test_guests_are_frozen_in_the_last_quarter_of_the_lease_and_killed_at_its_end() -> None:
    plain = guest("2", can_freeze=False)
    assert next_actions([guest(), plain], at(89_999)) == []
    assert next_actions([guest(), plain], at(90_000)) == [ask("1", "the daemon is silent")]
    late = guest(phase=Phase.FREEZING, asked_at=Millis(90_000))
    reason = "the daemon was silent until the lease ran out"
    assert next_actions([late, plain], at(100_000)) == [stop("1", f"{reason} before it had saved"), stop("2", reason)]


def test_a_dismissed_agent_kills_its_guests_and_leaves() -> None:
    gone = at(1000, dismissed=True)
    assert next_actions([guest()], gone) == [stop("1", "the daemon says that this allocation is over")]
    assert next_actions([], gone) == [Leave("the daemon says that this allocation is over")]


@pytest.mark.parametrize(
    ("situation", "reason"),
    [
        (at(1000, notice_until=Millis(5000)), "preempted"),
        (at(6000, until=Millis(6000)), "the allocation has ended"),
        (at(90_000), "the daemon has been silent for too long"),
    ],
)
def test_an_agent_leaves_when_it_has_no_guest_and_no_future(situation: Situation, reason: str) -> None:
    assert next_actions([], situation) == [Leave(reason)]
    assert Leave(reason) not in next_actions([guest(phase=Phase.CLOSING)], situation)


def test_the_end_of_the_allocation_ends_its_guests() -> None:
    assert next_actions([guest()], at(6000, until=Millis(6000))) == [stop("1", "the allocation ended")]


def test_a_guest_that_never_listens_is_killed_after_some_patience() -> None:
    deaf = guest(phase=Phase.FREEZING, asked_at=Millis(500), signalled_at=Millis(1000))
    situation = replace(CALM, lease=Lease(Millis(9_960_000), Millis(40_000)))
    patient = replace(situation, now=Millis(1000 + PATIENCE_MS - 1))
    assert next_actions([deaf], patient) == []
    assert next_actions([deaf], replace(patient, now=Millis(1000 + PATIENCE_MS))) == [
        stop("1", "did not save within 300 s of being asked")
    ]


def test_one_that_is_frozen_from_outside_takes_as_long_as_its_memory_takes() -> None:
    large = guest(phase=Phase.FREEZING, asked_at=Millis(1000))
    situation = replace(CALM, now=Millis(10_000_000), lease=Lease(Millis(9_990_000), Millis(400_000)))
    assert next_actions([large], situation) == []


def test_too_much_memory_is_the_workloads_own_failure() -> None:
    assert next_actions([guest(memory_over=77)], CALM) == [
        Stop(JobId("1"), ONE, "used more memory than asked for (77 bytes)", "workload")
    ]


def test_the_loop_wakes_for_the_next_thing_that_time_alone_can_bring() -> None:
    assert wake_at([], CALM) == 90_000
    assert wake_at([], at(95_000)) == 100_000
    assert wake_at([guest(plan=plan(5000, 9000))], CALM) == 5000
    assert wake_at([guest(plan=plan(500, 9000))], CALM) == 9000
    assert wake_at([guest()], at(1000, until=Millis(7000))) == 7000
    assert wake_at([guest()], at(1000, notice_until=Millis(4000), until=Millis(7000))) == 4000


def test_waking_when_told_to_never_finds_that_something_was_due_before() -> None:
    """Stepping from wake to wake does the same as looking every millisecond."""
    guests = [guest("1", plan=plan(5000, 9000)), guest("2", can_freeze=False, plan=plan(None, 7000))]
    situation, seen = CALM, []
    while situation.now < 50_000:
        seen += [(situation.now, action) for action in next_actions(guests, situation)]
        situation = replace(situation, now=wake_at(guests, situation))
    assert [now for now, _ in seen][:2] == [5000, 7000]


def test_an_agent_that_has_said_that_it_leaves_does_so_even_if_the_daemon_is_back() -> None:
    reason = "the daemon has been silent for too long"
    back = replace(CALM, leaving=reason)
    assert next_actions([guest()], back) == [ask("1", reason)]
    assert next_actions([], back) == [Leave(reason)]
