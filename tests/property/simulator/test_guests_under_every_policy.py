"""What holds of guests and main jobs under each policy, each meaning of an instant and each kind of reservation."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import Millis, NodeName
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.resources import Resources
from idleq.simulator.costs import equal_costs
from idleq.simulator.events import Ended, Granted, MainEnded, MainStarted
from idleq.simulator.guestload import always_enough
from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Placement, SizeUnit
from idleq.simulator.queueing import Policy, Semantics, replay
from idleq.simulator.queueing.catalog import POLICIES, Reservation, policy_named
from idleq.simulator.queueing.slurm import SlurmSettings
from idleq.simulator.strategies import Site, Strategy, run
from idleq.simulator.worlds import world_for
from support.world import Site as Lived
from support.world import in_seconds, main_job

NODES, CORES = 3, 2
NODE = Resources(CORES, 200)
END = 6_000
SLURM = SlurmSettings(bf_interval=5, max_age=100)

BY_COUNT = [(name, Reservation.COUNT) for name in POLICIES]
BY_NODES = [("easy", Reservation.NODES), ("easy-sjbf", Reservation.NODES)]
QUEUES = list(product([*BY_COUNT, *BY_NODES], Semantics))
every_queue = pytest.mark.parametrize(("named", "semantics"), QUEUES)
Named = tuple[str, Reservation]

sharings = st.sampled_from(list(SizeUnit))


def units(sharing: SizeUnit) -> int:
    return NODES * (CORES if sharing is SizeUnit.CORES else 1)


def policy(named: Named, sharing: SizeUnit) -> Policy:
    name, reservation = named
    node_cores = CORES if sharing is SizeUnit.CORES else 1
    return policy_named(name, units(sharing), reservation, SLURM, node_cores)


@st.composite
def lives(draw: st.DrawFn) -> tuple[list[MainJob], SizeUnit]:
    """Often several jobs in one instant, and limits that are met or shorter than the guests' grace."""
    sharing = draw(sharings)
    jobs, submit = [], 0
    for number in range(draw(st.integers(1, 12))):
        submit += draw(st.integers(0, 12))
        run_ms, spare = draw(st.integers(1, 20)), draw(st.sampled_from([0, 0, 5]))
        jobs.append(main_job(number, submit, run_ms, size=draw(st.integers(1, units(sharing))), limit=run_ms + spare))
    return jobs, sharing


def live(jobs: list[MainJob], sharing: SizeUnit, named: Named, semantics: Semantics, grace: int) -> Lived:
    make = world_for(policy(named, sharing), semantics, Placement.LOWEST, ())
    options = {"sharing": sharing, "grace_ms": Millis(grace)}
    lived = Lived(jobs, nodes=NODES, node=NODE, options=options, make=make)
    for number in range(30):
        lived.to(number * 7)
        mode = Mode.WINDOW if grace and number % 5 == 0 else Mode.PREEMPTIBLE
        lived.ask(f"a{number}", mode=mode, resources=Resources(1 + number % CORES, 50), longest=60)
    lived.to(END)
    return lived


@every_queue
@settings(max_examples=25, deadline=None)
@given(life=lives())
def test_without_grace_guests_move_no_main_job(
    named: Named, semantics: Semantics, life: tuple[list[MainJob], SizeUnit]
) -> None:
    jobs, sharing = life
    alone = replay(jobs, units(sharing), policy(named, sharing), semantics)
    assert live(jobs, sharing, named, semantics, grace=0).starts() == alone


@every_queue
@settings(max_examples=25, deadline=None)
@given(life=lives(), grace=st.sampled_from([1, 8, 40]))
def test_no_node_holds_more_than_it_has_and_every_main_job_runs_whole_and_waits_within_its_bound(
    named: Named, semantics: Semantics, life: tuple[list[MainJob], SizeUnit], grace: int
) -> None:
    jobs, sharing = life
    unit = CORES if sharing is SizeUnit.NODES else 1
    held: dict[object, list[tuple[NodeName, int]]] = {}
    begun: dict[int, int] = {}
    ran: dict[int, int] = {}
    for at, event in live(jobs, sharing, named, semantics, grace).told():
        match event:
            case Granted():
                held[event.allocation] = [(event.node, event.resources.cores)]
            case MainStarted(job=job):
                assert 0 <= event.waited_ms <= event.bound_ms
                held[job.id] = [(node, part * unit) for node, part in zip(event.nodes, event.units, strict=True)]
                begun[job.id] = at
            case Ended(allocation=allocation):
                held.pop(allocation, None)
            case MainEnded(job=job):
                del held[job.id]
                ran[job.id] = at - begun[job.id]
            case _:
                pass
        for number in range(1, NODES + 1):
            assert sum(part for parts in held.values() for node, part in parts if node == f"n{number}") <= CORES
    assert ran == {job.id: job.run for job in jobs}


@every_queue
@settings(max_examples=8, deadline=None)
@given(life=lives())
def test_the_engines_guests_move_no_main_job_and_stay_within_the_gaps(
    named: Named, semantics: Semantics, life: tuple[list[MainJob], SizeUnit]
) -> None:
    jobs, sharing = in_seconds(life[0]), life[1]
    alone = replay(jobs, units(sharing), policy(named, sharing), semantics)
    # Not a moment longer: work in the cores of main jobs would not find room in what the gaps sum up to.
    whole, until = Resources(1, 10), Millis(max(alone[job.id] + job.run for job in jobs))

    def site() -> Site:
        queue = policy(named, sharing)
        return Site(nodes=NODES, node=NODE, jobs=jobs, until=until, sharing=sharing, policy=queue, semantics=semantics)

    gaps = site().gaps()
    outcome = run(site(), Strategy.IDLEQ, always_enough(whole, 20), equal_costs(Millis(2)), gaps)
    assert outcome.main_starts == alone
    assert outcome.useful_core_ms <= sum(gap.length_ms * gap.units for gap in gaps) * (CORES * NODES // units(sharing))
