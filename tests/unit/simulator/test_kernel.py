"""Moments come in order; deadlines come as moments would, and hardly burden the environment."""

import random
from collections.abc import Callable
from functools import partial

import pytest
from simpy import Environment
from simpy.events import Event

from idleq.simulator.kernel import LATE_END, Deadlines, Moment, run_out

Setter = Callable[[int, str], None]


class Course:
    """A random course of things that are set for times to come, some called off, among moments of the same rank."""

    def __init__(self, seed: int, *, as_deadlines: bool) -> None:
        self.env, self.draw = Environment(), random.Random(seed)
        self.off: set[str] = set()
        self.diary: list[tuple[int, str]] = []
        deadlines = Deadlines(self.env, LATE_END, self.note, lambda what: what not in self.off)
        self.set: Setter = deadlines.set if as_deadlines else self.set_moment
        for number in range(100):
            Moment(self.env, self.draw.randrange(20), LATE_END, partial(self.act, str(number)))
        run_out(self.env)

    def set_moment(self, at: int, what: str) -> None:
        Moment(self.env, at - int(self.env.now), LATE_END, lambda _: None if what in self.off else self.note(what))

    def act(self, name: str, _: Event) -> None:
        """Set something for later, call off something else, and let another moment come later, at equal times now and then."""
        now = int(self.env.now)
        self.note(f"act {name}")
        self.set(now + self.draw.randrange(1, 30), name)
        self.off.add(str(self.draw.randrange(100)))
        Moment(self.env, self.draw.randrange(30), LATE_END, lambda _: self.note(f"after {name}"))

    def note(self, what: str) -> None:
        self.diary.append((int(self.env.now), what))


@pytest.mark.parametrize("seed", range(20))
def test_deadlines_come_when_moments_would_and_in_their_order(seed: int) -> None:
    """Whatever else is due in the same instants, and whatever is called off."""
    assert Course(seed, as_deadlines=True).diary == Course(seed, as_deadlines=False).diary


def test_deadlines_that_are_called_off_are_no_work_for_the_environment() -> None:
    """Of a thousand only the first, which was awaited, and the last, which still matters, take a step of it."""
    env, met = Environment(), list[int]()
    deadlines = Deadlines(env, LATE_END, met.append, lambda what: what == 999)
    for number in range(1000):
        deadlines.set(10 + number, number)
    steps = 0
    while env.peek() < float("inf"):
        env.step()
        steps += 1
    assert (met, steps, env.now) == ([999], 2, 1009)
