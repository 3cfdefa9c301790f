"""What people are told: rows, the summary, and why a job is where it is."""

import pytest
from msgspec import structs

from idleq.ids import AllocationId, CommandId, EntryId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.commands import RequestAllocation
from idleq.scheduler.core.explain import Explanation, explain
from idleq.scheduler.core.inputs import AllocationLost, CommandFailed, Exited, Frozen, JobCancelled, JobHeld, Paused
from idleq.scheduler.core.noderows import node_rows
from idleq.scheduler.core.policy import HOUR, MINUTE, SECOND, Policy
from idleq.scheduler.core.prospects import Prospect
from idleq.scheduler.core.queries import entry_row, job_detail, job_rows, summary
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.scheduler.core.rows import EntryRow, NodeRow
from idleq.scheduler.core.submission import ArrayRange, FreezeMethod, Submission
from support.engines import GB, NODE, START, Told, report, snapshot, spec


def busy() -> Told:
    """An array half started, one job held, one done, on three nodes."""
    told = Told()
    told.see(report("n1"), report("n2", free=NOTHING), report("n3", is_up=False))
    told.submit_job(ArrayRange(0, 9, 1, limit=2), cores=2)
    told.submit_job()
    told.tell(JobHeld(target=JobId("2"), reason="wrong data"))
    told.grant("a1", "n1")
    told.launched("1_0")
    told.tell(Exited(job=JobId("1_0"), fence=Fence(1), code=0, at=told.now, cause="workload"))
    return told


def why(told: Told, job: str) -> Explanation:
    """The explanation of a job that exists."""
    explained = explain(told.engine.state, JobId(job), told.now)
    assert explained is not None
    return explained


def test_an_arrays_untouched_tasks_are_one_row() -> None:
    told = busy()
    rows = [(row.id, row.tasks, row.state, row.node) for row in job_rows(told.engine.state)]
    assert rows == [
        ("1_1", 1, "starting", "n1"),
        ("1_2", 1, "starting", "n1"),
        ("1_[3-9]", 7, "queued", None),
        ("2", 1, "held", None),
    ]
    finals = [row.id for row in job_rows(told.engine.state, with_final=True, entry=EntryId(1))]
    assert finals == ["1_0", "1_1", "1_2", "1_[3-9]"]
    assert list(job_rows(told.engine.state, entry=EntryId(99))) == []


def test_the_last_untouched_task_is_named_alone_and_cancelled_ones_are_shown_on_demand() -> None:
    told = Told()
    told.submit_job(ArrayRange(4, 4))
    assert [row.id for row in job_rows(told.engine.state)] == ["1_4"]
    told.tell(JobCancelled(target=JobId("1")))
    assert list(job_rows(told.engine.state)) == []
    assert [row.state for row in job_rows(told.engine.state, with_final=True)] == ["cancelled"]


def test_entries_and_details() -> None:
    told = busy()
    state = told.engine.state
    assert entry_row(state, EntryId(1)) == EntryRow(
        entry=EntryId(1), tasks=10, untouched=7, active=2, done=1, failed=0, cancelled=0, is_over=False
    )
    assert entry_row(state, EntryId(9)) is None
    assert job_detail(state, JobId("9")) is None
    detail = job_detail(state, JobId("1_0"))
    assert detail is not None
    assert (detail.row.state, detail.row.fence, detail.after) == ("done", 1, ())


def test_nodes_with_their_gaps_and_guests() -> None:
    state = busy().engine.state
    rows = list(node_rows(state, state.now))
    assert [(row.name, row.is_up, row.hold, row.guests, row.gap_source, row.has_hosted) for row in rows] == [
        ("n1", True, "ready", ("1_1", "1_2"), "no main job is planned here", True),
        ("n2", True, "", (), "", False),
        ("n3", False, "", (), "", False),
    ]
    assert isinstance(rows[0], NodeRow)


def test_everything_at_a_glance() -> None:
    told = busy()
    shown = summary(told.engine.state)
    assert shown.jobs == {"done": 1, "held": 1, "queued": 7, "starting": 2}
    assert shown.allocations == {"ready": 1}
    assert (shown.nodes, shown.nodes_up, shown.capacity) == (3, 2, Resources(8, 16 * GB))
    assert (shown.free, shown.used) == (NODE, Resources(4, 2 * GB))
    assert (shown.slowed_until, shown.slowed_reason) == (0, "")


