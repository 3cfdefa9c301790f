from collections.abc import Collection

import msgspec
import pytest

from idleq.ids import AllocationId, CommandId, Millis, NodeName
from idleq.scheduler.core.commands import Mode, ReleaseAllocation, RequestAllocation
from idleq.scheduler.core.inputs import (
    AllocationGranted,
    AllocationLost,
    Input,
    MainJobStarted,
    NodeLost,
    Reconciled,
    ViewChanged,
)
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.slurm.batch import SiteSettings
from idleq.scheduler.slurm.cluster import SlurmCluster
from idleq.scheduler.slurm.errors import SlurmAway, SlurmError, SlurmLimit, SlurmRefused, SlurmUnreadable
from idleq.scheduler.slurm.records import JobRecord
from support.slurm import FakeSite, job, node

LEASE = Millis(60_000)
BOUND = Millis(25_000)
A1 = AllocationId("a1")
GRANTED = AllocationGranted(
    allocation=A1, node=NodeName("n1"), resources=Resources(2, 2 * 2**30), until=Millis(9_000_000)
)


class Hand:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = Millis(1_000_000)

    def now(self) -> Millis:
        return self.at


class Rig:
    """The adapter on a fake site, with a node and a clock; the engine counts with what is *known*."""

    def __init__(self, site: FakeSite | None = None, known: Collection[AllocationId] = ()) -> None:
        self.known = known
        self.site, self.clock = site or FakeSite([node("n1")]), Hand()
        settings = SiteSettings(server="s1", user="alice", partition="guests")
        self.cluster = SlurmCluster(
            self.site,
            settings,
            self.clock,
            lambda command: ["agent", command.allocation],
            lease_ms=LEASE,
            bound_ms=BOUND,
        )

    def request(self, allocation: str = "a1") -> None:
        self.cluster.request(
            RequestAllocation(
                id=CommandId(1),
                allocation=AllocationId(allocation),
                mode=Mode.PREEMPTIBLE,
                node=None,
                resources=Resources(2, 2 * 2**30),
                min_ms=Millis(0),
                max_ms=Millis(600_000),
            )
        )

    def release(self, allocation: str = "a1") -> None:
        self.cluster.release(ReleaseAllocation(id=CommandId(2), allocation=AllocationId(allocation), reason="done"))

    def poll(self) -> list[Input]:
        """What is told, without how nodes look."""
        return [said for said in self.cluster.poll(self.known) if not isinstance(said, ViewChanged)]

    def granted(self) -> int:
        """Come to where a1 was granted; return its number."""
        self.poll()
        self.request()
        (number,) = self.site.jobs
        self.site.run(number)
        assert self.poll() == [GRANTED]
        return number


def test_the_first_poll_tells_everything_and_later_ones_what_has_changed() -> None:
    rig = Rig()
    ours = job(7, nodes="n1", end_time=9000, tres_alloc_str="cpu=2,mem=2G", comment="idleq:s1:a1")
    others = job(8, nodes="n1", end_time=9000, comment="idleq:s1:a2", user_name="mallory")
    rig.site.jobs = {7: ours, 8: others}

    first = list(rig.cluster.poll())

    assert first[0] == Reconciled(allocations=(A1,))
    assert [type(said) for said in first[1:]] == [ViewChanged, AllocationGranted]
    assert first[2] == GRANTED
    assert list(rig.cluster.poll()) == []


def test_asking_twice_makes_one_job() -> None:
    rig = Rig()
    rig.poll()

    rig.request()
    rig.request()

    assert [record.comment for record in rig.site.jobs.values()] == ["idleq:s1:a1"]


def test_a_daemon_that_starts_again_finds_what_it_had_asked_for_before_it_asks() -> None:
    before = Rig()
    before.request()

    after = Rig(before.site)
    after.request()

    assert len(before.site.jobs) == 1


@pytest.mark.parametrize("failure", [SlurmAway("timed out"), SlurmUnreadable("sbatch printed no job's number")])
@pytest.mark.parametrize("is_taken", [False, True])
def test_a_submission_whose_answer_was_lost_is_looked_for_before_it_is_made_again(
    failure: SlurmError, *, is_taken: bool
) -> None:
    rig = Rig()
    rig.poll()
    rig.site.failure, rig.site.is_taken = failure, is_taken
    with pytest.raises(type(failure)):
        rig.request()

    rig.request()

    assert len(rig.site.jobs) == 1


