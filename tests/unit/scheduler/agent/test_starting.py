"""From the command to the running process."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from idleq.ids import CommandId, Fence, JobId
from idleq.migration.errors import ImageMissing, ThawFailed
from idleq.migration.ports import ContainerName, Ended
from idleq.scheduler.agent import freezing, reactor
from idleq.scheduler.agent.background import NORMAL
from idleq.scheduler.agent.decide import Stop
from idleq.scheduler.agent.folders import Folders, Scratch
from idleq.scheduler.agent.starting import on_launch
from idleq.scheduler.core.inputs import CommandFailed, Exited, Frozen, Launched, SnapshotRejected
from idleq.scheduler.core.submission import FreezeMethod, RuntimeWish
from support.one_guest import Bench, Recorder


@dataclass(slots=True)
class Full(Scratch):
    """Folders can still be made on it, but nothing be written."""

    def take(self) -> Folders:
        folders = Scratch.take(self)
        folders.segment_file.symlink_to("/dev/full")
        return folders


@dataclass(slots=True)
class Later:
    """A background that does what it was asked to when it is told so."""

    tasks: list[tuple[Callable[[], Any], Callable[[Any], None]]] = field(default_factory=list)

    def submit(
        self,
        rank: int,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None],  # noqa: ARG002 - nothing is raised here
    ) -> None:
        assert rank == NORMAL, "freezes come first"
        self.tasks.append((work, then))

    def do(self) -> None:
        while self.tasks:
            work, then = self.tasks.pop(0)
            then(work())


@dataclass(slots=True)
class Containers:
    """A node on which job 2, a container, was asked to begin, and waits for the engine."""

    bench: Bench
    later: Later = field(default_factory=Later)

    def __post_init__(self) -> None:
        node, launch = self.bench.node, self.bench.guest.launch
        node.arrivals = self.later  # type: ignore[assignment]  # as in one_guest
        spec = replace(launch.spec, image="i", runtime=RuntimeWish.PODMAN, freeze=FreezeMethod.NONE)
        on_launch(node, replace(launch, id=CommandId(2), job=JobId("2"), spec=spec), "")

    @property
    def name(self) -> ContainerName:
        return self.bench.node.guests[JobId("2"), Fence(1)].name


@pytest.fixture
def containers(tmp_path: Path) -> Containers:
    return Containers(Bench(tmp_path, Recorder()))


def test_while_an_engine_starts_a_container_the_loop_goes_on(containers: Containers) -> None:
    assert containers.bench.runtime.asked == []
    containers.later.do()
    assert containers.bench.runtime.asked == [("start", containers.name)]
    assert [type(said) for said in containers.bench.told] == [Launched]


def test_one_that_ends_before_it_is_known_to_have_begun_is_told_in_the_right_order(containers: Containers) -> None:
    containers.bench.runtime.over_now = [Ended(containers.name, 0)]
    reactor.on_ended(containers.bench.node)
    assert containers.bench.told == []

    containers.later.do()

    assert [type(said) for said in containers.bench.told] == [Launched, Exited]


def test_one_that_is_to_go_before_an_engine_has_begun_with_it_is_not_started(containers: Containers) -> None:
    reactor.act(containers.bench.node, [Stop(JobId("2"), Fence(1), "cancelled")])
    containers.bench.runtime.asked.clear()

    containers.later.do()

    assert containers.bench.runtime.asked == []
    (said,) = containers.bench.told
    assert isinstance(said, Exited)
    assert (said.cause, said.reason) == ("agent", "cancelled")


def test_one_that_is_to_go_while_an_engine_starts_it_goes_as_soon_as_it_has_begun(containers: Containers) -> None:
    runtime = containers.bench.runtime
    runtime.meanwhile = lambda: reactor.act(containers.bench.node, [Stop(JobId("2"), Fence(1), "cancelled")])

    containers.later.do()

    # Asked for at once, when there was nothing yet that could be killed, and again once there was.
    assert runtime.asked[0] == ("start", containers.name)
    assert runtime.asked[-1] == ("kill", containers.name)
    assert [type(said) for said in containers.bench.told] == [Launched]


def test_a_launch_that_a_full_disk_stops_leaves_nothing_there_and_holds_no_room(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    free = bench.node.room.free
    bench.node.scratch = Full(tmp_path / "scratch", _made=1)
    on_launch(bench.node, replace(bench.guest.launch, id=CommandId(2), job=JobId("2")), "")

    (said,) = bench.told
    assert isinstance(said, CommandFailed)
    assert (said.command, "No space left on device" in said.reason) == (CommandId(2), True)
    assert list((tmp_path / "scratch").iterdir()) == [bench.guest.folders.root]
    assert (bench.node.guests, bench.node.room.free) == ({bench.guest.key: bench.guest}, free)


def test_one_that_was_frozen_and_whose_image_is_not_there_keeps_its_snapshot(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    freezing.begin(bench.node, bench.guest, "the gap ends")
    (frozen,) = bench.told
    assert isinstance(frozen, Frozen)
    bench.runtime.thaw_failure = ImageMissing.of("i")

    again = replace(bench.guest.launch, id=CommandId(2), fence=Fence(2), thaw_from=frozen.snapshot)
    on_launch(bench.node, again, "")

    reason = "cannot thaw: the image 'i' is not on this node: bring it there by `idleq image load`"
    assert bench.told[1:] == [CommandFailed(command=CommandId(2), reason=reason, transient=True, image_missing=True)]
    assert bench.node.guests == {}


def test_one_whose_image_is_not_there_is_sent_back_and_the_daemon_hears_that_it_is_the_image(
    containers: Containers,
) -> None:
    containers.bench.runtime.start_failure = ImageMissing.of("i")

    containers.later.do()

    reason = "the image 'i' is not on this node: bring it there by `idleq image load`"
    assert containers.bench.told == [
        CommandFailed(command=CommandId(2), reason=reason, transient=True, image_missing=True)
    ]
    assert JobId("2") not in {job for job, _ in containers.bench.node.guests}


@dataclass(slots=True)
class Thawing:
    """A node on which what was frozen of job 1 waits to be thawed."""

    bench: Bench
    later: Later = field(default_factory=Later)

    def __post_init__(self) -> None:
        freezing.begin(self.bench.node, self.bench.guest, "the gap ends")
        (frozen,) = self.bench.told
        assert isinstance(frozen, Frozen)
        self.bench.node.arrivals = self.later  # type: ignore[assignment]  # as in one_guest
        self.bench.runtime.asked.clear()
        again = replace(self.bench.guest.launch, id=CommandId(2), fence=Fence(2), thaw_from=frozen.snapshot)
        on_launch(self.bench.node, again, "")


def test_one_that_is_to_go_before_it_is_thawed_does_not_live_again(tmp_path: Path) -> None:
    thawing = Thawing(Bench(tmp_path, Recorder()))
    reactor.act(thawing.bench.node, [Stop(JobId("1"), Fence(2), "the lease ran out")])
    thawing.bench.runtime.asked.clear()

    thawing.later.do()

    assert thawing.bench.runtime.asked == []
    said = thawing.bench.told[-1]
    assert isinstance(said, Exited)
    assert (said.cause, said.reason) == ("agent", "the lease ran out")


def test_of_a_snapshot_that_verifies_and_does_not_go_on_it_is_said_that_it_is_whole(tmp_path: Path) -> None:
    thawing = Thawing(Bench(tmp_path, Recorder(thaw_failure=ThawFailed("no space left"))))

    thawing.later.do()

    said = thawing.bench.told[-1]
    assert isinstance(said, SnapshotRejected)
    assert (said.is_whole, said.reason) == (True, "no space left")
