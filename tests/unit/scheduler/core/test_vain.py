"""Windows that wait in the site's queue stand in nobody's way."""

import pytest
from msgspec import structs

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import AllocationGranted, AllocationLost, Frozen, NodeReport, Reconciled
from idleq.scheduler.core.policy import HOUR, MINUTE, Policy
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.sitefacts import AllocationAsked
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.wishes import MoveWished
from support.engines import GB, NODE, START, Told, report, snapshot

END = START + 30 * MINUTE
A1 = AllocationId("a1")


def waiting(planned: int | None = END) -> Told:
    """A window on n1 has been asked for, up to the main job that is planned there."""
    told = Told(Policy(mode=Mode.WINDOW, margin_ms=Millis(2_000), window_wait_ms=Millis(60_000)))
    told.submit_job()
    told.see(report("n1", planned=planned))
    return told


def given_back(told: Told) -> list[tuple[AllocationId, str]]:
    return [(said.allocation, said.reason) for said in told.commands if isinstance(said, ReleaseAllocation)]


def asked(told: Told) -> list[RequestAllocation]:
    return [said for said in told.commands if isinstance(said, RequestAllocation)]


def test_a_window_is_asked_for_up_to_the_planned_main_job_and_says_by_when_it_is_over() -> None:
    told = waiting()

    (request,) = asked(told)

    assert (request.node, request.max_ms, request.ends_by) == ("n1", END - told.now - 3_000, END)


def test_preemptible_allocations_end_by_their_length_alone() -> None:
    told = Told()
    told.submit_job()
    told.see(report("n1", planned=END))
    assert [request.ends_by for request in asked(told)] == [None]


TOO_SHORT = "the gap that it was asked for is not long enough for it any more"
MOVED = "the plan has moved, and the window does not fit any more"


@pytest.mark.parametrize(
    ("now_seen", "reason"),
    [
        (report("n1", planned=END - 2_001), [(A1, MOVED)]),
        (report("n1", planned=END - 2_000), []),
        (report("n1", planned=END + MINUTE), []),
        (report("n1"), []),
        (report("n1", free=Resources(3, 8 * GB), planned=END), [(A1, MOVED)]),
        (report("n1", is_up=False, planned=END), [(A1, MOVED)]),
        (report("n2", planned=START), []),
    ],
    ids=["earlier", "as good as the same", "later", "no end", "less room", "down", "another node"],
)
def test_a_window_that_waits_is_given_back_when_it_would_not_fit_any_more(
    now_seen: NodeReport, reason: list[tuple[AllocationId, str]]
) -> None:
    told = waiting()
    told.see(now_seen)
    assert given_back(told) == reason


def test_a_window_that_has_begun_is_not_taken_back_but_its_guest_freezes_earlier() -> None:
    told = waiting()
    told.grant("a1", "n1", until=END)
    told.see(report("n1", planned=END - 10 * MINUTE))
    assert given_back(told) == []
    assert [job.state.segment.plan.ends_at for job in told.engine.state.jobs.values()] == [END - 10 * MINUTE]  # type: ignore[union-attr]  # it starts


def test_a_window_that_has_not_begun_after_the_wait_is_given_back_and_its_gap_asked_for_again() -> None:
    told = waiting(planned=None)
    told.tick(59_999)
    assert given_back(told) == []
    told.tick(1)
    assert given_back(told) == [(A1, "the window has not begun in time")]
    told.tell(AllocationLost(allocation=A1, reason="cancelled"))
    assert [(request.allocation, request.node) for request in asked(told)] == [("a1", "n1"), ("a2", "n1")]


def test_the_wait_of_a_window_that_has_begun_means_nothing() -> None:
    told = waiting()
    told.tell(AllocationGranted(allocation=A1, node=NodeName("n1"), resources=NODE, until=Millis(END)))
    told.tick(60_000)
    assert given_back(told) == []


def test_after_a_restart_a_window_is_asked_for_as_it_was() -> None:
    told = waiting()
    again = Engine.restore(told.facts).handle(Reconciled(allocations=()), Millis(told.now + 5))
    assert again.commands == tuple(asked(told))
    assert again.commands[0].id == CommandId(1)


SMALL = Resources(1, 2 * GB)


def on_unlike_nodes() -> Told:
    """A small node has the longest gap; four cores are wanted twice, and then one."""
    told = Told(Policy(ramp_start=2, max_pending=2))
    told.see(report("n1", planned=END), report("n2", planned=END), report("n3", free=SMALL, planned=END + MINUTE))
    told.submit_job(cores=4)
    told.submit_job(cores=4)
    told.submit_job(cores=1)
    return told


def test_no_two_requests_are_cut_for_the_same_gap_while_the_first_waits() -> None:
    told = on_unlike_nodes()
    told.grant("a1", "n2")
    assert [(request.seen_on, request.resources) for request in asked(told)] == [
        ("n2", NODE),
        ("n1", NODE),
        ("n3", SMALL),
    ]


def test_what_was_cut_for_a_node_that_has_gone_to_others_is_given_back_while_nodes_of_another_size_are_free() -> None:
    told = on_unlike_nodes()
    told.see(report("n2", free=Resources(0, 0, 0)))
    assert given_back(told) == [(A1, "n2, which it was cut for, has gone to others, and other nodes are unlike it")]


def test_where_all_nodes_are_alike_a_request_waits_for_any_of_them() -> None:
    told = Told(Policy(ramp_start=2, max_pending=2))
    told.see(report("n1"), report("n2"))
    told.submit_job(cores=4)
    told.see(report("n2", free=Resources(0, 0, 0)))
    assert given_back(told) == []
    told.submit_job(cores=4)
    assert len(asked(told)) == 1, "what was seen on n2 will be on n1"


