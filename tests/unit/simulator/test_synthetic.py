from itertools import islice, pairwise

import pytest

from idleq.scheduler.core.inputs import NodeReport
from idleq.scheduler.core.resources import Resources
from idleq.simulator.events import MainEnded, NodeChanged
from idleq.simulator.synthetic import Stream, busy_cluster, synthetic
from support.world import Site

STREAM = Stream(nodes=16, load=0.7, sizes={1: 4, 4: 2, 64: 1}, mean_run_ms=60_000, spread=0.5, round_limit_ms=1_000)


def test_the_same_seed_gives_the_same_jobs_and_another_one_others() -> None:
    first = list(islice(synthetic(STREAM, 1), 200))
    assert first == list(islice(synthetic(STREAM, 1), 200))
    assert first != list(islice(synthetic(STREAM, 2), 200))
    assert list(islice(busy_cluster(4, 1), 200)) == list(islice(busy_cluster(4, 1), 200))
    assert list(islice(busy_cluster(4, 1), 200)) != list(islice(busy_cluster(4, 2), 200))


def test_jobs_fit_the_site_and_their_limits_and_come_in_order() -> None:
    jobs = list(islice(synthetic(STREAM, 3), 2_000))
    assert {job.size for job in jobs} == {1, 4, 16}
    assert all(job.run <= job.limit and job.limit % 1_000 == 0 for job in jobs)
    assert all(before.submit <= after.submit for before, after in pairwise(jobs))
    assert [job.id for job in jobs] == list(range(1, 2_001))


def test_the_load_is_what_was_asked_for() -> None:
    jobs = list(islice(synthetic(STREAM, 4), 20_000))
    assert sum(job.run * job.size for job in jobs) / (16 * jobs[-1].submit) == pytest.approx(0.7, rel=0.05)


def gaps_of(nodes: int, seed: int, hours: int = 1) -> tuple[list[tuple[str, int, int]], float]:
    """Every closed gap (node, from, until) of a busy cluster without guests, and its utilisation."""
    site = Site(busy_cluster(nodes, seed), nodes=nodes, node=Resources(1, 1))
    site.to(hours * 3_600_000)
    opened: dict[str, int] = {}
    gaps: list[tuple[str, int, int]] = []
    for at, event in site.diary:
        if isinstance(event, NodeChanged):
            note_gap(event.report, at, opened, gaps)
    work = sum(event.job.run * event.job.size for _, event in site.diary if isinstance(event, MainEnded))
    return gaps, work / (nodes * hours * 3_600_000)


def note_gap(report: NodeReport, at: int, opened: dict[str, int], gaps: list[tuple[str, int, int]]) -> None:
    if report.free.cores:
        opened.setdefault(report.name, at)
    elif report.name in opened:
        gaps.append((report.name, opened.pop(report.name), at))


@pytest.mark.parametrize("nodes", [2, 3, 4, 8])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_busy_cluster_leaves_gaps_that_a_guest_must_move_between(nodes: int, seed: int) -> None:
    gaps, utilisation = gaps_of(nodes, seed)
    useful = [(node, end - start) for node, start, end in gaps if end - start >= 10_000]
    assert 0.4 < utilisation < 0.75
    assert max(length for _, length in useful) < 42_000
    assert len(useful) >= 80
    assert {node for node, _ in useful} == {f"n{number}" for number in range(1, nodes + 1)}
    # A guest of two minutes finds no single gap that would do, and enough of them together.
    assert sum(length for _, length in useful) / (nodes * 3_600_000) > 0.18


def test_a_single_node_has_gaps_too() -> None:
    gaps, _ = gaps_of(1, 1)
    assert len([1 for _, start, end in gaps if end - start >= 10_000]) > 30