@pytest.mark.parametrize("failure", [SlurmAway("timed out"), SlurmUnreadable("sbatch printed no job's number")])
def test_what_waits_after_a_submission_that_was_told_to_have_failed_is_cancelled_once(failure: SlurmError) -> None:
    rig = Rig()
    rig.poll()
    rig.site.failure = failure
    with pytest.raises(type(failure)):
        rig.request()
    (number,) = rig.site.jobs
    rig.request("a2")

    assert [rig.poll(), rig.poll()] == [[], []]
    assert rig.site.cancelled == [number]
    rig.site.end(number, "CANCELLED")
    assert rig.poll() == [AllocationLost(allocation=A1, reason="cancelled")]


@pytest.mark.parametrize("numbers", [(7, 9), (9, 7)])
def test_of_two_jobs_of_one_allocation_the_first_counts_and_the_second_is_cancelled_once(
    numbers: tuple[int, int],
) -> None:
    rig = Rig()
    rig.site.jobs = {number: job(number, "PENDING", comment="idleq:s1:a1") for number in numbers}

    assert rig.poll() == [Reconciled(allocations=(A1,))]
    rig.site.run(7)
    rig.site.run(9, nodes="n2")

    assert [rig.poll(), rig.poll()] == [[GRANTED], []]
    assert rig.site.cancelled == [9]


def test_a_job_that_is_over_before_it_can_be_cancelled_holds_nothing_up() -> None:
    rig = Rig()
    rig.site.jobs = {number: job(number, "PENDING", comment="idleq:s1:a1") for number in (7, 9)}
    rig.site.unwilling = SlurmRefused("scancel: Invalid job id specified")

    assert rig.poll() == [Reconciled(allocations=(A1,))]


def test_a_limit_of_the_site_is_told_and_nothing_is_remembered() -> None:
    rig = Rig()
    rig.poll()
    rig.site.failure, rig.site.is_taken = SlurmLimit("QOSMaxSubmitJobPerUserLimit"), False
    with pytest.raises(SlurmLimit):
        rig.request()

    rig.request()

    assert len(rig.site.jobs) == 1


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        (["PREEMPTED"], "preempted"),
        (["TIMEOUT"], "its time was up"),
        (["COMPLETED"], "its agent left"),
        (["CANCELLED"], "cancelled"),
        (["INVENTED_LATER"], "Slurm says INVENTED_LATER"),
    ],
)
def test_an_allocation_is_over_when_slurm_says_so_and_only_once(states: list[str], reason: str) -> None:
    rig = Rig()
    rig.site.end(rig.granted(), *states)

    assert rig.poll() == [AllocationLost(allocation=A1, reason=reason)]
    assert rig.poll() == []


def test_an_allocation_is_not_over_while_its_node_is_being_cleaned() -> None:
    rig = Rig()
    number = rig.granted()

    rig.site.change(number, "COMPLETED", "COMPLETING")
    assert rig.poll() == []

    rig.site.end(number, "COMPLETED")
    assert rig.poll() == [AllocationLost(allocation=A1, reason="its agent left")]


def test_a_controller_that_does_not_know_a_job_for_one_look_has_not_ended_it() -> None:
    rig = Rig()
    number = rig.granted()
    kept = rig.site.jobs[number]
    rig.site.end(number)

    assert rig.poll() == []
    rig.site.jobs[number] = kept
    assert rig.poll() == []
    rig.site.end(number)
    assert rig.poll() == []
    assert rig.poll() == [AllocationLost(allocation=A1, reason="Slurm no longer knows it")]


def test_the_guests_of_a_failed_node_are_given_up_only_after_their_agents_lease() -> None:
    rig = Rig()
    rig.site.end(rig.granted(), "NODE_FAIL")

    assert rig.poll() == [NodeLost(allocation=A1, reason="Slurm says that it failed")]
    rig.clock.at = Millis(rig.clock.at + LEASE - 1)
    assert rig.poll() == []
    rig.clock.at = Millis(rig.clock.at + 1)
    assert rig.poll() == [AllocationLost(allocation=A1, reason="its node failed")]


