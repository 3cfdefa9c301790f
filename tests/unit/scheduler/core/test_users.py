"""Users who do not share: each allocation hosts one user's jobs."""

import random

from idleq.ids import AllocationId, Fence, JobId, NodeName
from idleq.scheduler.core.commands import RequestAllocation, Sharing
from idleq.scheduler.core.engine import Engine
from idleq.scheduler.core.inputs import AgentReady, AllocationGranted, AllocationLost, Exited, JobsSubmitted, Reconciled
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.submission import Submission
from support.engines import NODE, Told, report, spec

APART = Policy(sharing=Sharing.USER, ramp_start=10)


def submit(told: Told, user: str, *, jobs: int = 1, cores: int = 1, priority: int = 0) -> None:
    told.tell(
        JobsSubmitted(
            submissions=(Submission(spec=spec(cores=cores, priority=priority)),) * jobs,
            request=f"r{told.now}",
            user=user,
        )
    )


def asked(told: Told) -> list[tuple[AllocationId, str]]:
    return [(said.allocation, said.user) for said in told.commands if isinstance(said, RequestAllocation)]


def users_in(told: Told) -> list[set[str]]:
    """Whose jobs each allocation hosts."""
    state = told.engine.state
    return [{state.entries[state.jobs[guest].entry].user for guest in one.guests} for one in state.allocations.values()]


def ready(told: Told, allocation: str, node: str) -> None:
    where = NodeName(node)
    told.tell(AllocationGranted(allocation=AllocationId(allocation), node=where, resources=NODE, until=None))
    told.tell(AgentReady(allocation=AllocationId(allocation), node=where, resources=NODE, until=None))


def test_each_user_is_asked_for_apart_though_all_would_fit_into_one_allocation() -> None:
    told = Told(APART)
    submit(told, "alice", jobs=2)
    submit(told, "bob")
    told.see(*(report(f"n{number}") for number in range(4)))
    assert asked(told) == [("a1", "alice"), ("a2", "bob")]


def test_where_anybody_shares_one_allocation_does_for_all() -> None:
    told = Told(Policy(ramp_start=10))
    submit(told, "alice", jobs=2)
    submit(told, "bob")
    told.see(*(report(f"n{number}") for number in range(4)))
    assert asked(told) == [("a1", "")]
    ready(told, "a1", "n3")
    assert users_in(told) == [{"alice", "bob"}]


def test_room_that_its_user_does_not_need_is_given_to_nobody_else() -> None:
    told = Told(APART)
    submit(told, "alice")
    told.see(report("n1"))
    ready(told, "a1", "n1")
    submit(told, "bob", jobs=3, priority=9)
    assert users_in(told) == [{"alice"}]
    told.tell(Exited(job=JobId("1"), fence=Fence(1), code=0, at=told.now, cause="workload"))
    assert users_in(told) == [set()], "not even when she has gone"
    told.tick(told.policy.linger_ms)
    told.tell(AllocationLost(allocation=AllocationId("a1"), reason="given back"))
    assert asked(told) == [("a1", "alice"), ("a2", "bob")]


def test_a_user_with_a_better_standing_is_asked_for_first_and_another_one_is_not_kept_waiting_by_one_who_has_enough() -> (
    None
):
    told = Told(APART)
    submit(told, "alice", jobs=9)
    submit(told, "bob", priority=1)
    told.see(report("n1"), report("n2"))
    assert asked(told) == [("a1", "bob"), ("a2", "alice")]


def test_allocations_from_before_users_were_kept_apart_go_on_with_whoever_is_in_them() -> None:
    told = Told(Policy(ramp_start=10))
    submit(told, "alice")
    told.see(report("n1"))
    ready(told, "a1", "n1")
    told.engine.configure(APART, told.now)
    submit(told, "bob")
    submit(told, "alice")
    assert users_in(told) == [{"alice"}]
    assert told.state_of("3") == "Starting"


def test_after_a_restart_an_allocation_is_asked_for_in_the_name_of_the_same_user() -> None:
    told = Told(APART)
    submit(told, "bob")
    told.see(report("n1"))
    again = Engine.restore(told.facts).handle(Reconciled(allocations=()), told.now)
    assert [command.user for command in again.commands if isinstance(command, RequestAllocation)] == ["bob"]


def test_no_allocation_ever_hosts_two_users_whoever_comes_and_goes() -> None:
    hosted = set[str]()
    for seed in range(20):
        dice, told = random.Random(seed), Told(APART)
        told.see(*(report(f"n{number}") for number in range(6)))
        for _ in range(80):
            match dice.randrange(4):
                case 0:
                    user = dice.choice(["alice", "bob", "carol"])
                    submit(told, user, jobs=dice.randint(1, 4), cores=dice.randint(1, 4), priority=dice.randint(0, 3))
                case 1:
                    for name in list(told.engine.state.asked)[:1]:
                        taken = {one.node for one in told.engine.state.allocations.values()}
                        ready(told, name, next(f"n{number}" for number in range(99) if f"n{number}" not in taken))
                case 2:
                    for job in [job for job in told.engine.state.jobs.values() if job.segment is not None][:2]:
                        told.launched(job.id, job.fence)
                        told.tell(Exited(job=job.id, fence=job.fence, code=0, at=told.now, cause="workload"))
                case _:
                    told.tick(dice.choice([10, told.policy.linger_ms]))
            assert all(len(users) <= 1 for users in users_in(told))
            hosted.update(*users_in(told))
    assert hosted == {"alice", "bob", "carol"}, "and all of them had their turn"
