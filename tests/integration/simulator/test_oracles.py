"""Every start of a real log, compared with what other simulators, written by others, computed for it."""

import csv
import gzip
from pathlib import Path
from typing import Any

import pytest

from idleq.simulator.fast.engine import POLICIES as COMPILED
from idleq.simulator.mainrun import Engine, MainSettings, run_main
from idleq.simulator.metrics import Metrics
from idleq.simulator.queueing import Policy, Semantics, easy, fcfs, replay
from idleq.simulator.queueing.catalog import Reservation
from idleq.simulator.queueing.conservative import conservative
from idleq.simulator.queueing.outcome import outcome
from idleq.simulator.swf import clean, read_swf
from idleq.simulator.trace import Trace


@pytest.fixture(scope="module")
def trace(shared_data: Path) -> Trace:
    return clean(read_swf(shared_data / "traces" / "KTH-SP2-1996-2.swf.gz"))


def oracle(data: Path, name: str) -> dict[int, int]:
    with gzip.open(data / "oracles" / f"{name}.start.csv.gz", "rt") as file:
        return {int(row["job_id"]): int(row["start"]) for row in csv.DictReader(file)}


def test_the_log_is_cleaned_as_the_study_cleaned_it(trace: Trace) -> None:
    assert (len(trace.jobs), trace.processors, trace.dropped_by_reason()) == (28_481, 100, {"no run time": 8})


@pytest.mark.parametrize(
    ("name", "policy", "semantics", "mean_wait", "slowdown", "max_wait"),
    [
        ("kth_easy_pyss", easy, Semantics.PER_TIMESTAMP, 6834.5873, 92.6876537427, 262_194),
        ("kth_easy_jad", easy, Semantics.PER_EVENT, 6836.87, 92.5765397336, 262_194),
        ("kth_purebf_algo", conservative, Semantics.PER_TIMESTAMP, 7936.1711, 101.826934, 249_742),
        ("kth_fcfs_jad", fcfs, Semantics.PER_EVENT, 353_776.41, 6814.9733, 946_685),
        ("kth_fcfs_jad", fcfs, Semantics.PER_TIMESTAMP, 353_776.41, 6814.9733, 946_685),
    ],
)
def test_every_job_starts_when_the_oracle_says(
    shared_data: Path,
    trace: Trace,
    name: str,
    policy: Policy,
    semantics: Semantics,
    mean_wait: float,
    slowdown: float,
    max_wait: int,
) -> None:
    starts = replay(trace.jobs, trace.processors, policy, semantics)
    assert starts == oracle(shared_data, name)
    found = outcome(trace.jobs, starts)
    assert (found.jobs, found.max_wait) == (28_481, max_wait)
    assert found.mean_wait == pytest.approx(mean_wait, abs=5e-3)
    assert found.mean_bounded_slowdown == pytest.approx(slowdown, abs=5e-5 if slowdown > 100 else 5e-11)


def sums(trace: Trace, tmp: Path, policy: str, semantics: Semantics, **other: Any) -> Metrics:
    return run_main(trace, MainSettings(policy=policy, semantics=semantics, **other), tmp).metrics


TIMESTAMP, EVENT = Semantics.PER_TIMESTAMP, Semantics.PER_EVENT
ROUNDED = 1e-12
"""Whoever adds up floats in another order gets another last digit."""


def test_the_mean_slowdowns_that_the_study_published_come_out_to_all_digits(trace: Trace, tmp_path: Path) -> None:
    found = sums(trace, tmp_path, "easy", EVENT)
    assert found.mean_bounded_slowdown == pytest.approx(92.57653973362949, rel=ROUNDED)
    found = sums(trace, tmp_path, "easy-sjbf", EVENT)
    assert found.mean_bounded_slowdown == pytest.approx(69.40540058030349, rel=ROUNDED)


def test_flow_times_and_the_worst_slowdown_are_those_published(trace: Trace) -> None:
    starts = replay(trace.jobs, trace.processors, easy, EVENT)
    flows = [starts[job.id] + job.run - job.submit for job in trace.jobs]
    worst = max(flow / max(10, job.run) for flow, job in zip(flows, trace.jobs, strict=True))
    assert sum(flows) / len(flows) == pytest.approx(15696.798181243601, rel=ROUNDED)
    assert (max(flows), round(worst, 1)) == (309_231, 14805.2)


def test_one_pass_a_second_gives_the_reference_values(trace: Trace, tmp_path: Path) -> None:
    found = sums(trace, tmp_path, "easy", TIMESTAMP)
    assert found.mean_bounded_slowdown == pytest.approx(92.6876537427, abs=5e-11)
    assert (round(found.mean_wait, 4), found.max_wait, found.passes, found.last_end) == (
        6834.5873,
        262_194,
        37_804,
        29_363_626,
    )


def test_reservations_by_nodes_give_what_batsim_gives(trace: Trace, tmp_path: Path) -> None:
    """An independent simulator whose reservations name nodes (its easy_bf)."""
    found = sums(trace, tmp_path, "easy", TIMESTAMP, reservation=Reservation.NODES)
    assert (round(found.mean_wait, 2), round(found.mean_bounded_slowdown, 4)) == (6594.08, 82.8277)


@pytest.mark.parametrize("semantics", Semantics)
@pytest.mark.parametrize("policy", COMPILED)
def test_the_compiled_engine_starts_every_job_of_the_log_alike(
    trace: Trace, tmp_path_factory: pytest.TempPathFactory, policy: str, semantics: Semantics
) -> None:
    pytest.importorskip("numba")
    machine_code = tmp_path_factory.getbasetemp() / "numba"
    slow = run_main(trace, MainSettings(policy=policy, semantics=semantics), machine_code)
    fast = run_main(trace, MainSettings(policy=policy, semantics=semantics, engine=Engine.FAST), machine_code)
    assert (fast.start.tolist(), fast.metrics) == (slow.start.tolist(), slow.metrics)


@pytest.mark.slow
@pytest.mark.parametrize("engine", Engine)
@pytest.mark.parametrize(
    ("file", "processors", "policy", "semantics", "mean_wait", "slowdown"),
    [
        ("HPC2N-2002-2.1-cln", None, "easy", TIMESTAMP, 10_800.53, 89.0365338839),
        ("HPC2N-2002-2.1-cln", None, "conservative", TIMESTAMP, 11_701.73, 94.326157),
        ("CEA-Curie-2011-2.1-cln", 80_640, "easy", TIMESTAMP, 7063.70, 228.51201246),
        ("CEA-Curie-2011-2.1-cln", 80_640, "easy", EVENT, None, 202.133161662561),
    ],
)
def test_larger_logs_give_the_published_and_the_reference_values(
    shared_data: Path,
    tmp_path_factory: pytest.TempPathFactory,
    engine: Engine,
    file: str,
    processors: int | None,
    policy: str,
    semantics: Semantics,
    mean_wait: float | None,
    slowdown: float,
) -> None:
    if engine is Engine.FAST:
        pytest.importorskip("numba")
    log = clean(read_swf(shared_data / "traces" / f"{file}.swf.gz"), processors)
    machine_code = tmp_path_factory.getbasetemp() / "numba"
    found = sums(log, machine_code, policy, semantics, engine=engine)
    digits = len(str(slowdown).partition(".")[2])
    assert found.mean_bounded_slowdown == pytest.approx(slowdown, abs=5 * 10.0 ** -(digits + 1), rel=ROUNDED)
    assert mean_wait is None or round(found.mean_wait, 2) == mean_wait
