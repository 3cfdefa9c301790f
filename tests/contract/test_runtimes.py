"""What every runtime holds: plain processes, those that may be frozen, and podman's containers where this machine has them.

Where there is no criu, what is frozen is left out here; the testbed's nodes have all of it, and run this very file.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any, Protocol

import psutil
import pytest

from idleq.migration import enclosed
from idleq.migration.cgroups import GROUPS, freezer_of, groups_in
from idleq.migration.confinement import OWNER_LABEL
from idleq.migration.docker import DockerRuntime
from idleq.migration.enclosed import OUTPUTS
from idleq.migration.errands import MONITOR, Errands
from idleq.migration.errors import FreezeFailed, ImageMissing, ProgramMissing, StartFailed, ThawFailed
from idleq.migration.goingon import wait_until_it_goes_on
from idleq.migration.podman import PodmanRuntime
from idleq.migration.ports import ContainerName, Ended, Freezer, Mount, Order, Runtime, RuntimeName
from idleq.migration.process import ProcessRuntime
from idleq.migration.tree import empty
from idleq.processes import read_argv, read_process, read_processes, read_program, read_variable
from support.containers import CRIU, IMAGE, IMAGES, NAMESPACES
from testbed.waiting import wait_for

INSIDE = Path("/run/idleq")
# Of this process only: agents of other tests may have the job 1 of an allocation a1 at the same time.
JOB = f"contract{os.getpid()}/1"
C1, C2 = (ContainerName(f"{JOB}/{fence}") for fence in (1, 2))
PATIENCE_SECONDS = 30
NO_SUCH_CORE = 1000
KILLED_THAWS = 6
FORKS = 40
FORKS_AT_ONCE = f"""{sys.executable} -c '
import os, resource
print(os.nice(0), os.sched_getaffinity(0), resource.getrlimit(resource.RLIMIT_CORE))
' >> counted; true"""
SPINS = "open('counted', 'w').write('spins\\n')\nwhile True:\n    pass\n"
SPINS_FOR_A_WHILE = """
import os, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
end = time.monotonic() + 3
while time.monotonic() < end:
    pass
print(time.process_time())
"""

COUNT = """
import sys, time
from pathlib import Path
with Path("counted").open("w") as file:
    for number in range(int(sys.argv[1])):
        file.write(f"{number}\\n")
        file.flush()
        print(number, flush=True)
        time.sleep(0.01)
"""

HEARS = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
Path("counted").write_text("ready\\n")
while True:
    time.sleep(600)
"""

BEGINS_ANOTHER = """
import os, signal, sys, time
from pathlib import Path
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
os.mkfifo("gate")
Path("counted").write_text("ready\\n")
os.posix_spawn("/bin/true", ["true"], {}, file_actions=[(os.POSIX_SPAWN_OPEN, 0, "gate", os.O_RDONLY, 0)])
os.wait()
Path("counted").write_text("ready\\nbegun\\n")
while True:
    time.sleep(600)
"""

CONNECTED = {
    "enclosed": "criu: inet: Connected TCP socket, consider using --tcp-established",
    "docker": "docker cannot freeze .*: criu: ",
    "podman": "podman: criu: ",
}
"""Why what has a connection cannot be frozen; of one within a container criu finds fault with this or that."""

CONNECTS = """
import signal, socket, sys, time
from pathlib import Path
signal.signal(signal.SIGUSR1, lambda *_: sys.exit(7))
port = int(sys.argv[1])
itself = None if port else socket.create_server(("127.0.0.1", 0))
connected = socket.create_connection(("127.0.0.1", port or itself.getsockname()[1]))
accepted = itself and itself.accept()
Path("counted").write_text("ready\\n")
while True:
    time.sleep(600)
"""

WAITS = ("/bin/sh", "-c", "echo 1 > counted; until [ -e go ]; do sleep 0.1; done; exit 7")
"""See `end_by_itself`."""

LEAVES = """
import os, time
from pathlib import Path
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        Path("counted").write_text("ready\\n")
        time.sleep(600)
    os._exit(0)
os.wait()
while not Path("counted").exists():
    time.sleep(0.01)
