"""What holds of docker's containers beyond what all runtimes hold: whose fault it is when one is killed."""

import gc
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from contract.test_runtimes import C1, COUNT, WAITS, Bench, bench_of, end_by_itself, programs
from idleq.migration.docker import ENDED_UNSEEN, KILLED_AROUND, DockerRuntime
from idleq.migration.dockerengine import DockerEngine
from idleq.migration.errors import FreezeFailed, StartFailed, ThawFailed
from idleq.migration.ports import Ended
from idleq.processes import read_argv, read_process, read_processes, read_program
from support.containers import DOCKER
from testbed.waiting import wait_for

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


def test_one_that_ends_by_itself_while_it_is_to_be_frozen_is_told_with_its_own_exit_code(tmp_path: Path) -> None:
    runtime = DockerRuntime(str(tmp_path))
    with bench_of("docker", tmp_path, runtime) as bench:

        class Late(DockerEngine):
            """One that is to freeze a container which has ended by then."""

            def checkpoint(self, number: str) -> Path:
                end_by_itself(bench)
                return DockerEngine.checkpoint(self, number)

        runtime.connect = Late
        bench.runtime.start(bench.order(*WAITS))
        bench.wait_for_lines(1)
        with pytest.raises(FreezeFailed) as failure:
            bench.runtime.freeze(C1, bench.images())
        assert not failure.value.is_broken
        assert bench.wait_for_end() == [Ended(C1, 7)]


def stop_when_seen(program: str) -> list[int]:
    """Let the next process of *program* stand still, as one that waits for somebody who was killed."""
    seen = wait_for(
        program, lambda: [pid for pid in read_processes() if read_program(pid) == program], seconds=30, every=0.001
    )
    for pid in seen:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    return seen


def test_a_thaw_that_would_never_end_is_given_up_and_what_was_frozen_goes_on_at_the_next(bench: Bench) -> None:
    order, images = bench.python(COUNT, "200"), bench.images()
    bench.runtime.start(order)
    bench.wait_for_lines(5)
    bench.runtime.freeze(C1, images)
    with closing(DockerRuntime(str(bench.folder), lambda: DockerEngine(least_thaw_seconds=3))) as hasty:
        stop = Thread(target=stop_when_seen, args=["criu"])
        stop.start()
        with pytest.raises(ThawFailed, match="has not let it go on within 3 s"):
            hasty.thaw(order, images)
        stop.join()

    assert bench.survivors() == []
    bench.runtime.thaw(order, images)
    assert bench.wait_for_end() == [Ended(C1, 0)]
    assert bench.lines() == [str(number) for number in range(200)]


def is_reaped(pid: int) -> bool:
    """Whether nothing is left of *pid*, which is our own child if we adopt orphans: the next engine takes a zombie for one that runs."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return pid not in read_processes()


@contextmanager
def engine_away() -> Iterator[None]:
    """Docker's engine is killed, with the containerd that it has started, and comes back."""
    (engine,) = programs("dockerd")
    argv, both = read_argv(engine), (engine, *programs("containerd"))
    for pid in both:
        os.kill(pid, signal.SIGKILL)
    wait_for("the engine to be gone", lambda: all(map(is_reaped, both)), seconds=30)
    try:
        yield
    finally:
        with Path("/var/log/dockerd.log").open("ab") as log:
            subprocess.run(["setsid", "--fork", *argv], check=True, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_for("the engine", answers, seconds=60)
        gc.collect()


def answers() -> bool:
    return subprocess.run(["docker", "version"], check=False, capture_output=True).returncode == 0


AWAY = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # docker's client, where nobody answers


@AWAY
def test_what_ends_while_the_engine_is_away_is_told_as_lost_once_that_is_back(bench: Bench) -> None:
    bench.runtime.start(bench.order(*WAITS))
    bench.wait_for_lines(1)
    with engine_away():
        end_by_itself(bench)

    assert bench.wait_for_end() == [Ended(C1, -signal.SIGKILL, ENDED_UNSEEN)]


@AWAY
def test_where_the_engine_is_away_what_was_frozen_is_not_blamed_and_goes_on_once_that_is_back(bench: Bench) -> None:
    order, images = bench.python(COUNT, "200"), bench.images()
    bench.runtime.start(order)
    bench.wait_for_lines(5)
    bench.runtime.freeze(C1, images)
    with engine_away(), pytest.raises(StartFailed, match="docker's engine does not answer"):
        bench.runtime.thaw(order, images)

    bench.runtime.thaw(order, images)

    assert bench.wait_for_end() == [Ended(C1, 0)]
    assert bench.lines() == [str(number) for number in range(200)]


def test_one_that_takes_more_memory_than_it_has_is_ended_by_its_own_fault(bench: Bench) -> None:
    bench.runtime.start(replace(bench.python(EATS), memory=2**26))

    assert bench.wait_for_end() == [Ended(C1, -signal.SIGKILL, ran_out=True)]