def test_jobs_that_start_or_run_and_cannot_be_frozen_are_counted() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 5), freeze=FreezeMethod.NONE)
    told.submit_job()
    told.grant("a1", "n1")
    for job in ("1_0", "1_1"):
        told.launched(job)

    assert summary(told.engine.state).jobs == {"queued": 3, "running": 2, "starting": 2}
    assert summary(told.engine.state).unfreezable == 4


def test_a_frozen_job_is_counted_apart_from_those_that_never_ran() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    told.tell(Paused(empty=False, reason=""))
    left = snapshot("1", 1, 1, 60_000)
    told.tell(Frozen(job=JobId("1"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(10), reason="x"))
    told.submit_job()
    assert summary(told.engine.state).jobs == {"frozen": 1, "queued": 1}


def test_a_task_that_was_held_on_its_own_stands_at_its_place() -> None:
    told = Told()
    told.submit_job(ArrayRange(0, 9))
    told.tell(JobHeld(target=JobId("1_5"), reason="x"))
    told.tell(JobHeld(target=JobId("1_0"), reason="x"))
    assert [row.id for row in job_rows(told.engine.state)] == ["1_0", "1_[1-4,6-9]", "1_5"]


def test_being_slowed_is_shown_while_it_lasts() -> None:
    told = Told()
    told.see(report("n1"))
    request = told.submit_job().commands[0]
    assert isinstance(request, RequestAllocation)
    told.tell(CommandFailed(command=CommandId(request.id), reason="QOSMaxJobs", transient=True))
    assert summary(told.engine.state).slowed_reason == "QOSMaxJobs"
    assert any("QOSMaxJobs" in sentence for sentence in why(told, "1").sentences)
    told.tell(Paused(empty=False, reason=""))
    assert why(told, "1").sentences[0].startswith("idleq is paused: no reason was given")


def test_every_state_explains_itself() -> None:
    told = busy()
    told.submit(Submission(spec=spec(), after=(EntryId(2),)))
    assert why(told, "2").sentences == ("It is held: wrong data. `idleq release 2` lets it go.",)
    assert why(told, "3").sentences == ("It waits for 2 to be done.",)
    assert why(told, "1_0").sentences == ("The result of segment 1 was accepted.",)
    assert why(told, "1_1").sentences == ("It is being started on n1 (segment 1).",)
    told.launched("1_1")
    assert why(told, "1_1").sentences == ("It runs on n1 (segment 1).", "No end of its gap is known.")
    told.tell(JobHeld(target=JobId("1_2"), reason="x"))
    assert why(told, "1_2").sentences == ("It is being frozen on n1: x.",)
    told.tell(JobCancelled(target=JobId("1_1")))
    assert why(told, "1_1").sentences == ("It is being ended on n1: cancelled by its user.",)
    told.tell(Exited(job=JobId("1_1"), fence=Fence(1), code=0, at=told.now, cause="agent"))
    assert why(told, "1_1").sentences == ("It is over: cancelled by its user.",)
    assert explain(told.engine.state, JobId("77"), told.now) is None


def test_a_delayed_job_says_for_how_long_and_why() -> None:
    told = Told(Policy(retry_ms=Millis(90_000)))
    told.see(report("n1"))
    told.submit_job(retries=1)
    told.grant("a1", "n1")
    told.tell(Exited(job=JobId("1"), fence=Fence(1), code=1, at=told.now, cause="workload"))
    assert why(told, "1").sentences == ("It is tried again in 1 min 30 s. Its last segment ended so: exit code 1.",)
    assert next(iter(job_rows(told.engine.state))).reason == "tried again after a while: exit code 1"


def test_a_running_job_says_when_it_freezes_and_saves() -> None:
    told = Told(Policy(grace_ms=Millis(0)))
    told.see(report("n1", planned=START + 2 * HOUR))
    told.submit_job()
    told.grant("a1", "n1")
    told.launched("1")
    freezes, takes, saves = why(told, "1").sentences[1:]
    assert freezes.startswith("It will be frozen in 1 h 59 min, before the gap ends in 1 h 59 min")
    assert takes == "Its freeze is reckoned to take 10.0 s, as the policy says, since no freeze was measured."
    assert saves.startswith("It saves every ")


@pytest.mark.parametrize(
    ("cancelled", "rest"),
    [
        ((0,), "1_[12-28]"),
        ((1, 3), "1_[10,14,18-28]"),
        ((1, 3, 5, 7), "1_[10,14,18,...]"),
        (tuple(range(9)), "1_28"),
        ((*range(8), 9), "1_26"),
    ],
)
def test_the_rest_of_an_array_is_named_by_what_has_never_been_touched(cancelled: tuple[int, ...], rest: str) -> None:
    told = Told()
    told.submit(Submission(spec=spec(), array=ArrayRange(10, 28, 2)))
    for ordinal in cancelled:
        told.tell(JobCancelled(target=JobId(f"1_{10 + 2 * ordinal}")))

    assert [row.id for row in job_rows(told.engine.state)] == [rest]


def test_whoever_is_in_the_way_on_a_node_is_named() -> None:
    told = Told()
    told.see(report("n1"))
    for _ in range(6):
        told.submit_job()
    told.grant("a1", "n1")

    assert why(told, "6").nodes == (Prospect(NodeName("n1"), False, "our own jobs have it (1, 2, 3 and 1 more)"),)


def test_a_queued_job_sees_what_each_node_holds_for_it() -> None:
    told = Told(Policy(ramp_start=1))
    told.see(
        report("n1", free=NOTHING),
        report("n2", is_up=False),
        report("n3", free=Resources(1, GB)),
        report("n4", planned=START + 4 * MINUTE),
        report("n5", planned=START + HOUR),
        structs.replace(report("n6", free=Resources(3, GB)), is_spared=True, main_job="17"),
    )
    told.submit_job(cores=2)
    told.submit_job(cores=2, expected_ms=None)
    explained = why(told, "1")
    assert (explained.ahead, explained.level) == (0, 0)
    assert why(told, "2").ahead == 1
    assert explained.nodes == (
        Prospect(NodeName("n1"), False, "main jobs have it"),
        Prospect(NodeName("n2"), False, "it is down or drained"),
        Prospect(NodeName("n3"), False, "what is free of it is too small"),
        Prospect(
            NodeName("n4"), False, "its gap of 3 min 59 s leaves an allocation of 3 min 59 s, less than 5 min 0 s"
        ),
        Prospect(NodeName("n5"), True, "its gap of 59 min 59 s is long enough (the plan)"),
        Prospect(NodeName("n6"), False, "main jobs have a part of it (17)"),
    )
    assert explained.sentences[0] == "idleq waits for 1 allocation; jobs are given to what comes up."


def test_nodes_that_are_held_small_or_short_are_explained_too() -> None:
    told = Told(Policy(freeze_ms=Millis(10_000), margin_ms=Millis(2_000)))
    told.submit_job(cores=5)
    assert why(told, "1").sentences[0] == "Nothing is known of the cluster yet."
    told.see(report("n1"))
    assert why(told, "1").nodes == (Prospect(NodeName("n1"), False, "it is too small"),)
    told.submit_job()
    told.grant("a1", "n1", until=told.now + 20_000)
    assert why(told, "2").nodes[0].because == (
        "what is left of our allocation there (20.0 s) is too short for it: thawing and freezing take 12.0 s, as the policy says, since no freeze was measured"
    )
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=HOUR)
    assert why(told, "3").nodes[0].because == (
        "what is left of our allocation there (20.0 s) is too short for it, and it cannot be frozen"
    )
    told.grant("a2", "n1")
    assert told.engine.state.allocations[AllocationId("a1")].room == NODE


