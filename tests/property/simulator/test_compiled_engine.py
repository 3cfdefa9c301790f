"""The kernels, as they are written and as they are compiled, start every job when the policies do."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idleq.simulator.fast import kernels
from idleq.simulator.fast.engine import POLICIES, replay_fast
from idleq.simulator.jobs import MainJob
from idleq.simulator.queueing import Semantics
from idleq.simulator.queueing.catalog import policy_named
from idleq.simulator.queueing.main_queue import QueueRun
from idleq.simulator.table import table_of
from support.slow_queue import PROCESSORS, streams


def expected(jobs: list[MainJob], policy: str, semantics: Semantics) -> tuple[list[int], int]:
    starts, passes = QueueRun(jobs, PROCESSORS, policy_named(policy, PROCESSORS), semantics).finish()
    return [starts[job.id] for job in jobs], passes


@given(streams(), st.sampled_from(sorted(POLICIES)), st.sampled_from(Semantics))
def test_the_kernels_start_every_job_when_the_policies_do(
    jobs: list[MainJob], policy: str, semantics: Semantics
) -> None:
    table = table_of(jobs)
    site = kernels.new_site(table.run, table.limit, table.size, PROCESSORS)
    kernels.simulate(site, table.submit, POLICIES[policy], int(semantics is Semantics.PER_EVENT))
    assert ([*map(int, site.start)], int(site.counts[kernels.PASSES])) == expected(jobs, policy, semantics)  # type: ignore[call-overload]  # an array is iterable


@pytest.fixture(scope="module")
def machine_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("numba")
    return tmp_path_factory.getbasetemp() / "numba"


@settings(max_examples=200)
@given(jobs=streams(longest=40), policy=st.sampled_from(sorted(POLICIES)), semantics=st.sampled_from(Semantics))
def test_the_compiled_engine_starts_every_job_when_the_policies_do(
    machine_code: Path, jobs: list[MainJob], policy: str, semantics: Semantics
) -> None:
    start, passes = replay_fast(table_of(jobs), PROCESSORS, policy, semantics, machine_code)
    assert (start.tolist(), passes) == expected(jobs, policy, semantics)
