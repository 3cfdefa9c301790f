from hypothesis import given
from hypothesis import strategies as st

from idleq.ids import Millis
from idleq.simulator.work import Work

times = st.integers(0, 200).map(Millis)
every = st.integers(1, 30).map(Millis)


def stepped(elapsed: int, every_ms: int, save_ms: int) -> Work:
    """The same, one millisecond after the other."""
    done = saved = saves = left = 0
    for _ in range(elapsed):
        if left == 0 and done - saved >= every_ms and save_ms:
            left = save_ms
        if left:
            left -= 1
            if left == 0:
                saved, saves = done, saves + 1
        else:
            done += 1
    if left == 0 and done - saved >= every_ms:
        left = save_ms
    return Work(Millis(done), Millis(saved), saves, Millis(left))


@given(times, every, st.integers(1, 20).map(Millis))
def test_reckoning_gives_what_stepping_gives(elapsed: Millis, every_ms: Millis, save_ms: Millis) -> None:
    assert Work(Millis(0), Millis(0)).after(elapsed, every_ms, save_ms) == stepped(elapsed, every_ms, save_ms)


@given(times, times, every, st.integers(0, 20).map(Millis))
def test_looking_in_between_changes_nothing(first: Millis, then: Millis, every_ms: Millis, save_ms: Millis) -> None:
    fresh = Work(Millis(0), Millis(0))
    at_once = fresh.after(Millis(first + then), every_ms, save_ms)
    assert fresh.after(first, every_ms, save_ms).after(then, every_ms, save_ms) == at_once


@given(times, st.integers(1, 200).map(Millis), every, st.integers(0, 20).map(Millis))
def test_work_is_done_when_it_was_foretold(first: Millis, more: Millis, every_ms: Millis, save_ms: Millis) -> None:
    now = Work(Millis(0), Millis(0)).after(first, every_ms, save_ms)
    takes = now.time_for(more, every_ms, save_ms)
    assert now.after(takes, every_ms, save_ms).done_ms == now.done_ms + more
    assert now.after(Millis(takes - 1), every_ms, save_ms).done_ms < now.done_ms + more


@given(times, every, st.integers(1, 20).map(Millis))
def test_a_save_is_over_when_it_was_foretold(first: Millis, every_ms: Millis, save_ms: Millis) -> None:
    now = Work(Millis(0), Millis(0)).after(first, every_ms, save_ms)
    takes = now.time_to_save(every_ms, save_ms)
    assert now.after(takes, every_ms, save_ms).saves == now.saves + 1
    assert now.after(Millis(takes - 1), every_ms, save_ms).saves == now.saves
