"""Many nodes whose gaps end at once: no more write to the file system they share than it bears, and as late as that allows."""

from dataclasses import replace

import pytest

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Launch, Replan, RequestAllocation
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.explain import explain
from idleq.scheduler.core.facts import SegmentStarted
from idleq.scheduler.core.inputs import AgentLeaving, AllocationLost, Exited, Frozen, Progressed, Reconciled
from idleq.scheduler.core.policy import HOUR, SECOND, Policy
from idleq.scheduler.core.sitefacts import TransfersPlanned
from idleq.scheduler.core.submission import FreezeMethod
from idleq.scheduler.core.transfers import Transfer, Transfers, Wish, place
from support.engines import NODE, START, Told, report, snapshot

MB = 1_000_000
END = Millis(START + HOUR)
POLICY = Policy(
    freeze_ms=Millis(5 * SECOND), thaw_ms=Millis(0), margin_ms=Millis(2 * SECOND), bandwidth=10 * MB,
    shared_bandwidth=20 * MB, grace_ms=Millis(HOUR), ramp_start=20,
)  # fmt: skip
"""Two nodes may write at once, each ten megabytes a second; a freeze takes five seconds besides, and there are two to spare."""

ALONE_S = 2 + 5 + 10
"""How long before the end a guest of 100 MB begins that is alone."""


class Site:
    """Nodes with a guest each (of 100 MB, which fills its node), whose gaps end when they are told to."""

    def __init__(self, nodes: int, policy: Policy = POLICY, *, cores: int = 4) -> None:
        self.told = Told(policy)
        self.snapshots = 0
        self.told.see(*(report(f"n{number}") for number in range(1, nodes + 1)))
        for number in range(1, nodes + 1):
            self.submit(cores=cores)
            self.come_up(number)
            self.save(str(number))

    def submit(self, **wishes: object) -> None:
        self.told.submit_job(**wishes)  # type: ignore[arg-type]  # passed through

    def come_up(self, number: int) -> None:
        self.told.grant(f"a{number}", f"n{number}")
        self.told.launched(str(number))

    def fence(self, job: str) -> Fence:
        return self.told.engine.state.jobs[JobId(job)].fence

    def save(self, job: str, megabytes: int = 100, took_ms: Millis | None = None) -> None:
        self.snapshots += 1
        saved = snapshot(job, self.fence(job), self.snapshots, 60_000, size=megabytes * MB)
        self.told.tell(
            Progressed(
                job=JobId(job), fence=self.fence(job), step=self.snapshots, total=None, saved=saved, save_ms=took_ms
            )
        )

    def plan_ends(self, *nodes: int, at: int = END) -> None:
        self.told.see(*(report(f"n{number}", planned=at) for number in nodes))

    def end(self, job: str) -> None:
        self.told.tell(Exited(job=JobId(job), fence=self.fence(job), code=0, at=self.told.now, cause="workload"))

    def freeze(self, job: str, took_s: int = 5) -> None:
        self.snapshots += 1
        left = snapshot(job, self.fence(job), self.snapshots, 90_000, size=100 * MB)
        took = Millis(took_s * SECOND)
        self.told.tell(
            Frozen(job=JobId(job), fence=self.fence(job), snapshot=left, at=self.told.now, freeze_ms=took, reason="x")
        )

    def begins_s(self) -> dict[str, int]:
        """How many seconds before the usual end each guest that lives was told last to begin with its freeze."""
        told: dict[str, int] = {}
        for said in self.told.commands:
            if isinstance(said, Launch | Replan):
                told.pop(said.job, None)
                if said.plan.freeze_at is not None:
                    told[said.job] = (END - said.plan.freeze_at) // SECOND
        jobs = self.told.engine.state.jobs
        return {job: told[job] for job in sorted(told) if jobs[JobId(job)].segment is not None}

    def turns_s(self) -> dict[str, tuple[int, int] | None]:
        """Between how many seconds before the usual end the guests of each allocation write, None where they have no turn."""
        turns = {one.id: one.transfer for one in self.told.engine.state.allocations.values()}
        return {
            name: None if turn is None else ((END - turn.since) // SECOND, (END - turn.until) // SECOND)
            for name, turn in turns.items()
        }


def test_guests_of_many_nodes_take_turns_so_that_no_more_write_at_once_than_the_file_system_bears() -> None:
    site = Site(5)
    site.plan_ends(3, 1, 5, 2, 4)
    first, second, third = ALONE_S, ALONE_S + 10, ALONE_S + 20
    assert site.begins_s() == {"1": first, "2": first, "3": second, "4": second, "5": third}
    assert site.turns_s() == {"a1": (17, 7), "a2": (17, 7), "a3": (27, 17), "a4": (27, 17), "a5": (37, 27)}


def test_in_whatever_order_nodes_are_seen_their_turns_are_the_same() -> None:
    one, other = Site(5), Site(5)
    one.plan_ends(1, 2, 3, 4, 5)
    other.plan_ends(4, 2, 5, 3, 1)
    assert one.begins_s() == other.begins_s()


def test_where_the_shared_file_system_is_no_limit_all_freeze_as_if_they_were_alone() -> None:
    site = Site(5, replace(POLICY, shared_bandwidth=0))
    site.plan_ends(1, 2, 3, 4, 5)
    assert site.begins_s() == dict.fromkeys("12345", ALONE_S)
    assert not [fact for _, fact in site.told.facts if isinstance(fact, TransfersPlanned)]


def test_whoever_has_less_to_write_writes_last() -> None:
    site = Site(3, replace(POLICY, shared_bandwidth=10 * MB))
    site.save("1", megabytes=300)
    site.save("3", megabytes=10)
    site.plan_ends(1, 2, 3)
    assert site.begins_s() == {"1": 7 + 1 + 10 + 30, "2": 7 + 1 + 10, "3": 7 + 1}


def test_whose_gap_ends_later_writes_later() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, at=END)
    site.plan_ends(2, at=END + 5 * SECOND)
    assert site.begins_s() == {"1": 17, "2": 27}  # whoever was told first has kept its turn
    at_once = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    at_once.told.see(report("n1", planned=END), report("n2", planned=END + 5 * SECOND))
    assert at_once.begins_s() == {"1": 22, "2": 12}


