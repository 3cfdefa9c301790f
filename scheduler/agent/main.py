"""Puts an agent together and runs it."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NoReturn

from structlog.typing import FilteringBoundLogger

from idleq.ids import Millis
from idleq.migration.capabilities import why_no_criu
from idleq.migration.errands import Errands
from idleq.migration.packer import Packer
from idleq.migration.podman import PodmanRuntime
from idleq.migration.ports import RuntimeName
from idleq.migration.process import ProcessRuntime
from idleq.migration.runtimes import FullRuntime, Runtimes
from idleq.migration.sealing import NO_KEYS, read_keys
from idleq.processes import read_processes, read_variable
from idleq.scheduler.agent.abilities import look_here
from idleq.scheduler.agent.alone import Alone
from idleq.scheduler.agent.api_link import ApiLink
from idleq.scheduler.agent.background import Background
from idleq.scheduler.agent.clock import AgentClock
from idleq.scheduler.agent.courier import Courier
from idleq.scheduler.agent.decide import Situation
from idleq.scheduler.agent.errors import AllocationUnknown
from idleq.scheduler.agent.folders import CONTROL, PRIVATE, Scratch
from idleq.scheduler.agent.key import FromTicket, Key, from_file, keep_to_ourselves
from idleq.scheduler.agent.lease import Lease
from idleq.scheduler.agent.loop import Loop
from idleq.scheduler.agent.node import Node
from idleq.scheduler.agent.presence import claimed, present
from idleq.scheduler.agent.reports import open_reports
from idleq.scheduler.agent.room import room_of
from idleq.scheduler.agent.settings import AgentSettings, Transport
from idleq.scheduler.agent.spool_link import SpoolLink
from idleq.scheduler.agent.wakeup import Wakeup
from idleq.scheduler.clock import SteadyClock
from idleq.scheduler.logs import make_log, open_log
from idleq.scheduler.paths import AllocationPaths, ServerPaths
from idleq.scheduler.ports import Clock
from idleq.scheduler.signals import on_stop
from idleq.scheduler.sitefolder import TICKET
from idleq.scheduler.spool import AgentSpool


def run(settings: AgentSettings) -> int:
    """Be the agent until there is nothing left to do here; return the process's exit code.

    Raises:
        AllocationUnknown: there is no such allocation.
        AgentRunning: it has an agent already.
        KeyUnusable: the keys of snapshots cannot be read.
    """
    paths, clock = ServerPaths(settings.server_dir), AgentClock()
    where, ticket = paths.allocation(settings.allocation), os.environ.pop(TICKET, "")
    if ticket:
        keep_to_ourselves()
        paths.create()
        where.root.mkdir(mode=PRIVATE, exist_ok=True)
    elif not where.token.exists():
        raise AllocationUnknown(f"there is no allocation {settings.allocation}: the daemon has left no token for it")
    mine = present(settings.node)
    with claimed(where, mine), Wakeup() as wakeup, open_log(where.log) as log_file:
        end_leftovers(settings.scratch)
        way = (paths.door, FromTicket(ticket)) if ticket else (paths.access, from_file(where.token))
        courier = courier_of(settings, way, where, clock, mine.boot, wakeup.wake)
        node = node_of(settings, paths, clock, wakeup.wake, make_log(log_file))
        serve(node, courier, wakeup)
    return 0


def serve(node: Node, courier: Courier, wakeup: Wakeup) -> None:
    """Run the loop; whatever ends it, nothing of the guests goes on."""
    now = node.clock.now()
    situation = Situation(now=now, lease=Lease(now, node.settings.pace.first_lease_ms), until=node.settings.until)
    loop = Loop(node, courier, wakeup, situation)
    node.scratch.move_in(os.getpid())
    courier.start()
    try:
        reason = loop.run()
        node.log.info("agent.left", reason=reason)
        loop.say_goodbye()
    finally:
        courier.stop()
        node.runtime.close()
        node.scratch.clear()


def node_of(
    settings: AgentSettings, paths: ServerPaths, clock: Clock, wake: Callable[[], None], log: FilteringBoundLogger
) -> Node:
    """Return the node with all that serves it."""
    abilities, machine = look_here()
    return Node(
        settings=settings,
        paths=paths,
        clock=clock,
        runtime=runtimes_of(str(settings.scratch), niceness=settings.niceness),
        reports=open_reports(paths.allocation(settings.allocation).reports),
        background=Background(wake),
        arrivals=Background(wake),
        room=room_of(settings.resources, sorted(os.sched_getaffinity(0)), os.environ),
        scratch=Scratch(settings.scratch),
        environment=os.environ,
        log=log,
        machine=machine,
        packer=Packer(
            compression=settings.compression, keys=read_keys(settings.key_file) if settings.key_file else NO_KEYS
        ),
        abilities=abilities,
    )


def runtimes_of(owner: str, *, niceness: int = 0) -> Runtimes:
    """Return the runtimes of this node for *owner*; plain processes are begun with, as they change whose orphans are adopted."""
    errands = Errands()
    processes = ProcessRuntime(errands, niceness=niceness)
    return Runtimes(
        {
            RuntimeName.PROCESS: lambda: processes,
            RuntimeName.PODMAN: lambda: _podman(owner, errands),
            RuntimeName.DOCKER: lambda: _docker(owner),
        }
    )


def _podman(owner: str, errands: Errands) -> FullRuntime:
    leave_word(owner, RuntimeName.PODMAN)
    return PodmanRuntime(owner, errands)


def _docker(owner: str) -> FullRuntime:
    from idleq.migration.docker import DockerRuntime

    leave_word(owner, RuntimeName.DOCKER)
    return DockerRuntime(owner=owner)


def leave_word(scratch: str, engine: RuntimeName) -> None:
    """Let whoever finds the *scratch* of an agent that was killed know that something of it may go on in *engine*."""
    with contextlib.suppress(OSError):  # a full disk: then it is ended when the next there starts something in it
        (Path(scratch) / engine).touch()


@contextlib.contextmanager
def alone_here(roots: Collection[str], seconds: float) -> Iterator[Alone]:
    """Give what runs guests here that no daemon has sent, with patience for so many *seconds*; containers may see *roots*."""
    with (
        tempfile.TemporaryDirectory(prefix="idleq-alone-") as scratch,
        on_stop(_leave, (signal.SIGTERM, signal.SIGHUP)),
    ):
        yield Alone(
            runtime=runtimes_of(scratch),
            clock=SteadyClock(),
            scratch=Path(scratch),
            patience_ms=Millis(round(seconds * 1000)),
            environment=os.environ,
            without_criu=why_no_criu(),
            roots=roots,
        )


def _leave(number: signal.Signals) -> NoReturn:
    """End as the signal would have ended us, but by way of whoever ends the guests: a container would go on."""
    sys.exit(128 + number)


def courier_of(
    settings: AgentSettings,
    way: tuple[Path, Key],
    where: AllocationPaths,
    clock: Clock,
    boot: str,
    on_news: Callable[[], None],
) -> Courier:
    """Return who speaks with the daemon, over the transport that was asked for; *way* is where its address lies, and the key."""
    match settings.transport:
        case Transport.API:
            main, side = (ApiLink(*way, settings.allocation, boot) for _ in range(2))
            return Courier(main, side, clock, settings.pace, on_news)
        case Transport.SPOOL:
            files = AgentSpool(where)
            return Courier(SpoolLink(files, boot, clock), None, clock, settings.pace, on_news)


def end_leftovers(scratch: Path) -> None:
    """Kill what guests of an earlier agent have left on this machine: those whose folders lie in *scratch*.

    Not by their mark: another server directory may have an allocation of the same name.
    """
    for pid, process in read_processes().items():
        control = read_variable(pid, CONTROL)
        if control is not None and not process.is_zombie and Path(control).is_relative_to(scratch):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
