"""All runtimes of a node as one."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from idleq.migration.errors import FreezeFailed, StartFailed
from idleq.migration.ports import ContainerName, Ended, FrozenState, Order, RuntimeName
from idleq.migration.runtimes import Runtimes

PROCESS, DOCKER = ContainerName("a1/1/1"), ContainerName("a1/2/1")


@dataclass(slots=True)
class Recorder:
    """A runtime that does nothing, and keeps what it was asked."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    ends: list[Ended] = field(default_factory=list)
    failures: list[FreezeFailed] = field(default_factory=list)

    def start(self, order: Order) -> None:
        self.asked.append(("start", order.name))

    def signal(self, name: ContainerName, number: int) -> None:
        self.asked.append(("signal", name, number))

    def hears(self, name: ContainerName, number: int) -> bool:
        self.asked.append(("hears", name, number))
        return True

    def kill(self, names: Collection[ContainerName]) -> None:
        self.asked.append(("kill", *names))

    def ended(self) -> list[Ended]:
        ends, self.ends = self.ends, []
        return ends

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:
        self.asked.append(("over", *limits))
        return {name: limit + 1 for name, limit in limits.items()}

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        self.asked.append(("freeze", name, into))
        if self.failures:
            (into / "half").write_bytes(b"")
            raise self.failures.pop(0)
        return FrozenState(bytes=7, stopped_ms=1)

    def thaw(self, order: Order, images: Path) -> None:
        self.asked.append(("thaw", order.name, images))

    def close(self) -> None:
        self.asked.append(("close",))


def order(name: ContainerName, runtime: RuntimeName) -> Order:
    return Order(
        name=name,
        argv=("x",),
        environment={},
        folder=Path("/"),
        stdout=Path("/o"),
        stderr=Path("/e"),
        runtime=runtime,
    )


@dataclass(slots=True)
class Bench:
    processes: Recorder = field(default_factory=Recorder)
    docker: Recorder = field(default_factory=Recorder)
    made: list[str] = field(default_factory=list)
    runtimes: Runtimes = field(init=False)

    def __post_init__(self) -> None:
        self.runtimes = Runtimes({RuntimeName.PROCESS: lambda: self.processes, RuntimeName.DOCKER: self.make_docker})

    def make_docker(self) -> Recorder:
        self.made.append("docker")
        return self.docker

    def start_both(self) -> None:
        self.runtimes.start(order(PROCESS, RuntimeName.PROCESS))
        self.runtimes.start(order(DOCKER, RuntimeName.DOCKER))
        self.processes.asked.clear()
        self.docker.asked.clear()


def test_two_threads_that_need_one_first_get_the_same() -> None:
    begun, may_go_on = Event(), Event()
    made: list[Recorder] = []

    def make() -> Recorder:
        made.append(Recorder())
        begun.set()
        assert may_go_on.wait(10)
        return made[-1]

    runtimes = Runtimes({RuntimeName.DOCKER: make})
    with ThreadPoolExecutor(2) as threads:
        started = threads.submit(runtimes.start, order(PROCESS, RuntimeName.DOCKER))
        assert begun.wait(10)
        thawed = threads.submit(runtimes.thaw, order(DOCKER, RuntimeName.DOCKER), Path("/i"))
        may_go_on.set()
        started.result(10)
        thawed.result(10)

    (one,) = made
    assert {what for what, *_ in one.asked} == {"start", "thaw"}


def test_while_one_is_made_guests_of_another_are_started() -> None:
    may_go_on, plain = Event(), Recorder()

    def make() -> Recorder:
        assert may_go_on.wait(10)
        return Recorder()

    runtimes = Runtimes({RuntimeName.PROCESS: lambda: plain, RuntimeName.DOCKER: make})
    with ThreadPoolExecutor(1) as thread:
        slow = thread.submit(runtimes.start, order(DOCKER, RuntimeName.DOCKER))
        runtimes.start(order(PROCESS, RuntimeName.PROCESS))
        may_go_on.set()
        slow.result(10)
    assert plain.asked == [("start", PROCESS)]