def test_guests_of_one_node_write_one_after_the_other_in_the_turn_of_their_node() -> None:
    site = Site(1, replace(POLICY, shared_bandwidth=10 * MB), cores=2)
    site.submit(cores=2)
    site.told.launched("2")
    site.save("2", megabytes=50)
    site.told.see(report("n2"))
    site.submit()
    site.told.grant("a2", "n2")
    site.told.launched("3")
    site.save("3", megabytes=300)
    site.plan_ends(1, 2)
    assert site.begins_s() == {"1": 7 + 5 + 10, "2": 7 + 5, "3": 7 + 5 + 10 + 30}


def test_a_file_system_that_takes_less_than_one_node_writes_makes_each_freeze_longer() -> None:
    site = Site(1, replace(POLICY, shared_bandwidth=5 * MB))
    site.plan_ends(1)
    assert site.begins_s() == {"1": 7 + 20}


@pytest.mark.parametrize(
    ("shared", "writers", "rate"),
    [(0, 1, 10), (3, 1, 3), (10, 1, 10), (14, 1, 10), (15, 2, 7), (19, 2, 9), (20, 2, 10), (104, 10, 10)],
)
def test_so_many_write_at_once_as_come_nearest_to_what_the_file_system_takes(
    shared: int, writers: int, rate: int
) -> None:
    policy = Policy(bandwidth=10, shared_bandwidth=shared)
    assert (policy.writers, policy.write_rate) == (writers, rate)


