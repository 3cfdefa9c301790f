"""A guest that is to be frozen from outside: what is done when that works, and what instead when it does not."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import structlog

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName
from idleq.machines import Machine
from idleq.migration.errors import FreezeFailed, ThawFailed
from idleq.migration.packer import Packer
from idleq.migration.ports import ContainerName, Ended, FrozenState, Order
from idleq.scheduler.agent import freezing
from idleq.scheduler.agent.decide import Phase, Stop
from idleq.scheduler.agent.folders import Scratch
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.reports import Reports
from idleq.scheduler.agent.room import Room
from idleq.scheduler.agent.settings import AgentSettings, Transport
from idleq.scheduler.core.commands import Launch, SegmentPlan
from idleq.scheduler.core.inputs import Exited, Frozen
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.scheduler.paths import ServerPaths

NO_END = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)
MEMORY = b"all that it knows"
SIGUSR1 = 10


class Clock:
    def now(self) -> Millis:
        return Millis(1_000)


class AtOnce:
    """A background that does everything when it is asked to."""

    def submit(self, rank: int, work: Callable[[], Any], then: Callable[[Any], None]) -> None:  # noqa: ARG002 - at once
        then(work())


@dataclass
class Recorder:
    """A runtime that freezes as it is told to, and keeps what it was asked."""

    failure: FreezeFailed | None = None
    thaw_failure: ThawFailed | None = None
    is_listening: bool = False
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def start(self, order: Order) -> None:
        self.asked.append(("start", order.name))

    def signal(self, name: ContainerName, number: int) -> None:
        self.asked.append(("signal", name, number))

    def hears(self, name: ContainerName, number: int) -> bool:  # noqa: ARG002 - the same for all
        return self.is_listening

    def kill(self, names: Collection[ContainerName]) -> None:
        self.asked.append(("kill", *names))

    def ended(self) -> list[Ended]:
        return []

    def over(self, limits: Mapping[ContainerName, int]) -> dict[ContainerName, int]:  # noqa: ARG002 - none is
        return {}

    def freeze(self, name: ContainerName, into: Path) -> FrozenState:
        self.asked.append(("freeze", name))
        (into / "pages").write_bytes(MEMORY)
        if self.failure is not None:
            raise self.failure
        return FrozenState(bytes=len(MEMORY), stopped_ms=1)

    def thaw(self, order: Order, images: Path) -> None:
        self.asked.append(("thaw", order.name, (images / "pages").read_bytes()))
        if self.thaw_failure is not None:
            raise self.thaw_failure

    def close(self) -> None: ...


@dataclass
class Bench:
    """A node with one running guest."""

    root: Path
    runtime: Recorder
    method: FreezeMethod = FreezeMethod.CRIU

    def __post_init__(self) -> None:
        paths, room = ServerPaths(self.root / "server"), Resources(2, 1 << 30)
        settings = AgentSettings(
            server_dir=paths.root,
            allocation=AllocationId("a1"),
            node=NodeName("n1"),
            scratch=self.root / "scratch",
            resources=room,
            until=None,
            grace_ms=Millis(1_000),
            transport=Transport.SPOOL,
        )
        self.node = Node(
            settings=settings,
            paths=paths,
            clock=Clock(),
            runtime=self.runtime,
            reports=Reports(self.root / "reports"),
            background=AtOnce(),  # type: ignore[arg-type]  # a class without a port of its own; this is all that is asked of it
            room=Room(room, frozenset(), ()),
            scratch=Scratch(settings.scratch),
            environment={},
            log=structlog.get_logger(),
            machine=Machine(),
            packer=Packer(),
            abilities=("criu",),
        )
        self.node.scratch.clear()
        spec = JobSpec(name="w", argv=("x",), resources=Resources(1, 1 << 20), freeze=self.method)
        launch = Launch(
            id=CommandId(1), allocation=AllocationId("a1"), job=JobId("1"), fence=Fence(1), spec=spec, plan=NO_END, thaw_from=None
        )  # fmt: skip
        paths.job(JobId("1")).segment(Fence(1)).root.mkdir(parents=True)
        share = self.node.room.take((launch.job, launch.fence), spec.resources)
        assert share is not None
        self.guest = Guest(
            launch, self.node.scratch.take(), share, taken_at=Millis(0), plan=NO_END, is_enclosed=True, phase=Phase.RUNNING
        )  # fmt: skip
        self.node.guests[self.guest.key] = self.guest
        (self.guest.folders.output / "lines").write_text("one\n")

    @property
    def name(self) -> ContainerName:
        return self.guest.name

    @property
    def said(self) -> list[object]:
        """How segments ended, by what was reported."""
        return list(self.node.reports.ends.values())


def failed(*, is_broken: bool = False) -> FreezeFailed:
    return FreezeFailed("criu: no", is_broken=is_broken)


def test_what_was_frozen_is_told_with_what_it_needs_and_nothing_of_the_guest_is_left(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    freezing.begin(bench.node, bench.guest, "the gap ends")

    (said,) = bench.said
    assert isinstance(said, Frozen)
    assert (said.reason, said.snapshot.needs, said.snapshot.bytes) == ("the gap ends", ("criu",), len(MEMORY) + 4)
    assert bench.runtime.asked == [("freeze", bench.name)]
    assert (bench.node.guests, list((tmp_path / "scratch").iterdir())) == ({}, [])


def test_one_that_listens_saves_itself_where_it_cannot_be_frozen(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed(), is_listening=True), FreezeMethod.AUTO)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name), ("signal", bench.name, SIGUSR1)]
    assert (bench.guest.phase, bench.guest.method, bench.said) == (Phase.FREEZING, FreezeMethod.APP, [])
    assert not bench.guest.folders.images.exists(), "half a freeze would only fill the disk"


@pytest.mark.parametrize("method", [FreezeMethod.AUTO, FreezeMethod.CRIU])
def test_one_that_does_not_listen_runs_on_until_its_gap_ends(tmp_path: Path, method: FreezeMethod) -> None:
    # One of CRIU is not asked even if it has a handler: it was not said that this saves it.
    bench = Bench(tmp_path, Recorder(failure=failed(), is_listening=method is FreezeMethod.CRIU), method)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name)]
    assert (bench.guest.phase, bench.guest.method, bench.guest.asked_at) == (Phase.RUNNING, FreezeMethod.NONE, None)
    assert (bench.guest.stop, bench.guest.trouble, bench.said) == (None, "criu: no", [])


def test_one_that_somebody_wants_away_is_ended_then(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed()))
    bench.guest.must_go = True
    freezing.begin(bench.node, bench.guest, "held")

    assert bench.runtime.asked == [("freeze", bench.name), ("kill", bench.name)]
    assert bench.guest.stop == Stop(JobId("1"), Fence(1), "held")


def test_one_that_a_freeze_has_broken_is_no_failure_of_the_workload(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed(is_broken=True), is_listening=True), FreezeMethod.AUTO)
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.guest.stop == Stop(JobId("1"), Fence(1), "its freeze was broken off half-way", "agent")
    assert bench.runtime.asked == [("freeze", bench.name)]


def test_one_that_is_being_killed_keeps_the_reason_for_that(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(failure=failed(is_broken=True)))
    bench.guest.stop = stop = Stop(JobId("1"), Fence(1), "the gap ended before it had saved")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.guest.stop is stop


def test_what_cannot_be_kept_is_found_before_anything_is_stopped(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    (bench.guest.folders.temporary / "link").symlink_to("/etc")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == []
    assert "'tmp/link' is a symbolic link" in bench.guest.trouble


def test_what_cannot_be_put_away_goes_on_where_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder())
    bench.node.paths.job(JobId("1")).snapshots.write_text("no folder")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("freeze", bench.name), ("thaw", bench.name, MEMORY)]
    assert (bench.guest.phase, bench.guest.method, bench.said) == (Phase.RUNNING, FreezeMethod.NONE, [])
    assert not bench.guest.folders.images.exists()


def test_what_can_neither_be_put_away_nor_go_on_is_the_agents_fault(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(thaw_failure=ThawFailed("criu: not whole")))
    bench.node.paths.job(JobId("1")).snapshots.write_text("no folder")
    freezing.begin(bench.node, bench.guest, "the gap ends")

    (said,) = bench.said
    assert isinstance(said, Exited)
    assert (said.cause, said.code) == ("agent", 74)
    assert said.reason.endswith("and it did not go on here: criu: not whole")


def test_one_whose_method_is_to_save_itself_is_asked_without_more_ado(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Recorder(), FreezeMethod.APP)
    bench.guest.method = FreezeMethod.APP
    freezing.begin(bench.node, bench.guest, "the gap ends")

    assert bench.runtime.asked == [("signal", bench.name, SIGUSR1)]