@pytest.mark.parametrize("state", ["DOWN", "IDLE+NOT_RESPONDING"])
@pytest.mark.parametrize(
    ("ends", "reason"),
    [(("PREEMPTED",), "preempted"), (("CANCELLED",), "cancelled"), ((), "Slurm no longer knows it")],
)
def test_what_ends_on_a_node_that_slurm_cannot_reach_is_given_up_only_after_its_agents_lease(
    ends: tuple[str, ...], reason: str, state: str
) -> None:
    rig = Rig()
    number = rig.granted()
    rig.site.nodes = [node("n1", *state.split("+"))]
    rig.site.end(number, *ends)

    said = rig.poll() or rig.poll()
    assert said == [NodeLost(allocation=A1, reason="Slurm cannot reach it")]
    rig.clock.at = Millis(rig.clock.at + LEASE - 1)
    assert rig.poll() == []
    rig.clock.at = Millis(rig.clock.at + 1)
    assert rig.poll() == [AllocationLost(allocation=A1, reason=reason)]


@pytest.mark.parametrize(
    ("ends", "state", "why", "reason"),
    [
        ("NODE_FAIL", "DOWN+NOT_RESPONDING", "Slurm says that it failed", "its node failed"),
        ("NODE_FAIL", "IDLE", "Slurm says that it failed", "its node failed"),
        ("CANCELLED", "DOWN", "Slurm cannot reach it", "cancelled"),
        ("PREEMPTED", "IDLE+NOT_RESPONDING", "Slurm cannot reach it", "preempted"),
    ],
)
def test_after_a_restart_guests_of_a_node_that_failed_meanwhile_are_given_up_only_after_their_agents_lease(
    ends: str, state: str, why: str, reason: str
) -> None:
    before = Rig()
    before.site.end(before.granted(), ends)
    before.site.nodes = [node("n1", *state.split("+"))]

    rig = Rig(before.site, known=[A1])

    assert rig.poll() == [Reconciled(allocations=(A1,)), NodeLost(allocation=A1, reason=why)]
    rig.clock.at = Millis(rig.clock.at + LEASE - 1)
    assert rig.poll() == []
    rig.clock.at = Millis(rig.clock.at + 1)
    assert rig.poll() == [AllocationLost(allocation=A1, reason=reason)]


def test_after_a_restart_a_failed_allocation_that_slurm_shows_beside_those_that_run_is_given_up_as_late() -> None:
    rig = Rig(known=[A1])
    rig.site.jobs = {7: job(7, "NODE_FAIL", nodes="n1", comment="idleq:s1:a1")}
    rig.site.ended = rig.site.jobs

    lost = NodeLost(allocation=A1, reason="Slurm says that it failed")
    assert [rig.poll(), rig.poll()] == [[Reconciled(allocations=(A1,)), lost], []]


def test_of_an_allocation_of_which_slurm_remembers_several_jobs_the_last_that_began_counts_after_a_restart() -> None:
    before = Rig()
    number = before.granted()
    before.site.end(number, "NODE_FAIL")
    before.site.ended[number - 1] = job(number - 1, "PREEMPTED", nodes="n1", comment="idleq:s1:a1")
    before.site.ended[number + 1] = job(number + 1, "CANCELLED", comment="idleq:s1:a1")
    before.site.nodes = [node("n1", "DOWN")]

    rig = Rig(before.site, known=[A1])

    assert rig.poll()[1] == NodeLost(allocation=A1, reason="Slurm says that it failed")
    rig.clock.at = Millis(rig.clock.at + LEASE)
    assert rig.poll() == [AllocationLost(allocation=A1, reason="its node failed")]