os._exit(3)
"""


class FullRuntime(Runtime, Freezer, Protocol):
    def close(self) -> None: ...


@dataclass(slots=True)
class Bench:
    """A runtime, and the folder that its containers work in."""

    kind: str
    runtime: FullRuntime
    folder: Path
    told: list[Ended] = field(default_factory=list)

    @property
    def may_freeze(self) -> bool:
        return self.kind != "process"

    @property
    def is_image(self) -> bool:
        return self.kind in {"podman", "docker"}

    def order(self, *argv: str, name: ContainerName = C1, environment: Mapping[str, str] | None = None) -> Order:
        return Order(
            name=name,
            argv=argv,
            environment={**({} if self.is_image else {"PATH": os.environ["PATH"]}), **(environment or {})},
            folder=INSIDE / "work" if self.may_freeze else self.folder / "work",
            stdout=self.folder / f"stdout-{name.rpartition('/')[2]}",
            stderr=self.folder / f"stderr-{name.rpartition('/')[2]}",
            mounts=[
                Mount(source=self.folder / "work", target=INSIDE / "work", is_writable=True),
                Mount(source=self.folder / "given", target=INSIDE / "given"),
            ]
            if self.may_freeze
            else (),
            may_freeze=self.may_freeze,
            runtime=RuntimeName(self.kind) if self.is_image else RuntimeName.PROCESS,
            image=IMAGE if self.is_image else "",
            memory=2**28 if self.is_image else None,
        )

    def python(self, code: str, *arguments: str) -> Order:
        return self.order("python3" if self.is_image else sys.executable, "-I", "-S", "-c", code, *arguments)

    def lines(self) -> list[str]:
        path = self.folder / "work" / "counted"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_lines(self, least: int) -> None:
        wait_for(f"{least} lines", lambda: len(self.lines()) >= least, seconds=PATIENCE_SECONDS)

    def wait_for_end(self) -> list[Ended]:
        wait_for("the end", self._look, seconds=PATIENCE_SECONDS)
        return self.told

    def wait_for_ends(self, count: int) -> None:
        wait_for(f"{count} ends", lambda: self._look() and len(self.told) >= count, seconds=PATIENCE_SECONDS)

    def images(self) -> Path:
        """A folder for what a freeze leaves."""
        folder = self.folder / "images"
        folder.mkdir()
        return folder

    def _look(self) -> bool:
        self.told += self.runtime.ended()
        return bool(self.told)

    def survivors(self) -> list[int]:
        marks = {f"{C1}/", f"{C2}/"}
        return [
            pid
            for pid, process in read_processes().items()
            if not process.is_zombie
            and any((read_variable(pid, "IDLEQ_MARK") or "").startswith(mark) for mark in marks)
        ]


@contextmanager
def full_disk(folder: Path, size: str = "1m") -> Iterator[Path]:
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "small", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def runtime_of(kind: str, folder: Path) -> FullRuntime:
    match kind:
        case "podman":
            return PodmanRuntime(str(folder), Errands())
        case "docker":
            return DockerRuntime(owner=str(folder))
        case _:
            return ProcessRuntime()


@contextmanager
def bench_of(kind: str, folder: Path, runtime: FullRuntime | None = None) -> Iterator[Bench]:
    for name in ("work", "given"):
        (folder / name).mkdir()
    bench = Bench(kind, runtime or runtime_of(kind, folder), folder)
    yield bench
    bench.runtime.close()
    assert not bench.is_image or containers_of(bench) == []
    wait_for("everything to be gone", lambda: not bench.survivors(), seconds=PATIENCE_SECONDS)


def containers_of(bench: Bench, *wanted: str, owner: Path | None = None) -> list[str]:
    """What the bench's engine still knows of its containers, or of those of *owner*, whether they run or not, if they are as *wanted*."""
    label = f"--filter=label={OWNER_LABEL}={owner or bench.folder}"
    ask = [bench.kind, "ps", "--all", "--quiet", label, *(f"--filter={one}" for one in wanted)]
    return subprocess.run(ask, capture_output=True, text=True, check=True).stdout.split()


def end_by_itself(bench: Bench) -> None:
    """Let one that `WAITS` end, and wait until it has."""
    (bench.folder / "work" / "go").touch()
    wait_for("its end", lambda: not bench.survivors(), seconds=PATIENCE_SECONDS)


