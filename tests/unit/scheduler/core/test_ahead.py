"""Short jobs are bound before there is room, so that an agent need not ask for each."""

from itertools import pairwise

from idleq.ids import AllocationId, EntryId, Fence, JobId, Millis, NodeName
from idleq.scheduler.core.bind import AHEAD_AT_ONCE, AHEAD_MOST
from idleq.scheduler.core.commands import Launch
from idleq.scheduler.core.inputs import AgentReady, AllocationLost, Exited, JobCancelled, Paused, Resumed
from idleq.scheduler.core.state import Allocation
from idleq.scheduler.core.submission import ArrayRange, Submission
from support.engines import NODE, Told, report, spec


def served(told: Told, job: str, *, run_ms: int = 5, cause: str = "workload") -> None:
    """Let a job's first segment run and end."""
    told.launched(job)
    what = Exited(job=JobId(job), fence=Fence(1), code=0, at=Millis(told.now + run_ms), cause=cause)  # type: ignore[arg-type]  # one of the two
    told.tell(what)


def short_jobs(tasks: int = 200, cores: int = 1) -> Told:
    """An array on one node of four cores, whose first tasks have shown how short they are."""
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, tasks - 1), cores=cores)
    told.grant("a1", "n1")
    for index in range(6):
        served(told, f"1_{index}")
    return told


def only(told: Told) -> Allocation:
    """The one allocation."""
    return told.engine.state.allocations[AllocationId("a1")]


def test_once_jobs_are_known_to_be_short_more_are_bound_than_there_is_room_for() -> None:
    told = short_jobs()
    ahead = len(only(told).ahead)
    assert AHEAD_MOST - AHEAD_AT_ONCE < ahead <= AHEAD_MOST
    assert only(told).used.fits_in(NODE)
    launched = [command.job for command in told.commands if isinstance(command, Launch)]
    assert launched == [f"1_{index}" for index in range(6 + 4 + ahead)]


def test_no_turn_that_binds_ahead_starts_more_than_a_few() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 199))
    told.grant("a1", "n1")
    for index in range(50):
        before = len(told.commands)
        served(told, f"1_{index}")
        assert sum(isinstance(command, Launch) for command in told.commands[before:]) <= AHEAD_AT_ONCE
        assert len(only(told).ahead) <= AHEAD_MOST


def test_who_is_ahead_takes_the_room_of_who_ends_in_the_order_in_which_they_were_bound() -> None:
    told = short_jobs()
    assert next(iter(only(told).ahead)) == "1_10"
    served(told, "1_6")
    assert next(iter(only(told).ahead)) == "1_11"
    assert only(told).room.cores == 0


def test_more_are_bound_ahead_only_when_several_have_gone() -> None:
    told = short_jobs()
    sizes = []
    for index in range(6, 6 + 2 * AHEAD_AT_ONCE):
        served(told, f"1_{index}")
        sizes.append(len(only(told).ahead))
    grown = [later > earlier for earlier, later in pairwise(sizes)]
    assert max(sizes) == AHEAD_MOST
    assert grown.count(True) == 2


def test_longer_jobs_are_bound_ahead_only_as_far_as_they_need_not_wait_long() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 99))
    told.grant("a1", "n1")
    served(told, "1_0", run_ms=900)
    assert len(only(told).ahead) == 2
    longer = Told()
    longer.see(report("n1"))
    longer.submit_job(ArrayRange(0, 99))
    longer.grant("a1", "n1")
    served(longer, "1_0", run_ms=60_000)
    assert only(longer).ahead == {}


def test_what_was_ahead_and_never_started_goes_back_without_blame() -> None:
    told = short_jobs()
    waiting = next(reversed(only(told).ahead))
    told.launched("1_7")
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    assert told.engine.state.jobs[waiting].stalled == 0
    assert told.engine.state.jobs[JobId("1_7")].stalled == 1


def test_one_that_is_ahead_can_be_cancelled_and_frees_nothing() -> None:
    told = short_jobs()
    used = only(told).used
    told.tell(JobCancelled(target=JobId("1_10")))
    told.tell(Exited(job=JobId("1_10"), fence=Fence(1), code=-9, at=told.now, cause="agent", reason="unwanted"))
    assert told.state_of("1_10") == "Cancelled"
    assert only(told).used == used


def test_a_wide_job_that_is_ahead_waits_until_there_is_room_for_all_of_it() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 9), cores=2)
    told.submit(Submission(spec=spec("wide", cores=4, priority=-1)))
    told.grant("a1", "n1")
    served(told, "1_0")
    state = told.engine.state
    assert list(only(told).ahead) == ["1_3", "1_4", "1_5"]
    state.costs.learn_run(state.entries[EntryId(2)].kinds, Millis(1))
    for index in range(1, 9):
        served(told, f"1_{index}")
    assert (only(told).used.cores, list(only(told).ahead)) == (2, ["2"])
    served(told, "1_9")
    assert (only(told).used.cores, list(only(told).ahead)) == (4, [])


def test_a_resumed_idleq_looks_at_its_rooms_again() -> None:
    told = Told()
    told.see(report("n1"))
    told.submit_job(ArrayRange(0, 9))
    told.grant("a1", "n1")
    told.tell(Paused(empty=False, reason="x"))
    served(told, "1_0")
    assert told.state_of("1_4") == "Queued"
    told.tell(Resumed())
    assert told.state_of("1_4") == "Starting"


def test_an_agent_that_comes_back_knows_those_who_wait_there() -> None:
    told = short_jobs()
    guests = tuple((job, Fence(1)) for job in only(told).guests)
    again = told.tell(
        AgentReady(allocation=AllocationId("a1"), node=NodeName("n1"), resources=NODE, until=None, guests=guests)
    )
    assert again.facts == ()