@pytest.mark.parametrize(
    ("ended", "state", "reason"),
    [
        (job(7, "PREEMPTED", nodes="n1", comment="idleq:s1:a1"), "IDLE", "preempted"),
        (job(7, "COMPLETED", nodes="n1", comment="idleq:s1:a1"), "DOWN", "its agent left"),
        (job(7, "DEADLINE", comment="idleq:s1:a1"), "DOWN", "its deadline passed"),
    ],
    ids=["it ended on a node that answers", "its agent had left", "it never began"],
)
def test_after_a_restart_what_has_ended_for_good_is_told_with_its_reason_at_once(
    ended: JobRecord, state: str, reason: str
) -> None:
    rig = Rig(known=[A1])
    rig.site.ended, rig.site.nodes = {7: ended}, [node("n1", state)]

    assert rig.poll() == [Reconciled(allocations=(A1,)), AllocationLost(allocation=A1, reason=reason)]
    assert rig.poll() == []


@pytest.mark.parametrize(
    "ended",
    [
        job(7, "NODE_FAIL", nodes="n1", comment="idleq:s1:a2"),
        job(7, "NODE_FAIL", nodes="n1", comment="idleq:s2:a1"),
        job(7, "NODE_FAIL", nodes="n1"),
    ],
    ids=["nobody counts with it", "it is another daemon's", "it is a main job"],
)
def test_after_a_restart_nothing_else_that_is_over_is_waited_for(ended: JobRecord) -> None:
    rig = Rig(known=[A1])
    rig.site.ended = {7: ended}

    assert [rig.poll(), rig.poll()] == [[Reconciled(allocations=())], []]


def test_what_a_server_directory_of_old_has_left_under_the_same_name_keeps_no_new_allocation_from_being_asked_for() -> (
    None
):
    rig = Rig()
    rig.site.ended = {3: job(3, "NODE_FAIL", nodes="n1", comment="idleq:s1:a1")}

    number = rig.granted()

    assert number > 3
    assert rig.poll() == []


def test_an_allocation_on_a_node_that_came_back_goes_on_when_the_one_before_it_is_told_to_have_failed() -> None:
    a0 = AllocationId("a0")
    rig = Rig(known=[a0, A1])
    rig.site.ended = {6: job(6, "NODE_FAIL", nodes="n1", comment="idleq:s1:a0")}
    rig.site.jobs = {7: job(7, "PENDING", comment="idleq:s1:a1")}
    rig.site.run(7)

    lost = NodeLost(allocation=a0, reason="Slurm says that it failed")
    assert rig.poll() == [Reconciled(allocations=(A1, a0)), GRANTED, lost]
    rig.clock.at = Millis(rig.clock.at + LEASE)
    assert rig.poll() == [AllocationLost(allocation=a0, reason="its node failed")]


def test_after_a_restart_an_allocation_that_was_ending_when_its_node_failed_is_given_up_as_late() -> None:
    before = Rig()
    number = before.granted()
    before.site.change(number, "PREEMPTED", "COMPLETING")

    rig = Rig(before.site)

    assert rig.poll() == [Reconciled(allocations=(A1,))]
    rig.site.nodes = [node("n1", "DOWN")]
    rig.site.end(number, "PREEMPTED")
    assert rig.poll() == [NodeLost(allocation=A1, reason="Slurm cannot reach it")]
    rig.clock.at = Millis(rig.clock.at + LEASE)
    assert rig.poll() == [AllocationLost(allocation=A1, reason="preempted")]


def test_a_release_cancels_the_job_and_is_over_when_slurm_says_so() -> None:
    rig = Rig()
    number = rig.granted()

    rig.release()

    assert rig.site.cancelled == [number]
    assert rig.poll() == []
    rig.site.end(number, "CANCELLED")
    assert rig.poll() == [AllocationLost(allocation=A1, reason="cancelled")]


def test_what_is_over_or_was_never_known_is_told_to_be_over_when_it_is_released_or_asked_for_again() -> None:
    rig = Rig()
    rig.site.end(rig.granted(), "TIMEOUT")
    over = AllocationLost(allocation=A1, reason="its time was up")
    assert rig.poll() == [over]

    rig.release()
    rig.request()
    rig.release("a9")

    assert rig.poll() == [over, over, AllocationLost(allocation=AllocationId("a9"), reason="it is not known here")]
    assert rig.site.jobs == {}