def for_a_long_job() -> Told:
    """An hour is wanted in one piece; n1 is free for two, n2 for ten minutes."""
    told = Told()
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=HOUR)
    told.see(report("n1", planned=START + 2 * HOUR), report("n2", planned=START + 10 * MINUTE))
    return told


@pytest.mark.parametrize(
    ("now_seen", "reasons"),
    [
        (report("n1", planned=START + HOUR), [TOO_SHORT]),
        (report("n1", free=Resources(0, 0, 0)), [TOO_SHORT]),
        (report("n1", planned=START + 2 * HOUR - MINUTE), []),
        (report("n2", planned=START + 3 * HOUR), []),
    ],
    ids=["shorter", "gone", "still long enough", "another one too"],
)
def test_what_must_be_long_is_given_back_once_no_gap_is_so_long(now_seen: NodeReport, reasons: list[str]) -> None:
    told = for_a_long_job()
    told.see(now_seen)
    assert [reason for _, reason in given_back(told)] == reasons


def test_what_must_be_long_is_given_back_when_the_last_gap_that_it_could_have_goes_whichever_that_is() -> None:
    told = for_a_long_job()
    told.see(report("n3", planned=START + 2 * HOUR))
    told.see(report("n1", free=Resources(0, 0, 0)))
    assert given_back(told) == []
    told.see(report("n3", free=Resources(0, 0, 0)))
    assert given_back(told) == [(A1, TOO_SHORT)]


def test_what_must_be_long_is_given_back_once_its_own_gap_is_too_short_though_another_one_is_long() -> None:
    told = for_a_long_job()
    told.see(report("n2", planned=START + 3 * HOUR))
    told.see(report("n1", planned=START + HOUR))
    assert given_back(told) == [(A1, TOO_SHORT)]
    told.tell(AllocationLost(allocation=A1, reason="cancelled"))
    assert [request.seen_on for request in asked(told)] == ["n1", "n2"]


@pytest.mark.parametrize(
    ("now_seen", "reasons"),
    [
        (report("n2", planned=START + 20 * MINUTE), [TOO_SHORT]),
        (report("n2", planned=START + HOUR), []),
        (report("n2"), []),
        (report("n2", free=Resources(0, 0, 0)), ["n2, which it needs, has gone to others"]),
    ],
    ids=["too short", "long enough", "no end", "gone"],
)
def test_what_must_be_long_and_is_asked_for_by_name_looks_at_that_node_alone(
    now_seen: NodeReport, reasons: list[str]
) -> None:
    told = Told(Policy(freeze_ms=Millis(10 * MINUTE)))
    told.see(report("n1"), report("n2", planned=START + 2 * HOUR))
    told.submit_job()
    told.grant("a1", "n1")
    told.launched("1")
    told.tell(MoveWished(target=JobId("1"), to=NodeName("n2")))
    left = snapshot("1", 1, 1, 5000)
    told.tell(
        Frozen(job=JobId("1"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(10 * MINUTE), reason="x")
    )
    assert [request.node for request in asked(told)] == [None, "n2"]

    told.see(now_seen)

    assert [reason for name, reason in given_back(told) if name == "a2"] == reasons


def test_what_must_be_long_is_given_back_when_time_alone_has_made_its_gap_too_short_for_it() -> None:
    told = Told(Policy(grain_ms=Millis(MINUTE)))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=59 * MINUTE)
    told.see(report("n1", planned=START + HOUR + 10_000))
    told.submit_job(cores=4)
    assert [(request.min_ms, request.max_ms) for request in asked(told)] == [(HOUR, HOUR)], "as the site counts"
    assert told.engine.wake_at() == START + 10_001

    told.tick(10_000 - (told.now - START))
    assert given_back(told) == []
    told.tick(1)
    assert given_back(told) == [(A1, TOO_SHORT)]
    told.tell(AllocationLost(allocation=A1, reason="cancelled"))
    assert [request.min_ms for request in asked(told)] == [HOUR, 5 * MINUTE], "for whom can be frozen"


@pytest.mark.parametrize(
    ("planned", "max_ms", "ends_by"),
    [
        (START + 30 * MINUTE, 29 * MINUTE, START + 30 * MINUTE),
        (START + 30 * MINUTE + 30_000, 30 * MINUTE, START + 30 * MINUTE + 30_000),
        (START + 9 * HOUR, 4 * HOUR, 4 * HOUR + MINUTE),
        (None, 4 * HOUR, 4 * HOUR + MINUTE),
    ],
    ids=["to the minute", "and a half", "far", "no end"],
)
def test_a_window_is_as_long_as_the_site_will_make_it_though_it_is_asked_for_a_little_later(
    planned: int | None, max_ms: int, ends_by: int
) -> None:
    told = Told(Policy(mode=Mode.WINDOW, grain_ms=Millis(MINUTE)))
    told.submit_job()
    told.see(report("n1", planned=planned))
    (request,) = asked(told)
    assert (request.max_ms, request.ends_by) == (max_ms, ends_by if ends_by > START else told.now + ends_by)
    (allocation,) = told.engine.state.allocations.values()
    assert allocation.ends_by == request.ends_by


def test_in_journals_in_which_windows_do_not_say_by_when_they_are_over_it_is_their_length_from_when_they_were_asked_for() -> (
    None
):
    told = waiting()
    older = [
        (at, structs.replace(fact, ends_by=None) if isinstance(fact, AllocationAsked) else fact)
        for at, fact in told.facts
    ]
    (allocation,) = Engine.restore(older).state.allocations.values()
    assert allocation.ends_by == told.now + allocation.max_ms