def test_where_there_is_no_time_to_take_turns_the_rest_freezes_as_late_as_if_it_were_alone() -> None:
    site = Site(4, replace(POLICY, shared_bandwidth=10 * MB))
    site.told.now = Millis(END - 30 * SECOND)
    site.plan_ends(1, 2, 3, 4)
    assert site.begins_s() == {"1": 17, "2": 27, "3": 17, "4": 17}
    assert site.turns_s() == {"a1": (17, 7), "a2": (27, 17), "a3": None, "a4": None}


def test_who_has_left_makes_room_for_whoever_is_planned_next_and_nobody_else_is_told_anew() -> None:
    site = Site(3, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, 2, 3)
    assert site.begins_s() == {"1": 17, "2": 27, "3": 37}
    said = len(site.told.commands)
    site.end("1")
    assert not [one for one in site.told.commands[said:] if isinstance(one, Replan)]
    assert site.turns_s() == {"a1": None, "a2": (27, 17), "a3": (37, 27)}
    site.save("3", megabytes=100)
    assert site.begins_s() == {"2": 27, "3": 17}


def test_whose_allocation_is_over_has_no_turn_any_more() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, 2)
    site.told.tell(AllocationLost(allocation=AllocationId("a1"), reason="preempted"))
    assert site.turns_s() == {"a2": (27, 17), "a3": None}
    assert site.told.engine.state.transfers == Transfers([END - 27 * SECOND, END - 17 * SECOND], [1, 0])  # type: ignore[list-item]  # plain numbers


def test_whoever_is_in_its_turn_stays_in_it_though_others_have_left() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, 2)
    site.end("1")
    site.told.now = Millis(END - 20 * SECOND)
    site.save("2", megabytes=100)
    assert site.turns_s()["a2"] == (27, 17)


def test_whoever_is_in_its_turn_stays_in_it_though_freezes_turn_out_to_take_longer() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, 2)
    site.told.now = Millis(END - 20 * SECOND)
    site.freeze("1", took_s=15)
    site.save("2", megabytes=100)
    assert site.turns_s()["a2"] == (27, 17)


def test_guests_that_are_bound_in_one_turn_know_of_each_others() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    site.save("1", megabytes=100, took_ms=Millis(1))
    site.plan_ends(1, 2)
    site.told.see(report("n3", planned=END), report("n4", planned=END))
    for _ in "34":
        site.submit(cores=2)
    site.told.now = Millis(END - 48 * SECOND)
    site.told.grant("a3", "n3")
    assert site.begins_s() == {"1": 17, "2": 27, "3": 37}