def test_what_would_end_first_is_called_by_its_name() -> None:
    told = Told(Policy(ramp_start=1))
    told.see(report("n1"), report("n2", planned=START + 5 * HOUR), report("n3", planned=START + HOUR))
    told.submit_job(cores=2)

    longest = "the longest allocation here (4 h 0 min, by policy.max_allocation) is long enough"
    assert [node.because for node in why(told, "1").nodes] == [
        f"{longest} (no main job is planned here)",
        f"{longest} (the plan)",
        "its gap of 59 min 59 s is long enough (the plan)",
    ]


@pytest.mark.parametrize(
    ("planned", "until", "because"),
    [
        (None, None, "the longest allocation here (4 h 0 min, by policy.max_allocation)"),
        (HOUR, None, "its gap of 59 min 59 s"),
        (HOUR, 2 * HOUR, "its gap of 59 min 59 s"),
        (2 * HOUR, HOUR, "what is left of our allocation there (59 min 59 s)"),
        (None, HOUR, "what is left of our allocation there (59 min 59 s)"),
    ],
)
def test_where_we_hold_a_node_our_allocation_may_end_before_the_gap(
    planned: int | None, until: int | None, because: str
) -> None:
    told = Told()
    told.see(report("n1", planned=None if planned is None else START + planned))
    told.submit_job()
    told.grant("a1", "n1", until=None if until is None else Millis(START + until))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=5 * HOUR)

    assert why(told, "2").nodes[0].because == f"{because} is too short for it, and it cannot be frozen"