def test_a_main_job_that_began_where_a_guest_was_told_to_leave_is_told_with_its_wait_and_its_bound() -> None:
    rig = Rig()
    number = rig.granted()
    rig.site.jobs[number] = job(number, nodes="n1", comment="idleq:s1:a1", preempt_time=1000, start_time=900)
    assert rig.poll() == []

    rig.site.end(number, "PREEMPTED")
    rig.site.jobs[7] = job(7, nodes="n1", start_time=1004, eligible_time=998)

    assert rig.poll() == [
        AllocationLost(allocation=A1, reason="preempted"),
        MainJobStarted(main_job="7", nodes=(NodeName("n1"),), waited_ms=Millis(4000), bound_ms=BOUND, guests_alive=0),
    ]
    assert rig.poll() == []


def test_a_main_job_that_came_and_went_between_two_looks_where_a_guest_had_to_leave_is_told_too() -> None:
    rig = Rig()
    number = rig.granted()
    rig.site.jobs[number] = job(number, nodes="n1", comment="idleq:s1:a1", preempt_time=1000, start_time=900)
    assert rig.poll() == []

    rig.site.jobs[number] = msgspec.structs.replace(rig.site.jobs[number], end_time=1002)
    rig.site.end(number, "PREEMPTED")
    rig.site.ended[7] = job(7, "COMPLETED", nodes="n1", start_time=1003, end_time=1004, eligible_time=998)

    assert rig.poll() == [
        AllocationLost(allocation=A1, reason="preempted"),
        MainJobStarted(main_job="7", nodes=(NodeName("n1"),), waited_ms=Millis(3000), bound_ms=BOUND, guests_alive=0),
    ]
    assert rig.poll() == []


def test_what_was_seen_before_the_last_question_failed_is_told_after_the_next_one() -> None:
    rig = Rig()
    first = rig.granted()
    rig.request("a2")
    (second,) = rig.site.jobs.keys() - {first}
    rig.site.end(first, "PREEMPTED")
    rig.site.run(second)
    rig.site.nodes = [node("n1", "IDLE", "DRAIN")]
    rig.site.away = SlurmAway("timed out")
    with pytest.raises(SlurmAway):
        rig.poll()

    assert [type(said) for said in rig.cluster.poll()] == [AllocationGranted, ViewChanged, AllocationLost]


def test_what_has_begun_is_told_before_the_gap_that_it_was_asked_for_is_seen_to_be_closed() -> None:
    rig = Rig(FakeSite([node("n1"), node("n2")]))
    rig.poll()
    rig.request()
    (number,) = rig.site.jobs
    rig.site.run(number)
    rig.site.nodes = [node("n1"), node("n2", "IDLE", "DRAIN"), node("n3")]
    assert [type(said) for said in rig.cluster.poll()] == [AllocationGranted, ViewChanged]


def test_after_a_first_answer_that_could_not_be_used_the_next_tells_everything() -> None:
    rig = Rig()
    for number, nodes in ((7, "n1"), (8, "n[1-2]")):
        rig.site.jobs[number] = job(number, nodes=nodes, tres_alloc_str="cpu=2,mem=2G", comment=f"idleq:s1:a{number}")
    with pytest.raises(ValueError, match="unpack"):
        rig.cluster.poll()
    del rig.site.jobs[8]

    assert [type(each) for each in rig.cluster.poll()] == [Reconciled, ViewChanged, AllocationGranted]


def test_what_was_seen_before_the_part_of_an_answer_that_could_not_be_used_is_told_after_the_next_one() -> None:
    rig = Rig()
    number = rig.granted()
    rig.site.jobs[number] = job(number, nodes="n1", comment="idleq:s1:a1", preempt_time=1000)
    assert rig.poll() == []
    rig.site.end(number, "PREEMPTED")
    rig.site.nodes = [node("n1", "DOWN")]
    rig.site.jobs[8] = job(8, "COMPLETED", nodes="n[1-", start_time=1004)
    with pytest.raises(SlurmUnreadable):
        rig.cluster.poll()
    del rig.site.jobs[8]

    assert [type(each) for each in rig.cluster.poll()] == [ViewChanged, NodeLost]
