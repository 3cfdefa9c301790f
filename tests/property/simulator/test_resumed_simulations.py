"""A simulation that was left at any events, kept as bytes and gone on with, comes to the same as one that was not."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from random import Random
from typing import TypeVar

import pytest

from idleq.ids import Millis
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import GuestCosts, equal_costs
from idleq.simulator.errors import SimulationLeft
from idleq.simulator.guestload import Arrival, GuestStream, always_enough, guest_stream
from idleq.simulator.jobs import MainJob
from idleq.simulator.keeper import Keeper
from idleq.simulator.outagerun import OutageRun
from idleq.simulator.outages import failures
from idleq.simulator.queueing.around import evading
from idleq.simulator.queueing.catalog import POLICIES, Reservation, policy_named
from idleq.simulator.queueing.main_queue import QueueRun
from idleq.simulator.queueing.policy import Semantics
from idleq.simulator.strategies import Site, Strategy, Trial
from idleq.simulator.synthetic import Stream, synthetic
from support.trials import tried

SECOND = 1000
HOUR = 3600 * SECOND
NODES = 16
NODE = Resources(4, 4_000_000_000)
RunT = TypeVar("RunT")


@dataclass
class Shelf:
    """Keeps one simulation in memory."""

    packed: bytes | None = None
    written: int = field(default=0)

    def kept(self) -> list[tuple[str, Callable[[], bytes]]]:
        return [] if self.packed is None else [("shelf", partial(bytes, self.packed))]

    def write(self, packed: bytes) -> None:
        self.packed = packed
        self.written += 1


def jobs(count: int, seed: int, unit: int = 1) -> list[MainJob]:
    stream = Stream(nodes=NODES, load=0.9, sizes={1: 4, 2: 2, 8: 1}, mean_run_ms=2 * HOUR)
    return [
        MainJob(
            id=job.id,
            submit=job.submit // unit,
            run=max(1, job.run // unit),
            limit=max(1, job.limit // unit),
            size=job.size,
            user=job.id % 5,
        )
        for job in islice(synthetic(stream, seed), count)
    ]


def interrupted(act: Callable[[Keeper], RunT], draw: Random, most: int) -> tuple[RunT, int]:
    """Return what *act* returns when it is told to leave at drawn moments, at most *most* of them apart, and how often it left."""
    shelf, left = Shelf(), 0
    while True:
        looks = draw.randrange(1, most)

        def is_leaving() -> bool:
            nonlocal looks
            looks -= 1
            return looks < 0

        try:
            return act(Keeper(shelf, "test", clock=lambda: 0.0, is_leaving=is_leaving)), left
        except SimulationLeft:
            left += 1
            assert shelf.written == left


@pytest.fixture(autouse=True)
def _every_few_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("idleq.simulator.kernel.STRETCH", 7)


@pytest.mark.parametrize("semantics", Semantics)
@pytest.mark.parametrize("policy", POLICIES)
def test_the_main_queue_starts_every_job_when_it_would_have(policy: str, semantics: Semantics) -> None:
    def begin() -> QueueRun:
        return QueueRun(jobs(200, 3, SECOND), NODES, policy_named(policy, NODES), semantics)

    starts, passes = begin().finish()
    found, left = interrupted(lambda keeper: keeper.carry_out("x", begin), Random(policy), 20)
    assert left >= 2
    assert (list(found[0].items()), found[1]) == (list(starts.items()), passes)


def test_a_queue_whose_reservations_name_nodes_goes_on_as_it_would_have() -> None:
    def begin() -> QueueRun:
        return QueueRun(jobs(300, 4, SECOND), NODES, policy_named("easy", NODES, Reservation.NODES))

    found, left = interrupted(lambda keeper: keeper.carry_out("x", begin), Random(1), 20)
    assert left >= 2
    assert found == begin().finish()


@pytest.mark.parametrize("policy", POLICIES)
def test_a_queue_with_failing_nodes_goes_on_as_it_would_have(policy: str) -> None:
    stream = jobs(200, 5, SECOND)
    away = failures(NODES, 0, stream[-1].submit, 20, 2, 1)

    def begin() -> OutageRun:
        return OutageRun(stream, NODES, away, evading(policy, NODES, away))

    expected = begin().finish()
    found, left = interrupted(lambda keeper: keeper.carry_out("x", begin), Random(2), 30)
    assert left >= 2
    assert expected.restarts > 0
    assert (found.starts, found.restarts, found.lost, found.passes) == (
        expected.starts,
        expected.restarts,
        expected.lost,
        expected.passes,
    )


GUESTS: dict[str, Callable[[Millis], tuple[Arrival, ...]]] = {
    "always": lambda _: always_enough(NODE, 40),
    "stream": lambda until: tuple(
        guest_stream(
            GuestStream(interval_ms=10 * 60 * SECOND, mean_run_ms=HOUR, cores={1: 2, 4: 1}, memory_per_core=10**9),
            until,
            seed=2,
        )
    ),
}
COSTS = {
    "equal": equal_costs(Millis(60 * SECOND)),
    "shared disk": GuestCosts(image_ms=Millis(5 * SECOND), bandwidth=20_000_000, save_ms_per_gb=900),
}


@pytest.mark.parametrize(
    ("guests", "costs", "grace_s"),
    [("always", "equal", 0), ("always", "shared disk", 300), ("stream", "equal", 30), ("stream", "shared disk", 0)],
)
def test_with_guests_every_number_and_every_start_is_the_same(guests: str, costs: str, grace_s: int) -> None:
    stream = jobs(50, 7)
    until = Millis(stream[-1].submit)
    site = Site(nodes=NODES, node=NODE, jobs=stream, until=until, grace_ms=Millis(grace_s * SECOND))
    chosen = (Strategy.YOUNG, Strategy.IDLEQ, Strategy.ORACLE)

    expected = tried(site, chosen, GUESTS[guests](until), COSTS[costs])
    found, left = interrupted(
        lambda keeper: tried(site, chosen, GUESTS[guests](until), COSTS[costs], keeper), Random(grace_s), 120
    )

    assert left >= 3
    assert found == expected
    assert [list(one.main_starts.items()) for one in found.values()] == [
        list(one.main_starts.items()) for one in expected.values()
    ]
    assert sum(one.segments for one in found.values()) > 100


def test_with_failing_nodes_and_freezes_too() -> None:
    stream = jobs(50, 9)
    until = Millis(stream[-1].submit)
    away = tuple(
        replace(one, begin=one.begin * SECOND, until=one.until * SECOND)
        for one in failures(NODES, 0, until // SECOND, 60, 2, 1)
    )
    site = Site(nodes=NODES, node=NODE, jobs=stream, until=until, grace_ms=Millis(60 * SECOND), outages=away)
    costs = replace(COSTS["equal"], freeze_fails=0.2)

    expected = tried(site, (Strategy.IDLEQ,), GUESTS["always"](until), costs)
    found, left = interrupted(
        lambda keeper: tried(site, (Strategy.IDLEQ,), GUESTS["always"](until), costs, keeper), Random(1), 40
    )

    assert left >= 2
    assert found == expected


def test_what_is_finished_is_not_run_again() -> None:
    shelf, begun = Shelf(), list[str]()
    site = Site(nodes=NODES, node=NODE, jobs=jobs(60, 7), until=Millis(30 * HOUR))
    gaps = site.gaps()

    def trial(strategy: Strategy) -> Trial:
        begun.append(strategy)
        return Trial(site, strategy, always_enough(NODE, 40), equal_costs(Millis(SECOND)), gaps)

    def both(keeper: Keeper) -> None:
        keeper.carry_out("first", lambda: trial(Strategy.NONE))
        keeper.carry_out("second", lambda: trial(Strategy.IDLEQ))

    with pytest.raises(SimulationLeft):
        both(Keeper(shelf, "test", clock=lambda: 0.0, is_leaving=lambda: len(begun) == 2))
    both(Keeper(shelf, "test", clock=lambda: 0.0))
    assert begun == ["none", "idleq"]
