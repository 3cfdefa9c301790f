import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from idleq.ids import Millis
from idleq.scheduler.clock import SteadyClock, SystemClock


class Times:
    """The machine's two clocks, set by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.steady = 1_000_000, 0
        monkeypatch.setattr(time, "time_ns", lambda: self.wall * 1_000_000)
        monkeypatch.setattr(time, "monotonic_ns", lambda: self.steady * 1_000_000)

    def pass_by(self, millis: int, step: int = 0) -> None:
        self.wall += millis + step
        self.steady += millis


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    return Times(monkeypatch)


def test_it_tells_the_wall_clocks_time(times: Times) -> None:
    clock = SystemClock()
    assert clock.now() == 1_000_000
    times.pass_by(1234)
    assert clock.now() == 1_001_234


def test_a_step_forwards_is_followed(times: Times) -> None:
    clock = SystemClock()
    clock.now()
    times.pass_by(10, step=3_600_000)
    assert clock.now() == 4_600_010


def test_after_a_step_back_time_goes_on_at_its_usual_pace(times: Times) -> None:
    clock = SystemClock()
    clock.now()
    times.pass_by(10, step=-3_600_000)
    assert clock.now() == 1_000_010
    times.pass_by(500)
    assert clock.now() == 1_000_510


def test_when_the_wall_has_caught_up_it_is_followed_again(times: Times) -> None:
    clock = SystemClock()
    clock.now()
    times.pass_by(10, step=-1_000)
    assert clock.now() == 1_000_010
    times.pass_by(10, step=2_000)
    assert clock.now() == 1_001_020


def test_it_starts_no_earlier_than_its_floor(times: Times) -> None:
    clock = SystemClock(floor=Millis(5_000_000))
    assert clock.now() == 5_000_000
    times.pass_by(70)
    assert clock.now() == 5_000_070


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(-100_000, 100_000))))
def test_it_never_goes_backwards(steps: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        times, told = Times(monkeypatch), []
        clock = SystemClock()
        for passed, step in steps:
            told.append(clock.now())
            times.pass_by(passed, step)
        assert told == sorted(told)


def test_the_steady_clock_does_not_mind_the_wall(times: Times) -> None:
    before = SteadyClock().now()
    times.pass_by(7, step=-500_000)
    assert SteadyClock().now() - before == 7
