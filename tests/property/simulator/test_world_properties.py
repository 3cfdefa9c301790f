from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.ids import AllocationId, Millis, NodeName
from idleq.scheduler.core.commands import Mode
from idleq.scheduler.core.resources import NOTHING, Resources
from idleq.simulator.events import Ended, Granted, MainEnded, MainStarted, Preempting, WorldEvent
from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import Placement, SizeUnit, place
from idleq.simulator.queueing import easy, replay
from support.world import Site, main_job

NODES, CORES = 3, 4
NODE = Resources(cores=CORES, memory=400)
END = 2_000


@dataclass(frozen=True)
class Wish:
    """Something a guest does at some time."""

    at: int
    name: str
    act: str
    cores: int
    node: str | None
    mode: Mode
    shortest: int
    longest: int


@st.composite
def streams(draw: st.DrawFn, largest: int) -> list[MainJob]:
    submits = sorted(draw(st.lists(st.integers(0, 300), max_size=15)))
    jobs = []
    for number, submit in enumerate(submits):
        run = draw(st.integers(1, 80))
        size = draw(st.integers(1, largest))
        jobs.append(main_job(number, submit, run, size=size, limit=run + draw(st.integers(0, 40))))
    return jobs


def wishes(modes: list[Mode]) -> st.SearchStrategy[list[Wish]]:
    wish = st.builds(
        Wish,
        at=st.integers(0, 400),
        name=st.sampled_from([f"a{number}" for number in range(6)]),
        act=st.sampled_from(["ask", "ask", "ask", "release", "gone"]),
        cores=st.integers(1, CORES),
        node=st.sampled_from([None, "n1", "n2", "n3"]),
        mode=st.sampled_from(modes),
        shortest=st.integers(1, 20),
        longest=st.integers(20, 200),
    )
    return st.lists(wish, max_size=25).map(lambda found: sorted(found, key=lambda wish: wish.at))


def live(
    jobs: list[MainJob], asked: list[Wish], sharing: SizeUnit, grace: int, placement: Placement = Placement.LOWEST
) -> Site:
    options = {"sharing": sharing, "placement": placement, "grace_ms": Millis(grace)}
    site = Site(jobs, nodes=NODES, node=NODE, options=options)
    for wish in asked:
        site.to(wish.at)
        if wish.act == "ask":
            resources = Resources(wish.cores, wish.cores * 100)
            site.ask(
                wish.name,
                node=wish.node,
                mode=wish.mode,
                resources=resources,
                shortest=wish.shortest,
                longest=wish.longest,
            )
        elif wish.act == "release":
            site.world.release(AllocationId(wish.name))
        else:
            site.world.agent_gone(AllocationId(wish.name))
    site.to(END)
    return site


sharings = st.sampled_from(list(SizeUnit))


def largest(sharing: SizeUnit) -> int:
    return NODES if sharing is SizeUnit.NODES else NODES * CORES


@st.composite
def lives(draw: st.DrawFn, modes: list[Mode]) -> tuple[list[MainJob], list[Wish], SizeUnit]:
    sharing = draw(sharings)
    return draw(streams(largest(sharing))), draw(wishes(modes)), sharing


@settings(max_examples=80)
@given(lives(list(Mode)), st.integers(0, 50), st.sampled_from(list(Placement)))
def test_no_node_ever_holds_more_than_it_has(
    life: tuple[list[MainJob], list[Wish], SizeUnit], grace: int, placement: Placement
) -> None:
    jobs, asked, sharing = life
    site = live(jobs, asked, sharing, grace, placement)
    guests: dict[AllocationId, Granted] = {}
    main_cores: dict[int, dict[NodeName, int]] = {}
    for _, event in site.told():
        note(event, guests, main_cores, sharing)
        for node in (NodeName(f"n{number}") for number in range(1, NODES + 1)):
            cores = sum(parts.get(node, 0) for parts in main_cores.values())
            held = sum((grant.resources for grant in guests.values() if grant.node == node), NOTHING)
            assert (held + Resources(cores, cores * 100)).fits_in(NODE)


def note(
    event: WorldEvent,
    guests: dict[AllocationId, Granted],
    main_cores: dict[int, dict[NodeName, int]],
    sharing: SizeUnit,
) -> None:
    match event:
        case Granted():
            guests[event.allocation] = event
        case Ended(allocation=allocation):
            guests.pop(allocation, None)
        case MainStarted(job=job):
            assert sum(event.units) == job.size
            unit_cores = CORES if sharing is SizeUnit.NODES else 1
            main_cores[job.id] = {
                node: units * unit_cores for node, units in zip(event.nodes, event.units, strict=True)
            }
        case MainEnded(job=job):
            del main_cores[job.id]
        case _:
            pass