def test_when_the_end_moves_away_turns_begin_anew() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, 2)
    site.told.now = Millis(END - 20 * SECOND)
    site.plan_ends(1, 2, at=END + HOUR)
    assert site.begins_s() == {"1": 17 - HOUR // SECOND, "2": 27 - HOUR // SECOND}


def test_who_has_no_end_in_sight_any_more_or_nothing_to_write_has_no_turn() -> None:
    site = Site(2)
    site.plan_ends(1, 2)
    site.told.see(report("n1"))
    site.save("2", megabytes=0)
    assert site.turns_s() == {"a1": None, "a2": None}


def test_no_turn_is_given_where_main_jobs_are_or_nobody_takes_guests() -> None:
    site = Site(3)
    site.told.tell(AgentLeaving(allocation=AllocationId("a1"), reason="told to"))
    site.plan_ends(1, 3)
    site.told.see(report("n4", planned=END))
    site.told.see(report("n2", free=NODE - NODE, planned=END))
    assert site.turns_s() == {"a1": None, "a2": None, "a3": (17, 7)}
    assert site.begins_s() == {"3": 17}


def test_a_guest_that_cannot_be_frozen_needs_no_turn() -> None:
    told = Told(POLICY)
    told.see(report("n1", planned=END))
    told.submit_job(freeze=FreezeMethod.NONE)
    told.grant("a1", "n1")
    assert [one.transfer for one in told.engine.state.allocations.values()] == [None]


def test_nobody_is_started_in_what_is_left_behind_an_early_turn_unless_it_is_done_by_then() -> None:
    site = Site(3, replace(POLICY, shared_bandwidth=10 * MB))
    site.told.now = Millis(END - 200 * SECOND)
    for job in "123":
        site.save(job, megabytes=500)
    site.plan_ends(1, 2, 3)
    assert site.turns_s() == {"a1": (57, 7), "a2": (107, 57), "a3": (157, 107)}
    site.told.now = Millis(END - 106 * SECOND)
    site.freeze("3")
    started = [fact.job for _, fact in site.told.facts if isinstance(fact, SegmentStarted)]
    assert started == ["1", "2", "3"]  # though 106 seconds are left, nobody else could write until the end
    site.submit(cores=4, expected_ms=20 * SECOND, priority=9)
    site.submit(cores=4, freeze=FreezeMethod.NONE, priority=8)
    assert [fact.job for _, fact in site.told.facts if isinstance(fact, SegmentStarted)][3:] == ["4"]
    site.end("4")
    assert [fact.job for _, fact in site.told.facts if isinstance(fact, SegmentStarted)][4:] == ["5"]


def test_one_more_guest_is_started_beside_others_where_all_of_them_can_still_write() -> None:
    site = Site(1, cores=2)
    site.plan_ends(1)
    site.submit(cores=2)
    assert site.begins_s() == {"1": 17, "2": 7}  # nobody knows yet what the second has to write
    site.told.launched("2")
    site.save("2", megabytes=100)
    assert site.begins_s() == {"1": 17, "2": 27}
    assert site.turns_s() == {"a1": (27, 7)}


@pytest.mark.parametrize(("nodes", "shared", "saves"), [(2, 10 * MB, False), (5, 10 * MB, True), (5, 0, False)])
def test_guests_save_as_insurance_where_the_grace_is_too_short_for_all_that_we_hold_to_be_frozen_at_once(
    *, nodes: int, shared: int, saves: bool
) -> None:
    site = Site(nodes, replace(POLICY, shared_bandwidth=shared, grace_ms=Millis(30 * SECOND)))
    site.plan_ends(1)
    segment = site.told.engine.state.jobs[JobId("1")].segment
    assert segment is not None
    assert (segment.plan.save_every_ms is not None) is saves


def test_who_comes_after_another_may_have_the_turn_of_that_one() -> None:
    site = Site(3, replace(POLICY, shared_bandwidth=10 * MB))
    site.save("1", megabytes=100, took_ms=Millis(1))  # so as much is expected of others of its name
    site.submit(cores=4)
    site.plan_ends(1, 2, 3)
    site.told.now = Millis(END - 40 * SECOND)
    site.end("1")
    assert site.begins_s() == {"2": 27, "3": 37, "4": 17}


def test_nothing_is_asked_for_that_would_have_to_be_frozen_before_it_has_paid() -> None:
    policy = replace(POLICY, shared_bandwidth=10 * MB, min_gap_ms=Millis(60 * SECOND))
    site = Site(2, policy)
    for job in "12":
        site.save(job, megabytes=1500)
    site.told.now = Millis(END - 310 * SECOND)
    site.plan_ends(1, 2)
    assert site.turns_s() == {"a1": (157, 7), "a2": (307, 157)}
    site.submit(cores=4)
    asked = len([one for one in site.told.commands if isinstance(one, RequestAllocation)])
    site.told.see(report("n3", planned=END), report("n4", planned=END - 5 * SECOND))
    assert len([one for one in site.told.commands if isinstance(one, RequestAllocation)]) == asked
    site.told.see(report("n5", planned=END + HOUR))
    assert len([one for one in site.told.commands if isinstance(one, RequestAllocation)]) == asked + 1


def test_a_daemon_that_comes_back_plans_around_the_same_turns() -> None:
    site = Site(3, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, 2)
    before = site.begins_s(), site.turns_s()
    again = Engine.restore(site.told.facts)
    assert again.state == site.told.engine.state
    site.told.engine = again
    site.told.tell(Reconciled(allocations=tuple(again.state.allocations)))
    assert (site.begins_s(), site.turns_s()) == before
    site.plan_ends(3)
    assert site.begins_s() == {"1": 17, "2": 27, "3": 37}


def test_a_limit_that_is_set_while_guests_run_holds_for_them_once_the_daemon_has_looked_around() -> None:
    site = Site(3, replace(POLICY, shared_bandwidth=0))
    site.plan_ends(1, 2, 3)
    limited = site.told.engine.configure(POLICY, site.told.now)
    site.told.facts += ((limited.at, fact) for fact in limited.facts)
    assert site.begins_s() == dict.fromkeys("123", 17)
    site.told.tell(Reconciled(allocations=tuple(site.told.engine.state.allocations)))
    assert site.begins_s() == {"1": 17, "2": 17, "3": 27}


def test_a_limit_that_is_taken_away_holds_for_nobody() -> None:
    site = Site(3)
    site.plan_ends(1, 2, 3)
    site.told.engine.configure(replace(POLICY, shared_bandwidth=0), site.told.now)
    site.save("3", megabytes=100)
    assert site.begins_s() == dict.fromkeys("123", 17)


def test_explain_says_that_a_freeze_is_early_because_others_write_after_it() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    site.plan_ends(1, 2)
    site.told.now = Millis(END - 100 * SECOND)

    def said(job: str) -> tuple[str, ...]:
        explained = explain(site.told.engine.state, JobId(job), site.told.now)
        assert explained is not None
        return explained.sentences[1:3]

    assert said("2") == (
        "It will be frozen in 1 min 13 s, before the gap ends in 1 min 40 s.",
        "That is 10.0 s early: guests of other nodes write to the shared file system after it.",
    )
    assert "early" not in "".join(said("1"))


def test_explain_says_of_a_node_that_others_write_before_its_gap_ends() -> None:
    site = Site(2, replace(POLICY, shared_bandwidth=10 * MB))
    for job in "12":
        site.save(job, megabytes=1500)
    site.told.now = Millis(END - 310 * SECOND)
    site.plan_ends(1, 2)
    site.submit(cores=4)
    site.told.see(report("n3", planned=END))
    explained = explain(site.told.engine.state, JobId("3"), site.told.now)
    assert explained is not None
    (why,) = [node.because for node in explained.nodes if node.node == "n3"]
    assert why == ("its gap of 5 min 9 s is too short for it, as others write to the shared file system before it ends")


def wish(name: str, due: int, length: int) -> Wish:
    return Wish(AllocationId(name), Millis(due + 7), Millis(due), Millis(length))


def turn(since: int, until: int, due: int) -> Transfer:
    return Transfer(Millis(since), Millis(until), Millis(due), Millis(due + 7))


def test_a_hole_that_is_long_enough_is_filled_and_one_that_is_not_is_left() -> None:
    planned = Transfers()
    for taken in (turn(90, 100, 100), turn(70, 80, 100), turn(50, 65, 100)):
        planned.add(taken)
    placed = place(planned, [wish("a1", 100, 10), wish("a2", 100, 6), wish("a3", 100, 5)], 1, Millis(0))
    assert placed == {"a3": turn(85, 90, 100), "a2": turn(44, 50, 100), "a1": turn(34, 44, 100)}
    assert planned == Transfers([34, 65, 70, 80, 85, 100], [1, 0, 1, 0, 1, 0])  # type: ignore[list-item]  # plain numbers


def test_what_is_taken_away_again_leaves_no_trace() -> None:
    planned = Transfers()
    turns = [turn(10, 20, 20), turn(15, 30, 30), turn(10, 30, 30), turn(20, 25, 30)]
    for one in turns:
        planned.add(one)
    assert planned == Transfers([10, 15, 25, 30], [2, 3, 2, 0])  # type: ignore[list-item]  # plain numbers
    for one in reversed(turns):
        planned.remove(one)
    assert planned == Transfers()
