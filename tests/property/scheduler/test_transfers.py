"""Whoever writes when, for any ends and sizes: never more at once than the file system bears, and nobody later than without turns."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from idleq.ids import AllocationId, Fence, JobId, Millis
from idleq.scheduler.core.commands import Launch, Replan
from idleq.scheduler.core.inputs import Progressed
from idleq.scheduler.core.policy import HOUR, SECOND, Policy
from idleq.scheduler.core.transfers import Transfer, Transfers, Wish, place
from support.engines import START, Told, report, snapshot

MB = 1_000_000

wishes = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12)), max_size=12).map(
    lambda drawn: [
        Wish(AllocationId(f"a{number}"), Millis(due + 7), Millis(due), Millis(length))
        for number, (due, length) in enumerate(drawn)
    ]
)
writers = st.integers(1, 3)


def writing(turns: list[Transfer], at: int) -> int:
    return sum(turn.since <= at < turn.until for turn in turns)


@given(wishes, wishes, writers)
def test_never_do_more_write_at_once_than_may(first: list[Wish], then: list[Wish], most: int) -> None:
    planned = Transfers()
    turns = [one for wished in (first, then) for one in place(planned, wished, most, Millis(0)).values() if one]
    assert max((writing(turns, at) for at in range(61)), default=0) <= most
    assert all(one.since >= 0 and one.until <= one.due for one in turns)


@given(wishes, wishes, writers)
def test_each_is_given_the_latest_stretch_that_what_was_planned_before_it_leaves(
    before: list[Wish], then: list[Wish], most: int
) -> None:
    planned = Transfers()
    turns = [one for one in place(planned, before, most, Millis(-1000)).values() if one]
    for wish in then:
        (turn,) = place(planned, [wish], most, Millis(-1000)).values()
        assert turn is not None
        fits = [
            until
            for until in range(-800, wish.due + 1)
            if all(writing(turns, at) < most for at in range(until - wish.length_ms, until))
        ]
        assert turn == Transfer(Millis(max(fits) - wish.length_ms), Millis(max(fits)), wish.due, wish.ends_at)
        turns.append(turn)


@given(wishes.flatmap(lambda all_of: st.tuples(st.just(all_of), st.permutations(all_of))), writers)
def test_the_order_in_which_they_come_in_a_turn_is_all_the_same(both: tuple[list[Wish], list[Wish]], most: int) -> None:
    one, other = (Transfers(), Transfers())
    assert place(one, both[0], most, Millis(0)) == place(other, both[1], most, Millis(0))
    assert one == other


@given(wishes, writers)
def test_who_leaves_leaves_nothing_behind(drawn: list[Wish], most: int) -> None:
    planned = Transfers()
    turns = [one for one in place(planned, drawn, most, Millis(0)).values() if one]
    for number, turn in enumerate(turns):
        planned.remove(turn)
        again = Transfers()
        for left in turns[number + 1 :]:
            again.add(left)
        assert planned == again


@given(st.integers(1, 10**12), st.integers(0, 10**12))
def test_all_who_may_write_at_once_keep_to_what_the_file_system_takes(node: int, shared: int) -> None:
    policy = Policy(bandwidth=node, shared_bandwidth=shared)
    assert 1 <= policy.write_rate <= node
    assert not shared or 2 * shared <= 3 * policy.writers * policy.write_rate + 3 * policy.writers
    assert not shared or policy.writers * policy.write_rate <= shared


sites = st.lists(st.tuples(st.integers(60, 200), st.integers(1, 500), st.booleans()), min_size=1, max_size=8)


def freezes(drawn: list[tuple[int, int, bool]], policy: Policy) -> dict[JobId, int]:
    """Return when each guest was told last to freeze: one on each node, of so many megabytes, with an end in so many seconds."""
    told = Told(policy)
    told.see(*(report(f"n{number}") for number, _ in enumerate(drawn, 1)))
    for number, (_, megabytes, _) in enumerate(drawn, 1):
        told.submit_job(cores=4)
        told.grant(f"a{number}", f"n{number}")
        told.launched(str(number))
        saved = snapshot(str(number), 1, 1, 60_000, size=megabytes * MB)
        told.tell(Progressed(job=JobId(str(number)), fence=Fence(1), step=1, total=None, saved=saved))
    for is_later in (False, True):
        ends = [
            (f"n{number}", START + ends_s * SECOND)
            for number, (ends_s, _, later) in enumerate(drawn, 1)
            if later is is_later
        ]
        told.see(*(report(name, planned=end) for name, end in ends))
    said = [one for one in told.commands if isinstance(one, Launch | Replan)]
    return {one.job: one.plan.freeze_at for one in said if one.plan.freeze_at is not None}


UNLIMITED = Policy(grace_ms=Millis(HOUR), bandwidth=20 * MB, freeze_ms=Millis(3 * SECOND), ramp_start=20)


@given(sites, st.integers(1, 100))
def test_nobody_is_asked_later_than_without_turns(drawn: list[tuple[int, int, bool]], shared: int) -> None:
    free, limited = freezes(drawn, UNLIMITED), freezes(drawn, replace(UNLIMITED, shared_bandwidth=shared * MB))
    assert limited.keys() == free.keys()
    assert all(limited[job] <= free[job] for job in free)


@given(sites)
def test_a_file_system_that_takes_what_all_nodes_write_changes_nothing(drawn: list[tuple[int, int, bool]]) -> None:
    ample = replace(UNLIMITED, shared_bandwidth=8 * UNLIMITED.bandwidth)
    assert freezes(drawn, ample) == freezes(drawn, UNLIMITED)