def cpu_seconds(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


@pytest.fixture(params=["process", pytest.param("enclosed", marks=NAMESPACES), *IMAGES])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(request.param, tmp_path) as bench:
        yield bench


@pytest.fixture(params=IMAGES)
def container(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(request.param, tmp_path) as bench:
        yield bench


@pytest.fixture(params=[pytest.param("enclosed", marks=[NAMESPACES, CRIU]), *IMAGES])
def freezer(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    with bench_of(request.param, tmp_path) as bench:
        yield bench


def test_the_exit_code_is_told_once(bench: Bench) -> None:
    bench.runtime.start(bench.order("/bin/sh", "-c", "exit 5"))

    assert bench.wait_for_end() == [Ended(C1, 5)]
    assert bench.runtime.ended() == []


def test_an_exit_code_that_engines_have_for_their_own_troubles_is_told_as_its_own(bench: Bench) -> None:
    for number, code in enumerate((125, 128, 255), start=1):
        order = replace(bench.order("/bin/sh", "-c", f"exit {code}"), name=ContainerName(f"{JOB}/{number}"))
        bench.runtime.start(order)
    bench.wait_for_ends(3)

    assert sorted((ended.name, ended.code, ended.lost) for ended in bench.told) == [
        (f"{JOB}/1", 125, ""),
        (f"{JOB}/2", 128, ""),
        (f"{JOB}/3", 255, ""),
    ]


def test_one_that_is_ended_by_a_signal_is_told_with_it(bench: Bench) -> None:
    if bench.is_image:
        pytest.skip("the kernel spares the first process of a container its own signals")
    bench.runtime.start(bench.order("/bin/sh", "-c", "kill -TERM $$"))

    assert bench.wait_for_end() == [Ended(C1, -signal.SIGTERM)]


def test_one_that_cannot_have_its_cores_is_refused_and_leaves_nothing_running(bench: Bench) -> None:
    if bench.is_image:
        pytest.skip("an engine refuses it by itself, before anything runs")
    gone = frozenset({NO_SUCH_CORE})

    with pytest.raises(StartFailed):
        bench.runtime.start(replace(bench.order("sleep", "600"), cores=gone))

    assert (bench.runtime.ended(), bench.survivors()) == ([], [])


def test_whatever_a_program_starts_at_once_has_its_cores_and_its_limits_too(tmp_path: Path) -> None:
    (core, *_) = sorted(os.sched_getaffinity(0))
    runtime = ProcessRuntime(niceness=19)
    with bench_of("process", tmp_path, runtime) as bench:
        for number in range(FORKS):
            order = replace(bench.order("/bin/sh", "-c", FORKS_AT_ONCE), cores=frozenset({core}))
            runtime.start(replace(order, name=ContainerName(f"{JOB}/{number + 1}")))
        bench.wait_for_ends(FORKS)

        assert len(bench.lines()) == FORKS
        assert set(bench.lines()) == {f"19 {{{core}}} (0, 0)"}


HOLDS = """
import subprocess, sys
held = b"x" * 2**26
child = subprocess.Popen([sys.executable, "-I", "-S", "-c", "import time; held = b'x' * 2**26; print('ready', flush=True); time.sleep(600)"], stdout=subprocess.PIPE)
child.stdout.readline()
open("counted", "w").write("ready\\n")
child.wait()
"""


def test_an_orphan_that_was_seen_below_its_parent_too_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = ProcessRuntime()
    with bench_of("process", tmp_path, runtime) as bench:
        runtime.start(bench.python(HOLDS))
        bench.wait_for_lines(1)
        processes = {pid: read_processes()[pid] for pid in bench.survivors()}
        (child,) = (pid for pid, process in processes.items() if process.parent in processes)
        limit = sum(process.resident for process in processes.values()) + 2**24
        monkeypatch.setattr(ProcessRuntime, "_strays", lambda _: {child})

        assert runtime.over({C1: limit}) == {}
        assert runtime.over({C1: 2**26}).keys() == {C1}
        monkeypatch.undo()
        runtime.kill([C1])
        bench.wait_for_end()


def test_guests_of_the_lowest_priority_leave_a_core_to_whoever_else_wants_it(tmp_path: Path) -> None:
    (core, *_) = sorted(os.sched_getaffinity(0))
    runtime = ProcessRuntime(niceness=19)
    with bench_of("process", tmp_path, runtime) as bench:
        runtime.start(replace(bench.python(SPINS), cores=frozenset({core})))
        bench.wait_for_lines(1)
        guest = next(iter(bench.survivors()))
        before = cpu_seconds(guest)
        ours = subprocess.Popen(
            [sys.executable, "-c", SPINS_FOR_A_WHILE, str(core)],
            start_new_session=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        used = float(ours.communicate(timeout=PATIENCE_SECONDS)[0])
        of_the_guest = cpu_seconds(guest) - before
        runtime.kill([C1])
        bench.wait_for_end()

    assert of_the_guest < used / 4


def test_a_signal_reaches_the_program(bench: Bench) -> None:
    bench.runtime.start(bench.python(HEARS))
    bench.wait_for_lines(1)

    bench.runtime.signal(C1, signal.SIGUSR1)

    assert bench.wait_for_end() == [Ended(C1, 7)]


def test_killed_it_is_gone_with_all_that_descends_from_it(bench: Bench) -> None:
    bench.runtime.start(bench.order("/bin/sh", "-c", "setsid sleep 600 & echo ready > counted; sleep 600"))
    bench.wait_for_lines(1)

    bench.runtime.kill([C1])

    assert bench.wait_for_end() == [Ended(C1, -signal.SIGKILL)]
    assert bench.survivors() == []


def test_when_it_is_told_to_have_ended_nothing_of_it_lives(bench: Bench) -> None:
    bench.runtime.start(bench.python(LEAVES))

    assert bench.wait_for_end() == [Ended(C1, 3)]
    assert bench.survivors() == []


def test_what_it_prints_is_appended_to_its_files(bench: Bench) -> None:
    order = bench.order("/bin/sh", "-c", "echo said; echo wrong >&2")
    order.stdout.write_text("before\n")

    bench.runtime.start(order)

    bench.wait_for_end()
    assert (order.stdout.read_text(), order.stderr.read_text()) == ("before\nsaid\n", "wrong\n")


def test_a_program_that_is_not_there_is_refused(bench: Bench) -> None:
    with pytest.raises(ProgramMissing, match="no-such-program"):
        bench.runtime.start(bench.order("no-such-program"))
    assert bench.runtime.ended() == []


def test_where_its_image_is_missing_it_does_not_start_and_what_was_frozen_waits_for_it(container: Bench) -> None:
    order, images = container.python(COUNT, "200"), container.images()
    elsewhere = replace(order, image="idleq-no-such-image")
    missing = "the image 'idleq-no-such-image' is not on this node: bring it there by `idleq image load`"
    with pytest.raises(ImageMissing, match=missing):
        container.runtime.start(elsewhere)
    container.runtime.start(order)
    container.wait_for_lines(5)
    container.runtime.freeze(C1, images)

    with pytest.raises(ImageMissing, match=missing):
        container.runtime.thaw(elsewhere, images)

    container.runtime.thaw(order, images)
    assert container.wait_for_end() == [Ended(C1, 0)]
    assert container.lines() == [str(number) for number in range(200)]


def test_what_was_frozen_in_an_image_does_not_go_on_in_another_of_the_same_name(container: Bench) -> None:
    name = f"idleq-contract-{os.getpid()}"
    order, images = replace(container.python(COUNT, "200"), image=name), container.images()
    engine = partial(subprocess.run, check=True, capture_output=True, text=True)
    empty_archive = container.folder / "empty.tar"
    engine(["tar", "--create", "--file", str(empty_archive), "--files-from", "/dev/null"])
    try:
        engine([container.kind, "tag", IMAGE, name])
        container.runtime.start(order)
        container.wait_for_lines(5)
        container.runtime.freeze(C1, images)
        engine([container.kind, "import", str(empty_archive), name])

        with pytest.raises(ImageMissing, match="on this node is another one"):
            container.runtime.thaw(order, images)

        engine([container.kind, "tag", IMAGE, name])
        container.runtime.thaw(order, images)
        assert container.wait_for_end() == [Ended(C1, 0)]
        assert container.lines() == [str(number) for number in range(200)]
    finally:
        engine([container.kind, "image", "rm", "--force", name])


def volumes(bench: Bench) -> list[str]:
    return subprocess.run(
        [bench.kind, "volume", "ls", "--quiet"], capture_output=True, text=True, check=True
    ).stdout.split()


def test_of_the_volumes_that_an_image_asks_for_nothing_stays(container: Bench) -> None:
    name, before = f"idleq-contract-{os.getpid()}", volumes(container)
    order, images = replace(container.python(COUNT, "100"), image=name), container.images()
    recipe = container.folder / "recipe"
    recipe.mkdir()
    (recipe / "Dockerfile").write_text(f"FROM {IMAGE}\nVOLUME /var/kept\n")
    engine = partial(subprocess.run, check=True, capture_output=True, text=True)
    engine([container.kind, "build", "--tag", name, str(recipe)])
    try:
        container.runtime.start(order)
        container.wait_for_lines(5)
        assert container.kind == "docker" or volumes(container) == before  # docker makes one whatever it is told
        container.runtime.freeze(C1, images)
        container.runtime.thaw(order, images)
        assert container.wait_for_end() == [Ended(C1, 0)]
        assert container.lines() == [str(number) for number in range(100)]
    finally:
        engine([container.kind, "image", "rm", "--force", name])
    assert volumes(container) == before


def time_of(pid: int) -> float:
    """How many cores' worth of time the control group of *pid* gives."""
    groups = groups_in(Path(f"/proc/{pid}/cgroup").read_text())
    name = next((name for name in groups if "cpu" in name.split(",")), "")
    folder = GROUPS / name / groups[name].lstrip("/")
    files = ["cpu.cfs_quota_us", "cpu.cfs_period_us"] if name else ["cpu.max"]
    quota, period = " ".join((folder / file).read_text().strip() for file in files).split()
    return int(quota) / int(period)


def test_one_that_is_bound_to_no_cores_has_the_time_of_as_many_also_once_it_goes_on(container: Bench) -> None:
    order, images = replace(container.python(COUNT, "1000"), core_time=1), container.images()
    container.runtime.start(order)
    container.wait_for_lines(1)
    assert [time_of(pid) for pid in container.survivors()] == [1]

    container.runtime.freeze(C1, images)
    container.runtime.thaw(replace(order, core_time=2), images)

    assert [time_of(pid) for pid in container.survivors()] == [2]
    container.runtime.kill([C1])


def test_of_one_that_goes_on_without_a_part_that_took_too_much_memory_that_is_told(container: Bench) -> None:
    eats = "python3 -c 'held = [bytearray(b\"x\" * 2**20) for _ in range(2**10)]'; exit 0"
    container.runtime.start(replace(container.order("/bin/sh", "-c", eats), memory=2**26))

    assert container.wait_for_end() == [Ended(C1, 0, ran_out=True)]


def start_and_be_killed(bench: Bench, owner: Path, when: str) -> None:
    """Be an agent that is killed: its container ended before, is killed *with it*, or goes on."""
    order = bench.python(COUNT, "1" if when == "before" else "100000")
    runtime_of(bench.kind, owner).start(order)
    bench.wait_for_lines(1)
    if when == "with it":
        guests = [process for pid in bench.survivors() if (process := read_process(pid)) is not None]
        for pid in (*(one.parent for one in guests), *(one.pid for one in guests)):
            os.kill(pid, signal.SIGKILL)
    if when == "before":
        is_over = partial(containers_of, bench, "status=exited", owner=owner)
        wait_for("its end", is_over, seconds=PATIENCE_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def has_reaped() -> bool:
    """Do for orphans what a node's first process does for them; whether there are none of containers any more."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return not programs(MONITOR)


@pytest.mark.parametrize("when", ["before", "with it", "never"])
def test_what_an_agent_that_was_killed_has_left_the_next_one_on_the_node_ends(
    container: Bench, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    owner, temporary = container.folder / "killed", container.folder / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    agent = get_context("fork").Process(target=start_and_be_killed, args=(container, owner, when))
    agent.start()
    agent.join()
    if when == "never":
        assert len(container.survivors()) == 1
    else:
        wait_for("its orphans to be gone", has_reaped, seconds=PATIENCE_SECONDS)
    assert (agent.exitcode, len(containers_of(container, owner=owner))) == (-signal.SIGKILL, 1)

    def next_has_removed_it() -> bool:
        has_reaped()  # what had not ended when its monitor did
        runtime_of(container.kind, container.folder / "next").close()
        return containers_of(container, owner=owner) == []

    # An engine may not know yet that it has ended.
    wait_for("it to be removed", next_has_removed_it, seconds=PATIENCE_SECONDS)
    assert container.survivors() == []
    assert list(temporary.iterdir()) == []


def test_what_has_ended_of_an_agent_that_lives_is_left_to_it(container: Bench) -> None:
    container.runtime.start(container.order("/bin/sh", "-c", "exit 5"))
    wait_for("its end", partial(containers_of, container, "status=exited"), seconds=PATIENCE_SECONDS)

    runtime_of(container.kind, container.folder / "next").close()

    assert container.wait_for_end() == [Ended(C1, 5)]


def test_it_has_the_environment_that_was_ordered_and_its_mark(bench: Bench) -> None:
    bench.runtime.start(bench.order("/usr/bin/env", environment={"GREETING": "hello there"}))

    bench.wait_for_end()
    names = {line.partition("=")[0] for line in bench.order("env").stdout.read_text().splitlines()}
    assert {"PATH", "GREETING", "IDLEQ_MARK"} <= names
    assert bench.is_image or names <= {"PATH", "GREETING", "IDLEQ_MARK", "LC_CTYPE"}, (
        "an image has variables of its own"
    )


def test_variables_of_many_lines_or_that_are_long_arrive_as_they_are(bench: Bench) -> None:
    wanted = {"POEM": "one\ntwo\n", "ENDS": "x\r", "LONG": "x" * 100_000, "TZ": "UTC\n", "QUOTED": "'\"$HOME `\\"}
    order = bench.python(f"import os\nfor name in {sorted(wanted)}: print(ascii(os.environ[name]))")
    bench.runtime.start(replace(order, environment={**order.environment, **wanted}))

    assert bench.wait_for_end() == [Ended(C1, 0)]
    assert order.stdout.read_text().splitlines() == [ascii(wanted[name]) for name in sorted(wanted)]


def test_what_is_mounted_can_be_written_only_if_that_was_ordered(bench: Bench) -> None:
    if not bench.may_freeze:
        pytest.skip("it sees this machine as it is")
    bench.runtime.start(bench.order("/bin/sh", "-c", f"echo x > {INSIDE}/work/here && ! echo x > {INSIDE}/given/there"))

    assert bench.wait_for_end() == [Ended(C1, 0)]
    assert (bench.folder / "work" / "here").exists()
    assert not (INSIDE / "work").exists(), "nobody else sees it"


def test_frozen_and_thawed_again_and_again_it_goes_on_where_it_was(freezer: Bench) -> None:
    order = freezer.python(COUNT, "200")
    freezer.runtime.start(order)
    for turn in range(1, 4):
        images = freezer.folder / f"images-{turn}"
        images.mkdir()
        freezer.wait_for_lines(40 * turn)
        state = freezer.runtime.freeze(order.name, images)
        assert state.bytes == sum(path.stat().st_size for path in images.rglob("*") if path.is_file())
        assert (freezer.survivors(), freezer.runtime.ended()) == ([], [])
        order = replace(order, name=ContainerName(f"{JOB}/{turn + 1}"), stdout=freezer.folder / f"stdout-{turn + 1}")
        freezer.runtime.thaw(order, images)

    assert freezer.wait_for_end() == [Ended(order.name, 0)]
    said = "".join((freezer.folder / f"stdout-{turn}").read_text() for turn in range(1, 5))
    assert freezer.lines() == said.splitlines() == [str(number) for number in range(200)]


def test_one_that_has_a_connection_cannot_be_frozen_and_goes_on(freezer: Bench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as outside:
        images = freezer.images()
        port = 0 if freezer.is_image else outside.getsockname()[1]  # a container reaches nobody but itself
        freezer.runtime.start(freezer.python(CONNECTS, str(port)))
        freezer.wait_for_lines(1)

        with pytest.raises(FreezeFailed, match=CONNECTED[freezer.kind]):
            freezer.runtime.freeze(C1, images)

        assert freezer.runtime.hears(C1, signal.SIGUSR1)
        freezer.runtime.signal(C1, signal.SIGUSR1)
        assert freezer.wait_for_end() == [Ended(C1, 7)]


def test_one_that_is_just_beginning_another_program_goes_on_and_can_be_frozen_once_that_runs(freezer: Bench) -> None:
    freezer.runtime.start(freezer.python(BEGINS_ANOTHER))
    freezer.wait_for_lines(1)

    with pytest.raises(FreezeFailed) as failure:
        freezer.runtime.freeze(C1, freezer.images())
    assert failure.value.may_pass
    with (freezer.folder / "work" / "gate").open("w"):
        freezer.wait_for_lines(2)
    empty(freezer.folder / "images")
    freezer.runtime.freeze(C1, freezer.folder / "images")

    freezer.runtime.thaw(replace(freezer.python(BEGINS_ANOTHER), name=C2), freezer.folder / "images")
    freezer.runtime.signal(C2, signal.SIGUSR1)
    assert freezer.wait_for_end() == [Ended(C2, 7)]


@NAMESPACES
@CRIU
def test_a_freeze_that_has_failed_and_a_thaw_end_only_once_the_guest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []

    def wait(pid: int) -> None:
        wait_until_it_goes_on(pid)
        waited.append(pid)

    monkeypatch.setattr(enclosed, "wait_until_it_goes_on", wait)
    with bench_of("enclosed", tmp_path) as freezer, socket.create_server(("127.0.0.1", 0)) as outside:
        images, port = freezer.images(), str(outside.getsockname()[1])
        freezer.runtime.start(freezer.python(CONNECTS, port))
        freezer.wait_for_lines(1)
        with pytest.raises(FreezeFailed):
            freezer.runtime.freeze(C1, images)
        assert waited.pop() in freezer.survivors()
        freezer.runtime.kill([C1])
        freezer.wait_for_end()

        empty(images)
        (freezer.folder / "work" / "counted").unlink()
        freezer.told.clear()
        freezer.runtime.start(freezer.python(HEARS))
        freezer.wait_for_lines(1)
        freezer.runtime.freeze(C1, images)
        assert waited == []
        freezer.runtime.thaw(replace(freezer.python(HEARS), name=C2), images)
        assert waited.pop() in freezer.survivors()
        freezer.runtime.signal(C2, signal.SIGUSR1)
        assert freezer.wait_for_end() == [Ended(C2, 7)]


def shut(pid: int) -> None:
    """Stop a container as its runtime does while criu takes hold of it."""
    freezer = freezer_of(pid)
    assert freezer is not None
    freezer.switch.write_text("FROZEN" if freezer.opens == "THAWED" else "1")


@pytest.mark.parametrize("when", ["while it is frozen", "later"])
def test_one_that_a_broken_freeze_has_left_standing_still_goes_on(container: Bench, when: str) -> None:
    container.runtime.start(container.python(CONNECTS, "0"))
    container.wait_for_lines(1)
    (pid,) = container.survivors()

    if when == "while it is frozen":
        shut(pid)
    with pytest.raises(FreezeFailed) as failure:
        container.runtime.freeze(C1, container.images())
    if when == "later":
        shut(pid)  # by one whose parent was killed, and who has gone on for a while

    assert not failure.value.is_broken
    assert container.runtime.ended() == []
    container.runtime.signal(C1, signal.SIGUSR1)
    assert container.wait_for_end() == [Ended(C1, 7)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a small disk")
@pytest.mark.parametrize("size", ["1m", pytest.param("16k", id="also for criu's log")])
def test_when_the_disk_is_full_it_goes_on(freezer: Bench, size: str) -> None:
    with full_disk(freezer.folder / "full", size) as full:
        freezer.runtime.start(freezer.python(COUNT, "100"))
        freezer.wait_for_lines(1)

        with pytest.raises(FreezeFailed, match=r"[Nn]o space left on device"):
            freezer.runtime.freeze(C1, full)

        assert freezer.wait_for_end() == [Ended(C1, 0)]
        assert freezer.lines() == [str(number) for number in range(100)]


def programs(name: str) -> list[int]:
    return [pid for pid in read_processes() if read_program(pid) == name]


def criu_of(freezer: Bench, images: Path) -> list[int]:
    is_writing = freezer.is_image or (images / "dump.log").exists()
    return programs("criu") if is_writing else []


def test_one_whose_criu_is_killed_half_way_goes_on_or_is_ended_and_told_as_lost(freezer: Bench) -> None:
    images = freezer.images()
    freezer.runtime.start(freezer.python(COUNT, "1000"))
    freezer.wait_for_lines(1)
    failures: list[FreezeFailed] = []

    def freeze() -> None:
        try:
            freezer.runtime.freeze(C1, images)
        except FreezeFailed as failure:
            failures.append(failure)

    thread = Thread(target=freeze)
    thread.start()
    criu = wait_for("criu to write", lambda: criu_of(freezer, images), seconds=PATIENCE_SECONDS, every=0.001)
    for pid in criu:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    thread.join()

    if failures:
        (ended,) = freezer.wait_for_end()
        has_gone_on = ended == Ended(C1, 0) and freezer.lines() == [str(number) for number in range(1000)]
        assert has_gone_on or ended.lost  # what criu has left in it may end it in any way before we do
    assert freezer.survivors() == []


def test_of_a_thaw_whose_criu_is_killed_half_way_nothing_is_left(freezer: Bench) -> None:
    order, images, chance = freezer.python(HEARS), freezer.images(), random.Random(20_261_126)
    freezer.runtime.start(order)
    freezer.wait_for_lines(1)
    freezer.runtime.freeze(C1, images)

    for _ in range(KILLED_THAWS):
        with ThreadPoolExecutor(1) as beside:
            thaw = beside.submit(freezer.runtime.thaw, order, images)
            seen = wait_for("criu", lambda: programs("criu"), seconds=PATIENCE_SECONDS, every=0.001)
            time.sleep(chance.uniform(0, 0.05))
            for pid in set(seen) & set(programs("criu")):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if thaw.exception() is None:
            freezer.runtime.kill([C1])
            freezer.wait_for_end()
            freezer.told.clear()
        else:
            assert isinstance(thaw.exception(), ThawFailed)
        wait_for("nothing to be left", lambda: not freezer.survivors(), seconds=PATIENCE_SECONDS)


@NAMESPACES
@CRIU
def test_one_that_is_killed_while_it_is_being_thawed_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bench_of("enclosed", tmp_path) as freezer:
        order, images = freezer.python(COUNT, "100"), freezer.images()
        freezer.runtime.start(order)
        freezer.wait_for_lines(1)
        freezer.runtime.freeze(C1, images)
        hanging = freezer.folder / "criu"
        hanging.write_text("#!/bin/sh\nexec sleep 600\n")
        hanging.chmod(0o755)
        with monkeypatch.context() as elsewhere:
            elsewhere.setenv("PATH", f"{freezer.folder}:{os.environ['PATH']}")
            with ThreadPoolExecutor(1) as beside:
                thaw = beside.submit(freezer.runtime.thaw, order, images)
                wait_for("criu", lambda: set(freezer.survivors()) & set(programs("sleep")), seconds=PATIENCE_SECONDS)
                freezer.runtime.kill([C1])
                assert isinstance(thaw.exception(timeout=PATIENCE_SECONDS / 2), ThawFailed)
        assert (freezer.survivors(), freezer.runtime.ended()) == ([], [])

        freezer.runtime.thaw(freezer.python(COUNT, "100"), images)
        assert freezer.wait_for_end() == [Ended(C1, 0)]


@NAMESPACES
@CRIU
def test_one_that_is_killed_just_before_it_goes_on_does_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with bench_of("enclosed", tmp_path) as freezer:
        order, images, thaw = freezer.python(COUNT, "100"), freezer.images(), enclosed.thaw
        freezer.runtime.start(order)
        freezer.wait_for_lines(1)
        freezer.runtime.freeze(C1, images)

        def late(*given: Any) -> None:
            freezer.runtime.kill([C1])
            thaw(*given)

        with monkeypatch.context() as patched:
            patched.setattr(enclosed, "thaw", late)
            with pytest.raises(ThawFailed):
                freezer.runtime.thaw(order, images)
        assert (freezer.survivors(), freezer.runtime.ended()) == ([], [])

        freezer.runtime.thaw(order, images)
        assert freezer.wait_for_end() == [Ended(C1, 0)]


@pytest.mark.parametrize("damage", ["core-*.img", "pstree.img", "container.tar", "idleq.json"])
def test_what_is_damaged_is_not_thawed_and_nothing_of_it_runs(freezer: Bench, damage: str) -> None:
    order, images = freezer.python(COUNT, "100"), freezer.images()
    freezer.runtime.start(order)
    freezer.wait_for_lines(1)
    freezer.runtime.freeze(C1, images)
    damaged = list(images.rglob(damage))
    if not damaged:
        pytest.skip("it has no such file")
    for path in damaged:
        path.write_bytes(path.read_bytes()[:17])

    with pytest.raises(ThawFailed):
        freezer.runtime.thaw(order, images)

    assert (freezer.survivors(), freezer.runtime.ended()) == ([], [])


def test_a_file_that_has_grown_since_is_refused_and_put_back_it_goes_on(freezer: Bench) -> None:
    order, images = freezer.python(COUNT, "60"), freezer.images()
    freezer.runtime.start(order)
    freezer.wait_for_lines(10)
    freezer.runtime.freeze(C1, images)
    counted = freezer.folder / "work" / "counted"
    before = counted.read_bytes()
    with counted.open("a") as file:
        file.write("later\n")

    with pytest.raises(ThawFailed, match=freezer.kind if freezer.is_image else "counted has bad size"):
        freezer.runtime.thaw(order, images)
    counted.write_bytes(before)
    freezer.runtime.thaw(order, images)

    assert freezer.wait_for_end() == [Ended(C1, 0)]
    assert freezer.lines() == [str(number) for number in range(60)]


def test_threads_of_the_freezer_do_not_disturb_who_looks_for_ends(freezer: Bench) -> None:
    order, images = freezer.python(COUNT, "300"), freezer.images()
    freezer.runtime.start(order)
    freezer.runtime.start(freezer.order("/bin/sh", "-c", "exit 4", name=C2))
    freezer.wait_for_lines(1)
    freeze = Thread(target=lambda: freezer.runtime.freeze(C1, images))
    freeze.start()
    while freeze.is_alive():
        freezer.told += freezer.runtime.ended()
        freeze.join(0.001)

    assert freezer.wait_for_end() == [Ended(C2, 4)]


def test_one_that_is_frozen_as_soon_as_it_is_started_goes_on_later(freezer: Bench) -> None:
    order, images = freezer.python(COUNT, "100"), freezer.images()
    freezer.runtime.start(order)
    freezer.runtime.freeze(C1, images)
    assert (freezer.survivors(), freezer.runtime.ended()) == ([], [])

    freezer.runtime.thaw(order, images)

    assert freezer.wait_for_end() == [Ended(C1, 0)]
    assert freezer.lines() == [str(number) for number in range(100)]


@NAMESPACES
@CRIU
def test_enclosed_processes_that_are_frozen_one_after_the_other_are_never_looked_for_when_gone(tmp_path: Path) -> None:
    with bench_of("enclosed", tmp_path) as freezer:
        order = freezer.python(COUNT, "100000")
        freezer.runtime.start(freezer.order("/bin/sleep", "600", name=C2))
        freezer.runtime.start(order)
        for turn in range(1, 7):
            images = freezer.folder / f"images-{turn}"
            images.mkdir()
            with ThreadPoolExecutor(1) as beside:
                freeze = beside.submit(freezer.runtime.freeze, C1, images)
                while not freeze.done():
                    assert freezer.runtime.ended() == []
            assert freeze.exception() is None
            freezer.runtime.thaw(order, images)

        freezer.runtime.kill([C1, C2])
        freezer.wait_for_ends(2)
        assert {ended.name for ended in freezer.told} == {C1, C2}


@NAMESPACES
@CRIU
def test_what_another_user_has_frozen_is_refused_at_once_as_criu_would_wait_for_ever(tmp_path: Path) -> None:
    with bench_of("enclosed", tmp_path) as freezer:
        order, images = freezer.python(COUNT, "100"), freezer.images()
        freezer.runtime.start(order)
        freezer.wait_for_lines(1)
        freezer.runtime.freeze(C1, images)
        told = json.loads((images / OUTPUTS).read_text())
        (images / OUTPUTS).write_text(json.dumps({**told, "whose": [*told["whose"], -1]}))

        with pytest.raises(ThawFailed, match="the groups of its user are others here"):
            freezer.runtime.thaw(order, images)
        assert (freezer.survivors(), freezer.runtime.ended()) == ([], [])


TERMINAL = """
import os, time
from pathlib import Path
ends = os.openpty()
Path("counted").write_text("ready\\n")
time.sleep(600)
"""

LISTS = """
import os
from pathlib import Path
Path("counted").write_text("".join(f"{name}\\n" for name in sorted(os.listdir("/run"))))
"""

ORDINARY = pytest.mark.skipif(os.geteuid() == 0, reason="it is about ordinary users")


@ORDINARY
@NAMESPACES
@CRIU
def test_an_ordinary_users_guest_with_a_terminal_is_not_frozen_as_it_could_not_be_thawed(tmp_path: Path) -> None:
    with bench_of("enclosed", tmp_path) as freezer:
        freezer.runtime.start(freezer.python(TERMINAL))
        freezer.wait_for_lines(1)

        with pytest.raises(FreezeFailed, match="a terminal, which criu gives back to root alone"):
            freezer.runtime.freeze(C1, freezer.images())

        assert freezer.runtime.ended() == []
        freezer.runtime.kill([C1])
        assert freezer.wait_for_end()


@ORDINARY
@NAMESPACES
@CRIU
def test_an_ordinary_users_guest_has_no_rights_inside_before_and_after(tmp_path: Path) -> None:
    with bench_of("enclosed", tmp_path) as freezer:
        order, images = freezer.python(COUNT, "100000"), freezer.images()
        freezer.runtime.start(order)
        freezer.wait_for_lines(1)
        assert rights(freezer) == {0}
        freezer.runtime.freeze(C1, images)
        freezer.runtime.thaw(order, images)
        assert rights(freezer) == {0}
        freezer.runtime.kill([C1])
        assert freezer.wait_for_end()


def rights(bench: Bench) -> set[int]:
    """The capabilities that what counts has, of all kinds that hold now."""
    held = set()
    for pid in bench.survivors():
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        if COUNT in (read_argv(pid) or ()):
            held |= {
                int(line.split()[1], 16) for line in lines if line.startswith(("CapEff", "CapPrm", "CapAmb", "CapInh"))
            }
    return held


@ORDINARY
@NAMESPACES
def test_an_ordinary_users_guest_finds_beside_its_folders_what_the_node_has_there(tmp_path: Path) -> None:
    with bench_of("enclosed", tmp_path) as freezer:
        freezer.runtime.start(freezer.python(LISTS))
        assert freezer.wait_for_end() == [Ended(C1, 0)]
        found, outside = set(freezer.lines()), set(os.listdir("/run"))  # noqa: PTH208 - names only
        assert found == outside if INSIDE.name in outside else found == {*outside, INSIDE.name, ".node"}
