"""Sites whose nodes fail, are drained and are reserved, with guests on them."""

from dataclasses import replace

import pytest
from simpy import Environment

from idleq.ids import AllocationId, Millis
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import GuestCosts, equal_costs
from idleq.simulator.errors import ImpossibleParameters
from idleq.simulator.events import Ended, Granted, MainEnded, MainStarted, NodeChanged, Preempting, WorldEvent
from idleq.simulator.guestload import always_enough
from idleq.simulator.guests import Request
from idleq.simulator.harvest import IdleGap
from idleq.simulator.jobs import MainJob, numbered_nodes
from idleq.simulator.kernel import advance
from idleq.simulator.outagerun import OutageRun
from idleq.simulator.outages import Kind, Outage, failures
from idleq.simulator.outageworld import OutageWorld, unheld_around
from idleq.simulator.placement import SizeUnit
from idleq.simulator.queueing.around import evading
from idleq.simulator.queueing.compressing import Compressing
from idleq.simulator.strategies import Outcome, Site, Strategy, run

ONE = Resources(1, 100)
MINUTE, HOUR = 60_000, 3_600_000


def job(number: int, submit: int, run: int, size: int = 1, limit: int | None = None) -> MainJob:
    return MainJob(id=number, submit=submit, run=run, limit=limit or run, size=size)


def away(kind: Kind, begin: int, until: int, processors: int) -> Outage:
    return Outage(kind=kind, begin=begin, until=until, processors=processors)


class Lived:
    """A world of two nodes and what it told."""

    def __init__(self, outages: list[Outage], jobs: tuple[MainJob, ...] = (), grace_ms: int = 0) -> None:
        self.env = Environment()
        self.diary: list[tuple[int, WorldEvent]] = []
        self.world = OutageWorld(self.env, numbered_nodes(2, ONE), jobs, self.note, outages, grace_ms=Millis(grace_ms))

    def note(self, event: WorldEvent) -> None:
        self.diary.append((int(self.env.now), event))

    def ask(self, name: str, shortest: int = 1) -> None:
        self.world.request(
            Request(
                allocation=AllocationId(name),
                mode=Mode.PREEMPTIBLE,
                node=None,
                resources=ONE,
                min_ms=Millis(shortest),
                max_ms=Millis(10_000),
            )
        )
        advance(self.env, int(self.env.now))

    def told(self, *kinds: type) -> list[tuple[int, WorldEvent]]:
        return [(at, event) for at, event in self.diary if isinstance(event, kinds)]


def test_a_failed_node_loses_its_guest_and_takes_none_until_it_is_back() -> None:
    lived = Lived([away(Kind.OUTAGE, 50, 80, 0b01)], grace_ms=5)
    lived.ask("a1")
    lived.ask("a2")
    advance(lived.env, 60)
    assert lived.told(Ended, Preempting) == [(50, Ended(allocation=AllocationId("a1"), reason="its node has failed"))]
    lived.ask("a3")
    advance(lived.env, 100)
    grants = [(at, event.allocation, event.node) for at, event in lived.told(Granted) if isinstance(event, Granted)]
    assert grants == [(0, "a1", "n1"), (0, "a2", "n2"), (80, "a3", "n1")]
    shown = [
        (at, event.report.is_up, event.report.free.cores)
        for at, event in lived.told(NodeChanged)
        if isinstance(event, NodeChanged) and event.report.name == "n1"
    ]
    assert shown == [(0, True, 1), (50, False, 0), (80, True, 1)]


def test_a_drained_node_asks_its_guest_to_leave_and_lets_its_main_job_end() -> None:
    lived = Lived([away(Kind.DRAIN, 50, 200, 0b11)], (job(1, 0, 80),), grace_ms=5)
    advance(lived.env, 0)
    lived.ask("a1")
    advance(lived.env, 150)
    lived.ask("a2")
    advance(lived.env, 190)
    left = [(at, type(event)) for at, event in lived.told(Preempting, Ended)]
    assert left == [(50, Preempting), (55, Ended)]
    assert [(at, event.job.id) for at, event in lived.told(MainEnded) if isinstance(event, MainEnded)] == [(80, 1)]
    assert not any(isinstance(event, Granted) and event.allocation == "a2" for _, event in lived.diary)


def test_a_reservation_is_shown_from_the_beginning_and_no_guest_stays_into_it() -> None:
    lived = Lived([away(Kind.RESERVATION, 100, 200, 0b11)])
    lived.ask("a1")
    lived.ask("long", shortest=150)
    advance(lived.env, 250)
    grants = [(at, event.allocation, event.until) for at, event in lived.told(Granted) if isinstance(event, Granted)]
    assert grants == [(0, "a1", 100), (200, "long", 10_200)]
    assert [(at, event.reason) for at, event in lived.told(Ended) if isinstance(event, Ended)] == [
        (100, "its time is up")
    ]


