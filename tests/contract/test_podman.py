"""What holds of podman's containers beyond what all runtimes hold: where they are put, what they may do, and what a lost monitor leaves."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from contract.test_runtimes import C1, C2, COUNT, WAITS, Bench, bench_of, containers_of, end_by_itself, programs
from idleq.migration.errands import MONITOR, Done, Errands
from idleq.migration.errors import FreezeFailed, ProgramMissing, StartFailed
from idleq.migration.podman import MONITOR_LOST, PodmanRuntime
from idleq.migration.podmancli import inspect_argv
from idleq.migration.ports import Ended, Freezer
from idleq.migration.tree import empty
from idleq.processes import read_argv
from support.containers import IMAGE, PODMAN
from testbed.waiting import wait_for

pytestmark = PODMAN

FEW_STEPS = "i=0; while [ $i -lt 20 ]; do i=$((i + 1)); echo $i >>counted; sleep 0.1; done"

KILLED_STARTS = 6

BEFORE, AFTER = "/idleq-before", "/idleq-after"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_of("podman", tmp_path) as bench:
        yield bench


def running(bench: Bench) -> list[int]:
    """The processes of the container."""
    return bench.survivors()


def freeze_as_agents_do(runtime: Freezer, images: Path) -> None:
    """Freeze, once more if it failed of what may pass: a shell that has just begun a program (by vfork) does not stand still."""
    try:
        runtime.freeze(C1, images)
    except FreezeFailed as failure:
        if not failure.may_pass:
            raise
        empty(images)
        runtime.freeze(C1, images)


def groups_of(pid: int) -> set[str]:
    """The control groups that a process is in, but for those of hierarchies without podman's."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return {path.partition("/libpod-")[0] for _, name, path in (line.split(":", 2) for line in lines) if name}


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_after_a_thaw_it_is_in_the_control_group_of_whoever_thawed_it(bench: Bench) -> None:
    first = PodmanRuntime("before", Errands(), cgroup_parent=BEFORE)
    second = PodmanRuntime("after", Errands(), cgroup_parent=AFTER)
    images = bench.images()
    order = bench.python(COUNT, "1000")
    try:
        first.start(order)
        bench.wait_for_lines(1)
        assert [groups_of(pid) for pid in running(bench)] == [{BEFORE}]
        first.freeze(order.name, images)
        second.thaw(replace(order, name=C2), images)
        assert [groups_of(pid) for pid in running(bench)] == [{AFTER}]
    finally:
        first.close()
        second.close()


def test_a_file_that_is_no_program_is_refused_as_one(bench: Bench) -> None:
    with pytest.raises(ProgramMissing, match="the image cannot run '/etc/passwd'"):
        bench.runtime.start(bench.order("/etc/passwd"))


def test_it_has_no_rights_and_no_network(bench: Bench) -> None:
    bench.runtime.start(bench.python(COUNT, "1000"))
    bench.wait_for_lines(1)
    (pid,) = running(bench)

    status = status_of(pid)
    assert {status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    devices = [line.partition(":")[0].strip() for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]]
    assert devices == ["lo"]


def test_one_whose_monitor_is_killed_is_ended_and_told_as_lost_and_nothing_of_it_is_left(bench: Bench) -> None:
    bench.runtime.start(bench.python(COUNT, "100000"))
    bench.wait_for_lines(1)
    (pid,) = running(bench)
    os.kill(int(status_of(pid)["PPid"]), signal.SIGKILL)

    assert bench.wait_for_end() == [Ended(C1, -signal.SIGKILL, MONITOR_LOST)]
    assert (bench.survivors(), containers_of(bench)) == ([], [])


@dataclass(slots=True)
class Hesitant(Errands):
    """One that hears late how its containers are, when *may_ask* is set."""

    asks: Event = field(default_factory=Event)
    may_ask: Event = field(default_factory=Event)

    def run(self, argv: Sequence[str], *, seconds: float, environment: Mapping[str, str] | None = None) -> Done:
        if list(argv[:-1]) == inspect_argv("")[:-1]:
            self.asks.set()
            assert self.may_ask.wait(30)
        return Errands.run(self, argv, seconds=seconds, environment=environment)


def test_one_whose_monitor_is_killed_is_not_frozen_while_it_is_asked_how_that_has_ended(tmp_path: Path) -> None:
    errands = Hesitant()
    with bench_of("podman", tmp_path, PodmanRuntime(str(tmp_path), errands)) as bench, ThreadPoolExecutor(1) as beside:
        bench.runtime.start(bench.python(COUNT, "100000"))
        bench.wait_for_lines(1)
        os.kill(int(status_of(running(bench)[0])["PPid"]), signal.SIGKILL)
        told = beside.submit(bench.wait_for_end)
        assert errands.asks.wait(30)
        try:
            with pytest.raises(FreezeFailed, match="does not run here"):
                bench.runtime.freeze(C1, bench.images())
        finally:
            errands.may_ask.set()
        assert told.result() == [Ended(C1, -signal.SIGKILL, MONITOR_LOST)]


