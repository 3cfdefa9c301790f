"""A node with one running guest, for what is done with it when it is frozen, ends or goes wrong; nothing is run."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from idleq.ids import AllocationId, CommandId, Fence, JobId, Millis, NodeName
from idleq.machines import Machine
from idleq.migration.errors import MigrationError
from idleq.migration.packer import Packer
from idleq.migration.ports import ContainerName, Ended, FrozenState, Order
from idleq.scheduler import codec
from idleq.scheduler.agent.decide import Phase
from idleq.scheduler.agent.folders import Scratch
from idleq.scheduler.agent.guest import Guest
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.reports import Reports
from idleq.scheduler.agent.room import Room
from idleq.scheduler.agent.settings import AgentSettings, Transport
from idleq.scheduler.core.commands import Launch, SegmentPlan
from idleq.scheduler.core.inputs import AgentInput
from idleq.scheduler.core.resources import Resources
from idleq.scheduler.core.submission import FreezeMethod, JobSpec
from idleq.scheduler.paths import ServerPaths

NO_END = SegmentPlan(freeze_at=None, ends_at=None, save_every_ms=None)
MEMORY = b"all that it knows"


class Clock:
    def now(self) -> Millis:
        return Millis(1_000)


class AtOnce:
    """A background that does everything when it is asked to."""

    def submit(
        self,
        rank: int,  # noqa: ARG002 - at once
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        try:
            then(work())
        except Exception as error:  # noqa: BLE001 - as the real one
            failed(error)


@dataclass
class Recorder:
    """A runtime that freezes as it is told to, and keeps what it was asked."""

    failure: Exception | None = None
    over_now: list[Ended] = field(default_factory=list)
    thaw_failure: MigrationError | None = None
    start_failure: MigrationError | None = None
    is_listening: bool = False
    meanwhile: Callable[[], object] = lambda: None
    asked: list[tuple[object, ...]] = field(default_factory=list)

    def start(self, order: Order) -> None:
        self.asked.append(("start", order.name))
        self.meanwhile()
        if self.start_failure is not None:
            raise self.start_failure

    def signal(self, name: ContainerName, number: int) -> None:
        self.asked.append(("signal", name, number))

    def hears(self, name: ContainerName, number: int) -> bool:  # noqa: ARG002 - the same for all
        return self.is_listening

    def kill(self, names: Collection[ContainerName]) -> None:
        self.asked.append(("kill", *names))

    def ended(self) -> list[Ended]:
        told, self.over_now = self.over_now, []
        return told

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
    image: str = ""
    prefers: FreezeMethod | None = None
    paths_of: Callable[[Path], ServerPaths] = ServerPaths

    def __post_init__(self) -> None:
        paths, room = self.paths_of(self.root / "server"), Resources(2, 1 << 30)
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
            arrivals=AtOnce(),  # type: ignore[arg-type]  # as above
            room=Room(room, frozenset(), ()),
            scratch=Scratch(settings.scratch),
            environment={},
            log=structlog.get_logger(),
            machine=Machine(),
            packer=Packer(),
            abilities=("criu",),
        )
        self.node.scratch.clear()
        spec = JobSpec(name="w", argv=("x",), resources=Resources(1, 1 << 20), freeze=self.method, image=self.image)
        launch = Launch(
            id=CommandId(1),
            allocation=AllocationId("a1"),
            job=JobId("1"),
            fence=Fence(1),
            spec=spec,
            plan=NO_END,
            thaw_from=None,
            prefers=self.prefers,
        )
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

    @property
    def told(self) -> list[AgentInput]:
        """All that was reported."""
        self.node.reports.flush()
        lines = (json.loads(report.line) for report in self.node.reports.untaken())
        return [codec.decode_plain(line["kind"], line["body"], AgentInput) for line in lines]
