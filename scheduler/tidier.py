"""Removes snapshots that nobody will thaw, those above the quota, inputs of jobs that are over, and what allocations have left that are long over.

On a thread of its own, as a shared file system may be slow.
"""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Protocol, TypeVar

from structlog.typing import FilteringBoundLogger

from idleq.ids import JobId, Millis, SnapshotId
from idleq.migration import snapshot
from idleq.scheduler import inputcopies
from idleq.scheduler.core.engine import Decision, Engine
from idleq.scheduler.core.inputcopies import input_copies
from idleq.scheduler.core.inputs import Input, SnapshotRemoved
from idleq.scheduler.core.retention import Doomed, Holding, Stray, doomed, holdings
from idleq.scheduler.core.rows import InputCopies
from idleq.scheduler.errors import DaemonAway, JournalUnavailable
from idleq.scheduler.paths import ServerPaths
from idleq.scheduler.ports import Clock

T = TypeVar("T")

ALLOCATION_KEPT_MS = Millis(7 * 24 * 3_600_000)
"""Since the last line of its agent: whoever wonders why a job failed looks for the agent's log within days."""


class Engines(Protocol):
    """The way to the engine's thread (Mailbox is one)."""

    def ask(self, inputs: Sequence[Input]) -> "Future[tuple[Decision, ...]]":
        """Have *inputs* decided."""
        ...

    def look(self, question: Callable[[Engine, Millis], T]) -> "Future[T]":
        """Have *question* answered from the state."""
        ...


class Tidier:
    """Tidies again and again from `start` to `stop`."""

    def __init__(
        self,
        *,
        paths: ServerPaths,
        engines: Engines,
        clock: Clock,
        quota: int | None,
        every_ms: Millis,
        log: FilteringBoundLogger,
    ) -> None:
        self._paths, self._engines, self._clock, self._log = paths, engines, clock, log
        self._quota, self._every_ms = quota, every_ms
        self._clean: set[JobId] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidier", daemon=True)

    def start(self) -> None:
        """Begin; the first time is one pause away."""
        self._thread.start()

    def stop(self) -> None:
        """Tidy no more; what is under way is left to itself."""
        self._stopping.set()

    def tidy(self) -> tuple[Doomed, ...]:
        """Remove what may go, and return it.

        Raises:
            DaemonAway, JournalUnavailable: the daemon is stopping, or its journal is away: the rest stays for now.
        """
        holds = [hold for hold in self._engines.look(_holdings).result() if hold.job not in self._clean]
        strays = [stray for hold in holds for stray in self._strays(hold)]
        chosen = doomed(holds, strays, self._quota, self._clock.now())
        gone = tuple(one for one in chosen if self._remove(one))
        stray_jobs = {stray.job for stray in strays}
        # Of a job that is over and has none nothing can come any more: a failed array of a million is not gone through again.
        self._clean |= {
            hold.job
            for hold in holds
            if hold.ended_at is not None and not hold.snapshots and hold.job not in stray_jobs
        }
        return gone

    def forget_allocations(self) -> tuple[str, ...]:
        """Remove the folders of allocations that the engine has forgotten and whose agents are long silent; return their names."""
        known = self._engines.look(_allocations).result()
        oldest = self._clock.now() - ALLOCATION_KEPT_MS
        gone: list[str] = []
        for folder in _entries(self._paths.allocations):
            if folder.name not in known and (_last_written_at(folder) or oldest) < oldest:
                try:
                    shutil.rmtree(folder)
                except OSError as error:
                    self._log.warning("daemon.allocation_kept", allocation=folder.name, reason=str(error))
                else:
                    gone.append(folder.name)
        if gone:
            self._log.info("daemon.allocations_forgotten", allocations=gone)
        return tuple(gone)

    def forget_inputs(self) -> tuple[str, ...]:
        """Remove the copies of inputs that no open job has, but for those that a submit may be about to name; return their names."""
        gone = inputcopies.remove(self._paths, self._engines.look(_inputs).result(), self._clock.now())
        if gone.names:
            self._log.info("daemon.inputs_forgotten", inputs=gone.names)
        for problem in gone.problems:
            self._log.warning("daemon.inputs_kept", reason=problem)
        return gone.names

    def _strays(self, hold: Holding) -> Iterator[Stray]:
        known = {kept.id for kept in hold.snapshots}
        for path in _entries(self._paths.job(hold.job).snapshots):
            if path.name not in known and (written_at := _written_at(path)) is not None:
                yield Stray(hold.job, SnapshotId(path.name), written_at)

    def _remove(self, one: Doomed) -> bool:
        if one.is_known:
            told = SnapshotRemoved(job=one.job, snapshot=one.snapshot, reason=one.reason)
            (decision,) = self._engines.ask([told]).result()
            if decision.refusal is not None:
                return False  # the job has gone on from it meanwhile
        snapshot.remove(self._paths.job(one.job).snapshots / one.snapshot)
        self._log.info("daemon.snapshot_removed", job=one.job, snapshot=one.snapshot, reason=one.reason)
        return True

    def _run(self) -> None:
        while not self._stopping.wait(self._every_ms / 1000):
            try:
                self.tidy()
                self.forget_allocations()
                self.forget_inputs()
            except (DaemonAway, JournalUnavailable) as error:
                self._log.info("daemon.tidying_put_off", reason=str(error))
            except Exception:  # noqa: BLE001 - this thread must not end silently; it is logged
                self._log.exception("daemon.tidying_failed")


def _holdings(engine: Engine, _now: Millis) -> tuple[Holding, ...]:
    return tuple(holdings(engine.state))


def _allocations(engine: Engine, _now: Millis) -> frozenset[str]:
    return frozenset(engine.state.allocations)


def _inputs(engine: Engine, _now: Millis) -> InputCopies:
    return input_copies(engine.state)


def _last_written_at(folder: Path) -> Millis | None:
    return max(filter(None, map(_written_at, [folder, *_entries(folder)])), default=None)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _written_at(path: Path) -> Millis | None:
    try:
        return Millis(path.stat().st_mtime_ns // 1_000_000)
    except OSError:
        return None