def test_a_job_that_no_allocation_can_hold_is_told_so_before_all_else() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=5 * HOUR)

    assert why(told, "1").sentences[0] == (
        "It cannot be frozen, and jobs have at most 3 h 59 min of an allocation here (policy.max_allocation), "
        "less than the 5 h 0 min that are expected: it never begins."
    )


@pytest.mark.parametrize(
    ("until", "ends"), [(None, "the gap ends in 2 h 0 min"), (HOUR, "our allocation there ends in 1 h 0 min")]
)
def test_a_running_job_that_cannot_be_frozen_says_by_when_it_has_to_be_done(until: int | None, ends: str) -> None:
    told = Told()
    told.see(report("n1", planned=told.now + 2 * HOUR + SECOND))
    told.submit_job(freeze=FreezeMethod.NONE)
    told.grant("a1", "n1", until=None if until is None else Millis(told.now + until + SECOND))
    told.launched("1")

    assert why(told, "1").sentences[1:] == (f"It cannot be frozen: if it is not done when {ends}, it begins anew.",)


def lose_a_run(told: Told, allocation: str, fence: int) -> None:
    """Let job 1 run, and its allocation be taken away."""
    told.grant(allocation, "n1")
    told.launched("1", fence)
    told.tell(AllocationLost(allocation=AllocationId(allocation), reason="main jobs"))


@pytest.mark.parametrize(
    ("expected_ms", "hint"),
    [(None, ("`idleq modify 1 --expected DURATION` has gaps chosen for it that are long enough.",)), (HOUR, ())],
)
def test_a_job_that_lost_its_work_says_how_often_and_what_helps(expected_ms: int | None, hint: tuple[str, ...]) -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(freeze=FreezeMethod.NONE, expected_ms=expected_ms)
    lost = "It cannot be frozen, and what it did in its {} is lost; after 5 such runs it is held."

    lose_a_run(told, "a1", 1)
    assert why(told, "1").sentences[-1 - len(hint) :] == (lost.format("last run"), *hint)
    lose_a_run(told, "a2", 2)
    assert why(told, "1").sentences[-1 - len(hint) :] == (lost.format("last 2 runs"), *hint)


def test_a_frozen_job_says_what_it_has_saved() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job()
    told.grant("a1", "n1")
    told.see(report("n1", is_up=False))
    left = snapshot("1", 1, 1, 65_000)
    told.tell(Frozen(job=JobId("1"), fence=Fence(1), snapshot=left, at=told.now, freeze_ms=Millis(10), reason="x"))
    assert why(told, "1").sentences[-1] == "It has 1 min 5 s of work in 1 snapshot and goes on from the newest."


def test_a_full_array_says_so() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 5, 1, limit=1))
    told.grant("a1", "n1")
    assert why(told, "1_3").sentences[0] == "Its array has as many tasks running as it may (1)."


def test_reasons_are_shown_in_rows() -> None:
    told = busy()
    told.tell(JobHeld(target=JobId("1_1"), reason="look"))
    told.tell(JobCancelled(target=JobId("2")))
    told.submit_job()
    told.tell(Exited(job=JobId("1_2"), fence=Fence(1), code=3, at=told.now, cause="workload"))
    rows = {row.id: (row.state, row.reason) for row in job_rows(told.engine.state, with_final=True)}
    assert rows["1_1"] == ("freezing", "look")
    assert rows["1_2"] == ("failed", "exit code 3")
    assert rows["2"] == ("cancelled", "cancelled by its user")
