"""Every start of a real log, compared with what other simulators, written by others, computed for it."""

import csv
import gzip
from pathlib import Path

import pytest

from idleq.simulator.queueing import Policy, Semantics, easy, fcfs, replay
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
