"""Backing off where main jobs wait too long for guests."""

import pytest

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.commands import RequestAllocation
from idleq.scheduler.core.harm import MEMORY_MS, MOST_DOUBLINGS, REMEMBERED
from idleq.scheduler.core.inputs import CommandFailed, MainJobStarted
from idleq.scheduler.core.policy import Policy
from idleq.scheduler.core.sitefacts import MainJobHeldUp, RequestsSlowed
from support.engines import Told, report

POLICY = Policy(back_off_ms=Millis(60_000), slow_ms=Millis(5_000))


def late(name: str, waited: int = 26_000, alive: int = 0) -> MainJobStarted:
    return MainJobStarted(
        main_job=name,
        nodes=(NodeName("n1"),),
        waited_ms=Millis(waited),
        bound_ms=Millis(25_000),
        guests_alive=alive,
    )


def back_offs(told: Told, what: MainJobStarted) -> list[RequestsSlowed]:
    return [fact for fact in told.tell(what).facts if isinstance(fact, RequestsSlowed)]


def asked(told: Told) -> list[RequestAllocation]:
    return [command for command in told.commands if isinstance(command, RequestAllocation)]


@pytest.mark.parametrize(
    ("policy", "what", "reason"),
    [
        (POLICY, late("m", 25_000), None),
        (POLICY, late("m"), "main job m waited 26 s for guests to leave, and 25 s is the most that it may"),
        (Policy(harm_limit_ms=Millis(30_000)), late("m"), None),
        (
            Policy(harm_limit_ms=Millis(0)),
            late("m", 500),
            "main job m waited 0.5 s for guests to leave, and 0 s is the most that it may",
        ),
        (POLICY, late("m", 0, alive=2), "main job m started while 2 guests still lived on its nodes"),
    ],
)
def test_idleq_backs_off_where_a_main_job_waited_longer_than_the_site_allows_and_only_there(
    policy: Policy, what: MainJobStarted, reason: str | None
) -> None:
    told = Told(policy)
    slowed = back_offs(told, what)

    until = Millis(told.now + policy.back_off_ms)
    assert slowed == ([] if reason is None else [RequestsSlowed(until=until, reason=reason, for_harm=True)])


def test_while_idleq_backs_off_it_asks_for_nothing_and_then_it_asks_again() -> None:
    told = Told(POLICY)
    told.tell(late("m"))
    told.see(report("n1"))
    told.submit_job()
    assert asked(told) == []

    told.tick(POLICY.back_off_ms - 3)
    assert asked(told) == []
    told.tick(1)
    assert len(asked(told)) == 1


def test_each_back_off_of_the_same_day_is_twice_as_long_as_the_one_before() -> None:
    told, lengths = Told(POLICY), list[int]()
    for number in range(MOST_DOUBLINGS + 2):
        (slowed,) = back_offs(told, late(f"m{number}"))
        lengths.append(slowed.until - told.now)
        told.tick(lengths[-1])
    assert lengths == [60_000 << min(number, MOST_DOUBLINGS) for number in range(MOST_DOUBLINGS + 2)]

    told.tick(MEMORY_MS)
    (slowed,) = back_offs(told, late("a day later"))
    assert slowed.until - told.now == POLICY.back_off_ms


def test_main_jobs_that_are_late_while_idleq_backs_off_anyway_do_not_prolong_it() -> None:
    told = Told(POLICY)
    told.tell(late("m1"))
    assert back_offs(told, late("m2")) == []


def test_a_refusal_does_not_shorten_a_back_off() -> None:
    told = Told(POLICY)
    told.see(report("n1"))
    told.submit_job()
    (request,) = asked(told)
    (slowed,) = back_offs(told, late("m"))
    told.tell(CommandFailed(command=request.id, reason="refused", transient=True))

    state = told.engine.state
    assert (state.slowed_until, state.slowed_reason) == (slowed.until, slowed.reason)


def test_a_refusal_that_outlasts_a_back_off_lets_no_second_one_begin_while_that_lasts() -> None:
    told = Told(Policy(back_off_ms=Millis(30_000), slow_ms=Millis(60_000)))
    told.see(report("n1"))
    told.submit_job()
    (request,) = asked(told)
    told.tell(late("m1"))
    told.tell(CommandFailed(command=request.id, reason="refused", transient=True))
    assert back_offs(told, late("m2")) == []

    told.tick(30_000)
    (slowed,) = back_offs(told, late("m3"))
    assert slowed.until - told.now == 60_000


def test_a_main_job_that_is_told_twice_counts_once() -> None:
    told = Told(POLICY)
    assert [type(fact) for fact in told.tell(late("m", 3)).facts] == [MainJobHeldUp]
    assert told.tell(late("m", 3)).facts == ()


def test_no_more_main_jobs_are_remembered_than_can_be_told_again() -> None:
    told = Told(POLICY)
    for number in range(REMEMBERED + 5):
        told.tell(late(f"m{number}", 0))
    assert len(told.engine.state.harm.told) == REMEMBERED
    assert told.tell(late(f"m{REMEMBERED + 4}", 0)).facts == ()
