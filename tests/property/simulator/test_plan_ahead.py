"""The plan that a site shows is kept while jobs only come in: it is always what it would be if it were made anew."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from idleq.simulator.jobs import MainJob
from idleq.simulator.placement import planned_starts_on_whole_nodes
from idleq.simulator.planahead import PlanAhead
from idleq.simulator.queueing.policy import Slot

NODES = 4

asked = st.lists(st.tuples(st.integers(1, NODES + 1), st.integers(1, 9)), max_size=3)
looks = st.lists(st.tuples(st.integers(0, 4), asked, st.integers(0, 9)), max_size=12)
running_jobs = st.lists(st.integers(-1, 12), max_size=NODES)


@given(looks, running_jobs)
def test_a_kept_plan_is_what_one_made_anew_would_be(
    looks: list[tuple[int, list[tuple[int, int]], int]], ends: list[int]
) -> None:
    kept, now, waiting = PlanAhead(), 0, list[MainJob]()
    running: list[Slot] = sorted((end, number, 1) for number, end in enumerate(ends))
    for later, new, ending in looks:
        now += later
        first = len(waiting) + 1
        waiting += [
            MainJob(id=first + at, submit=now, run=1, limit=limit, size=size) for at, (size, limit) in enumerate(new)
        ]
        if ending in {0, 1} and running:
            _, node, size = running.pop(0)
            if ending:  # and another has begun where it was
                running = sorted([*running, (now + len(waiting), node, size)])
        free_units = [int(node not in {number for _, number, _ in running}) for node in range(NODES)]

        def lay_out(
            planned: Iterable[tuple[int, MainJob]], running: list[Slot] = running, free_units: list[int] = free_units
        ) -> dict[int, int]:
            free = [node for node, units in enumerate(free_units) if units]
            return planned_starts_on_whole_nodes(planned, free, [(end, [node]) for end, node, _ in running], NODES)

        anew = PlanAhead().starts(waiting, free_units, running, now, lay_out)
        assert kept.starts(waiting, free_units, running, now, lay_out) == anew
