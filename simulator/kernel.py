"""The one kind of event that the worlds are made of: a moment, its rank among equal moments, and what to do then."""

from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Generic, TypeVar

from simpy import Environment
from simpy.core import EmptySchedule
from simpy.events import Event

from idleq.ids import Millis

# Ranks within one instant. SimPy itself uses 0 and 1.
ARRIVE = 1
END = 1
#: Ends of main jobs: after all arrivals of their instant, whichever of them was known first.
LATE_END = 2
#: Main jobs that were started on what others give back in this instant find it free.
SETTLED = 3
#: Parts of the machine go away, after all that ends in this instant by itself.
AWAY = 4
#: The main queue's pass, once everything of its instant is in.
PASS = 5
#: Guests take what main jobs have left.
GUEST_PASS = 6
#: The site shows what has become of it.
SHOW = 7
#: Who watches the site acts on what it shows.
REACT = 8

T = TypeVar("T")


class Moment(Event):
    """After *delay* calls *callback* (with itself, as all of SimPy's callbacks)."""

    # The state of an event that has been triggered, as in simpy.Timeout: the same for all moments.
    _value = None
    _ok = True

    def __init__(
        self, env: Environment, delay: int, rank: float, callback: Callable[[Event], None], number: int | None = None
    ) -> None:
        """Be the *number*-th of all that was made, None for the next: of one instant and rank, the first comes first."""
        # What Event.__init__ does.
        self.env = env
        self.callbacks = [callback]
        # And what Environment.schedule does, whose type names only SimPy's own two ranks.
        number = next(env._eid) if number is None else number  # noqa: SLF001
        heappush(env._queue, (env._now + delay, rank, number, self))  # type: ignore[misc]  # noqa: SLF001


class Deadlines(Generic[T]):
    """Moments far ahead of which hardly one comes: of all but the first it is not the environment that has to keep order.

    Each comes when it would, and in the same place among those of its instant, if it were a `Moment` made when it was set.
    """

    def __init__(self, env: Environment, rank: float, meet: Callable[[T], None], matters: Callable[[T], bool]) -> None:
        """Call *meet* with what a deadline was set for, unless that no longer *matters*."""
        self._env, self._rank, self._meet, self._matters = env, rank, meet, matters
        self._awaited: int | None = None
        self._later: list[tuple[int, int, T]] = []

    def set(self, at: int, what: T) -> None:
        """Meet *what* at that time."""
        number = next(self._env._eid)  # noqa: SLF001 - as moments have it
        if self._awaited is None or at < self._awaited:
            self._await(at, number, what)
        else:
            heappush(self._later, (at, number, what))

    def _await(self, at: int, number: int, what: T) -> None:
        self._awaited = at
        Moment(self._env, at - now_of(self._env), self._rank, partial(self._come, at, what), number)

    def _come(self, at: int, what: T, _: Event) -> None:
        if at == self._awaited:  # one that was awaited before, and is not the first any more, leaves the first alone
            self._awaited = None
            while self._later and self._awaited is None:
                following = heappop(self._later)
                if self._matters(following[-1]):
                    self._await(*following)
        if self._matters(what):
            self._meet(what)


def now_of(env: Environment) -> Millis:
    """Return what time it is there: whole milliseconds, as all moments are after so many of them."""
    # `now` is a call, and so are `Millis` and `int`; every event asks for it several times.
    return env._now  # type: ignore[return-value]  # noqa: SLF001


Between = Callable[[], None]
"""Called between two events now and then; may raise, and then the events that are left can be gone on with."""

STRETCH = 1000
"""So many events between two such calls: few enough for milliseconds, so many that the calls cost nothing."""


def advance(env: Environment, to: int, between: Between | None = None) -> None:
    """Let everything happen that is due up to and including *to*; then it is *to*."""
    if to > env.now:
        Moment(env, to - int(env.now), ARRIVE, _nothing)
    if between is not None:
        go_on(env, to, between)
        return
    queue = env._queue  # noqa: SLF001 - what `Environment.step` does with events that cannot fail, without a call for each
    while queue and queue[0][0] <= to:
        env._now, _, _, moment = heappop(queue)  # noqa: SLF001 - as above
        for callback in moment.callbacks:
            callback(moment)


def go_on(env: Environment, to: int, between: Between, condition: Callable[[], bool] | None = None) -> None:
    """Let happen what is due up to and including *to*, as long as *condition* holds, with calls of *between*."""
    peek, step = env.peek, env.step
    while peek() <= to:
        between()
        for _ in range(STRETCH):
            if peek() > to or (condition is not None and not condition()):
                return
            step()


def run_out(env: Environment, between: Between | None = None) -> None:
    """Let everything happen that will, with calls of *between*."""
    if between is None:
        env.run()
        return
    step = env.step
    try:
        while True:
            between()
            for _ in range(STRETCH):
                step()
    except EmptySchedule:
        return


def _nothing(_: Event) -> None:
    """A moment that only moves the clock."""
