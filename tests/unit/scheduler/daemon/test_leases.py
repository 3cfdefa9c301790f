import pytest

from idleq.ids import AllocationId, Millis
from idleq.scheduler.leases import Leases
from support.daemon import FakeClock

A1, A2 = AllocationId("a1"), AllocationId("a2")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(0)


@pytest.fixture
def leases(clock: FakeClock) -> Leases:
    return Leases(clock, Millis(1000), Millis(100))


def test_an_allocation_that_has_not_started_has_no_lease_to_lose(leases: Leases, clock: FakeClock) -> None:
    leases.add(A1)
    clock.advance(10_000)
    assert (leases.take_expired(), leases.next_end_in(), A1 in leases) == ((), None, True)


def test_a_lease_ends_its_length_and_a_margin_after_the_agent_was_heard(leases: Leases, clock: FakeClock) -> None:
    leases.add(A1)
    clock.advance(500)
    leases.renew(A1)
    clock.advance(1099)
    assert (leases.take_expired(), leases.next_end_in()) == ((), 1)
    clock.advance(1)
    assert leases.take_expired() == (A1,)


def test_an_end_is_told_once_until_the_agent_is_heard_again(leases: Leases, clock: FakeClock) -> None:
    leases.add(A1)
    leases.renew(A1)
    clock.advance(5000)
    assert (leases.take_expired(), leases.take_expired()) == ((A1,), ())
    leases.renew(A1)
    clock.advance(5000)
    assert leases.take_expired() == (A1,)


def test_who_is_not_ours_gets_no_lease(leases: Leases) -> None:
    leases.renew(A1)
    assert (A1 in leases, leases.known()) == (False, ())


def test_an_allocation_that_is_over_has_no_lease(leases: Leases, clock: FakeClock) -> None:
    leases.add(A1)
    leases.renew(A1)
    leases.remove(A1)
    leases.renew(A1)
    clock.advance(5000)
    assert (leases.take_expired(), A1 in leases) == ((), False)


def test_to_be_asked_for_again_takes_no_lease_away(leases: Leases) -> None:
    leases.add(A1)
    leases.renew(A1)
    leases.add(A1)
    assert leases.next_end_in() == 1100


def test_after_a_restart_what_has_started_gets_a_whole_lease(leases: Leases, clock: FakeClock) -> None:
    clock.advance(77)
    leases.replace(started=[A1], queued=[A2])
    assert (leases.known(), leases.next_end_in()) == ((A2, A1), 1100)
    clock.advance(1100)
    assert leases.take_expired() == (A1,)


def test_a_lease_that_is_to_end_is_renewed_no_more_and_says_what_is_left_of_it(
    leases: Leases, clock: FakeClock
) -> None:
    leases.add(A1)
    leases.renew(A1)
    clock.advance(300)
    assert leases.left_ms(A1) == 1000
    leases.let_end(A1)
    leases.renew(A1)
    assert (leases.left_ms(A1), leases.next_end_in()) == (700, 800)
    clock.advance(750)
    assert (leases.left_ms(A1), leases.take_expired()) == (0, ())
    clock.advance(50)
    assert (leases.take_expired(), leases.left_ms(A1)) == ((A1,), 0)


@pytest.mark.parametrize("is_over", [True, False])
def test_an_allocation_that_is_over_or_told_again_has_no_lease_that_is_to_end(leases: Leases, *, is_over: bool) -> None:
    leases.let_end(A1)
    if is_over:
        leases.remove(A1)
    else:
        leases.replace(started=[A1], queued=[])
    leases.add(A1)
    leases.renew(A1)
    assert (leases.left_ms(A1), leases.next_end_in()) == (1000, 1100)