@dataclass(slots=True)
class Late(Errands):
    """One that lets *before* be done before it asks podman for *verb*."""

    verb: str = "checkpoint"
    before: Callable[[], object] = print

    def run(self, argv: Sequence[str], *, seconds: float, environment: Mapping[str, str] | None = None) -> Done:
        if self.verb in argv:
            self.before()
        return Errands.run(self, argv, seconds=seconds, environment=environment)


def test_one_that_ends_by_itself_while_it_is_to_be_frozen_is_told_with_its_own_exit_code(tmp_path: Path) -> None:
    errands = Late()
    with bench_of("podman", tmp_path, PodmanRuntime(str(tmp_path), errands)) as bench:
        errands.before = partial(end_by_itself, bench)
        bench.runtime.start(bench.order(*WAITS))
        bench.wait_for_lines(1)
        with pytest.raises(FreezeFailed) as failure:
            bench.runtime.freeze(C1, bench.images())
        assert not failure.value.is_broken
        assert bench.wait_for_end() == [Ended(C1, 7)]


def test_what_was_looked_at_runs_and_goes_on_whatever_its_name_means_by_then(tmp_path: Path) -> None:
    name, errands, empty = f"idleq-contract-{os.getpid()}", Late(), tmp_path / "empty.tar"
    podman = partial(subprocess.run, check=True, capture_output=True)
    podman(["tar", "--create", "--file", str(empty), "--files-from", "/dev/null"])
    with bench_of("podman", tmp_path, PodmanRuntime(str(tmp_path), errands)) as bench:
        order, images = replace(bench.python(COUNT, "200"), image=name), bench.images()
        errands.before = partial(podman, ["podman", "import", str(empty), name])
        try:
            podman(["podman", "tag", IMAGE, name])
            errands.verb = "run"
            bench.runtime.start(order)
            bench.wait_for_lines(5)
            bench.runtime.freeze(C1, images)
            podman(["podman", "tag", IMAGE, name])
            errands.verb = "restore"
            bench.runtime.thaw(order, images)
            assert bench.wait_for_end() == [Ended(C1, 0)]
        finally:
            podman(["podman", "image", "rm", "--force", name])
        assert bench.lines() == [str(number) for number in range(200)]


def test_of_a_start_whose_runtime_is_killed_half_way_nothing_is_left(bench: Bench) -> None:
    chance, killed = random.Random(20_261_126), 0
    with closing(PodmanRuntime(str(bench.folder), Errands(), start_seconds=3)) as hasty:
        for _ in range(5 * KILLED_STARTS):
            killed += kill_half_way(hasty, bench, chance.uniform(0, 0.02))
            assert (bench.survivors(), of_runtime("init"), programs(MONITOR)) == ([], [], [])
            if killed == KILLED_STARTS:
                break
    assert killed == KILLED_STARTS


def kill_half_way(runtime: PodmanRuntime, bench: Bench, seconds: float) -> bool:
    """Start one and kill what starts it *seconds* after it was seen; say whether there was something to kill."""
    killed = False
    with ThreadPoolExecutor(1) as beside:
        start = beside.submit(runtime.start, bench.python(COUNT, "100000"))
        wait_for("the runtime", lambda: of_runtime("init") or start.done(), seconds=30, every=0.001)
        time.sleep(seconds)
        for pid in of_runtime("create"):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed = True
    if start.exception() is None:
        runtime.kill([C1])
        wait_for("its end", runtime.ended, seconds=30)
    else:
        assert isinstance(start.exception(), StartFailed)
    return killed


def of_runtime(verb: str) -> list[int]:
    """The processes by which podman's runtime does *verb*."""
    return [pid for pid in programs("runc") if verb in read_argv(pid)]


def test_a_caller_of_the_same_owner_ends_what_an_earlier_one_has_left(bench: Bench) -> None:
    bench.runtime.start(bench.python(COUNT, "100000"))
    bench.wait_for_lines(1)

    PodmanRuntime(str(bench.folder), Errands()).close()

    assert bench.survivors() == []
    assert len(bench.wait_for_end()) == 1


def test_one_of_an_image_that_knows_no_users_goes_on_too(bench: Bench) -> None:
    name, root = f"idleq-contract-{os.getpid()}", bench.folder / "root"
    order, images = replace(bench.order("/bin/sh", "-c", FEW_STEPS), image=name), bench.images()
    copy = 'mkdir -p "$0/bin"; cp /bin/dash "$0/bin/sh"; cp /bin/sleep "$0/bin/"; ldd "$0"/bin/* | grep -o "/[^ :]*lib[^ :]*" | sort -u | xargs cp --parents -L -t "$0"'
    subprocess.run(["sh", "-c", f'{copy}; tar -C "$0" -c . | podman import --quiet - {name}', root], check=True)
    try:
        bench.runtime.start(order)
        bench.wait_for_lines(3)
        freeze_as_agents_do(bench.runtime, images)
        bench.runtime.thaw(order, images)
        assert bench.wait_for_end() == [Ended(C1, 0)]
    finally:
        subprocess.run(["podman", "image", "rm", "--force", name], check=True, capture_output=True)

    assert bench.lines() == [str(number) for number in range(1, 21)]