def test_a_runtime_is_made_when_it_is_first_needed() -> None:
    bench = Bench()
    bench.runtimes.start(order(PROCESS, RuntimeName.PROCESS))
    assert bench.made == []
    bench.runtimes.start(order(DOCKER, RuntimeName.DOCKER))
    bench.runtimes.start(order(ContainerName("a1/3/1"), RuntimeName.DOCKER))
    assert bench.made == ["docker"]


def test_each_is_asked_about_its_own_containers_only() -> None:
    bench = Bench()
    bench.start_both()

    bench.runtimes.signal(DOCKER, 10)
    assert bench.runtimes.hears(PROCESS, 12)
    assert not bench.runtimes.hears(ContainerName("a1/9/1"), 12)
    bench.runtimes.kill([PROCESS, DOCKER])
    assert bench.runtimes.over({PROCESS: 1, DOCKER: 2}) == {PROCESS: 2, DOCKER: 3}
    assert bench.runtimes.freeze(DOCKER, Path("/into")) == FrozenState(bytes=7, stopped_ms=1)

    assert bench.processes.asked == [("hears", PROCESS, 12), ("kill", PROCESS), ("over", PROCESS)]
    assert bench.docker.asked == [
        ("signal", DOCKER, 10),
        ("kill", DOCKER),
        ("over", DOCKER),
        ("freeze", DOCKER, Path("/into")),
    ]


def test_what_has_ended_or_is_frozen_is_asked_for_no_more() -> None:
    bench = Bench()
    bench.start_both()
    bench.processes.ends.append(Ended(PROCESS, 3))
    assert bench.runtimes.ended() == [Ended(PROCESS, 3)]
    bench.runtimes.freeze(DOCKER, Path("/into"))
    bench.docker.asked.clear()

    bench.runtimes.signal(PROCESS, 10)
    bench.runtimes.signal(DOCKER, 10)
    bench.runtimes.kill([PROCESS, DOCKER])
    with pytest.raises(FreezeFailed, match="a1/2/1 does not run here"):
        bench.runtimes.freeze(DOCKER, Path("/into"))

    assert (bench.processes.asked, bench.docker.asked) == ([], [])


def test_what_is_thawed_is_known_from_then_on() -> None:
    bench = Bench()
    bench.runtimes.thaw(order(DOCKER, RuntimeName.DOCKER), Path("/images"))
    bench.runtimes.kill([DOCKER])
    assert bench.docker.asked == [("thaw", DOCKER, Path("/images")), ("kill", DOCKER)]


def test_what_this_node_lacks_neither_starts_nor_goes_on() -> None:
    bench = Bench()
    with pytest.raises(StartFailed, match="this node has no podman"):
        bench.runtimes.start(order(DOCKER, RuntimeName.PODMAN))
    with pytest.raises(StartFailed, match="this node has no podman"):
        bench.runtimes.thaw(order(DOCKER, RuntimeName.PODMAN), Path("/images"))


def test_all_that_were_made_end_together() -> None:
    bench = Bench()
    bench.start_both()
    bench.runtimes.close()
    assert (bench.processes.asked, bench.docker.asked) == ([("close",)], [("close",)])


def frozen_after(tmp_path: Path, *failures: FreezeFailed) -> Bench:
    bench = Bench()
    bench.start_both()
    bench.docker.failures.extend(failures)
    with nullcontext() if len(failures) < 2 and all(one.may_pass for one in failures) else pytest.raises(FreezeFailed):
        bench.runtimes.freeze(DOCKER, tmp_path)
    return bench


def test_a_freeze_that_failed_of_what_may_pass_is_tried_once_more(tmp_path: Path) -> None:
    passing = FreezeFailed("Timeout reached", may_pass=True)
    assert len(frozen_after(tmp_path, passing).docker.asked) == 2
    assert list(tmp_path.iterdir()) == [], "of the first nothing is left"
    assert len(frozen_after(tmp_path, passing, passing).docker.asked) == 2
    assert len(frozen_after(tmp_path, FreezeFailed("it has a connection")).docker.asked) == 1
