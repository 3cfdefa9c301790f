"""What holds of docker's containers beyond what all runtimes hold: whose fault it is when one is killed."""

import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from contract.test_runtimes import C1, COUNT, DOCKER, Bench, bench_of
from idleq.migration.docker import KILLED_AROUND
from idleq.migration.ports import Ended
from idleq.processes import read_process

pytestmark = DOCKER

EATS = "held = [bytearray(b'x' * 2**20) for _ in range(2**10)]"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_of("docker", tmp_path) as bench:
        yield bench


def test_one_whose_shim_is_killed_is_ended_and_told_as_lost(bench: Bench) -> None:
    bench.runtime.start(bench.python(COUNT, "100000"))
    bench.wait_for_lines(1)
    (first,) = (process for pid in bench.survivors() if (process := read_process(pid)) is not None)

    os.kill(first.parent, signal.SIGKILL)

    assert bench.wait_for_end() == [Ended(C1, -signal.SIGKILL, KILLED_AROUND)]
    assert bench.survivors() == []


def test_one_that_takes_more_memory_than_it_has_is_ended_by_its_own_fault(bench: Bench) -> None:
    bench.runtime.start(replace(bench.python(EATS), memory=2**26))

    assert bench.wait_for_end() == [Ended(C1, -signal.SIGKILL)]