@settings(max_examples=80)
@given(lives([Mode.PREEMPTIBLE]))
def test_without_grace_main_jobs_start_exactly_as_they_would_without_guests(
    life: tuple[list[MainJob], list[Wish], SizeUnit],
) -> None:
    jobs, asked, sharing = life
    assert live(jobs, asked, sharing, grace=0).starts() == replay(jobs, largest(sharing), easy)


@settings(max_examples=80)
@given(lives(list(Mode)), st.integers(0, 50))
def test_every_main_job_runs_once_for_its_whole_run_and_waits_for_guests_within_the_bound(
    life: tuple[list[MainJob], list[Wish], SizeUnit], grace: int
) -> None:
    jobs, asked, sharing = life
    site = live(jobs, asked, sharing, grace)
    starts = [(event.job.id, at) for at, event in site.told() if isinstance(event, MainStarted)]
    ends = [(event.job.id, at) for at, event in site.told() if isinstance(event, MainEnded)]
    runs = {job.id: job.run for job in jobs}
    assert sorted(number for number, _ in starts) == sorted(runs)
    assert dict(ends) == {number: at + runs[number] for number, at in starts}
    for _, event in site.told():
        if isinstance(event, MainStarted):
            assert 0 <= event.waited_ms <= event.bound_ms
            assert bool(event.left) or event.waited_ms == 0


@settings(max_examples=60)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=8).flatmap(
        lambda free: st.tuples(st.just(free), st.integers(0, sum(free)))
    )
)
def test_best_fit_takes_what_is_free_on_as_few_nodes_as_will_do(asked: tuple[list[int], int]) -> None:
    free, size = asked
    parts = place(free, size, Placement.BEST_FIT) if size else ()
    assert sum(units for _, units in parts) == size
    assert all(0 < units <= free[node] for node, units in parts)
    assert len({node for node, _ in parts}) == len(parts)
    fewest = next(count for count in range(len(free) + 1) if sum(sorted(free, reverse=True)[:count]) >= size)
    assert len(parts) == fewest


@settings(max_examples=60)
@given(streams(NODES * CORES), st.sampled_from(list(SizeUnit)))
def test_on_nodes_of_one_core_both_placements_are_the_same_to_the_last_event(
    jobs: list[MainJob], sharing: SizeUnit
) -> None:
    sites = [
        Site(jobs, nodes=NODES * CORES, node=Resources(1, 100), options={"sharing": sharing, "placement": placement})
        for placement in Placement
    ]
    for site in sites:
        site.to(END)
    assert sites[0].starts().keys() == {job.id for job in jobs}
    assert sites[0].diary == sites[1].diary


@settings(max_examples=60)
@given(lives([Mode.PREEMPTIBLE]))
def test_without_grace_placement_moves_no_main_job(life: tuple[list[MainJob], list[Wish], SizeUnit]) -> None:
    jobs, asked, sharing = life
    best = live(jobs, asked, sharing, 0, Placement.BEST_FIT)
    assert best.starts() == replay(jobs, largest(sharing), easy)


@settings(max_examples=40)
@given(lives(list(Mode)), st.integers(0, 50))
def test_the_same_life_twice_is_the_same_to_the_last_event(
    life: tuple[list[MainJob], list[Wish], SizeUnit], grace: int
) -> None:
    jobs, asked, sharing = life
    assert live(jobs, asked, sharing, grace).diary == live(jobs, asked, sharing, grace).diary


@settings(max_examples=80)
@given(lives([Mode.PREEMPTIBLE]), st.integers(1, 50))
def test_whoever_is_preempted_or_granted_ends_and_no_later_than_promised(
    life: tuple[list[MainJob], list[Wish], SizeUnit], grace: int
) -> None:
    jobs, asked, sharing = life
    due: dict[AllocationId, int] = {}
    for at, event in live(jobs, asked, sharing, grace).told():
        assert all(at <= latest for latest in due.values())
        match event:
            case Granted(allocation=allocation, until=until):
                due[allocation] = until
            case Preempting(allocation=allocation, grace_ms=grace_ms):
                due[allocation] = min(due[allocation], at + grace_ms)
            case Ended(allocation=allocation):
                due.pop(allocation, None)
            case _:
                pass
    assert due == {}


@settings(max_examples=60)
@given(lives([Mode.PREEMPTIBLE]), st.integers(1, 50))
def test_a_world_built_again_from_what_was_held_up_takes_the_same_course(
    life: tuple[list[MainJob], list[Wish], SizeUnit], grace: int
) -> None:
    jobs, asked, sharing = life
    lived = live(jobs, asked, sharing, grace)
    waits = {event.job.id: event.waited_ms for _, event in lived.told() if isinstance(event, MainStarted)}
    held_up = {number: waited for number, waited in waits.items() if waited}
    again = Site(
        jobs, nodes=NODES, node=NODE, options={"sharing": sharing, "grace_ms": Millis(grace), "held_up": held_up}
    )
    again.to(END)
    assert again.starts() == lived.starts()