def test_a_main_job_that_waits_for_a_guest_on_a_node_that_fails_goes_back_to_the_queue() -> None:
    lived = Lived([away(Kind.OUTAGE, 12, 40, 0b11)], (job(1, 10, 30, size=2),), grace_ms=20)
    lived.ask("a1")
    advance(lived.env, 100)
    starts = [(at, event.job.id) for at, event in lived.told(MainStarted) if isinstance(event, MainStarted)]
    assert starts == [(40, 1)]


def test_what_cannot_go_around_outages_is_refused() -> None:
    outages = [away(Kind.OUTAGE, 12, 40, 0b11)]
    with pytest.raises(ImpossibleParameters, match="do not share"):
        OutageWorld(Environment(), numbered_nodes(2, ONE), (), print, outages, sharing=SizeUnit.CORES)
    with pytest.raises(ImpossibleParameters, match="from its beginning"):
        OutageWorld(Environment(), numbered_nodes(2, ONE), (), print, outages, policy=Compressing())


def test_gaps_end_where_a_node_goes_away_and_begin_where_it_comes_back() -> None:
    outages = [away(Kind.OUTAGE, 40, 60, 0b10)]
    gaps, lacking = unheld_around(numbered_nodes(2, ONE), [job(1, 10, 20)], Millis(100), outages)
    assert lacking == [IdleGap(1, Millis(40), Millis(60), 1)]
    assert sorted(gaps) == [
        IdleGap(0, Millis(0), Millis(10), 1),
        IdleGap(0, Millis(30), Millis(100), 1),
        IdleGap(1, Millis(0), Millis(40), 1),
        IdleGap(1, Millis(60), Millis(100), 1),
    ]


def test_a_drained_node_is_away_once_its_main_job_has_ended() -> None:
    outages = [away(Kind.DRAIN, 15, 60, 0b01)]
    _, found = unheld_around(numbered_nodes(2, ONE), [job(1, 10, 20)], Millis(50), outages)
    assert found == [IdleGap(0, Millis(30), Millis(50), 1)]


JOBS = tuple(job(number, number * 9 * MINUTE, (number * 7 % 40 + 1) * MINUTE, 1 + number % 3) for number in range(40))
FAILURES = tuple(
    Outage(kind=one.kind, begin=one.begin * 1000, until=one.until * 1000, processors=one.processors)
    for one in failures(4, 0, 8 * 3600, mtbf_hours=4, repair_hours=0.5, seed=3)
)
FAILING = Site(nodes=4, node=ONE, jobs=JOBS, until=Millis(8 * HOUR), outages=FAILURES)
COSTS = equal_costs(Millis(10_000))


def outcome(site: Site, strategy: Strategy, costs: GuestCosts = COSTS) -> Outcome:
    return run(site, strategy, always_enough(ONE, 12), costs, site.gaps())


def test_without_grace_guests_move_no_main_job_however_often_nodes_fail() -> None:
    alone = OutageRun(JOBS, 4, FAILURES, evading("easy", 4, FAILURES)).finish()
    assert alone.restarts > 0
    for strategy in (Strategy.NONE, Strategy.IDLEQ, Strategy.ORACLE):
        assert outcome(FAILING, strategy).main_starts == {
            number: start for number, start in alone.starts.items() if start <= FAILING.until
        }


def test_a_failure_costs_a_guest_what_it_had_not_saved() -> None:
    failure = away(Kind.OUTAGE, HOUR, HOUR + 10 * MINUTE, 0b1)
    site = Site(
        nodes=1,
        node=ONE,
        jobs=(job(1, 2 * HOUR, HOUR),),
        until=Millis(3 * HOUR),
        grace_ms=Millis(30_000),
        outages=(failure,),
    )
    found = outcome(site, Strategy.IDLEQ)
    assert (found.lost, found.frozen, found.useful_core_ms) == (1, 1, 50 * MINUTE - 10_000)


def test_freezes_fail_as_often_as_is_said_and_the_same_for_the_same_seed() -> None:
    calm = replace(FAILING, outages=(), grace_ms=Millis(30_000))
    always = outcome(calm, Strategy.IDLEQ, replace(COSTS, freeze_fails=1.0))
    half = replace(COSTS, freeze_fails=0.5)
    first, again, other = (
        outcome(calm, Strategy.IDLEQ, costs) for costs in (half, half, replace(half, failing_seed=2))
    )
    assert (always.frozen, always.useful_core_ms) == (0, 0)
    assert first == again != other
    assert 0.2 < first.frozen / (first.frozen + first.lost) < 0.8
